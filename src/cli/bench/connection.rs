//! One connection of a load, kept alive as long as both sides like.

use std::net::SocketAddr;
use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::Fuse;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::tally::Reply;
use crate::message::header::SERVER_TIMING;
use crate::telemetry::chain;

type Wire = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A connection. It works only while something is awaited on it, so that it needs no task of its
/// own.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    wire: Fuse<Pin<Box<Wire>>>,
}

/// Why there is no whole reply.
#[derive(Debug)]
pub(super) enum Lost {
    /// The connection had ended before anything of the request was sent, as an idle one may.
    Unsent(String),
    /// The connection ended.
    Broken(String),
}

impl Connection {
    /// Dials.
    pub(super) async fn open(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| error.to_string())?;
        // Only latency is at stake; a socket that refuses the option still works.
        stream.set_nodelay(true).ok();
        let opened = http1::handshake(TokioIo::new(stream)).await;
        let (sender, wire) = opened.map_err(|error| chain(&error))?;
        Ok(Self {
            sender,
            wire: Box::pin(wire).fuse(),
        })
    }

    /// Whether another request can be sent.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Waits for something, and sees meanwhile when the other side closes.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        drive(&mut self.wire, work).await
    }

    /// Sends a request and reads its whole reply.
    pub(super) async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Lost> {
        let Self { sender, wire } = self;
        let work = async {
            let unsent = |error: &hyper::Error| Lost::Unsent(chain(error));
            sender.ready().await.map_err(|error| unsent(&error))?;
            let sent = sender.try_send_request(request).await;
            let reply = sent.map_err(|fault| match fault.message() {
                Some(_) => unsent(fault.error()),
                None => broken(fault.error()),
            })?;
            read(reply).await.map_err(|error| broken(&error))
        };
        drive(wire, work).await
    }
}

/// Lets the connection work until something is done.
async fn drive<T>(wire: &mut Fuse<Pin<Box<Wire>>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => done,
        // How it ended is told to whoever waits for a reply.
        _ = wire => work.await,
    }
}

/// Reads a reply to its end, and keeps nothing of its body but the code of a failure.
async fn read(reply: Response<Incoming>) -> Result<Reply, hyper::Error> {
    let (head, mut body) = reply.into_parts();
    let is_good = head.status.is_success();
    let mut body_bytes = 0_u64;
    let mut problem = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let data = frame.data_ref().map_or(&[][..], AsRef::as_ref);
        body_bytes = body_bytes.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if !is_good && problem.len() + data.len() <= PROBLEM_BYTES_MAX {
            problem.extend_from_slice(data);
        }
    }
    Ok(Reply {
        status: head.status.as_u16(),
        timing: timing(&head.headers),
        body_bytes,
        code: code(&problem),
    })
}

/// The code of a failure, as docs/failures.md lists them.
fn code(problem: &[u8]) -> Option<String> {
    let problem: Value = serde_json::from_slice(problem).ok()?;
    problem.get("code")?.as_str().map(str::to_owned)
}

/// All that is told of the stages, as one list.
fn timing(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(SERVER_TIMING).iter();
    let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

fn broken(error: &hyper::Error) -> Lost {
    Lost::Broken(chain(error))
}

/// A larger body is none of the gateway's problems.
const PROBLEM_BYTES_MAX: usize = 4096;
