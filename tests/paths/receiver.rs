//! A receiver of deliveries: keeps what it gets, and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What was received.
#[derive(Debug, Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub path: String,
    pub body: Bytes,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// How a delivery is answered.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    Status(u16),
    /// A status, with this `Retry-After`.
    After(u16, u32),
    /// Takes it, and is silent for so long.
    Slow(Duration),
    /// Takes it, and closes the connection.
    Break,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    manners: VecDeque<Manner>,
    otherwise: Option<Manner>,
}

/// A receiver on a free port of the loopback; it ends when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&state), request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ended = connection
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        Self {
            address,
            state,
            serving,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/platform?from=pintle", self.address)
    }

    /// The manners of the next deliveries, before it is polite again.
    pub fn behave(&self, manners: impl IntoIterator<Item = Manner>) {
        self.state.lock().unwrap().manners.extend(manners);
    }

    /// The manner of every delivery from now on.
    pub fn always(&self, manner: Option<Manner>) {
        self.state.lock().unwrap().otherwise = manner;
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().received.len()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let manner = {
        let mut state = state.lock().unwrap();
        state.received.push(Received {
            path: head.uri.to_string(),
            headers: head.headers,
            body,
        });
        let next = state.manners.pop_front();
        next.or(state.otherwise).unwrap_or(Manner::Status(200))
    };
    let reply = |status: u16| Response::builder().status(status);
    let whole = |builder: http::response::Builder| Ok(builder.body(Full::default()).unwrap());
    match manner {
        Manner::Status(status) => whole(reply(status)),
        Manner::After(status, seconds) => whole(reply(status).header("retry-after", seconds)),
        Manner::Slow(pause) => {
            tokio::time::sleep(pause).await;
            whole(reply(200))
        }
        Manner::Break => Err("told to break".into()),
    }
}
