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
            (
                "attempts_24h_max",
                "number",
                "How often one may be called in a day.",
            ),
        ],
    },
    Shape {
        name: "family",
        keys: &[
            ("verdict", "text!", "A name of `verdicts`."),
            ("login", "text!", "A name of `logins`, or `none`."),
            ("upstream", "text", "A name of the account's `upstreams`."),
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
            ("limits", "{any}", "Its limits."),
            ("tls", "{any}", "Its certificates."),
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
