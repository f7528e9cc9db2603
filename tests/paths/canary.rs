//! Secrets do not sing: key, secret and token are in no line of the log, in no problem and in no
//! reply of the admin listener, whatever goes wrong.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;

use pintle::sandbox::{Sandbox, Seen};

use crate::child::Process;
use crate::support::{Client, fault, sandbox_options, settings};

const ROBOTS: &str = "/service/cloud/robot";
const TASK: &str = "/service/cloud/task";
const LOGIN: &str = "/service/cloud/auth";
const DIALER: &str = "/service/callcenter/call/predict/querytasklist";
/// Written into the settings where a reference should be.
const PLAIN: &str = "canary-in-plain-sight";
/// Brought by the caller, in a header, the query and the body.
const OF_CALLER: &str = "canary-of-the-caller";

/// What was said to whoever asked, without what the platform itself answered.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    async fn call(&mut self, client: &Client, (method, path): (&str, &str), fault: &str) {
        let authorization = format!("Bearer {OF_CALLER}");
        let cookie = format!("session={OF_CALLER}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("cookie", cookie.as_str()),
            ("content-type", "application/json"),
            ("x-sandbox-fault", fault),
        ];
        let body = match method {
            "GET" => String::new(),
            _ => format!("{{\"phone\":\"{OF_CALLER}\"}}"),
        };
        let path = format!("{path}?number={OF_CALLER}");
        let reply = client.send(method, &path, &headers, &body).await;
        self.0.push(format!("{:?}", reply.headers));
        if reply.header("content-type") == "application/problem+json" {
            self.0
                .push(String::from_utf8_lossy(&reply.body).into_owned());
        }
    }

    /// A call without credentials, with something private in its body.
    async fn plain(&mut self, client: &Client, path: &str, fault: &str) {
        let headers = [("x-sandbox-fault", fault)];
        let body = format!("{{\"phone\":\"{OF_CALLER}\"}}");
        let reply = client.send("POST", path, &headers, &body).await;
        self.0.push(format!("{:?}", reply.headers));
        if reply.header("content-type") == "application/problem+json" {
            self.0
                .push(String::from_utf8_lossy(&reply.body).into_owned());
        }
    }

    async fn admin(&mut self, admin: &Client) {
        for path in ["/", "/livez", "/readyz", "/nothing"] {
            let reply = admin.get(path).await;
            self.0.push(format!("{:?}", reply.headers));
            self.0
                .push(String::from_utf8_lossy(&reply.body).into_owned());
        }
    }
}

fn token(seen: &Seen) -> Option<String> {
    let shown = seen.headers.get("authorization")?.to_str().ok()?;
    shown.split_once(' ').map(|(_, token)| token.to_owned())
}

async fn call_well_and_badly(client: &Client, said: &mut Said) {
    for fault in [
        "delay=1ms",
        "echo",
        "status=401",
        "status=500",
        "code=10812",
        "hang",
        "reset",
        "nonsense",
        "html",
        "bad-json",
        "empty",
        "truncate=5",
        "reset-after=5",
        "close",
    ] {
        for call in [("GET", ROBOTS), ("POST", TASK), ("POST", DIALER)] {
            said.call(client, call, fault).await;
        }
    }
    for call in [
        ("POST", LOGIN),
        ("GET", "/operations/nothing"),
        ("GET", "/accounts/nobody/x"),
        ("GET", "/a//b"),
        ("GET", "/service/cloud/workflow/templates"),
    ] {
        said.call(client, call, "delay=1ms").await;
    }
}

async fn log_in_badly(sandbox: &Sandbox, process: &Process, said: &mut Said) {
    for answer in [
        "echo",
        "status=401",
        "status=500",
        "html",
        "bad-json",
        "empty",
        "hang",
        "reset",
        "nonsense",
        "truncate=60",
        "token=canary of the token",
        "token-crlf",
    ] {
        sandbox.set_fault(fault(answer).at(LOGIN));
        sandbox.revoke_tokens();
        for _ in 0..2 {
            let call = ("GET", ROBOTS);
            said.call(&process.client(), call, "delay=1ms").await;
        }
        said.admin(&Client::new(&process.admin)).await;
        sandbox.clear_faults();
    }
}

