//! One value picked out of a JSON text without building the document.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

use crate::mapping::selector::{SingularQuery, Step};

/// A JSON scalar. Numbers keep the text they were written with, as far as `serde_json` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A string.
    Text(String),
    /// A number, as its text.
    Number(String),
    /// A truth value.
    Bool(bool),
    /// `null`, or a value that is no scalar.
    Other,
}

/// The text is not JSON.
#[derive(Debug, Error)]
#[error("not JSON")]
pub struct NotJson(#[source] serde_json::Error);

impl NotJson {
    /// What `serde_json` said.
    pub fn into_inner(self) -> serde_json::Error {
        self.0
    }
}

impl Scalar {
    /// The scalar as an integer, also where a string holds it.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Text(text) | Self::Number(text) => text.parse().ok(),
            Self::Bool(_) | Self::Other => None,
        }
    }

    /// The text of a string or number.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Bool(_) | Self::Other => None,
        }
    }
}

/// Finds the value that `query` selects, reading the whole text once and keeping nothing else.
///
/// `Ok(None)` where the document has no such value. Of duplicate names the last one counts, as
/// everywhere in `serde_json`.
pub fn pick(text: &[u8], query: &SingularQuery) -> Result<Option<Scalar>, NotJson> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let found = Pick(query.steps())
        .deserialize(&mut reader)
        .map_err(NotJson)?;
    reader.end().map_err(NotJson)?;
    Ok(found)
}

struct Pick<'q>(&'q [Step]);

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Option<Scalar>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl Pick<'_> {
    /// A scalar is found only where the query ends.
    fn found(&self, scalar: impl FnOnce() -> Scalar) -> Option<Scalar> {
        self.0.is_empty().then(scalar)
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Option<Scalar>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.found(|| Scalar::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.found(|| Scalar::Number(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.found(|| Scalar::Number(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(self.found(|| Scalar::Number(value.to_string())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.found(|| Scalar::Text(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(self.found(|| Scalar::Other))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (wanted, rest) = match self.0.split_first() {
            Some((Step::Index(index), rest)) => (Some(*index), rest),
            _ => (None, self.0),
        };
        let mut found = self.found(|| Scalar::Other);
        let mut at = 0_usize;
        loop {
            if wanted == Some(at) {
                match items.next_element_seed(Pick(rest))? {
                    Some(value) => found = value,
                    None => return Ok(found),
                }
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = self.found(|| Scalar::Other);
        let first = self.0.split_first();
        // serde_json hands a number that is no i64, u64 or f64 over as a map with one private
        // key: it can only be told by that key, and the front door lets no such key through.
        while let Some(key) = entries.next_key::<std::borrow::Cow<'de, str>>()? {
            match first {
                Some((Step::Name(name), rest)) if **name == *key => {
                    found = entries.next_value_seed(Pick(rest))?;
                }
                None if key == NUMBER_MARKER => {
                    found = Some(Scalar::Number(entries.next_value::<String>()?));
                }
                _ => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// The key under which `serde_json` hands over a number with `arbitrary_precision`.
const NUMBER_MARKER: &str = "$serde_json::private::Number";

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(text: &str, query: &str) -> Option<Scalar> {
        pick(text.as_bytes(), &SingularQuery::parse(query).unwrap()).unwrap()
    }

    #[test]
    fn a_value_is_picked_by_names_and_indexes() {
        let number = |text: &str| Some(Scalar::Number(text.to_owned()));
        let text = r#"{"code":200,"data":{"list":[{"id":7},{"id":"x"}],"code":1},"s":"-12"}"#;
        for (query, expected) in [
            ("$.code", number("200")),
            ("$.data.code", number("1")),
            ("$['data']['list'][0].id", number("7")),
            ("$.data.list[1].id", Some(Scalar::Text("x".to_owned()))),
            ("$.data.list[2].id", None),
            ("$.data.list", Some(Scalar::Other)),
            ("$.nothing", None),
            ("$.code.deeper", None),
        ] {
            assert_eq!(picked(text, query), expected, "{query}");
        }
        assert_eq!(picked(text, "$.s").unwrap().integer(), Some(-12));
    }

    #[test]
    fn numbers_keep_their_digits() {
        for digits in ["18446744073709551616", "200", "-7", "1.10"] {
            let text = format!("{{\"n\":{digits}}}");
            assert_eq!(
                picked(&text, "$.n"),
                Some(Scalar::Number(digits.to_owned()))
            );
        }
    }

    #[test]
    fn what_is_no_json_is_told() {
        let query = SingularQuery::parse("$.code").unwrap();
        for text in [
            "",
            "<html>",
            "{\"code\":200",
            "{\"code\":200} x",
            "{\"code\":}",
        ] {
            assert!(pick(text.as_bytes(), &query).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(pick(deep.as_bytes(), &query).is_err());
    }
}
