//! Functions from one text to another.

use std::borrow::Cow;

use serde_json::Value;

use super::argument::Argument;
use super::{Apply, Function, Kind, Make, TEXT_MAX, absent, gives, on_text, scalar_of, to_text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "trim",
        about: "Drops white space at both ends.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("", r#"" Ana ""#, r#""Ana""#),
            gives("", "7", r#""7""#),
            absent("", "[]"),
        ],
        make: Make::Text(|text| Some(text.trim().to_owned())),
    },
    Function {
        name: "collapse",
        about: "Drops white space at both ends, and makes each run of it inside one space.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 2,
        examples: &[
            gives("", r#"" Ana\t  Maria ""#, r#""Ana Maria""#),
            absent("", "null"),
        ],
        make: Make::Text(|text| Some(collapsed(text))),
    },
    Function {
        name: "lower",
        about: "Makes every letter small.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 3,
        examples: &[
            gives("", r#""Ana ÉLISE""#, r#""ana élise""#),
            absent("", "true"),
        ],
        make: Make::Text(|text| Some(text.to_lowercase())),
    },
    Function {
        name: "upper",
        about: "Makes every letter a capital.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 3,
        examples: &[gives("", r#""ny""#, r#""NY""#), absent("", "{}")],
        make: Make::Text(|text| Some(text.to_uppercase())),
    },
    Function {
        name: "prefix",
        about: "Puts a text before.",
        argument: "the text to put before",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 2,
        examples: &[
            gives("lead-", r#""42""#, r#""lead-42""#),
            absent("lead-", "null"),
        ],
        make: Make::With(|argument| {
            let before = argument.word()?;
            Some(to_text(move |text| Some(format!("{before}{text}"))))
        }),
    },
    Function {
        name: "suffix",
        about: "Puts a text after.",
        argument: "the text to put after",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 2,
        examples: &[gives(r#"" USD""#, "42", r#""42 USD""#), absent("x", "[1]")],
        make: Make::With(|argument| {
            let after = argument.word()?;
            Some(to_text(move |text| Some(format!("{text}{after}"))))
        }),
    },
    Function {
        name: "strip_prefix",
        about: "Drops a text at the beginning, where it stands there.",
        argument: "the text to drop",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("lead-", r#""lead-42""#, r#""42""#),
            gives("lead-", r#""42""#, r#""42""#),
            absent("lead-", "null"),
        ],
        make: Make::With(|argument| {
            let before = argument.word()?;
            Some(to_text(move |text| {
                Some(text.strip_prefix(&*before).unwrap_or(text).to_owned())
            }))
        }),
    },
    Function {
        name: "strip_suffix",
        about: "Drops a text at the end, where it stands there.",
        argument: "the text to drop",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[gives("px", r#""12px""#, r#""12""#), absent("px", "false")],
        make: Make::With(|argument| {
            let after = argument.word()?;
            Some(to_text(move |text| {
                Some(text.strip_suffix(&*after).unwrap_or(text).to_owned())
            }))
        }),
    },
    Function {
        name: "replace",
        about: "Puts one text for another, wherever it stands.",
        argument: "`of`, the text to replace, and `with`, what to put there (nothing, if left out)",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 4,
        examples: &[
            gives(
                "{ of: _, with: ' ' }",
                r#""home_owner_yes""#,
                r#""home owner yes""#,
            ),
            gives("{ of: '-' }", r#""1-2""#, r#""12""#),
            absent("{ of: a, with: b }", "[]"),
        ],
        make: Make::With(replace),
    },
    Function {
        name: "keep_digits",
        about: "Drops all but the digits 0 to 9; absent where there is none.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("", r#""A-12/3""#, r#""123""#),
            absent("", r#""none""#),
        ],
        make: Make::Text(|text| {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            (!digits.is_empty()).then_some(digits)
        }),
    },
    Function {
        name: "nonempty",
        about: "Lets a text through that has more than white space.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[gives("", r#""Ana""#, r#""Ana""#), absent("", r#""  ""#)],
        make: Make::Text(|text| (!text.trim().is_empty()).then(|| text.to_owned())),
    },
    Function {
        name: "to_text",
        about: "Writes a number or truth value as text; a number keeps its digits.",
        argument: "",
        takes: Kind::Scalar,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("", "12.50", r#""12.50""#),
            gives("", "true", r#""true""#),
            absent("", "null"),
        ],
        make: Make::Bare(|value, _| Some(Value::String(scalar_of(&value)?.into_owned()))),
    },
    Function {
        name: "contains",
        about: "Whether a text stands in it.",
        argument: "the text to look for",
        takes: Kind::Text,
        gives: Kind::Bool,
        cost: 4,
        examples: &[
            gives("own", r#""home owner""#, "true"),
            gives("Own", r#""home owner""#, "false"),
            absent("own", "null"),
        ],
        make: Make::With(|argument| {
            let wanted = argument.word()?;
            Some(on_text(move |text| Some(text.contains(&*wanted).into())))
        }),
    },
    Function {
        name: "equals",
        about: "Whether it is a certain value, letter by letter.",
        argument: "the text, number or truth value to compare with",
        takes: Kind::Scalar,
        gives: Kind::Bool,
        cost: 1,
        examples: &[
            gives("sold", r#""sold""#, "true"),
            gives("5", r#""5""#, "true"),
            gives("true", "false", "false"),
            absent("sold", "null"),
        ],
        make: Make::With(|argument| {
            let wanted: String = argument.read()?;
            Some(std::sync::Arc::new(move |value: Cow<'_, Value>, _: &_| {
                Some((scalar_of(&value)? == wanted).into())
            }))
        }),
    },
    Function {
        name: "length",
        about: "How many characters a text has, or items a list, or members an object.",
        argument: "",
        takes: Kind::Any,
        gives: Kind::Number,
        cost: 1,
        examples: &[
            gives("", r#""Élise""#, "5"),
            gives("", "[1, 2]", "2"),
            gives("", "{}", "0"),
            absent("", "null"),
        ],
        make: Make::Bare(|value, _| {
            let length = match &*value {
                Value::String(text) => text.chars().count(),
                Value::Array(items) => items.len(),
                Value::Object(members) => members.len(),
                Value::Null | Value::Bool(_) | Value::Number(_) => return None,
            };
            Some(length.into())
        }),
    },
];

/// White space inside as single spaces, none at the ends.
pub(super) fn collapsed(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.push_str(word);
    }
    collapsed
}

fn replace(argument: &Argument<'_>) -> Option<Apply> {
    let mut fields = argument.fields()?;
    let of: Option<String> = fields.required("of");
    let with: String = fields.or("with", String::new());
    fields.finish();
    let of = of?;
    if of.is_empty() {
        return argument.refuse("`of` is empty, so nothing can be replaced");
    }
    let (of, with) = (argument.short(of)?, argument.short(with)?);
    Some(to_text(move |text| {
        let mut replaced = String::with_capacity(text.len());
        for (at, piece) in text.split(&*of).enumerate() {
            if at > 0 {
                replaced.push_str(&with);
            }
            replaced.push_str(piece);
            // What comes out may be far longer than what went in.
            if replaced.len() > TEXT_MAX {
                return None;
            }
        }
        Some(replaced)
    }))
}