/// Callers that break off, in HTTP/1 and HTTP/2.
fn break_off(process: &Process) {
    let half = format!(
        "POST {TASK} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OF_CALLER}\r\n\
         Content-Length: 99\r\n\r\n{OF_CALLER}"
    );
    let garbage = format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{OF_CALLER}");
    for bytes in [half, garbage] {
        let address = process.local.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
    }
    process.logged("a connection ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_ever_logged_or_told() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let more = "local: { listen: 127.0.0.1:0, deadline: 300ms }\n\
                token: { rejection_age: 1ms, login: 200ms, backoff: 20ms, backoff_max: 20ms }";
    let process = Process::start(&sandbox.url(), more);
    let mut said = Said::default();
    call_well_and_badly(&process.client(), &mut said).await;
    let tokens: BTreeSet<String> = sandbox.seen().iter().filter_map(token).collect();
    said.admin(&Client::new(&process.admin)).await;
    log_in_badly(&sandbox, &process, &mut said).await;
    break_off(&process);
    let faulty = settings(&sandbox.url(), "").replace("literal:sandbox-secret", PLAIN);
    std::fs::write(process.folder.path().join("pintle.yaml"), faulty).unwrap();
    process.signal("HUP");
    process.logged("not reloaded");

    let log: Vec<String> = process.end().iter().map(ToString::to_string).collect();
    assert!(log.len() > 50 && said.0.len() > 50, "{}", log.len());
    assert!(log.iter().any(|line| line.contains("\"DEBUG\"")));
    assert!(!tokens.is_empty());
    let fixed = [
        "sandbox-key",
        "sandbox-secret",
        "canary",
        "X-Injected",
        "Bearer",
    ];
    for secret in tokens.iter().map(String::as_str).chain(fixed) {
        for text in log.iter().chain(&said.0) {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_and_nothing_that_was_sealed_is_ever_logged_or_told() {
    let keys = ["canary-key-16-b.", "canary-mac-key", "canary-old-16-b."];
    let [key, mac, old] = keys;
    let mut options = sandbox_options();
    options.seals = Some(crate::sealing::seals("airudder", key));
    let sandbox = Sandbox::start(options).await.unwrap();
    let rings = |key: &str| {
        format!(
            "sealing: airudder, open_failures_max: 3, keys: {{ aes: [\
             {{ id: a, key: \"literal:{key}\", mac: \"literal:{mac}\" }}, \
             {{ id: b, key: \"literal:{old}\", mac: \"literal:{mac}\" }}] }}"
        )
    };
    let process = Process::start_account(&sandbox.url(), &rings(key), "");
    let mut said = Said::default();
    for fault in [
        "spoil=json",
        "spoil=first",
        "spoil=length",
        "spoil=encoding",
        "delay=1ms",
    ] {
        said.plain(&process.client(), "/service/cloud/task", fault)
            .await;
    }
    for path in [
        "/service/cloud/task?a=1",
        "/service/cloud/workflow/createinstance",
    ] {
        said.plain(&process.client(), path, "spoil=last").await;
    }
    said.admin(&Client::new(&process.admin)).await;
    let path = process.folder.path().join("pintle.yaml");
    let good = std::fs::read_to_string(&path).unwrap();
    for faulty in [
        "literal:canary",
        "canary-in-the-file",
        "env:canary value",
        "file:/canary/is/missing",
    ] {
        let faulty = good.replace(&format!("literal:{key}"), faulty);
        std::fs::write(&path, faulty).unwrap();
        process.signal("HUP");
        process.logged("not reloaded");
    }
    let log: Vec<String> = process.end().iter().map(ToString::to_string).collect();
    assert!(log.iter().any(|line| line.contains("opening_held_back")));
    assert!(log.iter().any(|line| line.contains("the digest is wrong")));
    for text in log.iter().chain(&said.0) {
        let is_path = text.contains("there is no file /canary/is/missing");
        assert!(is_path || !text.contains("canary"), "{text}");
    }
}
