//! A route tried out on the engine that production runs: a whole gateway, with listeners, proof,
//! journal and sealing, in front of a stand-in for the platform and for every third party.
//!
//! [`Stage::play`] makes the turns of one example and tells what was seen: the calls, after they
//! were opened, the answer, the records of consent. Absent: any socket but of the loopback, and
//! the wall clock, which stands where the example puts it.

mod compare;
mod script;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

pub use compare::{Difference, difference_of, differences};
pub use script::{Expected, ExpectedCall, Push, Script, Shape, Turn, read as read_scripts};

use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::inbound::Inbound;
use crate::message::Body;
use crate::route::Catalogue;
use crate::runner::Witness;
use crate::sandbox::{Options, Sandbox, Seals};
use crate::store::{Event, Filter, Keep, Mark, Queue as _, State};
use crate::upstream::{BaseUrl, Purpose, Upstream};
use crate::yaml::Fault;

/// Where routes and policies come from, and which route is tried out.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The folder of the routes; `None` for those of the binary.
    pub routes: Option<PathBuf>,
    /// The folder of the policies.
    pub policies: Option<PathBuf>,
    /// The routes that run.
    pub run: Vec<Part>,
    /// How senders see us: scheme and host.
    pub url: String,
    /// The moment of the first turn, in milliseconds.
    pub now_ms: i64,
}

/// A route that runs, with what it is given.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name.
    pub route: String,
    /// What the settings give it.
    pub settings: Value,
    /// Its secrets by name.
    pub secrets: BTreeMap<String, String>,
}

/// Why a route cannot be tried out.
#[derive(Debug)]
pub enum NotStaged {
    /// The files are faulty.
    Faults(Vec<Fault>),
    /// Something of this machine is in the way.
    Machine(String),
}

/// A gateway and what it stands in front of.
pub struct Stage {
    app: App,
    sandbox: Sandbox,
    clock: Clock,
    witness: Arc<Witness>,
    catalogue: Arc<Catalogue>,
    public: Upstream,
    local: Upstream,
    folder: PathBuf,
}

/// What was seen in one turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// The answer to a push.
    pub reply: Option<Answered>,
    /// The calls, in their order.
    pub calls: Vec<Made>,
    /// The records of consent of the turn.
    pub consents: Vec<Value>,
    /// What the route says came of it.
    pub results: Vec<Value>,
    /// Everything that was stored, as text.
    pub stored: String,
    /// How the delivery stands, in a word; `None` where nothing is owed.
    pub state: Option<&'static str>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The operation of the platform, or the step that called a third party.
    pub of: String,
    /// Whether it went to a third party.
    pub is_party: bool,
    /// The method.
    pub method: Method,
    /// The URL of a third party, or the target at the platform.
    pub url: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, opened.
    pub body: Bytes,
}

impl Stage {
    /// Starts a gateway that runs one route.
    pub async fn start(setting: &Setting) -> Result<Self, NotStaged> {
        let folder = std::env::temp_dir().join(format!(
            "pintle-rehearsal-{}-{}",
            std::process::id(),
            crate::message::RequestId::fresh().as_str()
        ));
        let machine = |what: &str, error: &dyn std::fmt::Display| {
            NotStaged::Machine(format!("{what}: {error}"))
        };
        std::fs::create_dir_all(&folder).map_err(|error| machine("no folder", &error))?;
        let staged = Self::start_in(setting, folder.clone()).await;
        if staged.is_err() {
            drop(std::fs::remove_dir_all(&folder));
        }
        staged
    }

