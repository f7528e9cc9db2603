//! Bodies that nothing has to read cost no memory, in either direction.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper_util::rt::TokioIo;
use pintle::sandbox::Sandbox;
use tokio::net::TcpStream;

use crate::child::Process;
use crate::support::sandbox_options;

type Sender<B> = hyper::client::conn::http1::SendRequest<B>;

const GIB: u64 = 1 << 30;
const MEMORY_MAX: u64 = 64 << 20;

async fn connect<B>(base: &str) -> Sender<B>
where
    B: http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    let stream = TcpStream::connect(base.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    let (sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(driver);
    sender
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_of_one_gib_passes_in_little_memory() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let process = Process::start(&sandbox.url(), "");
    for query in [format!("bytes={GIB}"), format!("bytes={GIB}&chunked=1")] {
        let mut sender = connect(&process.local).await;
        let request = Request::get(format!("/service/cloud/recording?{query}"))
            .header("host", "localhost")
            .body(http_body_util::Empty::<Bytes>::new())
            .unwrap();
        let mut reply = sender.send_request(request).await.unwrap();
        assert_eq!(reply.status(), 200);
        // A reader that stands still at first: what it does not take must wait at the platform.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut came = 0;
        while let Some(frame) = reply.body_mut().frame().await {
            came += frame
                .unwrap()
                .data_ref()
                .map_or(0, |data| data.len() as u64);
        }
        assert_eq!(came, GIB, "{query}");
    }
    let peak = process.peak_memory();
    assert!(peak < MEMORY_MAX, "{} MiB", peak >> 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_of_one_gib_passes_in_little_memory() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let process = Process::start(&sandbox.url(), "");
    let chunk = Bytes::from(vec![7_u8; 1 << 16]);
    for announced in [true, false] {
        let frames = std::iter::repeat_n(chunk.clone(), (GIB >> 16) as usize)
            .map(|chunk| Ok::<_, std::convert::Infallible>(Frame::data(chunk)));
        let mut request = Request::post("/service/cloud/upload").header("host", "localhost");
        if announced {
            request = request.header("content-length", GIB);
        }
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let mut sender = connect(&process.local).await;
        let reply = sender
            .send_request(request.body(body).unwrap())
            .await
            .unwrap();
        assert_eq!(reply.status(), 200);
        let reply = reply.into_body().collect().await.unwrap().to_bytes();
        let reply: serde_json::Value = serde_json::from_slice(&reply).unwrap();
        assert_eq!(reply["data"]["bytes"], GIB, "announced: {announced}");
    }
    let peak = process.peak_memory();
    assert!(peak < MEMORY_MAX, "{} MiB", peak >> 20);
}
