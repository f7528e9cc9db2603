//! `pintle bench`: what it counts, what it tells, and the status it ends with.
#![expect(
    clippy::panic,
    reason = "helpers of tests fail by panic, as the tests do"
)]

use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pintle::app::App;
use pintle::config;
use pintle::sandbox::{Options, Sandbox};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{Ended, empty, pintle};

/// A gateway in front of a sandbox, in this process.
struct Gateway {
    _runtime: Runtime,
    _app: App,
    sandbox: Sandbox,
    url: String,
}

impl Gateway {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let (app, sandbox) = runtime.block_on(async {
            let sandbox = Sandbox::start(Options::local(free)).await.unwrap();
            let settings = format!(
                "local: {{ listen: \"{free}\" }}\nadmin: {{ listen: \"{free}\" }}\naccounts: {{ main: {{ \
                 base_url: \"{}\", secrets: {{ app_key: \"literal:sandbox-key\", app_secret: \
                 \"literal:sandbox-secret\" }} }} }}\n",
                sandbox.url()
            );
            let folder = empty();
            let path = folder.path().join("pintle.yaml");
            std::fs::write(&path, settings).unwrap();
            let config = config::load(Some(&path)).config.unwrap();
            (App::start(config, None).await.unwrap(), sandbox)
        });
        let url = format!("http://{}", app.addresses().local.unwrap());
        Self {
            _runtime: runtime,
            _app: app,
            sandbox,
            url,
        }
    }

    /// A gateway whose platform misbehaves on what is read.
    fn with(fault: &str) -> Self {
        let gateway = Self::start();
        let fault: pintle::sandbox::Fault = fault.parse().unwrap();
        gateway.sandbox.set_fault(fault.at(ROBOTS));
        gateway
    }

    /// Measures it.
    fn bench(&self, arguments: &[&str]) -> Ended {
        let url = ["bench", "--url", &self.url];
        pintle(empty().path(), &[&url, arguments].concat())
    }
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"))
}

fn number(report: &Value, pointer: &str) -> f64 {
    let number = report.pointer(pointer).and_then(Value::as_f64);
    number.unwrap_or_else(|| panic!("{pointer} is no number in {report:#}"))
}

fn stage<'r>(report: &'r Value, name: &str) -> &'r Value {
    let stages = report["stages"].as_array().unwrap();
    let stage = stages.iter().find(|stage| stage["name"] == name);
    stage.unwrap_or_else(|| panic!("no stage {name} in {report:#}"))
}

const ROBOTS: &str = "/service/cloud/robot";
const SHORT: [&str; 4] = ["--duration", "500ms", "--warm-up", "100ms"];

#[test]
fn without_a_word_a_gateway_and_a_sandbox_are_measured() {
    let ended = pintle(
        empty().path(),
        &[&["bench", "--json", "--connections", "4"], &SHORT[..]].concat(),
    );
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let report = json(&ended);
    let requests = report["requests"].as_u64().unwrap();
    assert!(requests > 0, "{report:#}");
    let statuses = report["statuses"].as_object().unwrap();
    let replies: u64 = statuses.values().filter_map(Value::as_u64).sum();
    assert_eq!((replies, statuses.len()), (requests, 1), "{report:#}");
    for (kind, count) in report["failures"].as_object().unwrap() {
        assert_eq!(count, 0, "{kind}");
    }
    let names = ["min", "p50", "p90", "p99", "p99_9", "max"];
    let figures = names.map(|name| number(&report, &format!("/latency_ms/{name}")));
    assert!(figures.is_sorted() && figures[0] > 0.0, "{report:#}");
    let rate = number(&report, "/requests_per_second") * number(&report, "/elapsed_ms") / 1000.0;
    assert!(
        (rate - number(&report, "/requests")).abs() < 1.0,
        "{report:#}"
    );
    for name in ["admit", "find", "token", "send", "verdict", "total"] {
        assert_eq!(stage(&report, name)["replies"], requests, "{name}");
    }
    assert_eq!(stage(&report, "total")["share"], 1.0);
    assert!(number(stage(&report, "send"), "/share") < 1.0);
}

