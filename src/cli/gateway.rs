//! The gateway that runs, asked by its admin listener.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{ConfigArgument, check, print};
use crate::message::{Body, BodyFault};

/// The gateway that runs.
pub(super) struct Gateway {
    base: String,
}

impl Gateway {
    /// The one that is named, or that of the settings.
    pub(super) fn find(named: Option<String>, config: &ConfigArgument) -> Result<Self, String> {
        if let Some(base) = named {
            let base = base.trim_end_matches('/').to_owned();
            return Ok(Self { base });
        }
        let config = check::load(config).map_err(|_| String::new())?;
        let address = config.admin.address.ok_or(
            "the admin listener of the settings has no address: name one with --admin http://…",
        )?;
        Ok(Self {
            base: format!("http://{address}"),
        })
    }

    /// Prints lines that come a page at a time.
    pub(super) async fn print_lines(&self, path: &str) -> Result<(), String> {
        let mut after = String::new();
        loop {
            let asked = format!("{path}{after}");
            let (lines, headers) = self.ask(Method::GET, &asked, Bytes::new()).await?;
            print::body(&lines);
            let Some(next) = headers.get(NEXT).and_then(|next| next.to_str().ok()) else {
                return Ok(());
            };
            after = format!("?after={}", utf8_percent_encode(next, NON_ALPHANUMERIC));
        }
    }

    /// Asks its admin listener; the answer with its headers, or in words why there is none.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(Bytes, HeaderMap), String> {
        let url = format!("{}{path}", self.base);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::builder().method(method).uri(&url);
        let request = request
            .body(Full::new(body))
            .map_err(|error| format!("{} is no URL: {error}", self.base))?;
        let reply = client.request(request).await.map_err(|_| {
            format!(
                "no gateway answers at {}\n  start it (`pintle serve`), or name its admin \
                 listener with --admin http://HOST:PORT",
                self.base
            )
        })?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let fault = |error| BodyFault::Broken(Arc::new(error));
        let body = Body::stream(reply.into_body().map_err(fault)).read(REPLY_MAX);
        let body = body
            .await
            .map_err(|fault| format!("the answer broke off: {fault}"))?;
        if status.is_success() {
            return Ok((body, headers));
        }
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let why = ["error", "detail", "title"];
        let why = why.into_iter().find_map(|name| told.get(name)?.as_str());
        Err(match status.as_u16() {
            404 => {
                "there is nothing of that name, or the gateway's settings lack it: what it owes needs \
                 `public`, what it keeps of replies needs `cache`"
                    .to_owned()
            }
            _ => format!("the gateway says {status}: {}", why.unwrap_or("no reason")),
        })
    }
}

const NEXT: &str = "x-pintle-next";
const REPLY_MAX: usize = 1 << 30;
