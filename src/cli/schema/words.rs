//! The keys of policies and settings, as `table` has those of routes.

use super::table::{SOURCE, SURE, Shape};

pub(super) const POLICY: &[Shape] = &[
    Shape {
        name: "policies",
        keys: &[
            (
                "verdicts",
                "{verdict}",
                "Where an answer carries its code, and which codes mean yes.",
            ),
            ("logins", "{login}", "How a token is had."),
            ("sealings", "{sealing}", "How messages are encrypted."),
            ("proofs", "{proof}", "How the sender of a push is proven."),
            ("calling_hours", "{hours}", "When calling is allowed."),
            ("rates", "{rate}", "How often calls and pushes may come."),
            ("campaign", "campaign", "Which calls are of a campaign."),
            (
                "caps",
                "{cap}",
                "How often something may be done to one person.",
            ),
            ("suppressions", "{suppression}", "Who is left alone."),
            ("caches", "{cache}", "How replies are kept."),
            ("retries", "{retry}", "What is sent again."),
            (
                "families",
                "{family}",
                "What goes for the entries of a family.",
            ),
            (
                "unlisted_paths",
                "=pass|refuse",
                "What becomes of a call whose path is in no file.",
            ),
        ],
    },
    Shape {
        name: "verdict",
        keys: &[
            ("source", "=documented|observed|assumed!", SURE),
            ("note", "text", "A remark."),
            ("code", "text", "Where the code stands."),
            ("accepted", "[text]", "Codes that mean yes."),
            ("token_rejected", "[text]", "Codes that reject the token."),
            ("text", "[text]", "Where words for it stand."),
            ("codes", "{text}", "What the codes mean."),
        ],
    },
    Shape {
        name: "login",
        keys: &[
            ("source", SOURCE, SURE),
            ("note", "text", "A remark."),
            ("method", "text", "The method."),
            ("path", "text!", "The path."),
            ("encoding", "text", "How the fields are written."),
            ("headers", "{text}", "Headers by name."),
            (
                "fields",
                "any!",
                "The fields, each with the secret that it carries.",
            ),
            ("accepted", "any", "What makes an answer a good one."),
            ("token", "text!", "Where the token stands."),
            ("lifetime", "any!", "How long it lives."),
            ("lifetime_at", "text", "Where its life stands, in seconds."),
            ("authorization", "any", "How it is shown."),
        ],
    },
    Shape {
        name: "sealing",
        keys: &[
            ("source", "=documented|observed|assumed!", SURE),
            ("note", "text", "A remark."),
            ("scheme", "scheme!", "How it is encrypted."),
            ("keys", "text", "The keyring of the account."),
            ("announce", "{text}", "Headers that say that it is sealed."),
            ("digest", "any", "Where the digest stands."),
            ("key_id", "any", "Where the id of the key stands."),
            ("iv", "any", "Where the IV stands."),
            ("mac", "any", "Where the MAC stands."),
            ("sealed_type", "text", "The media type of what is sealed."),
            ("plain_type", "text", "That of what was opened."),
            ("request", "any", "What of a call is sealed."),
            ("reply", "any", "What of a reply is sealed."),
            ("callback", "any", "What of a callback is sealed."),
        ],
    },
    Shape {
        name: "cache",
        keys: &[
            ("source", "=documented|observed|assumed!", SURE),
            ("note", "text", "A remark."),
            ("lifetime", "duration!", "For how long a reply is fresh."),
            (
                "stale_while_revalidate",
                "duration",
                "For how long a stale one answers while a new one is fetched.",
            ),
            (
                "stale_if_error",
                "duration",
                "For how long a stale one answers where no new one can be had.",
            ),
            (
                "key",
                "[text]!",
                "What tells calls apart: `query`, `query.NAME`, `header.NAME`, `body`, `$.field`.",
            ),
        ],
    },
    Shape {
        name: "retry",
        keys: &[
            ("source", "=documented|observed|assumed!", SURE),
            ("note", "text", "A remark."),
            ("attempts_max", "number", "How often a call is sent."),
            ("first", "duration", "The longest wait before the second."),
            ("max", "duration", "The longest wait."),
            ("statuses", "any", "After which statuses."),
            (
                "budget_percent",
                "number",
                "How many more attempts than calls.",
            ),
            (
                "hedge_after",
                "duration",
                "When a read is sent a second time beside the first.",
            ),
            ("breaker", "any", "When nothing is sent any more."),
        ],
    },
    Shape {
        name: "proof",
        keys: &[
            ("source", SOURCE, SURE),
            ("note", "text", "A remark."),
            ("handshake", "any", "How an address is confirmed."),
            ("(verifiers)", "any", ""),
        ],
    },
    Shape {
        name: "hours",
        keys: &[
            ("source", "=documented|observed|assumed!", SURE),
            ("note", "text", "A remark."),
            (
                "default",
                "{any}",
                "The hours of a place that says nothing.",
            ),
            ("places", "{place}!", "The places."),
        ],
    },
    Shape {
        name: "place",
        keys: &[
            ("zones", "[text]!", "Its time zones."),
            ("open", "{any}", "Its hours, by day."),
        ],
    },
    Shape {
        name: "rate",
        keys: &[
            ("source", "=documented|observed|assumed!", SURE),
            ("note", "text", "A remark."),
            ("calls", "[text]", "Operations that it counts."),
            ("pushes", "[text]", "Routes and callbacks that it counts."),
            ("per", "[text]", "What has a count of its own."),
            ("limits", "[rate_limit]", "How often; all of them hold."),
            ("in_flight_max", "number", "How many may be under way."),
            ("waiting_max", "number", "How many of each class may wait."),
        ],
    },
    Shape {
        name: "rate_limit",
        keys: &[
            ("max", "number!", "How many."),
            ("per", "duration!", "Within which time."),
            ("burst", "number", "How many of them may come at once."),
        ],
    },
    Shape {
        name: "campaign",
        keys: &[
            ("share_percent", "number", "What they get at least."),
            ("calls", "[text]", "Operations that are of a campaign."),
            ("callers", "[text]", "Applications that are."),
        ],
    },
    Shape {
        name: "cap",
        keys: &[
            ("source", "=documented|observed|assumed!", SURE),
            ("note", "text", "A remark."),
            ("per", "duration!", "Within which time."),
            ("max", "number", "How often, where `places` says nothing."),
            ("places", "{number}", "How often, by place."),
        ],
    },
    Shape {
        name: "suppression",
        keys: &[
            ("source", "=documented|observed|assumed!", SURE),
            ("note", "text", "A remark."),
            ("for", "duration!", "For how long a key stays on the list."),
            ("keys", "[text]", "Keys that are always on it."),
        ],
    },
    Shape {
        name: "family",
        keys: &[
            ("verdict", "text!", "A name of `verdicts`."),
            ("login", "text!", "A name of `logins`, or `none`."),
            ("upstream", "text", "A name of the account's `upstreams`."),
            ("retry", "text", "A name of `retries`, or `none`."),
            ("sealing", "text", "A name of `sealings`, or `none`."),
            ("paths", "[text]", "What its paths begin with."),
            ("headers", "any", "Headers of its calls."),
            ("note", "text", "A remark."),
        ],
    },
];