    async fn start_in(setting: &Setting, folder: PathBuf) -> Result<Self, NotStaged> {
        let machine = |error: &dyn std::fmt::Display| NotStaged::Machine(error.to_string());
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // The keys are those of the stand-in, whatever the real ones are.
        let seals = seals(setting).ok_or_else(|| machine(&"the sealing `airudder` is missing"))?;
        let mut options = Options::local(free);
        options.seals = Some(seals);
        let sandbox = Sandbox::start(options)
            .await
            .map_err(|error| machine(&error))?;
        sandbox.answer_nothing_else();
        let mut config = load(setting, &folder, &sandbox.url())?;
        let base = BaseUrl::parse(&sandbox.url()).map_err(|error| machine(&error))?;
        let witness = Arc::new(Witness::default());
        let catalogue = Arc::new(config.catalogue.with_every_path());
        config.catalogue = Arc::clone(&catalogue);
        if let Some(inbound) = &mut config.inbound {
            inbound.stand_in = Some(base);
            inbound.witness = Some(Arc::clone(&witness));
        }
        let clock = Clock::standing_at(setting.now_ms);
        let app = App::start_at(config, None, clock.clone()).await;
        let app = app.map_err(|error| machine(&error))?;
        let upstream = |address: Option<SocketAddr>| {
            let address = address.ok_or_else(|| machine(&"no listener"))?;
            let base = BaseUrl::parse(&format!("http://{address}"));
            let mut options = config::plain_upstream().ok_or_else(|| machine(&"no TLS"))?;
            options.base = base.map_err(|error| machine(&error))?;
            Ok(Upstream::new(options, TaskTracker::new()))
        };
        let addresses = app.addresses();
        Ok(Self {
            public: upstream(addresses.public)?,
            local: upstream(addresses.local)?,
            app,
            sandbox,
            clock,
            witness,
            catalogue,
            folder,
        })
    }

    /// Ends it, and leaves nothing behind.
    pub async fn end(self) {
        self.app.drain().await;
        self.sandbox.stop().await;
        drop(std::fs::remove_dir_all(&self.folder));
    }

    /// The wall clock of the gateway.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What takes its pushes.
    pub fn inbound(&self) -> Option<Arc<Inbound>> {
        self.app.inbound()
    }

    /// Makes a route have seen a push or item before, as if its steps had been done.
    pub async fn has_seen(&self, route: &str, key: &[&str], until_ms: i64) -> Result<(), String> {
        let inbound = self.app.inbound().ok_or("nothing comes in here")?;
        let key = crate::route::flow::plan::claim_key(key);
        let mark = Mark {
            space: route.to_owned(),
            digest: crate::crypto::sha256(key.as_bytes()),
            key,
            answer: Bytes::new(),
            until_ms,
            after_success: false,
        };
        let event = Event {
            id: format!("evt_{}", crate::message::RequestId::fresh()),
            route: route.to_owned(),
            marks: vec![mark],
            keeps: Vec::new(),
            content_type: "application/json".to_owned(),
            body: Bytes::new(),
            received_ms: self.clock.now_ms(),
            duties: Vec::new(),
        };
        let stored = inbound.store.enqueue(event, self.clock.now_ms()).await;
        stored.map(drop).map_err(|failure| failure.to_string())
    }

    /// Makes one turn: sends the push or event, waits until all is done, and tells what was seen.
    pub async fn play(&self, turn: &Turn) -> Result<Played, String> {
        if let Some(now_ms) = turn.now_ms {
            self.clock.stand_at(now_ms);
        }
        self.sandbox.answer_nothing_else();
        self.sandbox.forget_seen();
        self.witness.clear();
        for (of, canned) in &turn.answers {
            self.sandbox.answer(&self.answered_at(of), canned.clone());
        }
        let before = self.consents().await;
        let reply = match (&turn.push, &turn.event) {
            (Some(push), _) => Some(send(&self.public, push).await?),
            (None, Some(event)) => {
                send(&self.local, &Push::event(event)).await?;
                None
            }
            (None, None) => None,
        };
        let state = self.settled().await?;
        let mut consents = self.consents().await;
        consents.retain(|(key, _)| !before.iter().any(|(known, _)| known == key));
        Ok(Played {
            reply,
            calls: self.calls(),
            consents: consents.into_iter().map(|(_, record)| record).collect(),
            results: self.witness.results(),
            stored: self.stored().await,
            state,
        })
    }

