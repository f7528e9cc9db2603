//! The upstream, which answers with canned bytes, and the forwarder, which copies bytes.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::case::{page, sealed};

/// `/count` tells how many other requests came, `/connections` how many connections, `/last` the
/// newest request's bytes.
#[derive(Default)]
struct Seen {
    connections: u64,
    count: u64,
    last: Vec<u8>,
}

pub(crate) fn block_on(serving: impl Future<Output = io::Result<()>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serving).unwrap();
}

pub(crate) fn upstream(address: &str) {
    let pages = [("/s", 200), ("/m", 16 << 10), ("/l", 1 << 20)];
    let pages: Arc<Vec<(String, Vec<u8>)>> = Arc::new(
        pages
            .iter()
            .flat_map(|(path, bytes)| {
                let canned = canned(&page(*bytes));
                [
                    ((*path).to_owned(), canned.clone()),
                    (format!("/cached{path}"), canned),
                ]
            })
            .chain(
                [("/sealed/1k", 1 << 10), ("/sealed/64k", 64 << 10)]
                    .map(|(path, bytes)| (path.to_owned(), canned(&sealed(&page(bytes))))),
            )
            .collect(),
    );
    let seen = Arc::new(Mutex::new(Seen::default()));
    block_on(async move {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            seen.lock().unwrap().connections += 1;
            tokio::spawn(answer(stream, Arc::clone(&pages), Arc::clone(&seen)));
        }
    });
}

fn canned(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: public, max-age=3600\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn answer(mut stream: TcpStream, pages: Arc<Vec<(String, Vec<u8>)>>, seen: Arc<Mutex<Seen>>) {
    let mut read = Vec::with_capacity(64 << 10);
    loop {
        let len = loop {
            if let Some(len) = whole(&read) {
                break len;
            }
            match stream.read_buf(&mut read).await {
                Ok(1..) => {}
                _ => return,
            }
        };
        let path = read.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let own = match path {
            b"/count" => Some(canned(seen.lock().unwrap().count.to_string().as_bytes())),
            b"/connections" => {
                let count = seen.lock().unwrap().connections;
                Some(canned(count.to_string().as_bytes()))
            }
            b"/last" => Some(canned(&seen.lock().unwrap().last)),
            _ => None,
        };
        let page = pages.iter().find(|(known, _)| known.as_bytes() == path);
        let reply: &[u8] = match (&own, page) {
            (Some(own), _) => own,
            (None, Some((_, page))) => page,
            (None, None) => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        };
        if own.is_none() {
            let mut seen = seen.lock().unwrap();
            seen.count += 1;
            seen.last.clear();
            seen.last.extend_from_slice(&read[..len]);
        }
        let closes = read[..len]
            .windows(17)
            .any(|part| part == b"connection: close");
        if stream.write_all(reply).await.is_err() || closes {
            return;
        }
        read.drain(..len);
    }
}

/// The length of the first whole request.
fn whole(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&read[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let len = head + length.unwrap_or(0);
    (read.len() >= len).then_some(len)
}

pub(crate) fn forward(listen: &str, to: &str) {
    block_on(async move {
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (mut near, _) = listener.accept().await?;
            let mut far = TcpStream::connect(to).await?;
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            tokio::spawn(async move { drop(copy_bidirectional(&mut near, &mut far).await) });
        }
    });
}