pub(super) const SETTINGS: &[Shape] = &[
    Shape {
        name: "settings",
        keys: &[
            (
                "policies",
                "text",
                "The folder of the policies; else those of the binary.",
            ),
            (
                "routes",
                "text",
                "The folder of the routes; else those of the binary.",
            ),
            ("local", "{any}", "Where internal applications call."),
            (
                "admin",
                "{any}",
                "Where `/livez`, `/readyz` and the metrics are.",
            ),
            ("accounts", "{account}!", "The accounts of the platform."),
            (
                "default_account",
                "text",
                "The account of calls that name none.",
            ),
            ("public", "{any}", "Where pushes come in."),
            ("journal", "{any}", "Where events are kept."),
            (
                "store",
                "any",
                "The Redis that a fleet shares: a URL, or more.",
            ),
            ("receivers", "{any}", "Who gets the callbacks."),
            (
                "run",
                "{run/null}",
                "The routes that run, each with what it is given.",
            ),
            (
                "cache",
                "cache",
                "How much is kept of replies; else nothing is.",
            ),
            ("token", "{any}", "How tokens are kept."),
            ("drain", "duration", "How long the end may take."),
            ("log", "log", "How the log is written."),
        ],
    },
    Shape {
        name: "account",
        keys: &[
            ("base_url", "text!", "Where the platform is."),
            (
                "secrets",
                "{text}!",
                "References: `env:NAME`, `file:/path`.",
            ),
            ("login", "text", "A name of `logins`."),
            ("authorization", "text", "How the token is shown."),
            ("sealing", "text", "A name of `sealings`, or `none`."),
            ("keys", "{any}", "Its keyrings."),
            (
                "open_failures_max",
                "number",
                "How many replies may fail to be opened.",
            ),
            ("upstreams", "{any}", "Other addresses."),
            ("http", "text", "Which HTTP it speaks."),
            (
                "http_cache",
                "=off|shared",
                "Whether replies are kept as HTTP allows.",
            ),
            ("limits", "{any}", "Its limits."),
            ("tls", "{any}", "Its certificates."),
        ],
    },
    Shape {
        name: "cache",
        keys: &[
            ("bytes_max", "any", "All replies together."),
            ("entry_bytes_max", "any", "The largest one."),
        ],
    },
    Shape {
        name: "run",
        keys: &[
            ("settings", "{any}", "What the route is given."),
            ("secrets", "{any}", "References to its secrets."),
            ("retry", "{any}", "How often its steps are tried."),
            (
                "attempts_max",
                "number",
                "Pushes that are worked on at once.",
            ),
        ],
    },
    Shape {
        name: "log",
        keys: &[
            ("format", "=text|json", "How a record is written."),
            ("level", "=error|warn|info|debug", "The least level."),
        ],
    },
];
