//! What the parts of a path take, each alone, and two whole paths in process, by criterion.
//!
//! `cargo bench --bench parts [-- NAME]`. Times of a shared machine are noisy: `benches/instructions`
//! counts instead, and `benches/peers` compares.
#![expect(clippy::unwrap_used, reason = "a bench fails by panic")]
#![allow(missing_docs, reason = "criterion makes a public function")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use pintle::app::App;
use pintle::cache::{self, Builder, Cache, Entry, Life, Owner, Told, Use, Vary, Wish};
use pintle::codec::{Format, Limits, decode};
use pintle::config;
use pintle::crypto::{AesKey, Beside, Keys, Scheme};
use pintle::limit::{Counting, Quotas};
use pintle::mapping::{Document, Fuel, Moment, Path};
use pintle::policy::{Class, Policies};
use pintle::route::flow::outline::call;
use pintle::route::flow::plan::{Planned, Planner};
use pintle::store::{Duty, Event, Journal, Options, Queue as _};
use pintle::yaml::{Faults, Source};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group! {
    name = parts;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    targets = sealing, selecting, mapping, admitting, caching, storing, whole
}
criterion_main!(parts);

fn sealing(c: &mut Criterion) {
    let keys = Keys {
        cipher: AesKey::new(&[7; 16]).unwrap(),
        mac: None,
    };
    let plain = vec![b'x'; 1024];
    let sealed = Scheme::Airudder.seal(&keys, &plain).unwrap();
    let beside = Beside {
        digest: sealed.digest.as_deref().map(str::as_bytes),
        ..Beside::default()
    };
    let mut group = c.benchmark_group("crypto");
    group.throughput(Throughput::Bytes(1024));
    group.bench_function("seal", |b| {
        b.iter(|| Scheme::Airudder.seal(&keys, black_box(&plain)).unwrap());
    });
    group.bench_function("open", |b| {
        b.iter(|| Scheme::Airudder.open(&keys, black_box(&sealed.text), &beside));
    });
    group.finish();
}

/// A lead of 25 fields, about 1 KiB.
const LEAD: &str = "key=k&lead_mode=1&promo_code=77&sub_id=A-12&datetime_stamp=2026-03-09+20%3A28%3A11&\
    tcpa_optin=1&tcpa_text=By+clicking+Get+My+Options+I+agree+that+Example+Lending+LLC+may+call+me+at+\
    the+number+given%2C+including+with+automated+or+artificial-voice+calls.+Consent+is+not+a+condition+\
    of+purchase.&universal_leadid=00000000-0000-4000-8000-0000000000a1&trustedformcerturl=\
    https%3A%2F%2Fcert.trustedform.com%2F0000000000000000000000000000000000000a02&ipaddress=203.0.113.7&\
    user_agent=Mozilla%2F5.0+%28synthetic%29&vendor_lead_id=667500001&url=https%3A%2F%2Fdebt.example.com\
    %2F%3Fa%3D1%26b%3D2&first_name=Riley&last_name=Sample&email=riley.sample%40example.com&address=\
    4+Example+Plaza&phone=4045550139&state=GA&zip=30303&employment_type=3&income=54000&credit_rating=4&\
    dob=1988-02-29&debt_amount=18500";

fn selecting(c: &mut Criterion) {
    let document = advertised();
    let mut group = c.benchmark_group("selector");
    for (name, text) in [
        ("name", "$.a.b.c"),
        (
            "filter",
            "$.list[?@.column_id=='PHONE_NUMBER'].string_value",
        ),
        (
            "match",
            "$.list[?match(@.column_id, 'PHONE.*')].string_value",
        ),
        ("descend", "$..string_value"),
    ] {
        let path = Path::parse(text).unwrap();
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut fuel = Fuel::new(10_000);
                let found = path.first(black_box(&document), &mut fuel);
                found.unwrap().map(|found| black_box(found).is_null())
            });
        });
    }
    group.finish();
}

