//! Questions to the tables: what a filter means in SQL, and the rows that it finds.

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use crate::store::journal::schema::{code, state};
use crate::store::{Change, Delivery, DeliveryId, Filter, Reason, State, UnixMs};

/// Conditions, with the values of their `?`.
#[derive(Debug, Default)]
pub(super) struct Where {
    text: String,
    values: Vec<Value>,
}

impl Where {
    /// What a filter means.
    pub(super) fn of(filter: &Filter) -> Self {
        Self::by(filter, "state")
    }

    /// The same, to be listed by id: what waits and what is done is most of all there is, and going
    /// through it by id finds a page sooner than an index by state, which would have to be sorted.
    fn listed(filter: &Filter) -> Self {
        let is_most = matches!(filter.state, Some(State::Waiting | State::Done));
        Self::by(filter, if is_most { "+state" } else { "state" })
    }

    fn by(filter: &Filter, column: &str) -> Self {
        let mut all = Self::default();
        let integer = |value: i64| Value::Integer(value);
        let text = |value: &String| Value::Text(value.clone());
        all.and("id = ?", filter.id.map(|id| integer(id.0)));
        all.and("event_id = ?", filter.event.as_ref().map(text));
        all.and("route = ?", filter.route.as_ref().map(text));
        all.and("target = ?", filter.target.as_ref().map(text));
        all.and("class = ?", filter.class.as_ref().map(text));
        all.and("order_key = ?", filter.order.as_ref().map(text));
        all.and("received_ms >= ?", filter.from_ms.map(integer));
        all.and("received_ms < ?", filter.before_ms.map(integer));
        match filter.state {
            Some(State::Waiting) => all.plain(&format!("{column} IN (0, 5)")),
            Some(other) => all.and(&format!("{column} = ?"), Some(integer(code(other)))),
            None => {}
        }
        all
    }

    /// And that a change can be made.
    pub(super) fn changeable(mut self, change: Change) -> Self {
        match change {
            Change::Replay { due_ms, force } => {
                // What waits already is only brought forward.
                self.and(
                    "(state IN (2, 3, 4) OR state IN (0, 5) AND due_ms > ?)",
                    Some(Value::Integer(due_ms)),
                );
                if !force {
                    self.plain("NOT (is_once AND state IN (2, 3))");
                }
            }
            Change::Bury => self.plain("state IN (0, 3, 5)"),
        }
        self
    }

    /// And one condition more, where there is a value for it.
    pub(super) fn and(&mut self, condition: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.plain(condition);
            self.values.push(value);
        }
    }

    fn plain(&mut self, condition: &str) {
        self.text.push_str(if self.text.is_empty() {
            " WHERE "
        } else {
            " AND "
        });
        self.text.push_str(condition);
    }
}

/// Deliveries, the newest first.
pub(super) fn list(
    connection: &Connection,
    filter: &Filter,
    before: Option<DeliveryId>,
    max: usize,
) -> rusqlite::Result<Vec<Delivery>> {
    let mut all = Where::listed(filter);
    all.and("id < ?", before.map(|id| Value::Integer(id.0)));
    let text = format!(
        "SELECT {COLUMNS} FROM deliveries{} ORDER BY id DESC LIMIT ?",
        all.text
    );
    all.values.push(limit(max));
    connection
        .prepare_cached(&text)?
        .query_map(params_from_iter(all.values), delivery)?
        .collect()
}

/// A row of [`COLUMNS`].
pub(super) fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let reason = match row.get::<_, Option<String>>(10)? {
        Some(class) => Some(Reason {
            class,
            status: row.get(11)?,
        }),
        None => None,
    };
    Ok(Delivery {
        id: DeliveryId(row.get(0)?),
        event: row.get(1)?,
        route: row.get(2)?,
        target: row.get(3)?,
        order: row.get(4)?,
        state: state(row.get(5)?),
        attempts: row.get(6)?,
        received_ms: row.get(7)?,
        due_ms: row.get(8)?,
        is_once: row.get(9)?,
        reason,
        content_type: row.get(12)?,
        body_bytes: u64::try_from(row.get::<_, i64>(13)?).unwrap_or(0),
    })
}

/// How many deliveries a filter means.
pub(super) fn count(connection: &Connection, filter: &Filter) -> rusqlite::Result<u64> {
    let all = Where::of(filter);
    let text = format!("SELECT count(*) FROM deliveries{}", all.text);
    let count: i64 = connection
        .prepare_cached(&text)?
        .query_row(params_from_iter(all.values), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The ids of some deliveries that meet conditions, the oldest first.
pub(super) fn ids(
    connection: &Connection,
    mut all: Where,
    after: i64,
    max: usize,
) -> rusqlite::Result<Vec<i64>> {
    all.and("id > ?", Some(Value::Integer(after)));
    let text = format!("SELECT id FROM deliveries{} ORDER BY id LIMIT ?", all.text);
    all.values.push(limit(max));
    connection
        .prepare_cached(&text)?
        .query_map(params_from_iter(all.values), |row| row.get(0))?
        .collect()
}

/// Whether a delivery still meets conditions.
pub(super) fn meets(connection: &Connection, mut all: Where, id: i64) -> rusqlite::Result<bool> {
    all.and("id = ?", Some(Value::Integer(id)));
    let text = format!("SELECT 1 FROM deliveries{}", all.text);
    connection
        .prepare_cached(&text)?
        .exists(params_from_iter(all.values))
}

/// The body of a delivery.
pub(super) fn body(connection: &Connection, id: DeliveryId) -> rusqlite::Result<Option<Bytes>> {
    let body: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT body FROM bodies WHERE event = (SELECT event FROM deliveries WHERE id = ?1)",
        )?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    Ok(body.map(Bytes::from))
}

/// When something of a target is due, or a lease of it runs out.
pub(super) fn next_due(connection: &Connection, target: &str) -> rusqlite::Result<Option<UnixMs>> {
    // Two looks at the end of the index; what is held behind another is not looked at.
    connection
        .prepare_cached(
            "SELECT min(due_ms) FROM (
                 SELECT min(due_ms) AS due_ms FROM deliveries WHERE state = 0 AND target = ?1
                 UNION ALL
                 SELECT min(due_ms) FROM deliveries WHERE state = 1 AND target = ?1)",
        )?
        .query_row([target], |row| row.get(0))
}

fn limit(max: usize) -> Value {
    Value::Integer(i64::try_from(max).unwrap_or(i64::MAX))
}

/// The columns of a delivery, as [`delivery`] reads them.
pub(super) const COLUMNS: &str =
    "id, event_id, route, target, order_key, state, attempts, received_ms,
    due_ms, is_once, class, status, content_type, body_bytes";
