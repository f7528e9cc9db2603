//! Whole messages sealed and opened: a body or a query, with the headers that go with it.
//!
//! What describes the bytes of a body (its length, coding, digests and entity tag) is gone after
//! either: it described other bytes.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{Direction, Place, Plain, Sealer, Sealing, Spot};
use crate::clock::UnixSecond;
use crate::crypto::{Beside, OpenFailure, SealFailure, Sealed};
use crate::mapping::MemberQuery;
use crate::message::header::strip_of_body;

impl Sealer<'_> {
    /// Seals a body and sets its headers; `None` where this sealing leaves such a body as it is.
    pub fn seal(
        &self,
        direction: Direction,
        headers: &mut HeaderMap,
        plain: &[u8],
        now: UnixSecond,
    ) -> Result<Option<Bytes>, SealFailure> {
        let Some(place) = self.sealing.place(direction) else {
            return Ok(None);
        };
        let body = match place {
            Place::Whole => self.seal_text(headers, plain, now)?,
            Place::Wrapped(name) => self.wrap(name, headers, plain, now)?,
            Place::Fields(queries) => {
                self.announce(headers);
                self.seal_fields(queries, plain, now)?
            }
        };
        let media = match place {
            Place::Whole => self.sealing.sealed_type.clone(),
            Place::Wrapped(_) | Place::Fields(_) => JSON,
        };
        describe(headers, media, body.len());
        Ok(Some(Bytes::from(body)))
    }

    /// Seals a query string: what comes back stands raw behind the `?`.
    pub fn seal_query(
        &self,
        headers: &mut HeaderMap,
        query: &str,
        now: UnixSecond,
    ) -> Result<String, SealFailure> {
        let sealed = self.seal_text(headers, query.as_bytes(), now)?;
        Ok(text(sealed))
    }

    /// Opens a body and puts its headers right; `None` where it is plain and may be.
    pub fn open(
        &self,
        direction: Direction,
        headers: &mut HeaderMap,
        body: &[u8],
        now: UnixSecond,
    ) -> Result<Option<Bytes>, OpenFailure> {
        let Some(place) = self.sealing.place(direction) else {
            return Ok(None);
        };
        let plain = match place {
            Place::Whole => {
                let given = Given::find(self.sealing, headers, None);
                self.open_text(body, &given, now)?
            }
            Place::Wrapped(name) => match self.unwrap(direction, name, (headers, body), now)? {
                Some(plain) => plain,
                None => return Ok(None),
            },
            Place::Fields(queries) => self.open_fields(queries, body, now)?,
        };
        // What a call holds is for its receiver to judge; what comes to us is told to be JSON.
        let is_for_us = direction != Direction::Request;
        if is_for_us
            && self.sealing.is_json()
            && serde_json::from_slice::<IgnoredAny>(&plain).is_err()
        {
            return Err(OpenFailure::Json);
        }
        for name in self.sealing.headers() {
            headers.remove(name);
        }
        describe(headers, self.sealing.plain_type.clone(), plain.len());
        Ok(Some(Bytes::from(plain)))
    }

    /// Opens a query string.
    pub fn open_query(
        &self,
        headers: &HeaderMap,
        query: &str,
        now: UnixSecond,
    ) -> Result<String, OpenFailure> {
        let given = Given::find(self.sealing, headers, None);
        let plain = self.open_text(query.as_bytes(), &given, now)?;
        String::from_utf8(plain).map_err(|_| OpenFailure::Encoding)
    }

    /// Seals a text whole; what travels beside it goes into the headers.
    fn seal_text(
        &self,
        headers: &mut HeaderMap,
        plain: &[u8],
        now: UnixSecond,
    ) -> Result<Vec<u8>, SealFailure> {
        let (id, sealed) = self.keys.seal(&self.sealing.scheme, plain, now)?;
        self.announce(headers);
        self.tell(headers, id, &sealed);
        Ok(sealed.text)
    }

    fn wrap(
        &self,
        name: &str,
        headers: &mut HeaderMap,
        plain: &[u8],
        now: UnixSecond,
    ) -> Result<Vec<u8>, SealFailure> {
        let (id, sealed) = self.keys.seal(&self.sealing.scheme, plain, now)?;
        self.announce(headers);
        self.tell(headers, id, &sealed);
        let mut object = Map::new();
        for (spot, text) in self.beside(id, &sealed) {
            if let (Some(Spot::Field(name)), Some(text)) = (spot, text) {
                object.insert(name.clone(), text.into());
            }
        }
        object.insert(name.to_owned(), text(sealed.text).into());
        Ok(Value::Object(object).to_string().into_bytes())
    }

    fn seal_fields(
        &self,
        queries: &[MemberQuery],
        plain: &[u8],
        now: UnixSecond,
    ) -> Result<Vec<u8>, SealFailure> {
        let mut document: Value =
            serde_json::from_slice(plain).map_err(|_| SealFailure::NotJson)?;
        for query in queries {
            query.try_change(&mut document, &mut |value| {
                let text = match &*value {
                    Value::Null => return Ok(()),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let (_, sealed) = self.keys.seal(&self.sealing.scheme, text.as_bytes(), now)?;
                *value = self::text(sealed.text).into();
                Ok(())
            })?;
        }
        Ok(document.to_string().into_bytes())
    }

    fn announce(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.sealing.announce {
            headers.insert(name.clone(), value.clone());
        }
    }

    /// Puts into the headers what travels in headers.
    fn tell(&self, headers: &mut HeaderMap, id: &str, sealed: &Sealed) {
        for (spot, text) in self.beside(id, sealed) {
            if let Some(Spot::Header(name)) = spot
                && let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok())
            {
                headers.insert(name.clone(), value);
            }
        }
    }

    /// What travels beside a sealed text, each with where.
    fn beside<'s>(
        &'s self,
        id: &'s str,
        sealed: &'s Sealed,
    ) -> [(Option<&'s Spot>, Option<&'s str>); 4] {
        let sealing = self.sealing;
        [
            (sealing.digest.as_ref(), sealed.digest.as_deref()),
            (sealing.iv.as_ref(), sealed.iv.as_deref()),
            (sealing.mac.as_ref(), sealed.mac.as_deref()),
            (sealing.key_id.as_ref(), Some(id)),
        ]
    }

    fn open_text(
        &self,
        text: &[u8],
        given: &Given,
        now: UnixSecond,
    ) -> Result<Vec<u8>, OpenFailure> {
        let id = given.id();
        self.keys
            .open(&self.sealing.scheme, text, (&given.beside(), id), now)
    }

    /// Opens the text in a wrapping object; `None` where there is none and need not be.
    fn unwrap(
        &self,
        direction: Direction,
        name: &str,
        (headers, body): (&HeaderMap, &[u8]),
        now: UnixSecond,
    ) -> Result<Option<Vec<u8>>, OpenFailure> {
        let document: Value = serde_json::from_slice(body).map_err(|_| OpenFailure::Json)?;
        let Some(text) = document.get(name).and_then(Value::as_str) else {
            let may_be_plain =
                self.sealing.announce.is_empty() && self.sealing.plain(direction) == Plain::Allowed;
            return if may_be_plain {
                Ok(None)
            } else {
                Err(OpenFailure::Plain)
            };
        };
        let given = Given::find(self.sealing, headers, Some(&document));
        self.open_text(text.as_bytes(), &given, now).map(Some)
    }

    fn open_fields(
        &self,
        queries: &[MemberQuery],
        body: &[u8],
        now: UnixSecond,
    ) -> Result<Vec<u8>, OpenFailure> {
        let mut document: Value = serde_json::from_slice(body).map_err(|_| OpenFailure::Json)?;
        for query in queries {
            query.try_change(&mut document, &mut |value| {
                let text = match &*value {
                    Value::Null => return Ok(()),
                    Value::String(text) => text,
                    _ => return Err(OpenFailure::Plain),
                };
                let plain = self.open_text(text.as_bytes(), &Given::default(), now)?;
                let plain = String::from_utf8(plain).map_err(|_| OpenFailure::Encoding)?;
                *value = Value::String(plain);
                Ok(())
            })?;
        }
        Ok(document.to_string().into_bytes())
    }
}

