//! The functions of the route language: a closed list, and the pipelines that are made of it.
//!
//! A function is total: it gives a value or nothing, and what nothing means is decided where the
//! value is written. `null` is nothing. No function waits, reads a clock or the world, loops
//! without a bound, or gives a text past [`TEXT_MAX`] or a list past [`LIST_MAX`]. Numbers keep
//! their digits.

mod argument;
mod calendar;
mod choice;
mod decimal;
mod digest;
mod document;
mod encoding;
mod list;
mod money;
mod number;
mod object;
mod part;
mod phone;
mod pipeline;
mod range;
mod state;
mod table;
mod text;
mod time;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use argument::Argument;
pub use document::markdown;
pub(super) use encoding::url_encode;
pub use phone::make_ready;
pub use pipeline::Pipeline;
pub use table::{Table, Tables};

/// One function: what it is for, and how it is made.
#[derive(Debug)]
pub struct Function {
    /// The word in `then`.
    pub name: &'static str,
    /// What it does, one sentence.
    pub about: &'static str,
    /// What its argument is, such as "a region such as `US`"; empty where it takes none.
    pub argument: &'static str,
    /// What it works on; anything else is absent.
    pub takes: Kind,
    /// What it gives.
    pub gives: Kind,
    /// A bound of its work, in passes over the input: one pass is a step a byte, at the most.
    pub cost: u32,
    /// What it does, shown. A test runs them.
    pub examples: &'static [Example],
    make: Make,
}

/// Functions that belong together.
#[derive(Debug)]
pub struct Group {
    /// The word for the group.
    pub name: &'static str,
    /// Its functions.
    pub functions: &'static [Function],
}

/// One thing that a function does.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The argument, as YAML; empty where none is written.
    pub argument: &'static str,
    /// The input, as JSON.
    pub input: &'static str,
    /// What comes out, as JSON; `None` where that is nothing.
    pub output: Option<&'static str>,
}

/// What a function takes or gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any value.
    Any,
    /// A text. Where one is taken, a number counts as the text of its digits.
    Text,
    /// A number. Where one is taken, a text that is a number counts too.
    Number,
    /// A truth value.
    Bool,
    /// A text, a number or a truth value.
    Scalar,
    /// A list.
    List,
    /// An object.
    Object,
}

/// What a function knows besides its input.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The caller's time.
    pub now: Timestamp,
}

/// A function with its argument.
///
/// It looks at its input where that stands, and takes it only where it must.
type Apply = Arc<dyn Fn(Cow<'_, Value>, &Moment) -> Option<Value> + Send + Sync>;

/// How a function comes to be.
enum Make {
    /// From text to text, without an argument.
    Text(fn(&str) -> Option<String>),
    /// Without an argument.
    Bare(fn(Cow<'_, Value>, &Moment) -> Option<Value>),
    /// From its argument; a faulty one is told.
    With(fn(&Argument<'_>) -> Option<Apply>),
}

impl fmt::Debug for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Bare(_) => "Bare",
            Self::With(_) => "With",
        })
    }
}

impl Kind {
    /// Whether a value of this kind may be what `wanted` asks for.
    pub fn fits(self, wanted: Self) -> bool {
        match (self, wanted) {
            (Self::Any, _)
            | (_, Self::Any)
            | (Self::Scalar, Self::Text | Self::Number | Self::Bool)
            | (Self::Text | Self::Number | Self::Bool, Self::Scalar)
            | (Self::Text, Self::Number)
            | (Self::Number, Self::Text) => true,
            (given, wanted) => given == wanted,
        }
    }

    /// The word for it, with its article.
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Bool => "a truth value",
            Self::Scalar => "a text, number or truth value",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl Moment {
    /// The moment at a time in milliseconds since 1970.
    pub fn at_ms(now_ms: i64) -> Self {
        let end = if now_ms < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        Self {
            now: Timestamp::from_millisecond(now_ms).unwrap_or(end),
        }
    }
}

impl Moment {
    /// The moment that a text tells, such as `2026-03-10T16:00:00Z`.
    pub fn parse(text: &str) -> Option<Self> {
        let now = text.parse().ok()?;
        Some(Self { now })
    }

    /// As milliseconds since 1970.
    pub fn ms(&self) -> i64 {
        self.now.as_millisecond()
    }

    /// As routes write it.
    pub fn text(&self) -> String {
        instant(self.now)
    }
}

/// An instant as routes write it: RFC 3339, UTC, whole seconds.
pub fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Every function, in the order of the groups.
pub fn functions() -> impl Iterator<Item = &'static Function> + Clone {
    GROUPS.iter().flat_map(|group| group.functions)
}

/// The function of a name.
pub fn find(name: &str) -> Option<&'static Function> {
    functions().find(|function| function.name == name)
}

/// The text of a text or number, where it is not too long.
fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text.as_str())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
    .filter(|text| text.len() <= TEXT_MAX)
}

/// The text of a text, number or truth value, where it is not too long.
fn scalar_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        value => text_of(value),
    }
}

/// A function from text to a value.
fn on_text(run: impl Fn(&str) -> Option<Value> + Send + Sync + 'static) -> Apply {
    Arc::new(move |value, _| run(&text_of(&value)?))
}

/// A function from text to text.
fn to_text(run: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Apply {
    on_text(move |text| run(text).map(Value::String))
}

/// An example that gives a value.
const fn gives(argument: &'static str, input: &'static str, output: &'static str) -> Example {
    Example {
        argument,
        input,
        output: Some(output),
    }
}

/// An example that gives nothing.
const fn absent(argument: &'static str, input: &'static str) -> Example {
    Example {
        argument,
        input,
        output: None,
    }
}

/// The closed list.
pub const GROUPS: &[Group] = &[
    Group {
        name: "text",
        functions: text::FUNCTIONS,
    },
    Group {
        name: "part of a text",
        functions: part::FUNCTIONS,
    },
    Group {
        name: "list",
        functions: list::FUNCTIONS,
    },
    Group {
        name: "object",
        functions: object::FUNCTIONS,
    },
    Group {
        name: "number",
        functions: number::FUNCTIONS,
    },
    Group {
        name: "money",
        functions: money::FUNCTIONS,
    },
    Group {
        name: "time",
        functions: time::FUNCTIONS,
    },
    Group {
        name: "phone",
        functions: phone::FUNCTIONS,
    },
    Group {
        name: "table",
        functions: table::FUNCTIONS,
    },
    Group {
        name: "choice",
        functions: choice::FUNCTIONS,
    },
    Group {
        name: "encoding",
        functions: encoding::FUNCTIONS,
    },
    Group {
        name: "digest",
        functions: digest::FUNCTIONS,
    },
];

/// The longest text that a function takes or gives, in bytes.
pub const TEXT_MAX: usize = 64 * 1024;
/// The longest list that a function takes or gives.
pub const LIST_MAX: usize = 10_000;

#[cfg(test)]
mod tests;
