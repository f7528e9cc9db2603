//! The running process: what a [`Config`] becomes, how it is reloaded, how it ends.

mod reload;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use reload::{Reloaded, watch};

use crate::admin::Admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::outbound::{self, Account, Outbound};
use crate::server::{self, BindFailure, Bound, Door};

/// Why the process does not start.
#[derive(Debug, Error)]
pub enum StartFailure {
    /// A listener cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindFailure),
}

/// The running process.
pub struct App {
    path: Option<PathBuf>,
    outbound: Arc<ArcSwap<Outbound>>,
    /// What listeners were bound with, and which files are watched.
    settled: Mutex<Settled>,
    drain: CancellationToken,
    drain_max: Duration,
    /// Connections, and calls whose downstream left.
    serving: TaskTracker,
    /// Tokens and upstream connections.
    background: TaskTracker,
    addresses: Addresses,
}

struct Settled {
    listeners: [server::Options; 2],
    files: Vec<PathBuf>,
}

/// Where the process listens; `None` where only a unix socket does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The local listener.
    pub local: Option<std::net::SocketAddr>,
    /// The admin listener.
    pub admin: Option<std::net::SocketAddr>,
}

impl App {
    /// Binds everything, then begins to serve: a port that is taken stops the start before
    /// anything else happened. `path` is where a reload reads the settings again.
    pub async fn start(config: Config, path: Option<PathBuf>) -> Result<Self, StartFailure> {
        let local = server::bind(&config.local).await?;
        let admin = server::bind(&config.admin).await?;
        let addresses = Addresses {
            local: local.address(),
            admin: admin.address(),
        };
        let background = TaskTracker::new();
        let settled = Settled {
            listeners: [config.local.clone(), config.admin.clone()],
            files: config.files.clone(),
        };
        let drain_max = config.drain;
        let outbound = Arc::new(ArcSwap::from_pointee(build(
            config,
            None,
            (&Clock::system(), &background),
        )));
        let app = Self {
            path,
            outbound,
            drain: CancellationToken::new(),
            drain_max,
            serving: TaskTracker::new(),
            background,
            addresses,
            settled: Mutex::new(settled),
        };
        app.serve(local, admin);
        Ok(app)
    }

    fn serve(&self, local: Bound, admin: Bound) {
        let [local_options, admin_options] = self.settled().listeners.clone();
        let service = outbound::Service(Arc::clone(&self.outbound));
        let door = Door::new(service, &local_options, self.serving.clone());
        let serving = server::serve(local, door, self.serving.clone(), self.drain.clone());
        self.serving.spawn(serving);
        let service = Admin::new(Arc::clone(&self.outbound), self.drain.clone());
        let door = Door::new(service, &admin_options, self.serving.clone());
        // The admin listener answers to the very end, so that a drain can be watched.
        let serving = server::serve(
            admin,
            door,
            self.background.clone(),
            CancellationToken::new(),
        );
        self.background.spawn(serving);
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What calls go through at the moment.
    pub fn outbound(&self) -> Arc<Outbound> {
        self.outbound.load_full()
    }

    /// Stops accepting at once. The future lets what is under way finish, and tells whether all of
    /// it did within the time that the settings allow.
    pub fn drain(&self) -> impl Future<Output = bool> {
        self.drain.cancel();
        self.serving.close();
        async { timeout(self.drain_max, self.serving.wait()).await.is_ok() }
    }

    fn settled(&self) -> std::sync::MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the outbound path of a configuration. An account that did not change goes on with its
/// token and its connections.
fn build(
    config: Config,
    before: Option<&Outbound>,
    (clock, background): (&Clock, &TaskTracker),
) -> Outbound {
    let Config {
        accounts,
        policies,
        pace,
        catalogue,
        default_account,
        credentials,
        limits,
        ..
    } = config;
    let accounts = accounts
        .into_iter()
        .map(|options| {
            let name = options.name.clone();
            let known = before.and_then(|before| before.accounts.get(&name));
            let account = match known {
                Some(known) if known.is_made_of(&options, &policies, pace) => Arc::clone(known),
                _ => Arc::new(Account::new(options, &policies, pace, (clock, background))),
            };
            (name, account)
        })
        .collect();
    Outbound {
        accounts,
        default_account,
        catalogue,
        policies,
        credentials,
        limits,
        clock: clock.clone(),
    }
}
