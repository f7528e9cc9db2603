//! Secrets that a sender shows: an API key, a password, a token, a segment of the path.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use http::{HeaderMap, HeaderName, header};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Evidence, ProofFailure, SecretFault, hidden, only, pairs};
use crate::crypto::Encoding;
use crate::secret::Secret;

/// Where an API key stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a header.
    Header(HeaderName),
    /// In a parameter of the query.
    Query(String),
    /// In a JSON body, at this JSON pointer (RFC 6901).
    Body(String),
}

/// Secrets of which any will do. Only their digests are kept, which also makes all equally long.
pub(in crate::crypto) struct Known(Zeroizing<Vec<[u8; SHA256_OUTPUT_LEN]>>);

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hidden(f)
    }
}

impl Known {
    pub(in crate::crypto) fn new(secrets: &[&Secret]) -> Result<Self, SecretFault> {
        let digests = exposed(secrets)?.into_iter().map(hash).collect();
        Ok(Self(Zeroizing::new(digests)))
    }

    /// Whether a text is one of them. All are compared.
    pub(in crate::crypto) fn has(&self, given: &[u8]) -> bool {
        let given = hash(given);
        let mut is_known = false;
        for known in self.0.iter() {
            is_known |= verify_slices_are_equal(known, &given).is_ok();
        }
        is_known
    }

    /// Whether what was given, if anything, is one of them.
    pub(super) fn check(&self, given: Option<&[u8]>) -> Result<(), ProofFailure> {
        // What is absent is compared like what is wrong.
        match (self.has(given.unwrap_or_default()), given) {
            (_, None) => Err(ProofFailure::Missing),
            (true, Some(_)) => Ok(()),
            (false, Some(_)) => Err(ProofFailure::Wrong),
        }
    }

    fn check_found(&self, found: Result<&[u8], ProofFailure>) -> Result<(), ProofFailure> {
        let said = self.check(found.ok());
        found.and(said)
    }
}

/// The texts of secrets, of which there must be one at least, and none empty.
pub(in crate::crypto) fn exposed<'s>(secrets: &[&'s Secret]) -> Result<Vec<&'s [u8]>, SecretFault> {
    if secrets.is_empty() {
        return Err(SecretFault::Absent);
    }
    if secrets.iter().any(|secret| secret.expose().is_empty()) {
        return Err(SecretFault::Empty);
    }
    let texts = secrets.iter().map(|secret| secret.expose().as_bytes());
    Ok(texts.collect())
}

fn hash(text: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest(&SHA256, text).as_ref());
    bytes
}

pub(super) fn api_key(
    place: &KeyPlace,
    known: &Known,
    evidence: &Evidence<'_>,
) -> Result<(), ProofFailure> {
    match place {
        KeyPlace::Header(name) => known.check_found(only(evidence.headers, name)),
        KeyPlace::Query(name) => {
            let query = evidence.query.unwrap_or_default().as_bytes();
            let mut named = pairs(query).filter(|(key, _)| key == name.as_bytes());
            let found = match (named.next(), named.next()) {
                (Some((_, value)), None) => Ok(Zeroizing::new(value)),
                (Some(_), Some(_)) => Err(ProofFailure::Repeated),
                (None, _) => Err(ProofFailure::Missing),
            };
            known.check_found(
                found
                    .as_deref()
                    .map(Vec::as_slice)
                    .map_err(|failure| *failure),
            )
        }
        KeyPlace::Body(pointer) => {
            let own: Result<Value, _> = match evidence.document {
                None => serde_json::from_slice(evidence.body),
                Some(_) => Ok(Value::Null),
            };
            let found = match evidence.document.map_or(own.as_ref(), Ok) {
                Err(_) => Err(ProofFailure::Malformed),
                Ok(body) => match body.pointer(pointer) {
                    Some(Value::String(text)) => Ok(text.as_bytes()),
                    // With arbitrary precision a number is the text that was written.
                    Some(Value::Number(number)) => Ok(number.as_str().as_bytes()),
                    Some(_) => Err(ProofFailure::Malformed),
                    None => Err(ProofFailure::Missing),
                },
            };
            known.check_found(found)
        }
    }
}

