//! Any push: whatever comes, it is taken or refused, and never makes the gateway fail.
#![no_main]

use std::sync::{Arc, LazyLock};

use http::{HeaderName, HeaderValue, Method, Request};
use libfuzzer_sys::fuzz_target;
use pintle::app::App;
use pintle::config;
use pintle::inbound::Inbound;
use pintle::message::{Body, Peer, RequestId};
use pintle::telemetry::Record;
use tokio::runtime::Runtime;

struct Gateway {
    runtime: Runtime,
    inbound: Arc<Inbound>,
    _app: App,
}

static GATEWAY: LazyLock<Gateway> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let folder = std::env::temp_dir().join(format!("pintle-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("pintle.yaml");
    std::fs::write(&path, SETTINGS).expect("a file");
    let config = config::load(Some(&path)).config.expect("good settings");
    let app = runtime
        .block_on(App::start(config, Some(path)))
        .expect("it starts");
    let inbound = app.inbound().expect("it takes pushes");
    Gateway {
        runtime,
        inbound,
        _app: app,
    }
});

// First byte: which path and method. Then lines of headers up to an empty one, then the body.
fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let paths = [
        "/callback/s3cret/workflow/call-finished",
        "/callback/s3cret/callcenter/agent-status-changed",
        "/callback/wrong/workflow/call-finished",
        "/accounts/main/callback/s3cret/workflow/list-finished?a=b",
    ];
    let path = paths[usize::from(*choice) % paths.len()];
    let method = if choice & 0x80 == 0 {
        Method::POST
    } else {
        Method::GET
    };
    let split = rest.windows(2).position(|two| two == b"\n\n");
    let (head, body) = match split {
        Some(at) => (&rest[..at], &rest[at + 2..]),
        None => (&rest[..0], rest),
    };
    let mut request = Request::new(Body::held(body.to_vec()));
    *request.method_mut() = method.clone();
    *request.uri_mut() = path.parse().expect("a path");
    for line in head.split(|byte| *byte == b'\n').take(50) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts
            .next()
            .and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts
            .next()
            .and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            request.headers_mut().append(name, value);
        }
    }
    let gateway = &*GATEWAY;
    let mut record = Record::new("public", RequestId::fresh(), method, String::new());
    let peer = Peer::default();
    let accepted = gateway.inbound.accept(request, &peer, &mut record);
    if let Err(failure) = gateway.runtime.block_on(accepted) {
        assert_ne!(failure.description().code, "internal");
    }
});

const SETTINGS: &str = "local: { listen: 127.0.0.1:0 }
admin: { listen: 127.0.0.1:0 }
accounts:
  main:
    base_url: http://127.0.0.1:9
    secrets: { app_key: \"literal:k\", app_secret: \"literal:s\" }
    sealing: airudder
    keys: { aes: [{ id: a, key: \"literal:airudderredduria\" }] }
public: { listen: 127.0.0.1:0, secrets: { callback_path: \"literal:s3cret\" } }
receivers: { app: { url: \"http://127.0.0.1:9/\", retry: { first: 1h } } }
";
