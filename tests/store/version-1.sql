-- The tables as version 1 made them, with an event that waits, one that was given up, and their marks.
PRAGMA application_id = 1349416044;
PRAGMA user_version = 1;
CREATE TABLE deliveries(
    id INTEGER PRIMARY KEY,
    event INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    is_once INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL,
    target TEXT NOT NULL,
    order_key TEXT,
    event_id TEXT NOT NULL,
    route TEXT NOT NULL,
    content_type TEXT NOT NULL,
    class TEXT,
    status INTEGER
);
CREATE INDEX by_due ON deliveries(state, target, due_ms);
CREATE INDEX by_order ON deliveries(target, order_key, state)
    WHERE order_key IS NOT NULL AND state IN (0, 1, 5);
CREATE INDEX by_event ON deliveries(event_id);
CREATE INDEX by_received ON deliveries(received_ms);
CREATE TABLE bodies(
    event INTEGER PRIMARY KEY,
    duties INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE marks(
    id INTEGER PRIMARY KEY,
    until_ms INTEGER NOT NULL,
    name BLOB NOT NULL,
    digest BLOB NOT NULL,
    answer BLOB NOT NULL
);
CREATE INDEX by_until ON marks(until_ms, name);
CREATE TABLE numbers(
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO numbers(name, value) VALUES ('ids', 3), ('probes', 0);
INSERT INTO deliveries VALUES
    (1, 1, 0, 0, 1700000000000, 0, 1700000000000, 10, 'crm', NULL, 'a', 'leads', 'application/json', NULL, NULL),
    (2, 2, 4, 1, 1700000000000, 1, 1700000000000, 10, 'mail', 'o', 'b', 'leads', 'application/json', 'status', 503);
INSERT INTO bodies VALUES (1, 1, CAST('{"id":"a"}' AS BLOB)), (2, 1, CAST('{"id":"b"}' AS BLOB));