/// The credentials behind `Authorization: SCHEME` (RFC 9110, section 11.4).
fn authorization<'h>(headers: &'h HeaderMap, scheme: &str) -> Result<&'h [u8], ProofFailure> {
    let value = only(headers, &header::AUTHORIZATION)?;
    let (name, rest) = value
        .split_at_checked(scheme.len())
        .ok_or(ProofFailure::Malformed)?;
    if !name.eq_ignore_ascii_case(scheme.as_bytes()) || rest.first() != Some(&b' ') {
        return Err(ProofFailure::Malformed);
    }
    Ok(rest.trim_ascii_start())
}

pub(super) fn bearer(known: &Known, headers: &HeaderMap) -> Result<(), ProofFailure> {
    known.check_found(authorization(headers, "Bearer"))
}

pub(super) fn basic(user: &str, known: &Known, headers: &HeaderMap) -> Result<(), ProofFailure> {
    let given = authorization(headers, "Basic").and_then(|text| {
        let decoded = Encoding::Base64.decode(text).map(Zeroizing::new);
        decoded.map_err(|_| ProofFailure::Malformed)
    });
    let text = given.as_deref().map(Vec::as_slice).unwrap_or_default();
    let colon = text.iter().position(|byte| *byte == b':');
    let (name, rest) = text.split_at(colon.unwrap_or(0));
    let is_user = verify_slices_are_equal(&hash(name), &hash(user.as_bytes())).is_ok();
    let said = known.check(rest.strip_prefix(b":"));
    given?;
    if colon.is_none() {
        return Err(ProofFailure::Malformed);
    }
    if is_user {
        said
    } else {
        Err(ProofFailure::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn known() -> Known {
        let secrets = [Secret::new("new".to_owned()), Secret::new("öld".to_owned())];
        Known::new(&secrets.each_ref()).unwrap()
    }

    fn authorized(value: &str) -> HeaderMap {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        HeaderMap::from_iter([(header::AUTHORIZATION, value)])
    }

    #[test]
    fn a_bearer_token_is_known() {
        for (value, expected) in [
            ("Bearer new", Ok(())),
            ("bearer  öld", Ok(())),
            ("Bearer New", Err(ProofFailure::Wrong)),
            ("Bearer new ", Err(ProofFailure::Wrong)),
            ("Bearer ", Err(ProofFailure::Wrong)),
            ("Bearer", Err(ProofFailure::Malformed)),
            ("Bearernew", Err(ProofFailure::Malformed)),
            ("Basic new", Err(ProofFailure::Malformed)),
            ("", Err(ProofFailure::Missing)),
        ] {
            assert_eq!(bearer(&known(), &authorized(value)), expected, "{value}");
        }
        let mut twice = authorized("Bearer new");
        twice.append(
            header::AUTHORIZATION,
            HeaderValue::from_static("Bearer new"),
        );
        assert_eq!(bearer(&known(), &twice), Err(ProofFailure::Repeated));
        assert_eq!(
            bearer(&known(), &HeaderMap::new()),
            Err(ProofFailure::Missing)
        );
    }

    #[test]
    fn a_user_has_a_password() {
        let check = |pair: &str| {
            let encoded = Encoding::Base64.encode(pair.as_bytes());
            let value = format!("Basic {}", String::from_utf8(encoded).unwrap());
            basic("us", &known(), &authorized(&value))
        };
        for (pair, expected) in [
            ("us:new", Ok(())),
            ("us:öld", Ok(())),
            ("us:other", Err(ProofFailure::Wrong)),
            ("me:new", Err(ProofFailure::Wrong)),
            ("us:", Err(ProofFailure::Wrong)),
            (":new", Err(ProofFailure::Wrong)),
            ("usnew", Err(ProofFailure::Malformed)),
        ] {
            assert_eq!(check(pair), expected, "{pair}");
        }
        let broken = basic("us", &known(), &authorized("Basic ?"));
        assert_eq!(broken, Err(ProofFailure::Malformed));
        let absent = basic("us", &known(), &HeaderMap::new());
        assert_eq!(absent, Err(ProofFailure::Missing));
    }

    #[test]
    fn there_is_no_verifier_without_a_secret() {
        assert_eq!(Known::new(&[]).unwrap_err(), SecretFault::Absent);
        let empty = Secret::new(String::new());
        assert_eq!(Known::new(&[&empty]).unwrap_err(), SecretFault::Empty);
        assert_eq!(format!("{:?}", known()), "[secret]");
    }
}
