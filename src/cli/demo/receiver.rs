//! The demo's internal system: it takes what Pintle delivers, and remembers it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::message::{Body, BodyFault};

/// What was delivered.
#[derive(Clone)]
pub(super) struct Delivered {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A receiver of deliveries on a free port of the loopback.
pub(super) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    delivered: Mutex<Vec<Delivered>>,
    came: Notify,
}

impl Receiver {
    pub(super) async fn start(tasks: &TaskTracker) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        tasks.spawn(serve(listener, Arc::clone(&shared), tasks.clone()));
        Ok(Self { address, shared })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/platform", self.address)
    }

    /// Waits until so many deliveries have come.
    pub(super) async fn wait_for(&self, count: usize) -> Vec<Delivered> {
        loop {
            let delivered = locked(&self.shared.delivered).clone();
            if delivered.len() >= count {
                return delivered;
            }
            self.shared.came.notified().await;
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker) {
    while let Ok((socket, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            let service = service_fn(move |request| take(Arc::clone(&shared), request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            drop(connection.await);
        });
    }
}

async fn take(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.map_err(|error| BodyFault::Broken(Arc::new(error)));
    let body = Body::stream(body).read(BODY_MAX).await.unwrap_or_default();
    locked(&shared.delivered).push(Delivered {
        headers: head.headers,
        body,
    });
    shared.came.notify_one();
    Ok(Response::new(Full::default()))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const BODY_MAX: usize = 1 << 20;
