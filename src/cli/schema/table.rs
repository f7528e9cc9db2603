//! The keys that the readers know, with what each is: a table of words.

/// A mapping: its name among the definitions, and its keys with kind and meaning.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) keys: &'static [(&'static str, &'static str, &'static str)],
}

/// The key that stands for the names of all formats.
pub(super) const BODIES: &str = "(bodies)";

pub(super) const SOURCE: &str = "=documented|observed|assumed";
pub(super) const SURE: &str = "How sure this is.";

pub(super) const ROUTE: &[Shape] = &[
    Shape {
        name: "route",
        keys: &[
            ("route", "text!", "The name of the route."),
            ("about", "text", "What it is for."),
            ("source", SOURCE, SURE),
            ("listen", "listen", "The push that it begins with."),
            (
                "on",
                "[text]",
                "The events that it begins with, instead of a push.",
            ),
            (
                "prove",
                "any",
                "Who proves the sender: a name of policies/proof.yaml, a rule, or `none`.",
            ),
            (
                "settings",
                "{any}",
                "What pintle.yaml gives it, each with a default or without a value.",
            ),
            (
                "secrets",
                "[text]",
                "Secrets that its calls use: `$.secrets.NAME`.",
            ),
            (
                "never",
                "[text]",
                "What is taken out of a push before anything looks at it.",
            ),
            ("load", "{load}", "What is looked up: `$.kept.NAME`."),
            ("vars", "{value}", "Values, in their order: `$.vars.NAME`."),
            ("check", "[check]", "What must hold."),
            (
                "limits",
                "[limit]",
                "Who is left alone, and how often others are called.",
            ),
            ("items", "items", "What is done with each of several."),
            ("once", "once", "When a push is a repeat."),
            ("consent", "{value}", "The record of consent."),
            ("keep", "[keep]", "What is kept for a later push."),
            ("hours", "hours", "When calling is allowed."),
            (
                "drift",
                "=watch|ignore",
                "Whether it is told when the pushes change.",
            ),
            (
                "record",
                "record",
                "Pushes that are recorded, to try changes on.",
            ),
            (
                "order",
                "value",
                "Pushes with the same value here are worked on one after the other.",
            ),
            (
                "answer",
                "=when_stored|when_done",
                "When the sender is answered.",
            ),
            (
                "budget",
                "duration",
                "How long an answer that waits may take.",
            ),
            ("steps", "[step]", "What is called."),
            ("result", "value", "What came of an event."),
            ("replies", "replies", "The answers."),
            ("examples", "[{any}]", "Pushes that `pintle test` plays."),
        ],
    },
    Shape {
        name: "listen",
        keys: &[
            ("method", "text", "POST where nothing is written."),
            ("path", "text!", "Where it comes: `/in/partner`."),
            ("body", "format", "How its body is read."),
        ],
    },
    Shape {
        name: "load",
        keys: &[
            ("counter", "text", "A number that is one greater each time."),
            ("space", "text", "Where an earlier push kept it."),
            ("key", "value", "Under which key."),
        ],
    },
    Shape {
        name: "check",
        keys: &[
            (
                "if",
                "condition",
                "The check is made only where this holds.",
            ),
            ("unless", "condition", "What must hold."),
            (
                "reply",
                "text",
                "The answer; `refused` where nothing is written.",
            ),
            ("reason", "text", "The word for it: `$.reason`."),
            (
                "fault",
                "value",
                "A text for `$.faults`, where all are collected.",
            ),
        ],
    },
    Shape {
        name: "items",
        keys: &[
            ("each", "text!", "The items: `$.body.leads`."),
            ("vars", "{value}", "Values of an item."),
            ("check", "[check]", "What must hold for an item."),
            (
                "limits",
                "[limit]",
                "Who is left alone, and how often others are called.",
            ),
            ("once", "once", "When an item is a repeat."),
            ("consent", "{value}", "The record of consent for an item."),
            ("row", "value", "What an item gives to `$.rows`."),
            ("result", "value", "What is told of an item that is taken."),
            ("refusal", "value", "What is told of one that is not."),
            ("steps", "[step]", "What is called for each."),
        ],
    },
    Shape {
        name: "limit",
        keys: &[
            ("cap", "text", "A name of `caps` in policies/limits.yaml."),
            ("suppressed_by", "text", "A name of `suppressions` there."),
            ("key", "value!", "Who it is."),
            (
                "place",
                "value",
                "Where they are, for a cap that differs by place.",
            ),
            ("reply", "text", "The name of the answer."),
            ("reason", "text", "The word for it."),
        ],
    },
    Shape {
        name: "once",
        keys: &[
            ("key", "[value]!", "What tells them apart."),
            ("for", "duration!", "For how long it is remembered."),
            (
                "differing",
                "=conflict|repeat",
                "What another body under the same key is.",
            ),
            (
                "replay",
                "text",
                "A header for the answer to a repeat: `Name: value`.",
            ),
            ("reason", "text", "The word for a repeat."),
        ],
    },
    Shape {
        name: "keep",
        keys: &[
            ("space", "text!", "In which space."),
            ("key", "value!", "Under which key."),
            ("value", "value!", "What."),
            ("for", "duration!", "For how long."),
        ],
    },
    Shape {
        name: "record",
        keys: &[
            ("max", "number", "How many, the newest."),
            ("for", "duration", "For how long."),
            (
                "without",
                "[text]",
                "What is taken out of their bodies first.",
            ),
        ],
    },
    Shape {
        name: "hours",
        keys: &[
            ("policy", "text!", "A name of policies/hours.yaml."),
            ("place", "value!", "Where the called one is."),
            ("closed", "=tell|hold", "What happens outside of the hours."),
        ],
    },
    Shape {
        name: "step",
        keys: &[
            ("name", "text", "What it brings is `$.steps.NAME`."),
            ("when", "condition", "It is made only where this holds."),
            (
                "call",
                "text",
                "An operation of the platform: `workflow.add_contacts`.",
            ),
            ("account", "text", "With which account it is called."),
            ("query", "value", "The query of the call."),
            ("body", "value", "The body of the call."),
            ("send", "send", "A call of a third party."),
            ("together", "[step]", "Steps that are made at once."),
            (
                "offer_to",
                "offer",
                "Steps for one candidate after the other.",
            ),
            ("over", "value", "Rows that go out in several calls."),
            ("chunk", "value", "How many go in one call."),
            ("timeout", "duration", "How long one try may take."),
            (
                "tries",
                "number",
                "How often it is tried while the sender waits.",
            ),
            (
                "read",
                "format",
                "How the reply is read, whatever it says of itself.",
            ),
            ("good", "condition", "What makes a reply a good one."),
            (
                "take",
                "{value}",
                "Values taken out of the reply: `$.vars.NAME`.",
            ),
            ("check", "[check]", "What must hold after it."),
            (
                "else",
                "=fail|go_on",
                "Whether the route goes on where it failed.",
            ),
            (
                "reconcile",
                "reconcile",
                "How it is found out whether it took effect.",
            ),
        ],
    },
    Shape {
        name: "send",
        keys: &[
            ("method", "text", "POST with a body, else GET."),
            ("url", "text!", "Where it goes."),
            (
                "allow",
                "value",
                "The beginnings that a URL may have that a push gives.",
            ),
            ("headers", "{value}", "Headers by name."),
            (BODIES, "value", ""),
            ("sign", "sign", "Signs it by Standard Webhooks."),
            (
                "effect",
                "=read|repeatable|once",
                "What calling it twice does.",
            ),
        ],
    },
    Shape {
        name: "sign",
        keys: &[
            ("secrets", "[text]!", "The secrets that sign."),
            ("id", "value!", "The id of the message."),
        ],
    },
    Shape {
        name: "offer",
        keys: &[
            ("candidates", "value!", "The candidates, the best first."),
            ("max", "number", "How many are asked at most."),
            ("steps", "[step]!", "What is done for each."),
        ],
    },
    Shape {
        name: "reconcile",
        keys: &[
            ("step", "step!", "The query."),
            ("done", "condition!", "It took effect where this holds."),
        ],
    },
    Shape {
        name: "reply",
        keys: &[
            (
                "when",
                "condition",
                "The first reply of a list whose `when` holds is given.",
            ),
            ("status", "number", "200 where nothing is written."),
            ("headers", "{value}", "Headers by name."),
            (
                "content_type",
                "text",
                "Another media type than that of the body.",
            ),
            ("redirect", "value", "Where it sends the sender."),
            (BODIES, "value", ""),
        ],
    },
    Shape {
        name: "pipe",
        keys: &[
            ("from", "value!", "Where the value comes from."),
            (
                "then",
                "functions",
                "What is made of it, one function after the other.",
            ),
            (
                "default",
                "value",
                "What stands in where nothing comes out.",
            ),
            (
                "required",
                "bool",
                "The push is refused where nothing comes out.",
            ),
        ],
    },
    Shape {
        name: "arm",
        keys: &[
            (
                "when",
                "condition",
                "When it is this one; the last may stand without.",
            ),
            ("give", "value!", "What it is then."),
        ],
    },
    Shape {
        name: "table",
        keys: &[
            ("table", "text!", "The name of the table."),
            ("note", "text", "A remark."),
            ("source", "text", SURE),
            ("rows", "{any}!", "Its rows."),
        ],
    },
    Shape {
        name: "catalogue",
        keys: &[
            (
                "family",
                "text",
                "The family of the entries, of policies/family.yaml.",
            ),
            ("operations", "[entry]", "What we call."),
            ("callbacks", "[entry]", "What calls us."),
            ("guides", "[guide]", "Pages that name neither."),
        ],
    },
    Shape {
        name: "guide",
        keys: &[
            ("titles", "[text]!", "The titles of the page."),
            ("pages", "[text]!", "The pages, as breadcrumbs."),
            (
                "carried_by",
                "text!",
                "The file that carries what it is about.",
            ),
            ("note", "text", "A remark."),
        ],
    },
    Shape {
        name: "entry",
        keys: &[
            ("name", "text!", "Its name: `family.verb_noun`."),
            ("titles", "[text]!", "The titles of its pages."),
            ("pages", "[text]", "The pages, as breadcrumbs."),
            ("same_as", "text", "The entry that it is on the wire."),
            (
                "requires",
                "any",
                "What it requires of its body, or of its query where it is a GET.",
            ),
            ("method", "text", "The method, where it is known."),
            ("path", "text", "The path, where it is known."),
            (
                "effect",
                "=read|repeatable|once",
                "What calling it twice does.",
            ),
            ("sealing", "text", "How its messages are sealed."),
            (
                "cache",
                "text",
                "How its replies are kept: a name of policies/cache.yaml.",
            ),
            ("reserved", "bool", "Pintle calls it by itself."),
            ("source", "=documented|observed|assumed!", SURE),
            ("note", "text", "A remark."),
            ("listen", "any", "Where the callback comes."),
            ("prove", "any", "Who proves the sender."),
            ("once", "any", "When a callback is a repeat."),
            (
                "order",
                "text",
                "Callbacks with the same value are handed on in their order.",
            ),
            ("answer", "any", "What the sender is answered."),
            ("fields", "{text}", "What is known of its fields."),
            ("examples", "[{any}]", "Callbacks as they look."),
        ],
    },
];
