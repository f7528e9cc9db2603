//! The public test suite for HTTP caches (<https://cache-tests.fyi>) against a gateway whose upstream
//! speaks of caching.
//!
//! It needs Node.js and the suite, so `./scripts/test` runs it and plain `cargo test` does not
//! (`test = false` in `Cargo.toml`). Another version than the one that the registry has is run with
//! `CACHE_TESTS=FOLDER cargo test --test cache_suite -- --nocapture`, where FOLDER is a checkout in
//! which `npm install` was run.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail by panic, as the tests do"
)]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pintle::app::App;
use pintle::config;
use serde_json::Value;
use tempfile::TempDir;

/// No login and no envelope: what the origin says goes.
const POLICIES: &str = "
verdicts: { plain: { source: assumed } }
families: { suite: { verdict: plain, login: none, paths: [/] } }
";

/// The required tests that do not pass: a reply with a cookie is never kept, and the front door
/// serves no method that no operation has. Neither is a failure by the suite's own count.
const OTHERS: [(&str, &str); 2] = [
    ("headers-store-Set-Cookie", "setup_fail"),
    ("invalidate-M-SEARCH", "setup_fail"),
];

/// Those besides of the registry's version, which is older than RFC 9111 and was put right since.
const SUPERSEDED: [(&str, &str); 15] = [
    // An `Age` that cannot be read is ignored, and of several the first counts (section 5.1).
    ("age-parse-nonnumeric", "fail"),
    ("age-parse-negative", "fail"),
    ("age-parse-float", "fail"),
    ("age-parse-prefix-twoline", "fail"),
    ("age-parse-dup-0", "fail"),
    ("age-parse-dup-0-twoline", "fail"),
    ("age-parse-dup-old", "fail"),
    // It takes every answer that is not the origin's for one from the cache, also a 502.
    ("stale-close-must-revalidate", "fail"),
    ("stale-close-proxy-revalidate", "fail"),
    ("stale-close-no-cache", "fail"),
    ("stale-close-s-maxage=2", "fail"),
    // These fields are no longer asked for in this way.
    ("304-etag-update-response-Content-MD5", "fail"),
    ("304-etag-update-response-ETag", "retry"),
    ("304-etag-update-response-Set-Cookie", "setup_fail"),
    ("invalidate-M-SEARCH-cl", "setup_fail"),
];

/// The suite's own origin.
struct Origin(Child);

impl Drop for Origin {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

impl Origin {
    fn start(suite: &str, folder: &TempDir) -> (Self, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let scripts = ["test-engine/server/server.mjs", "server/server.mjs"];
        let script = scripts.map(|script| format!("{suite}/{script}"));
        let script = script
            .iter()
            .find(|script| std::path::Path::new(script).exists())
            .expect("the suite is not there; install it with: npm ci --prefix tests/cache_suite --ignore-scripts");
        let child = Command::new("node")
            .arg(script)
            .env("npm_config_port", port.to_string())
            .env("npm_config_protocol", "http")
            .env("npm_config_pidfile", folder.path().join("pid"))
            .stdout(Stdio::null())
            .spawn()
            .expect("Node.js is needed: sudo apt-get install nodejs");
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the suite's origin never came");
            std::thread::sleep(Duration::from_millis(20));
        }
        (Self(child), port)
    }
}

async fn gateway(folder: &TempDir, origin: u16) -> App {
    for (name, text) in [
        ("policies", POLICIES),
        ("routes", "family: suite\noperations: []\n"),
    ] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("all.yaml"), text).unwrap();
    }
    let settings = format!(
        "local: {{ listen: \"127.0.0.1:0\", credentials: pass }}\n\
         admin: {{ listen: \"127.0.0.1:0\" }}\npolicies: policies\nroutes: routes\ncache: {{}}\n\
         accounts:\n  main: {{ base_url: \"http://127.0.0.1:{origin}\", secrets: {{}}, \
         http_cache: shared }}\n"
    );
    let path = folder.path().join("pintle.yaml");
    std::fs::write(&path, settings).unwrap();
    let config = config::load(Some(&path)).config.unwrap();
    App::start(config, Some(path)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_required_test_fails() {
    let named = std::env::var("CACHE_TESTS");
    let is_named = named.is_ok();
    let suite = named.unwrap_or("tests/cache_suite/node_modules/http-cache-tests".to_owned());
    let folder = TempDir::new().unwrap();
    let (_origin, port) = Origin::start(&suite, &folder);
    let app = gateway(&folder, port).await;
    let base = format!("http://{}", app.addresses().local.unwrap());
    let running = move || {
        Command::new("node")
            .args(["--no-warnings", "tests/cache_suite/run.mjs", &suite, &base])
            .stderr(Stdio::inherit())
            .output()
    };
    let output = tokio::task::spawn_blocking(running).await.unwrap().unwrap();
    assert!(output.status.success(), "the suite did not run: {output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{found:#}");
    let others = found["others"].as_object().unwrap().iter();
    let others: BTreeSet<_> = others
        .map(|(test, why)| {
            (
                test.as_str(),
                why.as_str().unwrap().split(':').next().unwrap(),
            )
        })
        .collect();
    let superseded = if is_named { &[][..] } else { &SUPERSEDED };
    let known: BTreeSet<_> = OTHERS.iter().chain(superseded).copied().collect();
    assert_eq!(others, known, "{found:#}");
    let passed = found["told"]["required"]["pass"].as_u64().unwrap();
    assert!(passed >= 133, "{passed} of the required tests pass");
}
