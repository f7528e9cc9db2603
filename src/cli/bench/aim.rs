//! What each request of a load is: where it goes, and all that it carries.

use std::fmt;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::Full;

use super::BenchArguments;
use crate::config;
use crate::route::{Effect, Entry, Kind};
use crate::yaml::meant;

/// What is called, wherever that is.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    path: PathAndQuery,
    headers: HeaderMap,
    body: Bytes,
}

/// What is called, and where.
#[derive(Debug, Clone)]
pub(super) struct Aim {
    call: Call,
    authority: String,
    /// Where connections go.
    pub(super) address: SocketAddr,
}

impl Aim {
    /// A call at a gateway.
    pub(super) fn new(call: Call, authority: String, address: SocketAddr) -> Result<Self, String> {
        let mut call = call;
        if !call.headers.contains_key(HOST) {
            let host = HeaderValue::try_from(&authority)
                .map_err(|_| format!("{authority} cannot stand in a Host header"))?;
            call.headers.insert(HOST, host);
        }
        Ok(Self {
            call,
            authority,
            address,
        })
    }

    /// One request.
    pub(super) fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.call.body.clone()));
        *request.method_mut() = self.call.method.clone();
        *request.uri_mut() = Uri::from(self.call.path.clone());
        *request.headers_mut() = self.call.headers.clone();
        request
    }

    /// The method.
    pub(super) fn method(&self) -> &Method {
        &self.call.method
    }

    /// The whole URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.call.path)
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.url())
    }
}

/// What the arguments name, or in words why it cannot be called.
pub(super) fn call(arguments: &BenchArguments) -> Result<Call, String> {
    let body = arguments.body.as_deref().map(read).transpose()?;
    if arguments.headers.len() > HEADERS_MAX {
        return Err(format!("at most {HEADERS_MAX} headers can be given"));
    }
    let of_url = arguments.url.as_ref().and_then(|base| base.path.clone());
    if of_url.is_some() && (arguments.path.is_some() || arguments.operation.is_some()) {
        return Err(
            "the URL has a path already: name it there, or with --path, or with --operation".into(),
        );
    }
    let usual = if body.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let method = arguments.method.clone().unwrap_or(usual);
    let (method, path, is_read) = match arguments.path.clone().or(of_url) {
        Some(path) => {
            let is_read = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&method);
            (method, path, is_read)
        }
        None if arguments.method.is_some() || (body.is_some() && arguments.operation.is_none()) => {
            return Err("what is called is missing: name it with --path or --operation".into());
        }
        None => operation(arguments.operation.as_deref().unwrap_or(USUAL))?,
    };
    if arguments.url.is_some() && !is_read && !arguments.yes {
        return Err(format!(
            "{method} {path} may change something behind the gateway, with each of many requests\n  \
             say --yes if that is meant, or leave --url away: then a sandbox stands behind it"
        ));
    }
    let mut headers: HeaderMap = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, _) in &arguments.headers {
        headers.remove(name);
    }
    headers.extend(
        arguments
            .headers
            .iter()
            .cloned()
            .map(|(name, value)| (Some(name), value)),
    );
    Ok(Call {
        method,
        path,
        headers,
        body: body.unwrap_or_default(),
    })
}

/// The method and path of an operation, and whether it only reads.
fn operation(name: &str) -> Result<(Method, PathAndQuery, bool), String> {
    let loaded = config::load(None);
    let config = loaded.config.ok_or("the built-in settings are faulty")?;
    let entries = config.catalogue.entries().iter();
    let operations = entries.filter(|entry| entry.kind == Kind::Operation);
    let operations: Vec<&Entry> = operations.map(AsRef::as_ref).collect();
    let Some(entry) = operations.iter().find(|entry| entry.name == name) else {
        let near = meant(name, operations.iter().map(|entry| entry.name.as_str()));
        return Err(format!("there is no operation `{name}`: {near}"));
    };
    let path = entry.path.as_deref().and_then(|path| path.parse().ok());
    let known = entry.method.clone().zip(path);
    let (method, path) = known.ok_or_else(|| {
        format!(
            "the path of `{name}` is not known ({}): name one with --path",
            entry.line
        )
    })?;
    if entry.reserved {
        return Err(format!(
            "Pintle calls `{name}` by itself, and nobody else may"
        ));
    }
    Ok((method, path, entry.effect == Effect::Read))
}

/// A body, which must not be larger than what fits into memory many times.
fn read(path: &Path) -> Result<Bytes, String> {
    let shown = path.display();
    let file =
        std::fs::File::open(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let mut bytes = Vec::new();
    file.take(BODY_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read {shown}: {error}"))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= BODY_MAX) {
        Ok(bytes.into())
    } else {
        Err(format!(
            "{shown} is larger than {} MiB, the most that is sent",
            BODY_MAX >> 20
        ))
    }
}

/// What is called where nothing is named.
const USUAL: &str = "collection.robots";
const AGENT: &str = concat!("pintle-bench/", env!("CARGO_PKG_VERSION"));
const HEADERS_MAX: usize = 100;
const BODY_MAX: u64 = 16 << 20;
