//! A receiver of deliveries: where it is, what it gets, how it is doing.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Uri;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use super::breaker::{Breaker, Way};
use super::flow::RouteTarget;
use super::retry::Retry;
use crate::crypto::Signer;
use crate::limit::Rate;
use crate::secret::Secret;
use crate::upstream::{self, Upstream};

/// What the settings say of a receiver.
#[derive(Debug, PartialEq, Eq)]
pub struct TargetOptions {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub upstream: upstream::Options,
    /// Path and query of its endpoint, below the upstream's base.
    pub path: Uri,
    /// What deliveries are signed with; several while one is being exchanged for another.
    pub secrets: Vec<Secret>,
    /// The routes whose events it gets: names, or beginnings of names with a `*` behind.
    pub routes: Vec<String>,
    /// Doing a delivery twice does harm: an attempt with no known end is not repeated.
    pub is_once: bool,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// Attempts under way at once.
    pub attempts_max: usize,
    /// Attempts a second.
    pub rate_max: Option<NonZeroU32>,
    /// How often a delivery is tried.
    pub retry: Retry,
}

impl TargetOptions {
    /// Whether it gets the events of a route.
    pub fn takes(&self, route: &str) -> bool {
        self.routes
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(beginning) => route.starts_with(beginning),
                None => pattern == route,
            })
    }
}

/// A target at work: a receiver, or a route.
pub struct Target {
    pub(super) name: String,
    pub(super) to: To,
    /// How long an attempt may take.
    pub(super) timeout: Duration,
    pub(super) retry: Retry,
    pub(super) rate: Option<Rate>,
    pub(super) breaker: Breaker,
    pub(super) places: Arc<Semaphore>,
    /// Rung when something may have become due.
    pub(super) bell: Notify,
    is_gone: AtomicBool,
}

/// What is done with a delivery.
pub(super) enum To {
    /// It is handed to a receiver.
    Receiver(Box<Receiver>),
    /// The steps of a route are made.
    Route(RouteTarget),
}

/// A receiver, connected.
pub(super) struct Receiver {
    pub(super) options: TargetOptions,
    pub(super) upstream: Upstream,
    /// Signs what leaves; `None` where the receiver has no secret.
    pub(super) signer: Option<Signer>,
}

impl Target {
    /// A receiver that is connected to when something is due. `tasks` owns its connections.
    pub fn new(options: TargetOptions, tasks: &TaskTracker) -> Self {
        let secrets: Vec<&Secret> = options.secrets.iter().collect();
        Self {
            name: options.name.clone(),
            timeout: options.timeout,
            retry: options.retry,
            rate: options.rate_max.map(Rate::per_second),
            breaker: Breaker::default(),
            places: Arc::new(Semaphore::new(options.attempts_max)),
            bell: Notify::new(),
            is_gone: AtomicBool::new(false),
            to: To::Receiver(Box::new(Receiver {
                // The check of the settings has seen that they are good.
                signer: Signer::standard_webhooks(&secrets).ok(),
                upstream: Upstream::new(options.upstream.clone(), tasks.clone()),
                options,
            })),
        }
    }

    /// A route whose steps are made when something is due.
    pub fn route(route: RouteTarget, retry: Retry, attempts_max: usize) -> Self {
        Self {
            name: route.running.flow.target(),
            timeout: route.running.flow.budget,
            retry,
            rate: None,
            breaker: Breaker::default(),
            places: Arc::new(Semaphore::new(attempts_max)),
            bell: Notify::new(),
            is_gone: AtomicBool::new(false),
            to: To::Route(route),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a receiver was made of; `None` for a route.
    pub fn options(&self) -> Option<&TargetOptions> {
        match &self.to {
            To::Receiver(receiver) => Some(&receiver.options),
            To::Route(_) => None,
        }
    }

    /// How it is doing, in a word.
    pub fn state(&self) -> &'static str {
        match (self.is_gone(), self.breaker.way()) {
            (true, _) => "gone",
            (false, Way::Open) => "good",
            (false, Way::Probe | Way::Shut(_)) => "failing",
        }
    }

    /// Says that something may have become due.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Whether it has said that it is gone (410); then nothing is sent to it.
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    pub(super) fn leave(&self) {
        if !self.is_gone.swap(true, Ordering::Relaxed) {
            tracing::error!(
                receiver = self.name,
                "the receiver says that it is gone (410): nothing is sent to it until its settings \
                 change or the gateway starts anew; its deliveries wait"
            );
        }
    }
}
