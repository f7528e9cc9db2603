//! hyper's server and client with nothing between them: what a gateway made of hyper cannot do without.

use std::convert::Infallible;

use http::HeaderValue;
use http::header::{AUTHORIZATION, CONNECTION, HOST};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use crate::contestant::TOKEN;
use crate::servers::block_on;

/// Each connection has one of its own to the upstream, so that no pool is in the count.
pub(crate) fn bare(listen: &str, to: &str) {
    block_on(async move {
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (near, _) = listener.accept().await?;
            let far = TcpStream::connect(to).await?;
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            tokio::spawn(serve(near, far));
        }
    });
}

async fn serve(near: TcpStream, far: TcpStream) {
    let (sender, connection) = client::handshake(TokioIo::new(far)).await.unwrap();
    tokio::spawn(connection);
    let sender = Mutex::new(sender);
    let service = hyper::service::service_fn(|call| forward(call, &sender));
    // A connection that its client has left is no failure.
    let _ended = server::Builder::new()
        .serve_connection(TokioIo::new(near), service)
        .await;
}

async fn forward(
    mut call: Request<Incoming>,
    sender: &Mutex<client::SendRequest<Incoming>>,
) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Infallible> {
    let headers = call.headers_mut();
    headers.remove(CONNECTION);
    headers.remove(HOST);
    headers.insert(HOST, HeaderValue::from_static("upstream"));
    let token = HeaderValue::from_str(&["Bearer ", TOKEN].concat()).unwrap();
    headers.insert(AUTHORIZATION, token);
    let mut sender = sender.lock().await;
    let reply = match sender.ready().await {
        Ok(()) => sender.send_request(call).await,
        Err(error) => Err(error),
    };
    Ok(reply.map_or_else(|_| failed(), |reply| reply.map(BodyExt::boxed)))
}

fn failed() -> Response<BoxBody<Bytes, hyper::Error>> {
    let nothing = Full::default().map_err(|never: Infallible| match never {});
    let mut reply = Response::new(nothing.boxed());
    *reply.status_mut() = StatusCode::BAD_GATEWAY;
    reply
}