    /// The lines of a route that were used so far.
    pub fn used_lines(&self, route: &str) -> Vec<usize> {
        let flow = self
            .catalogue
            .flows()
            .iter()
            .find(|flow| flow.name == route);
        let lines = flow.map(|flow| flow.lines()).unwrap_or_default();
        let used = lines.into_iter().filter(|(_, is_used)| *is_used);
        used.map(|(line, _)| line).collect()
    }

    /// Sends the push of a turn, and nothing more.
    pub async fn send(&self, turn: &Turn) -> Result<Answered, String> {
        let push = turn.push.as_ref().ok_or("the turn has no push")?;
        send(&self.public, push).await
    }

    /// The recorded pushes of a route, a line each.
    pub async fn recordings(&self, route: &str) -> Result<Vec<String>, String> {
        let inbound = self.app.inbound().ok_or("nothing comes in here")?;
        let kept = inbound.recordings(route, None).await;
        let kept = kept.map_err(|failure| failure.to_string())?;
        let text = |keep: Keep| String::from_utf8_lossy(&keep.value).into_owned();
        Ok(kept.into_iter().map(text).collect())
    }

    /// Where the stand-in answers for an operation or a step.
    fn answered_at(&self, of: &str) -> String {
        let entry = self.catalogue.entry(of);
        let path = entry.and_then(|entry| entry.path.clone());
        path.unwrap_or_else(|| of.to_owned())
    }

    fn calls(&self) -> Vec<Made> {
        let seen = self.sandbox.seen().into_iter();
        let made = seen.filter_map(|seen| {
            let text = |name: &str| seen.headers.get(name)?.to_str().ok().map(str::to_owned);
            let path = seen.target.split('?').next().unwrap_or_default();
            let party = text("x-pintle-stand-in-for");
            let of = match &party {
                Some(_) => text("x-pintle-step")?,
                None => self.catalogue.operation_at(path)?.to_owned(),
            };
            Some(Made {
                of,
                is_party: party.is_some(),
                method: seen.method,
                url: party.unwrap_or(seen.target),
                headers: seen.headers,
                body: seen.opened.unwrap_or(seen.body),
            })
        });
        made.collect()
    }

