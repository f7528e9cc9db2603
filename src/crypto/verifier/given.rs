//! The signatures that a header gives, in the shapes that senders write them.

use http::HeaderMap;

use super::signature::SignatureOptions;
use super::{ProofFailure, only};
use crate::crypto::Encoding;

/// How a signature's header is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parse {
    /// The header is the signature, behind its prefix.
    Whole,
    /// `t=1700000000,v1=…,v1=…`: the signatures have this key (Stripe).
    Pairs(String),
    /// `v1,… v1,…`: the signatures have this version (Standard Webhooks).
    List(String),
}

/// What the header gives.
#[derive(Debug)]
pub(super) struct Given<'h> {
    /// The signatures that could be decoded.
    pub(super) signatures: Vec<Vec<u8>>,
    /// The keys and values, where it is a list of those.
    pub(super) params: Vec<(&'h [u8], &'h [u8])>,
    /// Why there is none, where there is none.
    pub(super) failure: Option<ProofFailure>,
}

impl<'h> Given<'h> {
    /// Reads the header.
    pub(super) fn read(options: &SignatureOptions, headers: &'h HeaderMap) -> Self {
        let mut given = Self {
            signatures: Vec::new(),
            params: Vec::new(),
            failure: None,
        };
        let texts = given.texts(options, headers);
        given.failure = match texts {
            Err(failure) => Some(failure),
            Ok(texts) if texts.is_empty() => Some(ProofFailure::Missing),
            Ok(texts) if texts.len() > SIGNATURES_MAX => Some(ProofFailure::Malformed),
            Ok(texts) => {
                let decoded = texts
                    .iter()
                    .filter_map(|text| decode(options.encoding, text));
                given.signatures = decoded.collect();
                let is_readable = !given.signatures.is_empty();
                (!is_readable).then_some(ProofFailure::Malformed)
            }
        };
        given
    }

    fn texts(
        &mut self,
        options: &SignatureOptions,
        headers: &'h HeaderMap,
    ) -> Result<Vec<&'h [u8]>, ProofFailure> {
        let lines = headers.get_all(&options.header).iter();
        match &options.parse {
            Parse::Whole => {
                let text = only(headers, &options.header)?;
                let text = text.strip_prefix(options.prefix.as_bytes());
                Ok(vec![text.ok_or(ProofFailure::Malformed)?])
            }
            Parse::Pairs(key) => {
                let parts = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
                self.params = parts
                    .filter_map(|part| split(part.trim_ascii(), b'='))
                    .take(PARAMS_MAX)
                    .collect();
                Ok(self.of(key))
            }
            Parse::List(version) => {
                let parts = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b' '));
                let texts = parts
                    .filter_map(|part| split(part, b','))
                    .filter(|(name, _)| *name == version.as_bytes());
                Ok(texts.map(|(_, text)| text).collect())
            }
        }
    }

    /// The values of a key.
    fn of(&self, key: &str) -> Vec<&'h [u8]> {
        let named = self
            .params
            .iter()
            .filter(|(name, _)| *name == key.as_bytes());
        named.map(|(_, value)| *value).collect()
    }
}

fn split(part: &[u8], by: u8) -> Option<(&[u8], &[u8])> {
    let at = part.iter().position(|byte| *byte == by)?;
    let (name, rest) = part.split_at(at);
    Some((name, rest.get(1..)?))
}

fn decode(encoding: Encoding, text: &[u8]) -> Option<Vec<u8>> {
    let mut text = text;
    // URL-safe base64 is written with padding by some, without it by others.
    while encoding == Encoding::Base64Url
        && let Some(rest) = text.strip_suffix(b"=")
    {
        text = rest;
    }
    encoding.decode(text).ok()
}

/// How many signatures one push may show: each is tried against every key.
const SIGNATURES_MAX: usize = 16;
/// How many keys and values of a signature's header are looked at.
const PARAMS_MAX: usize = 64;
