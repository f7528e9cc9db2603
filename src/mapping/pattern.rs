//! Regular expressions that routes write: linear in time, without references back.

use regex::{Regex, RegexBuilder};

use crate::yaml::{Fault, Faults, Node, Read};

/// A pattern that a text fits as a whole.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Whether a text fits, as a whole.
    pub fn fits(&self, text: &str) -> bool {
        text.len() <= TEXT_BYTES_MAX && self.0.is_match(text)
    }
}

impl Read for Pattern {
    const EXAMPLE: &'static str = "[0-9]{5}";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        let text = String::read(node, faults)?;
        let built = RegexBuilder::new(&format!("^(?:{text})$"))
            .size_limit(SIZE_MAX)
            .build();
        match built {
            Ok(regex) => Some(Self(regex)),
            Err(error) => {
                let why = match &error {
                    regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                    error => why(&error.to_string()),
                };
                faults.push(
                    Fault::at(node, format!("this is no regular expression: {why}"))
                        .help("write for example `'[0-9]{5}(-[0-9]{4})?'`; there are no references back and no looks around"),
                );
                None
            }
        }
    }
}

/// The reason, which stands at the end of what the reader of expressions says.
fn why(told: &str) -> String {
    let last = told.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The size of a compiled pattern, in bytes.
const SIZE_MAX: usize = 256 << 10;
/// Longer texts fit nothing.
const TEXT_BYTES_MAX: usize = 64 << 10;
