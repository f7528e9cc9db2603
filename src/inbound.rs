//! The inbound path: a push of the platform or of a partner is proved, opened, stored once, and
//! only then taken.
//!
//! [`Inbound::accept`] is the whole path; read it from top to bottom. Trust is a type: what is
//! stored comes out of a [`Proven`], which only `crypto` makes. Absent: delivering, which is
//! [`crate::delivery`]'s.

mod answer;
mod counts;
mod drift;
mod find;
mod flow;
mod once;
mod recording;
mod sender;
mod suppression;
mod told;
mod trouble;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

pub use counts::Counts;
pub use drift::{Change, Drift};
pub use find::{Callback, Hook, HookOf, Hooks};
pub use flow::CONSENT;
pub use sender::{Senders, TrustedProxies};
pub use told::Local;
pub use trouble::Trouble;

use crate::clock::Clock;
use crate::codec::{self, Format};
use crate::crypto::{Evidence, Keyring, OpenFailure, PeerCertificate, Proven, sha256};
use crate::delivery::Delivery;
use crate::error::{Failure, NotProven};
use crate::limit::{Admitted, Counting, Quotas, told_at};
use crate::mapping::Scope;
use crate::message::{Body, Peer, RequestId};
use crate::outbound::{Answer, Call, Calling};
use crate::policy::{Class, Direction, Sealer, SealingChoice};
use crate::runner::{Runner, Running};
use crate::store::{Duty, Enqueued, Event, Queue as _, Retention, Store};
use crate::telemetry::{Record, Stage};

/// Everything that the inbound path needs.
pub struct Inbound {
    /// The pushes that are taken.
    pub hooks: Hooks,
    /// What opens sealed pushes, by account.
    pub accounts: BTreeMap<String, Opener>,
    /// The account of pushes that name none.
    pub default_account: String,
    /// What makes the steps of routes.
    pub runner: Arc<Runner>,
    /// What was learned of each route's pushes.
    pub drifts: BTreeMap<String, Arc<Drift>>,
    /// The routes that run.
    pub routes: Vec<Arc<Running>>,
    /// Where events are kept.
    pub store: Arc<Store>,
    /// Whether pushes could not be stored lately.
    pub trouble: Arc<Trouble>,
    /// Who gets them.
    pub delivery: Arc<Delivery>,
    /// How often pushes may come.
    pub quotas: Arc<Quotas>,
    /// How pushes ended.
    pub counts: Arc<Counts>,
    /// Who sent pushes that were not proved.
    pub senders: Arc<Senders>,
    /// How senders see us: scheme and host, without a slash at its end.
    pub url: String,
    /// Whose word about the sender's address counts.
    pub proxies: TrustedProxies,
    /// The wall clock.
    pub clock: Clock,
    /// How long what was delivered or given up is kept.
    pub retention: Retention,
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
}

/// What opens the sealed pushes of an account.
#[derive(Debug)]
pub struct Opener {
    /// How its messages are sealed, where route and family do not say.
    pub sealing: SealingChoice,
    /// Its keyrings by name.
    pub keys: BTreeMap<String, Arc<Keyring>>,
}

/// A push with its body.
struct Push {
    head: Parts,
    body: Bytes,
}

/// What came.
enum Shown {
    /// The sender asks whether this is the right address; here is the answer.
    Question(Response<Body>),
    /// A push, proved.
    Push(Proven<Push>),
}

