//! The gateway is no oracle: neither what it answers to a text that does not open, nor how long that
//! takes, tells what is wrong with it.
//!
//! How the time is measured: a platform answers the same call with texts of 64 KiB, each spoilt in one
//! way, the ways taking turns; the caller's time from request to reply is noted. The times of each
//! two ways are compared by the Kolmogorov-Smirnov statistic, the greatest distance between their
//! cumulative distributions: 1 where they do not overlap. Taken without the clock on which failures
//! are told, the distance between broken base64 and a wrong digest is 1.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pintle::crypto::{AesKey, Airudder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const WAYS: usize = 5;
const ROUNDS: usize = 60;

/// Replies as they are on the wire, each spoilt in one way.
fn spoilt() -> Vec<String> {
    let key = AesKey::new(KEY.as_bytes()).unwrap();
    let seal = |plain: &str| {
        let sealed = Airudder.seal(&key, plain.as_bytes()).unwrap();
        let text = String::from_utf8(sealed.text).unwrap();
        (text, sealed.digest.unwrap())
    };
    let json = format!(
        r#"{{"code":200,"status":"OK","data":"{}"}}"#,
        "x".repeat(64 << 10)
    );
    let (text, digest) = seal(&json);
    let (no_json, digest_of_no_json) = seal(&json[..json.len() - 1]);
    vec![
        reply(&format!("!{}", &text[1..]), &digest),
        reply(&text[..text.len() - 4], &digest),
        reply(&text, &digest_of_no_json),
        reply(&no_json, &digest_of_no_json),
        reply(&text, ""),
    ]
}

/// A sealed reply.
fn reply(text: &str, digest: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nis-encrypted: 1\r\nsigned: {digest}\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    )
}

/// A sealed text changed in one of many ways, by a number; never what it was.
fn tampered(text: &str, digest: &str, number: usize) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = (number * 7919) % bytes.len();
    match number % 5 {
        0 => bytes[at] ^= 1 << (number % 7),
        1 => bytes.truncate(at),
        2 => bytes[at] = b"!-_ \"%"[number % 6],
        3 => bytes.insert(at, bytes[(at + 1) % text.len()]),
        _ => {
            // Other letters of the alphabet of base64: the text stays well-formed.
            bytes[at] = if bytes[at] == b'Q' { b'g' } else { b'Q' };
        }
    }
    let is_changed = bytes != text.as_bytes();
    // A break of the line would end the body's own framing, and some bytes are no text.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    reply(&text, if is_changed { digest } else { "0" })
}

/// A gateway that seals, in front of a platform of prepared replies.
async fn before(replies: Vec<String>) -> Stage {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(platform(listener, Arc::new(replies)));
    let of_account = format!(
        "sealing: airudder, open_failures_max: 100000, keys: {{ aes: [{}] }}",
        key_entry("airudder", "1", KEY)
    );
    let unused = Sandbox::start(sandbox_options()).await.unwrap();
    Stage::start(unused, &settings_of_account(&url, &of_account, "")).await
}

/// A platform that grants every login, and answers each call by what its path ends in.
async fn platform(listener: TcpListener, replies: Arc<Vec<String>>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        tokio::spawn(answer(socket, Arc::clone(&replies)));
    }
}

async fn answer(mut socket: TcpStream, replies: Arc<Vec<String>>) {
    let mut asked = Vec::new();
    loop {
        let mut piece = [0; 4096];
        match socket.read(&mut piece).await {
            Ok(read @ 1..) => asked.extend_from_slice(&piece[..read]),
            _ => return,
        }
        let text = String::from_utf8_lossy(&asked).into_owned();
        let is_login = text.starts_with("POST /service/cloud/auth");
        if !text.contains("\r\n\r\n") || (is_login && !text.ends_with('}')) {
            continue;
        }
        asked.clear();
        let reply = if is_login {
            let body = r#"{"code":200,"status":"OK","data":{"token":"t"}}"#;
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        } else {
            let path = text.split_whitespace().nth(1).unwrap();
            let way: usize = path.rsplit('/').next().unwrap().parse().unwrap();
            replies[way].clone()
        };
        socket.write_all(reply.as_bytes()).await.unwrap();
    }
}

/// The greatest distance between two cumulative distributions.
fn distance(one: &[Duration], two: &[Duration]) -> f64 {
    let share = |count: usize, of: usize| {
        f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(of).unwrap())
    };
    let below = |times: &[Duration], at: Duration| {
        share(
            times.iter().filter(|time| **time <= at).count(),
            times.len(),
        )
    };
    one.iter()
        .chain(two)
        .map(|at| (below(one, *at) - below(two, *at)).abs())
        .fold(0.0, f64::max)
}

#[tokio::test]
async fn the_time_of_a_failure_does_not_tell_its_class() {
    let stage = before(spoilt()).await;
    let mut times: [Vec<Duration>; WAYS] = Default::default();
    for _ in 0..ROUNDS {
        for (way, times) in times.iter_mut().enumerate() {
            let begun = Instant::now();
            let reply = stage.client.get(&format!("/service/cloud/x/{way}")).await;
            times.push(begun.elapsed());
            assert_eq!(reply.code(), "open_failed", "{way}");
        }
    }
    // For 60 and 60 samples of one distribution, more than 0.5 comes once in about ten million.
    for one in 0..WAYS {
        for two in 0..one {
            let distance = distance(&times[one], &times[two]);
            assert!(distance < 0.5, "{one} and {two}: {distance}");
        }
    }
}

#[tokio::test]
async fn ten_thousand_tampered_replies_get_one_answer() {
    let key = AesKey::new(KEY.as_bytes()).unwrap();
    let sealed = Airudder.seal(&key, INSTANCE.as_bytes()).unwrap();
    let (text, digest) = (
        String::from_utf8(sealed.text).unwrap(),
        sealed.digest.unwrap(),
    );
    let replies = (0..TAMPERED).map(|number| tampered(&text, &digest, number));
    let stage = before(replies.collect()).await;
    let callers = (0..CALLERS).map(|caller| {
        let client = stage.client.clone();
        tokio::spawn(async move {
            let mut answers = BTreeSet::new();
            for number in (caller..TAMPERED).step_by(CALLERS) {
                let path = format!("/service/cloud/x/{number}");
                let same = [("x-request-id", "the-same")];
                let reply = client.send("GET", &path, &same, "").await;
                let mut headers = reply.headers;
                for varying in ["date", "server-timing"] {
                    headers.remove(varying);
                }
                answers.insert(format!("{} {headers:?} {:?}", reply.status, reply.body));
            }
            answers
        })
    });
    let callers: Vec<_> = callers.collect();
    let mut answers = BTreeSet::new();
    for caller in callers {
        answers.extend(caller.await.unwrap());
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert!(answers.first().unwrap().contains("open_failed"));
}

const TAMPERED: usize = 10_000;
const CALLERS: usize = 100;
