//! Pushes accepted a second, each stored durably before it is answered: the whole inbound path over
//! sockets, with the load generator on the same processors.
//!
//! `cargo bench --bench accept`. 64 connections push distinct bodies of 1 KiB; nobody receives them
//! meanwhile (the receiver's port is closed), so that only accepting is measured.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a bench prints and may fail"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pintle::app::App;
use pintle::config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const WARM: Duration = Duration::from_secs(2);
const RUN: Duration = Duration::from_secs(10);

fn main() {
    // `cargo test --all-targets` runs benches too: there is nothing to find out then.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run());
}

async fn run() {
    let folder = tempfile::TempDir::new().unwrap();
    let settings = "local: { listen: 127.0.0.1:0 }
admin: { listen: 127.0.0.1:0 }
accounts: { main: { base_url: \"http://127.0.0.1:9\", secrets: { app_key: \"literal:k\", app_secret: \"literal:s\" } } }
public: { listen: 127.0.0.1:0, secrets: { callback_path: \"literal:s3cret\" } }
receivers: { app: { url: \"http://127.0.0.1:9/\", retry: { first: 1h } } }
log: { level: error }
";
    let path = folder.path().join("pintle.yaml");
    std::fs::write(&path, settings).unwrap();
    let config = config::load(Some(&path)).config.unwrap();
    let app = App::start(config, Some(path)).await.unwrap();
    let address = app.addresses().public.unwrap();
    let serial = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let serial = Arc::clone(&serial);
            tokio::spawn(async move {
                let stream = TcpStream::connect(address).await.unwrap();
                push(stream, &serial, begun).await
            })
        })
        .collect();
    let before = cpu_ms();
    let mut times = Vec::new();
    for sender in senders {
        times.extend(sender.await.unwrap());
    }
    let cpu_us = (cpu_ms() - before) * 1000;
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000].as_secs_f64() * 1000.0;
    let count = u64::try_from(times.len()).unwrap();
    println!("connections          {CONNECTIONS}");
    println!("accepted a second    {}", count / RUN.as_secs());
    println!(
        "p50, p99, p99.9, max {:.2} {:.2} {:.2} {:.2} ms",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
    println!(
        "CPU of all, with the load generator and the warming {} us a push",
        cpu_us / count.max(1)
    );
    app.drain().await;
}

/// Pushes until the time is over; gives the times of those after the warming.
async fn push(mut stream: TcpStream, serial: &AtomicU64, begun: Instant) -> Vec<Duration> {
    stream.set_nodelay(true).unwrap();
    let filler = "x".repeat(950);
    let mut times = Vec::new();
    let mut answer = [0; 4096];
    while begun.elapsed() < WARM + RUN {
        let number = serial.fetch_add(1, Ordering::Relaxed);
        let body =
            format!(r#"{{"CallID":"call-{number}","Status":"Finished","filler":"{filler}"}}"#);
        let request = format!(
            "POST /callback/s3cret/workflow/call-finished HTTP/1.1\r\nhost: x\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let read = stream.read(&mut answer).await.unwrap();
        assert!(
            answer[..read].starts_with(b"HTTP/1.1 200"),
            "{:?}",
            &answer[..read.min(80)]
        );
        if begun.elapsed() > WARM {
            times.push(sent.elapsed());
        }
    }
    times
}

/// CPU of this process so far, user and system, in milliseconds (proc(5): ticks of 10 ms).
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
    (ticks(11) + ticks(12)) * 10
}