impl Inbound {
    /// Takes one push, and answers when it is stored.
    pub async fn accept(
        &self,
        request: Request<Body>,
        peer: &Peer,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        let (head, body) = request.into_parts();

        // find: a path that nobody declared is answered without a hint, and its text, which may be
        // a secret misspelt, goes into no record.
        let found = self.hooks.find(&head).ok_or(Failure::NoHook)?;
        if let Some((_, path)) = found.hook.place() {
            record.path = path.pattern.as_str().into();
        }
        record.operation = Some(found.hook.name().to_owned());
        let opener = self.opener(found.account.as_deref())?;
        record.timing.mark(Stage::Find);

        // read: whoever sent too many pushes that were not proved waits, before any work is done.
        let sender = self.proxies.sender(peer, &head.headers);
        if let Some(retry_in) = self.senders.wait(sender) {
            return Err(Failure::SenderHeldBack { retry_in });
        }
        let body = body.read(self.body_bytes_max).await;
        let body = body.map_err(Failure::Body)?;
        let begun = Instant::now();
        record.timing.mark(Stage::Read);

        // prove, open: over the bytes as they came. Whatever is wrong, there is one answer, at a
        // time that does not tell how far the push came.
        let (parts, secret) = ((found.hook.as_ref(), opener), found.secret.clone());
        let outcome = self.prove(parts, Push { head, body }, (peer, secret.as_deref()));
        record.timing.mark(Stage::Prove);
        let outcome = match outcome {
            Ok(Shown::Question(reply)) => return Ok(reply),
            Ok(Shown::Push(push)) => self.open(parts, push),
            Err(refused) => Err(refused),
        };
        let push = match outcome {
            Ok(push) => push,
            Err((failure, len)) => {
                self.senders.note(sender);
                sleep_until(told_at(begun, len, Instant::now())).await;
                let own = match &found.hook.of {
                    HookOf::Route(running) => self.unproved(running, &failure, record),
                    HookOf::Callback(_) => None,
                };
                return own.ok_or(Failure::NotProven(failure));
            }
        };
        // Only what is its sender's counts, or others could use up its rate. Pushes do not wait:
        // whoever sends them comes again.
        let _turn = self.pace(&found, push.get()).await?;
        record.timing.mark(Stage::Open);
        let callback = match &found.hook.of {
            HookOf::Route(running) => return self.take(running, push, record).await,
            HookOf::Callback(callback) => callback,
        };

        // store: mark and deliveries in one act, before anything is said. From here on the push
        // is carried to its end, whether the sender waits or not.
        record.begun.store(true, Ordering::Release);
        let event = self.event(callback, found.account.as_deref(), push)?;
        let (id, answer) = (event.id.clone(), callback.webhook.answer.clone());
        let targets: Vec<String> = event
            .duties
            .iter()
            .map(|duty| duty.target.clone())
            .collect();
        let stored = self.store.enqueue(event, self.clock.now_ms()).await;
        record.timing.mark(Stage::Store);
        self.trouble.note(stored.as_ref().err());
        match stored.map_err(Failure::Store)? {
            Enqueued::Stored { .. } => {
                record.event = Some(id);
                for target in targets.iter().filter_map(|name| self.delivery.target(name)) {
                    target.ring();
                }
                Ok(once::reply(answer))
            }
            Enqueued::Repeated { answer, .. } => {
                record.is_repeat = true;
                Ok(once::reply(once::decode(&answer)))
            }
            Enqueued::Conflict { .. } => Err(Failure::PushConflict),
        }
    }

    async fn pace(&self, found: &find::Found<'_>, push: &Push) -> Result<Admitted, Failure> {
        let name = found.hook.name();
        let counting = Counting {
            account: found.account.as_deref().unwrap_or(&self.default_account),
            family: "",
            operation: None,
            caller: "",
            route: Some(name),
            partner: found.hook.partner(),
            headers: &push.head.headers,
            query: push.head.uri.query().unwrap_or_default(),
        };
        let admitted = self
            .quotas
            .admit(&counting, Class::Interactive, Instant::now());
        admitted.await.map_err(Failure::PushOverQuota)
    }

    /// Counts how a push ended. One whose path nobody declared belongs to no route.
    fn count(&self, outcome: &Result<Response<Body>, Failure>, record: &Record) {
        let Some(route) = &record.operation else {
            return;
        };
        let word = match (outcome, record.failure, record.outcome.as_deref()) {
            (Err(failure), ..) => failure.description().code,
            (Ok(_), Some(failure), _) => failure,
            (Ok(_), None, _) if record.is_repeat => "repeated",
            (Ok(_), None, Some(word)) => word,
            (Ok(_), None, None) => "accepted",
        };
        self.counts.note(route, word);
    }

    fn opener(&self, account: Option<&str>) -> Result<&Opener, Failure> {
        let name = account.unwrap_or(&self.default_account);
        self.accounts.get(name).ok_or(Failure::NoHook)
    }

    /// Answers a sender that asks, or proves a push.
    fn prove(
        &self,
        (hook, opener): (&Hook, &Opener),
        push: Push,
        (peer, secret): (&Peer, Option<&str>),
    ) -> Result<Shown, (NotProven, usize)> {
        let Push { head, body } = &push;
        let target = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let url = format!("{}{target}", self.url);
        let certificate = peer.certificate.as_ref().map(|shown| PeerCertificate {
            sha256: sha256(&shown.der),
            names: shown.names.clone(),
        });
        // Only for a proof that is over the plaintext; what does not open fails with its proof.
        let plain = hook
            .reads_plaintext
            .then(|| self.opened((hook, opener), &mut head.headers.clone(), body))
            .and_then(|opened| opened.ok().flatten());
        // Only for a proof that stands in the body, where that is no JSON.
        let document = hook
            .reads_document
            .and_then(|format| self.read(format, head, body));
        let evidence = Evidence {
            method: &head.method,
            url: &url,
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            body,
            plain: plain.as_deref(),
            document: document.as_ref(),
            peer: self.proxies.sender(peer, &head.headers),
            path_secret: secret,
            certificate: certificate.as_ref(),
            now_ms: self.clock.now_ms(),
        };
        let asked = hook.handshake.as_ref();
        if let Some(reply) = asked.and_then(|asked| asked.reply(&evidence)) {
            return Ok(Shown::Question(once::handshake(reply)));
        }
        let refused = |failure| (NotProven::Proof(failure), body.len());
        let proven = hook.verifier.prove(&evidence, ()).map_err(refused)?;
        proven.try_map(|()| Ok(push)).map(Shown::Push)
    }

