//! Both ends of the gateway: who asks, and the upstream that answers with canned bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The key of the sealed account, AES-256 in hex.
pub(crate) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n").into_bytes()
}

pub(crate) fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn is_ready(admin: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", admin)) else {
        return false;
    };
    let asked =
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

/// A connection that asks and reads whole answers.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn ask(&mut self, request: &[u8]) {
        self.0.get_mut().write_all(request).unwrap();
        let answer = message(&mut self.0);
        let (head, body) = answer.unwrap_or_else(|| panic!("the gateway closed the connection"));
        let told = String::from_utf8_lossy(&body);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}{told}");
        assert!(!body.is_empty(), "{head}");
    }
}

/// A head and a body whose length is told; `None` at the end of the connection.
fn message(from: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let before = head.len();
        from.read_line(&mut head).ok().filter(|read| *read > 0)?;
        let line = head[before..].trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(told) = line.strip_prefix("content-length: ") {
            length = told.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// An upstream that answers every path for ever: sealed at `/sealed`, else plain.
pub(crate) fn upstream() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = format!(r#"{{"code":200,"rows":"{}"}}"#, "x".repeat(178));
    let sealed = sealed(plain.as_bytes());
    let answers = Arc::new([canned(plain.as_bytes()), canned(&sealed)]);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || answer(stream.unwrap(), &answers));
        }
    });
    port
}

fn answer(stream: TcpStream, answers: &[Vec<u8>; 2]) {
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::new(stream);
    while let Some((head, _)) = message(&mut stream) {
        let sealed = usize::from(head.contains(" /sealed "));
        if stream.get_mut().write_all(&answers[sealed]).is_err() {
            return;
        }
    }
}

fn canned(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: public, max-age=3600\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sealed by OpenSSL: IV and text, in Base64.
fn sealed(plain: &[u8]) -> Vec<u8> {
    let iv = [7_u8; 16];
    let hex = "07".repeat(iv.len());
    let text = piped(
        "openssl",
        &["enc", "-aes-256-cbc", "-K", KEY, "-iv", &hex],
        plain,
    );
    piped("base64", &["-w0"], &[&iv[..], &text].concat())
}

fn piped(command: &str, words: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(command)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command} cannot be run: {error}"));
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().stdout
}

const PATIENCE: Duration = Duration::from_mins(1);
