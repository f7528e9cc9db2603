//! An origin that answers as a test says, and a gateway with a cache in front of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pintle::app::App;
use pintle::clock::Clock;
use pintle::config;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What the origin saw.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
}

/// What the origin answers.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// The connection is closed without an answer.
    pub cut: bool,
}

/// An origin on a free port. It answers only as often as it may.
pub struct Origin {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    may: Arc<Semaphore>,
}

/// A gateway with a cache in front of an origin.
pub struct Stage {
    pub origin: Origin,
    pub app: App,
    pub clock: Clock,
    pub client: Client,
    pub folder: TempDir,
}

/// An ordinary client.
#[derive(Clone)]
pub struct Client {
    base: String,
    hyper: HyperClient<HttpConnector, Full<Bytes>>,
}

/// A whole reply.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

/// A good answer with headers.
pub fn answer(body: &str, headers: &[(&'static str, &str)]) -> Answer {
    Answer {
        status: 200,
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        body: body.to_owned(),
        cut: false,
    }
}

/// An answer with another status.
pub fn status(status: u16, body: &str, headers: &[(&'static str, &str)]) -> Answer {
    Answer {
        status,
        ..answer(body, headers)
    }
}

/// The origin's clock goes with the gateway's.
fn date(clock: &Clock) -> String {
    let second = u64::try_from(clock.now()).unwrap();
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(second))
}

impl Origin {
    /// An origin that answers by what it sees and how many it saw before.
    pub async fn start(
        clock: Clock,
        answers: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let may = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS / 2));
        let (answers, kept, gate) = (Arc::new(answers), Arc::clone(&seen), Arc::clone(&may));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answers, seen, may) =
                    (Arc::clone(&answers), Arc::clone(&kept), Arc::clone(&gate));
                let clock = clock.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let (answers, seen, may) =
                        (Arc::clone(&answers), Arc::clone(&seen), Arc::clone(&may));
                    let date = date(&clock);
                    async move {
                        let saw = Seen {
                            method: request.method().to_string(),
                            target: request.uri().to_string(),
                            headers: request.headers().clone(),
                        };
                        request.into_body().collect().await.unwrap();
                        let answer = {
                            let mut seen = seen.lock().unwrap();
                            seen.push(saw.clone());
                            answers(&saw, seen.len() - 1)
                        };
                        may.acquire().await.unwrap().forget();
                        if answer.cut {
                            return Err(std::io::Error::other("cut"));
                        }
                        let reply = Response::builder().status(answer.status);
                        let mut reply = reply.header("date", date);
                        for (name, value) in answer.headers {
                            reply = reply.header(name, value);
                        }
                        Ok(reply.body(Full::new(Bytes::from(answer.body))).unwrap())
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, seen, may }
    }

    /// Answers nothing until it is let.
    pub fn hold(&self) {
        self.may.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Answers so many.
    pub fn let_go(&self, answers: usize) {
        self.may.add_permits(answers);
    }

    /// How many requests it saw.
    pub fn hits(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The last request that it saw.
    pub fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}

/// The policies of mode one: an envelope with a code, and caches with several keys.
pub const POLICIES: &str = "
verdicts:
  cloud: { source: assumed, code: $.code, accepted: [200] }
  plain: { source: assumed }
families:
  cloud: { verdict: cloud, login: none, paths: [/cloud/] }
  plain: { verdict: plain, login: none, paths: [/] }
caches:
  robots:
    source: assumed
    lifetime: 60s
    stale_while_revalidate: 60s
    stale_if_error: 10m
    key: [query]
  pages: { source: assumed, lifetime: 60s, key: [query.page] }
  tongues: { source: assumed, lifetime: 60s, key: [header.accept-language] }
  search: { source: assumed, lifetime: 60s, key: [$.page, $.size] }
";

/// The operations of mode one.
pub const ROUTES: &str = "
family: cloud
operations:
  - { name: cloud.robots, titles: [Robots], method: GET, path: /cloud/robots, effect: read, cache: robots, source: assumed }
  - { name: cloud.pages, titles: [Pages], method: GET, path: /cloud/pages, effect: read, cache: pages, source: assumed }
  - { name: cloud.tongues, titles: [Tongues], method: GET, path: /cloud/tongues, effect: read, cache: tongues, source: assumed }
  - { name: cloud.search, titles: [Search], method: POST, path: /cloud/search, effect: read, cache: search, source: assumed }
  - { name: cloud.live, titles: [Live], method: GET, path: /cloud/live, effect: read, source: assumed }
";

impl Stage {
    /// A gateway whose upstreams speak of caching; two accounts.
    pub async fn new(answers: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::with("cache: {}", answers).await
    }

    /// The same with other settings beside the accounts.
    pub async fn with(
        more: &str,
        answers: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let clock = Clock::system();
        let origin = Origin::start(clock.clone(), answers).await;
        Self::before(origin, clock, more).await
    }

    /// The same in front of an origin of the test's own, of which nothing is seen.
    pub async fn in_front_of(address: SocketAddr, more: &str) -> Self {
        let origin = Origin {
            address,
            seen: Arc::default(),
            may: Arc::new(Semaphore::new(0)),
        };
        Self::before(origin, Clock::system(), more).await
    }

    async fn before(origin: Origin, clock: Clock, more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        for (name, text) in [("policies", POLICIES), ("routes", ROUTES)] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("all.yaml"), text).unwrap();
        }
        let account = format!(
            "{{ base_url: \"http://{}\", secrets: {{}}, http_cache: shared }}",
            origin.address
        );
        let local = if more.contains("local:") {
            ""
        } else {
            "local: { listen: \"127.0.0.1:0\" }"
        };
        let settings = format!(
            "{local}\nadmin: {{ listen: \"127.0.0.1:0\" }}\npolicies: policies\nroutes: routes\n\
             accounts: {{ main: {account}, other: {account} }}\ndefault_account: main\n{more}\n"
        );
        let path = folder.path().join("pintle.yaml");
        std::fs::write(&path, settings).unwrap();
        let loaded = config::load(Some(&path));
        let told: Vec<_> = loaded.faults.iter().map(ToString::to_string).collect();
        let config = loaded.config.unwrap_or_else(|| panic!("{told:#?}"));
        let app = App::start_at(config, Some(path), clock.clone())
            .await
            .unwrap();
        let client = Client::new(&format!("http://{}", app.addresses().local.unwrap()));
        Self {
            origin,
            app,
            clock,
            client,
            folder,
        }
    }

    pub fn admin(&self) -> Client {
        Client::new(&format!("http://{}", self.app.addresses().admin.unwrap()))
    }

    pub fn cache(&self) -> Arc<pintle::outbound::Caches> {
        self.app.outbound().caches.clone().unwrap()
    }
}

impl Client {
    pub fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            hyper: HyperClient::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let (head, body) = self.hyper.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// What the cache says of it, without the seconds.
    pub fn told(&self) -> String {
        let told = self.header("cache-status");
        let parts = told.split("; ").filter(|part| !part.starts_with("ttl="));
        parts.skip(1).collect::<Vec<_>>().join("; ")
    }
}

/// Waits until a state is reached; a test that waits longer than 10 s has failed.
pub async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !reached() {
        assert!(tokio::time::Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