    /// Opens a push that is sealed; one that is plain and must not be is not taken.
    fn open(
        &self,
        parts: (&Hook, &Opener),
        push: Proven<Push>,
    ) -> Result<Proven<Push>, (NotProven, usize)> {
        push.try_map(|mut push| {
            let opened = self.opened(parts, &mut push.head.headers, &push.body);
            let refused = |failure| (NotProven::Open(failure), push.body.len());
            if let Some(plain) = opened.map_err(refused)? {
                push.body = plain;
            }
            Ok(push)
        })
    }

    /// The body as a route reads it, for a proof that stands in it.
    fn read(&self, format: Format, head: &Parts, body: &[u8]) -> Option<Value> {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let limits = codec::Limits {
            bytes_max: self.body_bytes_max,
            ..codec::Limits::default()
        };
        let coding = text(CONTENT_ENCODING);
        codec::decode(format, text(CONTENT_TYPE), coding, body, &limits).ok()
    }

    /// What a sealed body holds, with its headers put right; `None` where it is plain and may be.
    fn opened(
        &self,
        (hook, opener): (&Hook, &Opener),
        headers: &mut HeaderMap,
        body: &Bytes,
    ) -> Result<Option<Bytes>, OpenFailure> {
        // Partners do not seal as the platform does.
        let HookOf::Callback(Callback { entry, .. }) = &hook.of else {
            return Ok(None);
        };
        let choices = [&entry.sealing, &entry.family.sealing, &opener.sealing];
        let sealing = SealingChoice::decide(choices).filter(|sealing| sealing.callback.is_some());
        let Some(sealing) = sealing else {
            return Ok(None);
        };
        if sealing.may_be_plain(Direction::Callback, headers, StatusCode::OK) {
            return Ok(None);
        }
        let keys = opener.keys.get(&sealing.keys).ok_or(OpenFailure::NoKey)?;
        Sealer { sealing, keys }.open(Direction::Callback, headers, body, self.clock.now())
    }

    /// The event of a push: its mark, and what is owed for it.
    fn event(
        &self,
        callback: &Callback,
        account: Option<&str>,
        push: Proven<Push>,
    ) -> Result<Event, Failure> {
        let Push { head, body } = push.into_inner();
        if head.headers.contains_key(CONTENT_ENCODING) {
            return Err(Failure::Malformed("it has a content coding".into()));
        }
        let document: Value = serde_json::from_slice(&body)
            .map_err(|_| Failure::Malformed("it is not JSON".into()))?;
        let scope = Scope {
            body: &document,
            headers: &head.headers,
            query: head.uri.query().unwrap_or_default(),
        };
        let now_ms = self.clock.now_ms();
        let order = callback
            .webhook
            .order
            .as_ref()
            .and_then(|order| order.text(&scope));
        let duties = callback.targets.iter().map(|(target, is_once)| Duty {
            target: target.clone(),
            order: order.clone(),
            due_ms: now_ms,
            is_once: *is_once,
            leased_until_ms: None,
        });
        let content_type = head.headers.get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        Ok(Event {
            id: format!("evt_{}", RequestId::fresh()),
            route: callback.entry.name.clone(),
            marks: vec![once::mark(
                (&callback.entry.name, &callback.webhook),
                &scope,
                (account, &body),
                now_ms,
            )],
            keeps: Vec::new(),
            content_type: content_type.unwrap_or("application/json").to_owned(),
            received_ms: now_ms,
            duties: duties.collect(),
            body,
        })
    }
}

/// [`Inbound`] as a service for the listener.
#[derive(Clone)]
pub struct Service(pub Arc<ArcSwap<Inbound>>);

impl tower::Service<Call> for Service {
    type Response = Answer;
    type Error = Infallible;
    type Future = Calling;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        // The configuration of the moment stays with the push to its end, whatever is reloaded.
        let inbound = self.0.load_full();
        Box::pin(async move {
            let Call {
                request,
                peer,
                mut record,
            } = call;
            let outcome = inbound.accept(request, &peer, &mut record).await;
            inbound.count(&outcome, &record);
            Ok(Answer { outcome, record })
        })
    }
}
