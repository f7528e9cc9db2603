//! Standard Webhooks: what we sign the reference libraries take, and what they sign we take.
//!
//! It needs the libraries for Python and JavaScript, so `./scripts/test` runs it and plain
//! `cargo test` does not (`test = false` in `Cargo.toml`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panic, as the tests do"
)]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use http::{HeaderMap, HeaderName, Method};
use pintle::clock::Clock;
use pintle::crypto::{Evidence, Signer, Verifier};
use pintle::secret::Secret;
use serde_json::{Value, json};

/// Each library: the command, and how it is installed.
const LIBRARIES: [(&str, &str, &str); 2] = [
    (
        ".venv/bin/python",
        "tests/webhooks/reference.py",
        "python3 -m venv .venv && .venv/bin/pip install -r tests/requirements.txt",
    ),
    (
        "node",
        "tests/webhooks/reference.js",
        "npm ci --prefix tests/webhooks, with Node.js installed",
    ),
];

const SECRETS: [&str; 3] = [
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_cGludGxl",
];

const BODIES: [&str; 6] = [
    "{\"test\": 2432232314}",
    "{ \"name\" : \"张三 é \u{1f600}\",\r\n\t\"n\":1.0 }\n",
    "a=1&b=%2B",
    "\u{feff}{}",
    " ",
    "0.1.{}",
];

/// Asks a library to do all jobs, in one process.
fn ask((command, script, install): (&str, &str, &str), jobs: &[Value]) -> Vec<Value> {
    let mut child = Command::new(command)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command}: {error}; install it with: {install}"));
    let text = serde_json::to_string(jobs).unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{script} failed; install the library with: {install}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn secrets(texts: &[&str]) -> Vec<Secret> {
    texts
        .iter()
        .map(|text| Secret::new((*text).to_owned()))
        .collect()
}

/// The headers of a push that we sign.
fn signed(texts: &[&str], (id, at, body): (&str, i64, &str)) -> Value {
    let secrets = secrets(texts);
    let signer = Signer::standard_webhooks(&secrets.iter().collect::<Vec<_>>()).unwrap();
    let headers = signer.sign(id, at, body.as_bytes()).unwrap();
    let text = |(name, value): &(HeaderName, _)| {
        let value: &http::HeaderValue = value;
        (name.to_string(), Value::from(value.to_str().unwrap()))
    };
    Value::Object(headers.iter().map(text).collect())
}

/// What we say of a push.
fn is_proven(texts: &[&str], headers: &Value, body: &str, now: i64) -> bool {
    let secrets = secrets(texts);
    let verifier =
        Verifier::standard_webhooks(&secrets.iter().collect::<Vec<_>>(), Duration::from_mins(5));
    let header = |(name, value): (&String, &Value)| {
        let value = value.as_str().unwrap().parse().unwrap();
        (name.parse::<HeaderName>().unwrap(), value)
    };
    let headers: HeaderMap = headers.as_object().unwrap().iter().map(header).collect();
    let evidence = Evidence {
        method: &Method::POST,
        url: "https://x.example/h",
        path: "/h",
        query: None,
        headers: &headers,
        body: body.as_bytes(),
        plain: None,
        document: None,
        peer: None,
        path_secret: None,
        certificate: None,
        now_ms: now * 1000,
    };
    verifier.unwrap().verify(&evidence).is_ok()
}

#[test]
fn what_a_library_signs_is_proven() {
    let now = Clock::system().now();
    for library in LIBRARIES {
        let mut cases = Vec::new();
        for secret in SECRETS {
            for body in BODIES {
                let job = json!({ "do": "sign", "secret": secret, "id": "msg_1", "at": now, "body": body });
                cases.push((secret, body, job));
            }
        }
        let jobs: Vec<Value> = cases.iter().map(|(_, _, job)| job.clone()).collect();
        for ((secret, body, _), signature) in cases.iter().zip(ask(library, &jobs)) {
            let headers = json!({
                "webhook-id": "msg_1", "webhook-timestamp": now.to_string(), "webhook-signature": signature,
            });
            assert!(
                is_proven(&[secret], &headers, body, now),
                "{}: {body}",
                library.0
            );
            // It is byte for byte what we would have sent.
            assert_eq!(
                headers,
                signed(&[secret], ("msg_1", now, body)),
                "{}",
                library.0
            );
            let other = SECRETS.iter().find(|other| *other != secret).unwrap();
            assert!(!is_proven(&[other], &headers, body, now));
            assert!(is_proven(&[other, secret], &headers, body, now));
        }
    }
}

/// Pushes of ours, as they are and changed, with the secret of the receiver.
fn pushes(now: i64) -> Vec<(&'static str, &'static str, Value, String)> {
    let [first, second, third] = SECRETS;
    let mut all = Vec::new();
    for body in BODIES {
        let headers = signed(&[first, second], ("msg_1", now, body));
        all.push(("the first secret", first, headers.clone(), body.to_owned()));
        all.push((
            "the second secret",
            second,
            headers.clone(),
            body.to_owned(),
        ));
        all.push(("another secret", third, headers.clone(), body.to_owned()));
        all.push(("another body", first, headers, format!("{body} ")));
    }
    let body = BODIES[0];
    for (name, seconds) in [
        ("nearly stale", -290),
        ("stale", -310),
        ("nearly from the future", 290),
        ("from the future", 310),
    ] {
        let headers = signed(&[first], ("msg_1", now + seconds, body));
        all.push((name, first, headers, body.to_owned()));
    }
    for (name, key, value) in [
        ("another id", "webhook-id", "msg_2".to_owned()),
        ("another time", "webhook-timestamp", (now + 1).to_string()),
        ("no time", "webhook-timestamp", "soon".to_owned()),
        ("an empty id", "webhook-id", String::new()),
        ("another version", "webhook-signature", "v2,AAAA".to_owned()),
        ("an empty signature", "webhook-signature", "v1,".to_owned()),
    ] {
        let mut headers = signed(&[first], ("msg_1", now, body));
        headers[key] = Value::from(value);
        all.push((name, first, headers, body.to_owned()));
    }
    all
}

#[test]
fn a_library_says_of_a_push_what_we_say() {
    let now = Clock::system().now();
    let all = pushes(now);
    let job = |(_, secret, headers, body): &(&str, &str, Value, String)| json!({ "do": "verify", "secret": secret, "headers": headers, "body": body });
    let jobs: Vec<Value> = all.iter().map(job).collect();
    for library in LIBRARIES {
        let said = ask(library, &jobs);
        assert_eq!(said.len(), all.len());
        for ((name, secret, headers, body), said) in all.iter().zip(said) {
            let ours = is_proven(&[secret], headers, body, now);
            assert_eq!(Value::from(ours), said, "{}: {name}: {body}", library.0);
            let good = ["the first secret", "the second secret"].contains(name)
                || name.starts_with("nearly");
            assert_eq!(ours, good, "{name}: {body}");
        }
    }
}
