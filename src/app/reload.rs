//! Reading the files again while calls go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{App, build};
use crate::config::{self, Signature};
use crate::yaml::Fault;

/// What came of a reload.
#[derive(Debug)]
pub enum Reloaded {
    /// The new configuration serves. The listeners named here changed too, and keep what they
    /// were bound with until a restart.
    Done {
        /// Listeners whose settings need a restart.
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
        let mut settled = self.settled();
        let restart_for = settled
            .listeners
            .iter()
            .zip([&config.local, &config.admin])
            .filter(|(bound, wanted)| bound != wanted)
            .map(|(bound, _)| bound.name)
            .collect();
        settled.files.clone_from(&config.files);
        drop(settled);
        let before = self.outbound.load_full();
        self.outbound.store(Arc::new(build(
            config,
            Some(&before),
            (&before.clock, &self.background),
        )));
        Reloaded::Done { restart_for }
    }

    /// Brings a signature up to the files that count since a reload.
    #[must_use]
    pub fn follow(&self, seen: Signature) -> Signature {
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