#[test]
fn the_report_for_people_has_rates_percentiles_and_stages() {
    let ended = pintle(empty().path(), &[&["bench"], &SHORT[..]].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    for piece in [
        "GET http://127.0.0.1:",
        "/service/cloud/robot\n64 connections, each sends when its last reply is here; ",
        "\nrequests  ",
        "\nstatuses  200: ",
        "\nfailures  none\n",
        "  p99.9  ",
        "\nstage, ms ",
        "\nconnect ",
        "\ntotal ",
        "  100.0 %\noutside ",
        "Gateway, sandbox and load shared the cores",
    ] {
        assert!(ended.out.contains(piece), "{piece:?}:\n{}", ended.out);
    }
    assert!(ended.err.contains("Ctrl-C ends it early\n"), "{ended:?}");
}

#[test]
fn a_closed_port_is_told_with_the_way_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ended = pintle(empty().path(), &["bench", "--url", &url]);
    assert_eq!(
        (ended.status, ended.out.as_str()),
        (Some(1), ""),
        "{ended:?}"
    );
    let told = format!("pintle: no gateway answers at {url}: ");
    assert!(ended.err.starts_with(&told), "{}", ended.err);
    assert!(
        ended.err.contains("start it (`pintle serve`)"),
        "{}",
        ended.err
    );
}

#[test]
fn a_rate_is_held() {
    let gateway = Gateway::start();
    let ended = gateway.bench(&[
        "--rate",
        "200",
        "--duration",
        "2s",
        "--warm-up",
        "200ms",
        "--json",
    ]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let report = json(&ended);
    let requests = report["requests"].as_u64().unwrap();
    assert!((350..=420).contains(&requests), "{report:#}");
    assert_eq!(report["rate_wanted"], 200);
}

#[test]
fn a_slow_platform_shows_where_it_is_slow() {
    let gateway = Gateway::with("delay=100ms");
    let ended = gateway.bench(&[&["--json", "--connections", "2"], &SHORT[..]].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let report = json(&ended);
    assert!(number(&report, "/latency_ms/min") >= 99.0, "{report:#}");
    assert!(
        number(stage(&report, "send"), "/p50_ms") >= 99.0,
        "{report:#}"
    );
    assert!(number(stage(&report, "send"), "/share") > 0.8, "{report:#}");
    assert!(
        number(stage(&report, "find"), "/p50_ms") < 99.0,
        "{report:#}"
    );
}

#[test]
fn a_rate_that_is_not_kept_is_not_hidden() {
    let gateway = Gateway::with("delay=100ms");
    let one = [
        "--rate",
        "50",
        "--connections",
        "1",
        "--duration",
        "1s",
        "--warm-up",
        "0s",
        "--json",
    ];
    let ended = gateway.bench(&one);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let report = json(&ended);
    // Ten replies at most, each 80 ms later than the one before: they were due 20 ms apart.
    assert!(number(&report, "/latency_ms/max") > 300.0, "{report:#}");
    assert!(number(&report, "/not_sent") > 30.0, "{report:#}");
    let all = number(&report, "/requests") + number(&report, "/not_sent");
    assert!((45.0..=50.0).contains(&all), "{report:#}");
}

#[test]
fn replies_that_are_not_good_end_with_1() {
    let ended = pintle(
        empty().path(),
        &[
            &["bench", "--path", "/service/cloud/auth", "--method", "POST"],
            &SHORT[..],
        ]
        .concat(),
    );
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.out.contains("\nstatuses  403: "), "{}", ended.out);
    let told =
        "replies were not 2xx (the last reason: 403 operation_reserved): docs/failures.md says";
    assert!(ended.err.contains(told), "{}", ended.err);
}

#[test]
fn requests_that_time_out_are_part_of_the_latency() {
    let gateway = Gateway::with("hang");
    let ended = gateway.bench(
        &[
            &["--json", "--timeout", "150ms", "--connections", "2"],
            &SHORT[..],
        ]
        .concat(),
    );
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let report = json(&ended);
    assert_eq!(
        report["failures"]["timed_out"], report["requests"],
        "{report:#}"
    );
    assert!(number(&report, "/latency_ms/min") >= 150.0, "{report:#}");
    assert!(
        ended
            .err
            .contains("requests timed out: see what the gateway waits for"),
        "{}",
        ended.err
    );
}

#[test]
fn a_gateway_that_answers_nothing_whole_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    // Every connection is taken and closed at once.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let ended = pintle(
        empty().path(),
        &[
            &["bench", "--url", &url, "--json", "--connections", "1"],
            &SHORT[..],
        ]
        .concat(),
    );
    assert_eq!(ended.status, Some(1), "{ended:?}");
    let report = json(&ended);
    assert_eq!(
        report["failures"]["broken"], report["requests"],
        "{report:#}"
    );
    assert!(ended.err.contains(" requests broke off ("), "{}", ended.err);
}