impl Sealing {
    /// Which messages may be plain.
    fn plain(&self, direction: Direction) -> Plain {
        let expected = match direction {
            Direction::Request => None,
            Direction::Reply => self.reply.as_ref(),
            Direction::Callback => self.callback.as_ref(),
        };
        expected.map_or(Plain::Refused, |expected| expected.plain)
    }
}

/// What came beside a sealed text.
#[derive(Default)]
struct Given {
    digest: Option<Vec<u8>>,
    iv: Option<Vec<u8>>,
    mac: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
}

impl Given {
    fn find(sealing: &Sealing, headers: &HeaderMap, wrapping: Option<&Value>) -> Self {
        let find = |spot: &Option<Spot>| match spot.as_ref()? {
            Spot::Header(name) => headers.get(name).map(|value| value.as_bytes().to_vec()),
            Spot::Field(name) => {
                let text = wrapping?.get(name)?.as_str()?;
                Some(text.as_bytes().to_vec())
            }
        };
        Self {
            digest: find(&sealing.digest),
            iv: find(&sealing.iv),
            mac: find(&sealing.mac),
            id: find(&sealing.key_id),
        }
    }

    fn beside(&self) -> Beside<'_> {
        Beside {
            digest: self.digest.as_deref(),
            iv: self.iv.as_deref(),
            mac: self.mac.as_deref(),
        }
    }

    /// The key's id; one that is no text fits no key.
    fn id(&self) -> Option<&str> {
        let id = self.id.as_deref()?;
        Some(std::str::from_utf8(id).unwrap_or_default())
    }
}