/// A lead of about 1 KiB, as an advertisement's form sends it.
fn advertised() -> Value {
    let column = |id: &str, value: &str| json!({"column_id": id, "column_name": id.to_lowercase(), "string_value": value});
    json!({
        "a": {"b": {"c": 1}},
        "lead_id": "TeSter-123-ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefghijklmnopqrstuvwxyz-0123456789",
        "api_version": "1.0",
        "form_id": 40_000_000_000_u64,
        "campaign_id": 123_456_789_000_u64,
        "is_test": true,
        "list": [
            column("FULL_NAME", "FirstName LastName"),
            column("EMAIL", "test@example.com"),
            column("COMPANY_NAME", "Example"),
            column("JOB_TITLE", "Chief Example"),
            column("WORK_EMAIL", "test-work@example.com"),
            column("CITY", "Mountain View"),
            column("PHONE_NUMBER", "+16505550123"),
            column("POSTAL_CODE", "94043"),
            column("STREET_ADDRESS", "1600 Example Parkway"),
            column("COUNTRY", "US"),
        ],
    })
}

/// Values, checks, mark, record of consent and the body of the call. Ten leads at a time: each is
/// still at hand when it is mapped, as it is when it has just been read.
fn mapping(c: &mut Criterion) {
    let faults = Faults::new();
    let catalogue = config::catalogue(None, &config::policies(None), &faults);
    let mut flows = catalogue.flows().iter();
    let flow = flows.find(|flow| flow.name == "talmarket").unwrap();
    let settings =
        json!({ "workflow": "w", "promo_code": "77", "price": "12.50", "debt_min": 10_000 });
    let settings = Arc::new(settings);
    let (moment, seen) = (Moment::at_ms(1_773_158_400_000), BTreeSet::new());
    let planner = Planner {
        flow,
        moment: &moment,
        seen: &seen,
    };
    let (form, limits) = (Format::Form, Limits::default());
    let push = json!({ "id": "evt_1", "sha256": "00", "received": "2026-03-10T16:00:00Z" });
    let read = || {
        let mut document = Document::default();
        document.share("settings", &settings);
        document.put(
            "body",
            decode(form, None, None, LEAD.as_bytes(), &limits).unwrap(),
        );
        document.put("push", push.clone());
        document
    };
    let map = |document: &mut Document| {
        let planned = planner.plan(document, &mut Fuel::default()).unwrap();
        assert!(matches!(planned, Planned::Goes(_)));
        let mut calls = Vec::new();
        for step in &flow.steps {
            call(step, (&planner, document), &mut calls);
        }
        (planned, calls)
    };
    c.bench_function("mapping/lead", |b| {
        b.iter_batched_ref(read, map, BatchSize::NumIterations(10));
    });
}