#[test]
fn a_body_and_headers_are_sent() {
    let gateway = Gateway::start();
    let folder = empty();
    std::fs::write(folder.path().join("body.json"), "{\"a\":1}").unwrap();
    let called = ["--path", ROBOTS, "--body", "body.json", "--yes"];
    let headers = ["-H", "X-Pintle-Caller: tester", "--header", "X-Mine: 1"];
    let url = ["bench", "--url", &gateway.url];
    let ended = pintle(
        folder.path(),
        &[&url, &called[..], &headers, &SHORT].concat(),
    );
    let seen = gateway.sandbox.seen();
    let seen = seen.iter().find(|seen| seen.target == ROBOTS);
    let seen = seen.unwrap_or_else(|| panic!("{ended:?}"));
    assert_eq!(
        (seen.method.as_str(), &seen.body[..]),
        ("POST", &b"{\"a\":1}"[..])
    );
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(seen.headers["x-mine"], "1");
}

#[test]
fn a_load_that_is_interrupted_tells_what_there_was() {
    let gateway = Gateway::start();
    let child = Command::new(env!("CARGO_BIN_EXE_pintle"))
        .args([
            "bench",
            "--url",
            &gateway.url,
            "--duration",
            "1h",
            "--warm-up",
            "0s",
        ])
        .args(["--connections", "1"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while !gateway
        .sandbox
        .seen()
        .iter()
        .any(|seen| seen.target == ROBOTS)
    {
        assert!(Instant::now() < until, "no request came");
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(
        out.contains(" s, ended early\n") && out.contains("statuses  200: "),
        "{out}"
    );
}

#[test]
fn a_load_that_needs_too_many_files_is_refused() {
    let bench = concat!(
        "ulimit -n 100; exec ",
        env!("CARGO_BIN_EXE_pintle"),
        " bench"
    );
    let ended = Command::new("sh").args(["-c", bench]).output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(
        told.contains("need 320 open files, and 100 are allowed"),
        "{told}"
    );
    assert!(told.contains("ulimit -n 320"), "{told}");
}

#[test]
fn wrong_arguments_are_told_before_anything_is_sent() {
    let folder = empty();
    let url = "http://127.0.0.1:7070";
    for (arguments, told) in [
        (&["--connections", "0"][..], "1..=10000"),
        (&["--connections", "10001"], "1..=10000"),
        (&["--duration", "2h"], "it must be 1ms to 3600s"),
        (
            &["--duration", "10"],
            "a time is written 500ms, 10s, 5m or 1h",
        ),
        (&["--warm-up", "11m"], "it must be 0ns to 600s"),
        (&["--timeout", "0s"], "it must be 1ms to 600s"),
        (&["--rate", "0"], "1..=1000000"),
        (&["--header", "Accept"], "a header is written 'Name: value'"),
        (
            &["--url", "https://a"],
            "TLS towards the gateway is not measured",
        ),
        (&["--url", "a:1"], "write it as http://127.0.0.1:7070"),
        (&["--path", "robots"], "a path begins with `/`"),
        (&["--path", "/a", "--operation", "b"], "cannot be used with"),
        (
            &["--operation", "collection.robot"],
            "did you mean `collection.robots`?",
        ),
        (&["--operation", "auth.token"], "nobody else may"),
        (
            &["--operation", "workflow.templates"],
            "name one with --path",
        ),
        (&["--method", "POST"], "name it with --path or --operation"),
        (&["--body", "none.json"], "cannot read none.json: "),
        (
            &["--url", "http://a/b", "--path", "/c"],
            "has a path already",
        ),
        (
            &["--url", url, "--path", "/a", "--method", "PUT"],
            "say --yes if that is meant",
        ),
        (
            &["--url", url, "--operation", "workflow.create"],
            "say --yes if that is meant",
        ),
        (&["--yes"], "--url"),
    ] {
        let ended = pintle(folder.path(), &[&["bench"], arguments].concat());
        assert_eq!(
            (ended.status, ended.out.as_str()),
            (Some(2), ""),
            "{ended:?}"
        );
        assert!(ended.err.contains(told), "{told}: {}", ended.err);
    }
}