    /// Waits until no attempt is under way or due.
    async fn settled(&self) -> Result<Option<&'static str>, String> {
        let Some(inbound) = self.app.inbound() else {
            return Ok(None);
        };
        let filter = Filter::default();
        let until = Instant::now() + PLAY_MAX;
        loop {
            let listed = inbound.store.list(&filter, None, 100).await;
            let listed = listed.map_err(|failure| failure.to_string())?;
            let now_ms = self.clock.now_ms();
            let is_busy = listed.iter().any(|delivery| match delivery.state {
                State::Leased => true,
                State::Waiting => delivery.due_ms <= now_ms,
                State::Done | State::Unknown | State::Buried => false,
            });
            if !is_busy {
                let state = listed.first().map(|delivery| delivery.state);
                let word = |state| {
                    crate::store::STATES
                        .iter()
                        .find(|(_, known)| *known == state)
                };
                return Ok(state.and_then(word).map(|(word, _)| *word));
            }
            if Instant::now() > until {
                return Err("the steps did not come to an end".to_owned());
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn consents(&self) -> Vec<(String, Value)> {
        let Some(inbound) = self.app.inbound() else {
            return Vec::new();
        };
        let space = crate::inbound::CONSENT;
        let listed = inbound
            .store
            .kept_list(space, None, 1000, self.clock.now_ms())
            .await;
        let listed = listed.unwrap_or_default().into_iter();
        listed
            .filter_map(|kept| Some((kept.key, serde_json::from_slice(&kept.value).ok()?)))
            .collect()
    }

    /// What of pushes and events is stored, as text.
    async fn stored(&self) -> String {
        let Some(inbound) = self.app.inbound() else {
            return String::new();
        };
        let listed = inbound.store.list(&Filter::default(), None, 1000).await;
        let mut text = String::new();
        for delivery in listed.unwrap_or_default() {
            let body = inbound.store.body(delivery.id).await.ok().flatten();
            text.push_str(&String::from_utf8_lossy(&body.unwrap_or_default()));
        }
        text
    }
}

impl Part {
    /// As it stands under `run`.
    fn written(&self) -> (String, Value) {
        let secrets = self.secrets.iter();
        let secrets: Map<String, Value> = secrets
            .map(|(name, secret)| (name.clone(), Value::from(format!("literal:{secret}"))))
            .collect();
        let given = json!({ "settings": self.settings, "secrets": secrets });
        (self.route.clone(), given)
    }
}

/// Sends a push as it stands.
async fn send(to: &Upstream, push: &Push) -> Result<Answered, String> {
    let deadline = Instant::now() + PLAY_MAX;
    let ready = to.ready(deadline, Purpose::Call).await;
    let ready = ready.map_err(|failure| failure.to_string())?;
    let mut request = Request::new(Body::held(push.body.clone()));
    *request.method_mut() = push.method.clone();
    let target: Result<Uri, _> = push.target.parse();
    *request.uri_mut() = target.map_err(|_| format!("`{}` is no target", push.target))?;
    *request.headers_mut() = push.headers.clone();
    if !push.body.is_empty() || push.method == Method::POST {
        let len = http::HeaderValue::from(push.body.len());
        request
            .headers_mut()
            .insert(http::header::CONTENT_LENGTH, len);
    }
    let begun = std::sync::atomic::AtomicBool::new(false);
    let (mut head, body) = request.into_parts();
    let reply = ready.send(&mut head, body, (deadline, &begun)).await;
    let (head, body) = reply.map_err(|failure| failure.to_string())?.into_parts();
    let body = body
        .read(BODY_MAX)
        .await
        .map_err(|fault| fault.to_string())?;
    Ok(Answered {
        status: head.status,
        headers: head.headers,
        body,
    })
}

/// The settings of the rehearsal, as a person would write them.
fn load(setting: &Setting, folder: &Path, platform: &str) -> Result<Config, NotStaged> {
    let run: Map<String, Value> = setting.run.iter().map(Part::written).collect();
    let mut settings = json!({
        "local": { "listen": "127.0.0.1:0" },
        "admin": { "listen": "127.0.0.1:0" },
        "accounts": { "main": {
            "base_url": platform,
            "secrets": { "app_key": "literal:sandbox-key", "app_secret": "literal:sandbox-secret" },
            "sealing": "airudder",
            "keys": { "aes": [{ "id": "1", "key": format!("literal:{KEY}") }] },
        } },
        "public": { "listen": "127.0.0.1:0", "url": setting.url },
        "journal": { "folder": "journal" },
        "run": run,
        "drain": "1s",
    });
    if let Value::Object(settings) = &mut settings {
        for (key, path) in [("routes", &setting.routes), ("policies", &setting.policies)] {
            let path = path
                .as_ref()
                .and_then(|path| std::path::absolute(path).ok());
            if let Some(path) = path {
                settings.insert(key.to_owned(), path.display().to_string().into());
            }
        }
    }
    let path = folder.join("pintle.yaml");
    // JSON is YAML.
    std::fs::write(&path, settings.to_string())
        .map_err(|error| NotStaged::Machine(error.to_string()))?;
    let loaded = config::load(Some(&path));
    loaded.config.ok_or(NotStaged::Faults(loaded.faults))
}

fn seals(setting: &Setting) -> Option<Seals> {
    let policies = config::policies(setting.policies.as_deref());
    let crate::policy::SealingChoice::By(sealing) = policies.sealings.get("airudder")?.as_ref()
    else {
        return None;
    };
    let keys = config::keyring(&format!("literal:{KEY}"), None, "text").ok()?;
    Some(Seals {
        sealing: Arc::clone(sealing),
        keys: Arc::new(keys),
    })
}

/// The key of the platform's page.
const KEY: &str = "airudderredduria";
/// How long one turn may take.
const PLAY_MAX: Duration = Duration::from_secs(20);
const BODY_MAX: usize = 1 << 20;