fn admitting(c: &mut Criterion) {
    let text = "rates:
  caller: { source: assumed, calls: [\"*\"], per: [caller], limits: [{ max: 100000000, per: 1s }] }
  all: { source: assumed, calls: [\"*\"], limits: [{ max: 100000000, per: 1s }] }";
    let policies = Policies::read(&[Source::new("rate.yaml", text)], &Faults::new());
    let quotas = Quotas::new(&policies, None, None, &TaskTracker::new());
    let headers = HeaderMap::new();
    let counting = Counting {
        account: "main",
        family: "cloud",
        operation: None,
        caller: "crm",
        route: None,
        partner: "",
        headers: &headers,
        query: "",
    };
    let runtime = Runtime::new().unwrap();
    c.bench_function("admission/two rates", |b| {
        b.to_async(&runtime).iter(|| async {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
            let admitted = quotas.admit(&counting, Class::Interactive, deadline).await;
            admitted.unwrap()
        });
    });
}

fn caching(c: &mut Criterion) {
    let cache = Cache::in_memory(cache::Options {
        bytes_max: 64 << 20,
        entry_bytes_max: 1 << 20,
    });
    let mut key = Builder::new(&[0; 32], "main", 1);
    key.part(b"/robots");
    let key = key.build();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let entry = Entry {
        owner: Owner {
            account: "main".into(),
            operation: "robots".into(),
        },
        status: StatusCode::OK,
        headers,
        body: Bytes::from(vec![b'x'; 16 << 10]),
        vary: Vary::default(),
        life: Life {
            born_ms: 0,
            age_ms: 0,
            fresh_until_ms: 1_000_000,
            revalidate_until_ms: 0,
            error_until_ms: 0,
            silence_until_ms: 0,
            is_strict: false,
        },
    };
    cache.keep(&key, &cache.ticket(&key), Arc::new(entry));
    let call = HeaderMap::new();
    let wish = Wish::read(&call);
    c.bench_function("cache/hit", |b| {
        b.iter(|| {
            let group = cache.get(black_box(&key)).unwrap();
            let Use::Fresh(entry) = group.answer(&call, &wish, 1000) else {
                unreachable!("it is fresh");
            };
            entry.answer((&Method::GET, &call), 1000, Told::Hit { ttl_s: 999 })
        });
    });
}

fn storing(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&Options {
        folder: folder.path().to_owned(),
        bytes_max: 1 << 40,
        queue_max: 4096,
        batch_max: 1024,
    })
    .unwrap();
    let runtime = Runtime::new().unwrap();
    let mut number = 0_u64;
    let mut group = c.benchmark_group("journal");
    group.sample_size(20);
    group.bench_function("store, 64 at once", |b| {
        b.to_async(&runtime).iter(|| {
            let events = (0..64).map(|_| {
                number += 1;
                journal.enqueue(event(number), 0)
            });
            futures_util::future::join_all(events)
        });
    });
    group.finish();
}

fn event(number: u64) -> Event {
    Event {
        id: format!("evt_{number:024x}"),
        route: "lead".to_owned(),
        marks: Vec::new(),
        content_type: "application/json".to_owned(),
        body: Bytes::from(vec![b'x'; 1024]),
        received_ms: 0,
        duties: vec![Duty {
            target: "app".to_owned(),
            order: None,
            due_ms: 0,
            is_once: false,
            leased_until_ms: None,
        }],
        keeps: Vec::new(),
    }
}

/// A call and a push over sockets, one after the other, with both ends in this process.
fn whole(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "local: {{ listen: 127.0.0.1:0 }}
admin: {{ listen: 127.0.0.1:0 }}
accounts: {{ main: {{ base_url: \"http://{}\", secrets: {{ app_key: \"literal:k\", app_secret: \"literal:s\" }} }} }}
public: {{ listen: 127.0.0.1:0, secrets: {{ callback_path: \"literal:s3cret\" }} }}
receivers: {{ app: {{ url: \"http://127.0.0.1:9/\", retry: {{ first: 1h }} }} }}
log: {{ level: error }}
",
        upstream()
    );
    let path = folder.path().join("pintle.yaml");
    std::fs::write(&path, settings).unwrap();
    let config = config::load(Some(&path)).config.unwrap();
    let app = runtime.block_on(App::start(config, Some(path))).unwrap();
    let addresses = app.addresses();
    let mut group = c.benchmark_group("whole");
    group.sample_size(30);
    let call = "GET /service/cloud/robots HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut asked = TcpStream::connect(addresses.local.unwrap()).unwrap();
    group.bench_function("call", |b| b.iter(|| ask(&mut asked, call.as_bytes())));
    let mut pushed = TcpStream::connect(addresses.public.unwrap()).unwrap();
    let mut number = 0_u64;
    group.bench_function("push", |b| {
        b.iter(|| {
            number += 1;
            let body = format!(r#"{{"CallID":"call-{number}","Status":"Finished"}}"#);
            let push = format!(
                "POST /callback/s3cret/workflow/call-finished HTTP/1.1\r\nhost: x\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            ask(&mut pushed, push.as_bytes());
        });
    });
    group.finish();
    runtime.block_on(app.drain());
}

fn ask(stream: &mut TcpStream, request: &[u8]) {
    let mut answer = [0; 4096];
    stream.write_all(request).unwrap();
    let read = stream.read(&mut answer).unwrap();
    let told = answer.get(..read).unwrap();
    assert!(
        told.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(told)
    );
}

/// An upstream that gives a token to everyone and answers all else with the same.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let body = r#"{"code":200,"status":"OK","data":{"token":"t","expire":86400}}"#;
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut request = [0; 4096];
    while stream.read(&mut request).is_ok_and(|read| read > 0) {
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}