/// Describes a new body.
fn describe(headers: &mut HeaderMap, media: HeaderValue, len: usize) {
    strip_of_body(headers);
    headers.insert(CONTENT_TYPE, media);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
}

/// A sealed text as text. The policy was checked: raw bytes are never put where text must be.
fn text(sealed: Vec<u8>) -> String {
    String::from_utf8(sealed).unwrap_or_default()
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{
        AesCbc, AesKey, CbcOptions, ENCODINGS, Encoding, IvPlace, Keyring, Keys, MacKey, MacPlace,
        NamedKey, Scheme,
    };
    use crate::policy::{Expected, Provenance};

    const STALE: [&str; 6] = [
        "digest",
        "content-digest",
        "repr-digest",
        "content-md5",
        "etag",
        "content-encoding",
    ];

    fn keys() -> Keyring {
        let keys = Keys {
            cipher: AesKey::new(b"airudderredduria").unwrap(),
            mac: Some(MacKey::new(b"tag")),
        };
        Keyring::new(vec![NamedKey {
            id: "k1".to_owned(),
            keys,
            from: None,
            until: None,
        }])
    }

    /// A sealing of replies, as the reader lets them through.
    fn sealing(scheme: Scheme, place: Place, [digest, iv, mac]: [Option<Spot>; 3]) -> Sealing {
        Sealing {
            name: "any".to_owned(),
            scheme,
            keys: "aes".to_owned(),
            is_tagged: true,
            announce: vec![(
                HeaderName::from_static("x-sealed"),
                HeaderValue::from_static("1"),
            )],
            digest,
            iv,
            mac,
            key_id: None,
            sealed_type: HeaderValue::from_static("text/plain"),
            plain_type: JSON,
            query: false,
            request: None,
            reply: Some(Expected {
                place,
                plain: Plain::Refused,
            }),
            callback: None,
            provenance: Provenance::Assumed,
        }
    }

    fn any_sealing() -> impl Strategy<Value = Sealing> {
        let header = |name| Some(Spot::Header(HeaderName::from_static(name)));
        let encodings: Vec<Encoding> = ENCODINGS.iter().map(|(_, encoding)| *encoding).collect();
        let encoding = prop::sample::select(encodings);
        (0..4_u8, encoding, any::<bool>()).prop_map(move |(kind, encoding, is_beside)| {
            let cbc = |encoding, iv, mac| {
                Scheme::AesCbc(AesCbc(CbcOptions {
                    iv,
                    encoding,
                    mac: Some(mac),
                }))
            };
            let alone = cbc(Encoding::Base64, IvPlace::Prefix, MacPlace::Appended);
            match kind {
                0 => sealing(
                    Scheme::Airudder,
                    Place::Whole,
                    [header("signed"), None, None],
                ),
                1 if is_beside => sealing(
                    cbc(encoding, IvPlace::Beside, MacPlace::Beside),
                    Place::Whole,
                    [None, header("x-iv"), header("x-mac")],
                ),
                1 => sealing(
                    cbc(encoding, IvPlace::Prefix, MacPlace::Appended),
                    Place::Whole,
                    [None, None, None],
                ),
                2 => sealing(alone, Place::Wrapped("data".to_owned()), [None, None, None]),
                _ => {
                    let queries =
                        ["$.a", "$.list[*].b"].map(|text| MemberQuery::parse(text).unwrap());
                    sealing(alone, Place::Fields(queries.into()), [None, None, None])
                }
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_and_described_as_it_is(
            sealing in any_sealing(),
            texts in prop::collection::vec(".{0,40}", 0..4),
            stale in prop::sample::subsequence(STALE.to_vec(), 0..=STALE.len()),
        ) {
            let list: Vec<Value> = texts.iter().map(|b| serde_json::json!({ "b": b, "c": 1 })).collect();
            let plain = serde_json::json!({ "a": texts.concat(), "list": list }).to_string();
            let keys = keys();
            let sealer = Sealer { sealing: &sealing, keys: &keys };
            let mut headers = HeaderMap::new();
            let spoil = |headers: &mut HeaderMap| {
                for name in &stale {
                    headers.insert(HeaderName::from_static(name), HeaderValue::from_static("stale"));
                }
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("7"));
            };
            spoil(&mut headers);
            let sealed = sealer.seal(Direction::Reply, &mut headers, plain.as_bytes(), 0);
            let sealed = sealed.unwrap().unwrap();
            prop_assert_eq!(headers[CONTENT_LENGTH].to_str().unwrap(), sealed.len().to_string());
            prop_assert!(STALE.iter().all(|name| !headers.contains_key(*name)));
            prop_assert_eq!(&headers["x-sealed"], "1");
            let is_whole = sealing.place(Direction::Reply) == Some(&Place::Whole);
            prop_assert_eq!(&headers[CONTENT_TYPE], if is_whole { "text/plain" } else { "application/json" });

            spoil(&mut headers);
            let opened = sealer.open(Direction::Reply, &mut headers, &sealed, 0).unwrap().unwrap();
            prop_assert_eq!(&opened, plain.as_bytes());
            prop_assert_eq!(headers[CONTENT_LENGTH].to_str().unwrap(), opened.len().to_string());
            prop_assert_eq!(&headers[CONTENT_TYPE], "application/json");
            prop_assert_eq!(headers.len(), 2, "{:?}", headers);
        }
    }

    #[test]
    fn a_key_that_says_which_it_is_opens_alone() {
        let mut sealing = sealing(Scheme::Airudder, Place::Whole, [None, None, None]);
        sealing.digest = Some(Spot::Header(HeaderName::from_static("signed")));
        sealing.key_id = Some(Spot::Header(HeaderName::from_static("x-key")));
        let keys = keys();
        let sealer = Sealer {
            sealing: &sealing,
            keys: &keys,
        };
        let mut headers = HeaderMap::new();
        let sealed = sealer.seal(Direction::Reply, &mut headers, b"{}", 0);
        let sealed = sealed.unwrap().unwrap();
        assert_eq!(headers["x-key"], "k1");
        let open =
            |headers: &HeaderMap| sealer.open(Direction::Reply, &mut headers.clone(), &sealed, 0);
        assert_eq!(open(&headers).unwrap().unwrap(), "{}");
        headers.insert("x-key", HeaderValue::from_static("k2"));
        assert_eq!(open(&headers), Err(OpenFailure::NoKey));
    }
}
