//! Configuration, in three stages: the shape of the files (every fault of every file told at
//! once), the checked value [`Config`], and the running thing, which `app` makes of it.
//!
//! Nothing here connects, binds or spawns. Files and the environment are read here and nowhere
//! else. There is no text interpolation: a secret is a reference in a field that takes secrets.

mod account;
mod files;
mod fleet;
mod flows;
mod hooks;
mod inbound;
mod keyring;
mod listener;
mod secret;
mod settings;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use files::{Signature, embedded};
pub use keyring::of_references as keyring;

use crate::cache;
use crate::delivery::TargetOptions;
use crate::inbound::{Hooks, TrustedProxies};
use crate::limit::Alone;
use crate::outbound::{self, AccountOptions, Credentials};
use crate::policy::Policies;
use crate::route::Catalogue;
use crate::server;
use crate::store::{self, Retention};
pub use flows::FlowOptions;

use crate::runner::Witness;
use crate::token::Pace;
use crate::upstream;
use crate::yaml::{Fault, Faults, parse};

/// Everything that the files say, checked.
#[derive(Debug)]
pub struct Config {
    /// The local listener.
    pub local: server::Options,
    /// The admin listener.
    pub admin: server::Options,
    /// What a fleet shares, if there is one.
    pub fleet: Option<FleetOptions>,
    /// The inbound bridge, if there is one.
    pub inbound: Option<InboundOptions>,
    /// The accounts.
    pub accounts: Vec<AccountOptions>,
    /// The account of calls that name none.
    pub default_account: String,
    /// What a caller's own credentials lead to.
    pub credentials: Credentials,
    /// The limits of a call.
    pub limits: outbound::Limits,
    /// The limits of the cache; `None` where nothing is kept.
    pub cache: Option<cache::Options>,
    /// How tokens are kept.
    pub pace: Pace,
    /// How long a drain may take.
    pub drain: Duration,
    /// How the log is written.
    pub log: Log,
    /// The catalogue.
    pub catalogue: Arc<Catalogue>,
    /// The policies.
    pub policies: Arc<Policies>,
    /// The files that this came from.
    pub files: Vec<PathBuf>,
}

/// What the settings say of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetOptions {
    /// The Redis that it shares.
    pub redis: Arc<store::redis::Options>,
    /// What the rates do while it is away.
    pub alone: Alone,
    /// Whether the journal holds pushes while it is away.
    pub holds: bool,
}

/// What the settings say of the inbound path.
#[derive(Debug)]
pub struct InboundOptions {
    /// The public listener.
    pub listener: server::Options,
    /// How senders see us.
    pub url: String,
    /// Whose word about the sender's address counts.
    pub proxies: TrustedProxies,
    /// How many pushes of one sender a minute may fail to be proved.
    pub failures_max: NonZeroU32,
    /// Where events are kept, or held while the Redis of a fleet is away.
    pub journal: store::Options,
    /// How long what was delivered or given up is kept.
    pub retention: Retention,
    /// Who gets them.
    pub receivers: Vec<TargetOptions>,
    /// How third parties are spoken to.
    pub parties: upstream::Options,
    /// Where everything goes that is for third parties, while routes are tried out.
    pub stand_in: Option<upstream::BaseUrl>,
    /// Who is told what routes say of their events, while they are tried out.
    pub witness: Option<Arc<Witness>>,
    /// The routes that run.
    pub flows: Vec<FlowOptions>,
    /// The pushes that are taken.
    pub hooks: Hooks,
}

/// How the log is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// One JSON object a line, or text for people.
    pub json: bool,
    /// The least level: `error`, `warn`, `info` or `debug`.
    pub level: tracing::Level,
}

/// What came of reading the files.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration, unless some fault makes it unusable.
    pub config: Option<Config>,
    /// Every fault and warning, in the order of file and line.
    pub faults: Vec<Fault>,
    /// The files and folders that were looked at, also where something was wrong with them.
    pub files: Vec<PathBuf>,
}

/// The policies of a folder, or those of the binary.
pub fn policies(folder: Option<&Path>) -> Policies {
    let sources = folder.map_or_else(embedded::policies, files::read_plainly);
    Policies::read(&sources, &Faults::new())
}

/// The catalogue of a folder, or that of the binary.
pub fn catalogue(folder: Option<&Path>, policies: &Policies, faults: &Faults) -> Catalogue {
    let sources = folder.map_or_else(embedded::routes, files::read_plainly);
    Catalogue::read(&sources, policies, faults)
}

/// How an upstream is spoken to that nothing is said of.
pub fn plain_upstream() -> Option<upstream::Options> {
    account::parties(&Faults::new())
}

/// Reads the settings at `path`, or the embedded ones, with their routes and policies.
pub fn load(path: Option<&Path>) -> Loaded {
    let faults = Faults::new();
    let source = match path {
        None => Some(embedded::settings()),
        Some(path) => files::read_settings(path, &faults),
    };
    let mut watched: Vec<PathBuf> = path.map(Path::to_path_buf).into_iter().collect();
    let node = source.as_ref().and_then(|source| parse(source, &faults));
    let base = path.and_then(Path::parent).unwrap_or(Path::new(""));
    let config = node.and_then(|node| settings::read(&node, base, &faults, &mut watched));
    let usable = !faults.any_error();
    Loaded {
        config: config.filter(|_| usable).map(|config| Config {
            files: watched.clone(),
            ..config
        }),
        faults: faults.into_sorted(),
        files: watched,
    }
}
