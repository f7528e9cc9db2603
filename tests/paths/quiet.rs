//! Connections on which nothing happens for a while: served without hyper, and as if with it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use pintle::sandbox::Sandbox;
use tokio::io::AsyncWriteExt as _;

use crate::child::Process;
use crate::scripted::{PROCESS, Scripted, read_past};
use crate::support::sandbox_options;

const QUIET: &str = "a connection is quiet";
const ASK: &str = "GET /service/cloud/robot HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn connect(process: &Process) -> TcpStream {
    let address = process.local.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).unwrap();
    stream
}

/// Reads replies until so many have come whole; each of them ends in `}`.
fn replies(stream: &mut TcpStream, count: usize) -> String {
    let mut came = String::new();
    let mut piece = [0; 4096];
    while came.matches("HTTP/1.1 ").count() < count || !came.ends_with('}') {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "closed after {came}");
        came.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    came
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_connection_is_served_as_before() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let process = Process::start(&sandbox.url(), "");
    let mut stream = connect(&process);
    // In pieces, of which the first is no head yet.
    let (begin, end) = ASK.split_at(20);
    stream.write_all(begin.as_bytes()).unwrap();
    stream.write_all(end.as_bytes()).unwrap();
    assert!(replies(&mut stream, 1).starts_with("HTTP/1.1 200"));
    process.logged(QUIET);
    stream.write_all(begin.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    stream.write_all(end.as_bytes()).unwrap();
    assert!(replies(&mut stream, 1).starts_with("HTTP/1.1 200"));
    process.logged(QUIET);
    // Two at once, and a body.
    let upload =
        "POST /service/cloud/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345";
    stream
        .write_all([ASK, upload, ASK].concat().as_bytes())
        .unwrap();
    let three = replies(&mut stream, 3);
    assert_eq!(three.matches("HTTP/1.1 200").count(), 3, "{three}");
    assert!(three.contains("\"bytes\":5"), "{three}");
    process.logged(QUIET);
    // What is refused on a busy connection is refused on a quiet one.
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut refused = String::new();
    stream.read_to_string(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_pauses_is_not_quiet() {
    const PAUSE: Duration = Duration::from_secs(3);
    let platform = Scripted::start(async |_, mut stream| {
        read_past(&mut stream, "half").await;
        read_past(&mut stream, "whole").await;
        tokio::time::sleep(PAUSE).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst";
        stream.write_all(head).await.unwrap();
        tokio::time::sleep(PAUSE).await;
        stream.write_all(b"last}").await.unwrap();
    })
    .await;
    let url = format!("http://{}", platform.address);
    let upstream = format!("upstreams: {{ process: {{ base_url: \"{url}\" }} }}");
    let process = Process::start_account(&url, &upstream, "");
    let mut stream = connect(&process);
    let head =
        format!("POST {PROCESS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf");
    stream.write_all(head.as_bytes()).unwrap();
    tokio::time::sleep(PAUSE).await;
    stream.write_all(b"whole").unwrap();
    let reply = replies(&mut stream, 1);
    assert!(reply.ends_with("\r\n\r\nfirstlast}"), "{reply}");
    let lines = process.end();
    let is_quiet = |line: &&serde_json::Value| line["message"] == QUIET;
    assert_eq!(lines.iter().filter(is_quiet).count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quiet_connections_end_with_their_peer_with_time_and_with_the_process() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let more = "local: { listen: 127.0.0.1:0, limits: { head: 4s } }";
    let process = Process::start(&sandbox.url(), more);
    let ask = || {
        let mut stream = connect(&process);
        stream.write_all(ASK.as_bytes()).unwrap();
        replies(&mut stream, 1);
        process.logged(QUIET);
        stream
    };
    let end = |stream: &mut TcpStream| {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    };
    // A head that drips has as long as it had on a busy connection.
    let mut slow = ask();
    slow.write_all(b"GET / HT").unwrap();
    let begun = std::time::Instant::now();
    end(&mut slow);
    assert!(begun.elapsed() < Duration::from_secs(6));
    let mut leaves = ask();
    leaves.shutdown(std::net::Shutdown::Write).unwrap();
    end(&mut leaves);
    let mut stays = ask();
    process.end();
    end(&mut stays);
}
