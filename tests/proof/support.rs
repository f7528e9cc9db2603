//! A push that can be changed, the shipped proofs, and proofs read from YAML.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use pintle::config::embedded;
use pintle::crypto::{Encoding, Evidence, PeerCertificate, ProofFailure, Verifier};
use pintle::policy::{Policies, Proof};
use pintle::secret::Secret;
use pintle::yaml::{Faults, Source};
use serde_json::Value;

/// What a sender sends.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) plain: Option<Vec<u8>>,
    pub(crate) peer: Option<IpAddr>,
    pub(crate) path_secret: Option<String>,
    pub(crate) certificate: Option<PeerCertificate>,
    pub(crate) now_ms: i64,
}

impl Push {
    /// One that proves nothing.
    pub(crate) fn new(body: &str) -> Self {
        Self {
            method: Method::POST,
            url: "https://x.example/h?a=1".to_owned(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            plain: None,
            peer: None,
            path_secret: None,
            certificate: None,
            now_ms: 1_773_158_400_000,
        }
    }

    /// With a header more.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.append(name, value);
        self
    }

    /// What it shows.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&Evidence<'_>) -> T) -> T {
        let (head, query) = match self.url.split_once('?') {
            Some((head, query)) => (head, Some(query)),
            None => (self.url.as_str(), None),
        };
        let path = head.splitn(4, '/').nth(3).map_or(0, |path| path.len() + 1);
        look(&Evidence {
            method: &self.method,
            url: &self.url,
            path: &head[head.len() - path..],
            query,
            headers: &self.headers,
            body: &self.body,
            plain: self.plain.as_deref(),
            document: None,
            peer: self.peer,
            path_secret: self.path_secret.as_deref(),
            certificate: self.certificate.as_ref(),
            now_ms: self.now_ms,
        })
    }

    /// What a verifier says of it.
    pub(crate) fn proven(&self, verifier: &Verifier) -> Result<(), ProofFailure> {
        self.with(|evidence| verifier.verify(evidence))
    }
}

/// The vectors with their pushes.
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) scheme: String,
    pub(crate) secret: String,
    pub(crate) valid: bool,
    pub(crate) push: Push,
}

/// The whole file.
pub(crate) fn data() -> Value {
    serde_json::from_str(include_str!("../data/signatures.json")).unwrap()
}

/// Every vector. The URL of the one that was signed with a port is as the receiver sees it.
pub(crate) fn vectors() -> Vec<Vector> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let data = data();
    let read = |entry: &Value| {
        let mut headers = HeaderMap::new();
        for (name, value) in entry["headers"].as_object().unwrap() {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, text(value).parse().unwrap());
        }
        Vector {
            name: text(&entry["name"]),
            scheme: text(&entry["scheme"]),
            secret: text(&entry["secret"]),
            valid: entry["valid"].as_bool().unwrap(),
            push: Push {
                method: text(&entry["method"]).parse().unwrap(),
                url: text(&entry["url"]),
                headers,
                body: Encoding::Base64
                    .decode(text(&entry["body_base64"]).as_bytes())
                    .unwrap(),
                now_ms: entry["now_unix"].as_i64().unwrap() * 1000,
                ..Push::new("")
            },
        }
    };
    data["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(read)
        .collect()
}

/// A shipped proof.
pub(crate) fn shipped(name: &str) -> Arc<Proof> {
    let faults = Faults::new();
    let policies = Policies::read(&embedded::policies(), &faults);
    Arc::clone(
        policies
            .proofs
            .get(name)
            .unwrap_or_else(|| panic!("{name}")),
    )
}

/// A proof written in YAML, which must be without a fault.
pub(crate) fn proof(yaml: &str) -> Arc<Proof> {
    let indented = yaml.replace('\n', "\n    ");
    let source = Source::new("t", format!("proofs:\n  it:\n    {indented}\n"));
    let mut sources = embedded::policies();
    sources.push(source);
    let faults = Faults::new();
    let policies = Policies::read(&sources, &faults);
    let found = policies.proofs.get("it").map(Arc::clone);
    let told: Vec<String> = faults
        .into_sorted()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(told.is_empty(), "{yaml}: {told:?}");
    found.unwrap()
}

/// Every secret that a proof names, with these texts.
pub(crate) fn secrets(proof: &Proof, texts: &[&str]) -> BTreeMap<String, Vec<Secret>> {
    let all = || {
        texts
            .iter()
            .map(|text| Secret::new((*text).to_owned()))
            .collect()
    };
    proof
        .names()
        .into_iter()
        .map(|name| (name.to_owned(), all()))
        .collect()
}

/// The verifier of a proof whose secrets are all these.
pub(crate) fn verifier(proof: &Proof, texts: &[&str]) -> Verifier {
    let secrets = secrets(proof, texts);
    proof
        .verifier(&secrets)
        .unwrap_or_else(|fault| panic!("{}: {fault}", proof.name))
}
