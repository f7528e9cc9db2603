//! Reading the files again while calls go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::bridge::{self, Parts, openers};
use super::{App, build};
use crate::config::{self, Config, Signature};
use crate::server::exchange_certificate;
use crate::yaml::Fault;

/// What came of a reload.
#[derive(Debug)]
pub enum Reloaded {
    /// The new configuration serves. The listeners named here changed too, and keep what they
    /// were bound with until a restart.
    Done {
        /// Listeners, and the store, whose settings need a restart.
        restart_for: Vec<&'static str>,
    },
    /// The files are faulty; the configuration from before serves on.
    Refused(Vec<Fault>),
}

impl App {
    /// Reads the files again. Calls that were begun keep the configuration they began with.
    pub fn reload(&self) -> Reloaded {
        let loaded = config::load(self.path.as_deref());
        let Some(config) = loaded.config else {
            // A file that is missing now must be noticed when it comes.
            let mut settled = self.settled();
            settled.files.extend(loaded.files);
            settled.files.sort();
            settled.files.dedup();
            return Reloaded::Refused(loaded.faults);
        };
        let restart_for = self.resettle(&config);
        let mut config = config;
        let options = config.inbound.take();
        let (openers, default_account) = (openers(&config), config.default_account.clone());
        let before = self.outbound.load_full();
        let means = (&self.clock, &self.tasks.background, self.fleet.as_ref());
        let built = build(config, Some(&before), means);
        self.outbound.store(Arc::new(built));
        if let Some((inbound, options)) = self.inbound.as_ref().zip(options) {
            let before = inbound.load_full();
            let parts = Parts {
                openers,
                default_account,
                store: Arc::clone(&before.store),
                outbound: Arc::clone(&self.outbound),
            };
            let built = bridge::build(options, parts, Some(&before), (&self.clock, &self.tasks));
            inbound.store(Arc::new(built));
        }
        Reloaded::Done { restart_for }
    }

    /// Takes over what of the listeners can change while they serve, and tells which of them need
    /// a restart for the rest.
    fn resettle(&self, config: &Config) -> Vec<&'static str> {
        let mut settled = self.settled();
        settled.files.clone_from(&config.files);
        let public = config.inbound.as_ref().map(|inbound| &inbound.listener);
        let wanted = [Some(&config.local), Some(&config.admin), public];
        let mut restart_for = Vec::new();
        if settled.fleet != config.fleet {
            restart_for.push("store");
        }
        for (at, wanted) in wanted.into_iter().enumerate() {
            match (settled.listeners.get_mut(at), wanted) {
                (None, None) => {}
                (None, Some(wanted)) => restart_for.push(wanted.name),
                (Some((bound, _)), None) => restart_for.push(bound.name),
                (Some((bound, tls)), Some(wanted)) => {
                    if bound.tls != wanted.tls && exchange_certificate(tls, wanted) {
                        bound.tls.clone_from(&wanted.tls);
                    }
                    if bound != wanted {
                        restart_for.push(bound.name);
                    }
                }
            }
        }
        restart_for
    }

    /// Brings a signature up to the files that count since a reload.
    #[must_use]
    pub fn follow(&self, seen: &Signature) -> Signature {
        seen.follow(&self.settled().files)
    }

    /// What the files look like now.
    pub fn signature(&self) -> Signature {
        Signature::of(&self.settled().files)
    }
}

/// Waits until one of the files has changed and then stood still for a moment.
///
/// It looks twice a second: unlike the kernel's notices that works for mounted volumes, for files
/// that are replaced by a rename, and on every file system.
pub async fn watch(app: &App, seen: &mut Signature) {
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.tick().await;
    let mut changing = None;
    loop {
        tick.tick().await;
        let now = app.signature();
        if now == *seen {
            changing = None;
        } else if changing.as_ref() == Some(&now) {
            *seen = now;
            return;
        } else {
            changing = Some(now);
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(500);
