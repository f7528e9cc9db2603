//! Functions that take a part of a text.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::argument::Argument;
use super::{Apply, Function, Kind, LIST_MAX, Make, absent, gives, on_text, to_text};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "first",
        about: "The first characters, or all where there are fewer.",
        argument: "how many characters, from 1",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("3", r#""Éloise""#, r#""Élo""#),
            gives("3", "12", r#""12""#),
            absent("3", "null"),
        ],
        make: Make::With(|argument| {
            let count = argument.count()?;
            Some(to_text(move |text| {
                Some(text.chars().take(count).collect())
            }))
        }),
    },
    Function {
        name: "last",
        about: "The last characters, or all where there are fewer.",
        argument: "how many characters, from 1",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("4", r#""+17025550177""#, r#""0177""#),
            absent("4", "[]"),
        ],
        make: Make::With(|argument| {
            let count = argument.count()?;
            Some(to_text(move |text| {
                let before = text.chars().count().saturating_sub(count);
                Some(text.chars().skip(before).collect())
            }))
        }),
    },
    Function {
        name: "skip",
        about: "What comes after the first characters; absent where that is nothing.",
        argument: "how many characters, from 1",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("2", r#""+17025550177""#, r#""7025550177""#),
            absent("2", r#""+1""#),
        ],
        make: Make::With(|argument| {
            let count = argument.count()?;
            Some(to_text(move |text| {
                let rest: String = text.chars().skip(count).collect();
                (!rest.is_empty()).then_some(rest)
            }))
        }),
    },
    Function {
        name: "substring",
        about: "The characters between two places; absent where there are none.",
        argument: "`from` and `to`, counted from 0; `to` is the first one left out, and may be left out itself",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("{ from: 2, to: 5 }", r#""+17025550177""#, r#""702""#),
            gives("{ from: 2 }", r#""abcd""#, r#""cd""#),
            absent("{ from: 9 }", r#""abcd""#),
        ],
        make: Make::With(substring),
    },
    Function {
        name: "first_word",
        about: "What stands before the first white space; absent where there is no word.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("", r#""Ana Maria Ruiz""#, r#""Ana""#),
            absent("", r#"" ""#),
        ],
        make: Make::Text(|text| text.split_whitespace().next().map(str::to_owned)),
    },
    Function {
        name: "rest_words",
        about: "What comes after the first word; absent where there is no second one.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("", r#""Ana Maria Ruiz""#, r#""Maria Ruiz""#),
            absent("", r#""Ana""#),
        ],
        make: Make::Text(|text| {
            let (_, rest) = text.trim().split_once(char::is_whitespace)?;
            Some(rest.trim_start().to_owned())
        }),
    },
    Function {
        name: "words",
        about: "The words as a list, parted at white space.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::List,
        cost: 8,
        examples: &[
            gives("", r#"" Ana  Ruiz""#, r#"["Ana", "Ruiz"]"#),
            absent("", "null"),
        ],
        make: Make::Bare(|value, _| listed(super::text_of(&value)?.split_whitespace())),
    },
    Function {
        name: "split",
        about: "Parts a text at a separator; the pieces have no white space around them.",
        argument: "the separator",
        takes: Kind::Text,
        gives: Kind::List,
        cost: 8,
        examples: &[
            gives(r#"",""#, r#""a, b,""#, r#"["a", "b", ""]"#),
            gives(r#"";""#, r#""a""#, r#"["a"]"#),
            absent(r#"",""#, "{}"),
        ],
        make: Make::With(|argument| {
            let separator = argument.word()?;
            Some(on_text(move |text| {
                listed(text.split(&*separator).map(str::trim))
            }))
        }),
    },
    Function {
        name: "capture",
        about: "What the first group of a regular expression matches, or all that it matches where it has no group.",
        argument: "a regular expression, without look-around and references back",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 8192,
        examples: &[
            gives(r"'\((\d{3})\)'", r#""(702) 555-0177""#, r#""702""#),
            gives(r"'\d+'", r#""unit 12""#, r#""12""#),
            absent(r"'\d+'", r#""none""#),
        ],
        make: Make::With(|argument| {
            let pattern = pattern(argument)?;
            Some(to_text(move |text| {
                let found = pattern.captures(text)?;
                let part = if found.len() > 1 {
                    found.get(1)
                } else {
                    found.get(0)
                };
                Some(part?.as_str().to_owned())
            }))
        }),
    },
];

fn listed<'t>(pieces: impl Iterator<Item = &'t str>) -> Option<Value> {
    let list: Vec<Value> = pieces.take(LIST_MAX + 1).map(Value::from).collect();
    (list.len() <= LIST_MAX).then_some(Value::Array(list))
}

fn substring(argument: &Argument<'_>) -> Option<Apply> {
    let mut fields = argument.fields()?;
    let from: Option<u64> = fields.required("from");
    let to: Option<u64> = fields.optional("to");
    fields.finish();
    let from = usize::try_from(from?).ok()?;
    let to = match to {
        Some(to) => usize::try_from(to).ok()?,
        None => usize::MAX,
    };
    if to <= from {
        return argument.refuse("`to` is not after `from`, so there is nothing between them");
    }
    Some(to_text(move |text| {
        let part: String = text.chars().skip(from).take(to - from).collect();
        (!part.is_empty()).then_some(part)
    }))
}

/// Compiles a pattern. Its size is bounded, and so are its steps a byte: one for each state.
fn pattern(argument: &Argument<'_>) -> Option<Regex> {
    let text = argument.word()?;
    let compiled = RegexBuilder::new(&text)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .nest_limit(PATTERN_DEPTH_MAX)
        .build();
    match compiled {
        Ok(pattern) => Some(pattern),
        Err(regex::Error::CompiledTooBig(_)) => {
            argument.refuse("the regular expression is too large")
        }
        Err(_) => argument.refuse("this is not a regular expression that can be used"),
    }
}

const PATTERN_BYTES_MAX: usize = 256 * 1024;
const PATTERN_DEPTH_MAX: u32 = 32;
