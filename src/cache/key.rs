//! The key of an entry: all that tells one call from another, none of it hashed away.

use std::sync::Arc;

use http::HeaderMap;

use super::Vary;
use super::field::said;
use crate::codec::form;
use crate::mapping::{Scalar, pick};
use crate::policy::{Caching, KeyPart};

/// A key. It is the whole of its parts, so that two calls share one only if all parts are the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(Arc<[u8]>);

/// A key in the making. Each part has its length before it: no two lists of parts look alike.
///
/// There is no default and no way to begin without an account: see [`Builder::new`].
pub struct Builder(Vec<u8>);

impl Builder {
    /// Begins with what every key has: the policies' digest, the account and which one of that
    /// name it is, since a reload may give a name to another tenant.
    pub fn new(digest: &[u8; 32], account: &str, serial: u64) -> Self {
        let mut builder = Self(Vec::with_capacity(256));
        builder.part(digest);
        builder.part(account.as_bytes());
        builder.part(&serial.to_be_bytes());
        builder
    }

    /// Adds a part.
    pub fn part(&mut self, bytes: &[u8]) {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// Adds what a policy lists. `None` where the call has something that no part covers, or where
    /// a listed value is not a plain one: such a call must not share an entry.
    pub fn listed(
        &mut self,
        caching: &Caching,
        (query, headers, body): (Option<&str>, &HeaderMap, &[u8]),
    ) -> Option<()> {
        self.part(caching.name.as_bytes());
        if !body.is_empty() && !caching.reads_body() {
            return None;
        }
        let is_listed = |name: &str| {
            caching.key.iter().any(|part| match part {
                KeyPart::Query => true,
                KeyPart::QueryField(listed) => listed == name,
                _ => false,
            })
        };
        let query = query.unwrap_or_default();
        if !form::pairs(query).all(|(name, _)| is_listed(&name)) {
            return None;
        }
        for part in &caching.key {
            match part {
                KeyPart::Query => self.part(query.as_bytes()),
                KeyPart::Body => self.part(body),
                KeyPart::QueryField(listed) => {
                    for (_, value) in form::pairs(query).filter(|(name, _)| name == listed) {
                        self.part(value.as_bytes());
                    }
                }
                KeyPart::Header(name) => {
                    for value in headers.get_all(name) {
                        self.part(value.as_bytes());
                    }
                }
                KeyPart::BodyField(selector) => self.scalar(pick(body, selector).ok()?)?,
            }
            // A value may come more than once: what follows is another part.
            self.0.push(END_OF_PART);
        }
        Some(())
    }

    fn scalar(&mut self, found: Option<Scalar>) -> Option<()> {
        match found {
            None => {}
            Some(Scalar::Text(text)) => {
                self.part(b"text");
                self.part(text.as_bytes());
            }
            Some(Scalar::Number(number)) => {
                self.part(b"number");
                self.part(number.as_bytes());
            }
            Some(Scalar::Bool(bool)) => self.part(if bool { b"true" } else { b"false" }),
            Some(Scalar::Other) => return None,
        }
        Some(())
    }

    /// The key.
    pub fn build(self) -> Key {
        Key(self.0.into())
    }
}

impl Key {
    /// The key for calls that say the same in some fields.
    #[must_use]
    pub fn varied(&self, fields: &Vary, call: &HeaderMap) -> Self {
        let mut builder = Builder(self.0.to_vec());
        for name in fields.names() {
            builder.part(&said(call, name).unwrap_or_default());
        }
        builder.build()
    }

    /// What it is for all processes: without the account's serial, which each counts for itself.
    pub(super) fn shared(&self) -> Vec<u8> {
        let mut shared = self.0.to_vec();
        // After digest and account, each behind its length: see [`Builder::new`].
        let len = |at: usize| {
            let bytes = self.0.get(at..at + LEN_BYTES)?.try_into().ok()?;
            usize::try_from(u64::from_be_bytes(bytes)).ok()
        };
        let behind = |at: usize| Some(at + LEN_BYTES + len(at)?);
        let serial = behind(0).and_then(behind).map(|at| at + LEN_BYTES);
        if let Some(serial) = serial.and_then(|at| shared.get_mut(at..at + LEN_BYTES)) {
            serial.fill(0);
        }
        shared
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty, which none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// No length begins with this byte.
const LEN_BYTES: usize = size_of::<u64>();
const END_OF_PART: u8 = 0xff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::SingularQuery;
    use crate::policy::Provenance;
    use std::time::Duration;

    fn caching(key: &[KeyPart]) -> Caching {
        Caching {
            name: "t".to_owned(),
            lifetime: Duration::from_secs(1),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            key: key.to_vec(),
            provenance: Provenance::Assumed,
        }
    }

    fn key(caching: &Caching, query: &str, body: &str) -> Option<Key> {
        let mut builder = Builder::new(&[0; 32], "main", 1);
        builder.listed(caching, (Some(query), &HeaderMap::new(), body.as_bytes()))?;
        Some(builder.build())
    }

    #[test]
    fn what_is_not_listed_keeps_a_call_out() {
        let page = KeyPart::QueryField("page".to_owned());
        let by_page = caching(&[page]);
        assert!(key(&by_page, "page=1", "").is_some());
        assert!(key(&by_page, "page=1&size=9", "").is_none());
        assert!(key(&by_page, "page=1", "{}").is_none());
        let by_body = caching(&[KeyPart::BodyField(SingularQuery::parse("$.page").unwrap())]);
        assert!(key(&by_body, "", r#"{"page":1,"x":2}"#).is_some());
        assert!(key(&by_body, "", r#"{"page":{}}"#).is_none());
        assert!(key(&by_body, "", "no JSON").is_none());
        assert!(key(&by_body, "x=1", r#"{"page":1}"#).is_none());
    }

    #[test]
    fn calls_that_differ_have_keys_that_differ() {
        let two = caching(&["a", "b"].map(|name| KeyPart::QueryField(name.to_owned())));
        let of_query: Vec<_> = [
            "a=1", "b=1", "a=1&b=1", "a=1&a=1", "a=11", "a=1&b=", "", "a=",
        ]
        .iter()
        .map(|query| key(&two, query, "").unwrap())
        .collect();
        let by_body = caching(&[KeyPart::BodyField(SingularQuery::parse("$.page").unwrap())]);
        let of_body = [r#"{"page":1}"#, r#"{"page":"1"}"#, r#"{"page":true}"#, "{}"];
        let of_body = of_body.map(|body| key(&by_body, "", body).unwrap());
        for keys in [&of_query[..], &of_body] {
            for (at, one) in keys.iter().enumerate() {
                assert!(!keys[..at].contains(one), "{at}");
            }
        }
        let other = |account: &str, serial| Builder::new(&[0; 32], account, serial).build();
        assert_ne!(other("a", 1), other("b", 1));
        assert_ne!(other("a", 1), other("a", 2));
    }
}
