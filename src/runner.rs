//! The steps of routes, made: calls of the platform through [`crate::outbound`], and of third
//! parties through [`crate::upstream`].
//!
//! [`Runner::run`] makes the steps of one push or event, in their order, and tells how they ended.
//! What a try got done is handed back, so that the next one does not do it again. Absent: storing
//! anything, which the caller does.

mod brought;
mod call;
mod parties;
mod progress;
mod run;
mod witness;

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::time::Instant;

pub use parties::Parties;
pub use progress::Progress;
pub use run::{Failed, RunEnd};
pub use witness::Witness;

use crate::clock::Clock;
use crate::mapping::Document;
use crate::mapping::function::Moment;
use crate::outbound::Outbound;
use crate::route::Flow;
use crate::secret::Secret;

/// A route at work: what its file says, with the settings and secrets that it was given.
pub struct Running {
    /// What its file says.
    pub flow: Arc<Flow>,
    /// What the settings give it.
    pub settings: Arc<Value>,
    /// Its secrets by name, as values that can be sent.
    pub secrets: Arc<Value>,
    /// The same secrets, for signing.
    pub signing: std::collections::BTreeMap<String, Vec<Secret>>,
    /// Doing it twice does harm.
    pub is_once: bool,
}

/// What makes the steps.
pub struct Runner {
    /// Calls the platform.
    pub outbound: Arc<ArcSwap<Outbound>>,
    /// Calls third parties.
    pub parties: Parties,
    /// The wall clock.
    pub clock: Clock,
    /// Who is told what routes say of their events.
    pub witness: Option<Arc<Witness>>,
}

/// One push or event whose steps are made.
pub struct Job<'j> {
    /// The route.
    pub running: &'j Running,
    /// What selectors look at.
    pub document: Document,
    /// The items whose steps are made.
    pub work: Vec<Value>,
    /// What earlier tries got done.
    pub progress: Progress,
    /// Everything must have happened by then.
    pub deadline: Instant,
    /// The sender waits: what fails is tried again at once, as often as its step says.
    pub is_waited_for: bool,
}

impl Running {
    /// A document with what every push of the route sees.
    pub fn document(&self) -> Document {
        let mut document = Document::default();
        document.share("settings", &self.settings);
        document.share("secrets", &self.secrets);
        document
    }
}

impl Runner {
    /// What the clock shows, for functions.
    pub fn moment(&self) -> Moment {
        Moment::at_ms(self.clock.now_ms())
    }
}
