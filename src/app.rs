//! The running process: what a [`Config`] becomes, how it is reloaded, how it ends.

mod bridge;
mod fleet;
mod reload;

use std::net::SocketAddr;
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
use crate::config::{Config, FleetOptions};
use crate::inbound::{self, Inbound};
use crate::limit::{Fleet, Quotas};
use crate::outbound::{self, Account, Caches, Outbound};
use crate::server::{self, BindFailure, Bound, Door, SharedTls};
use crate::store::{OpenFault, Store};

/// Why the process does not start.
#[derive(Debug, Error)]
pub enum StartFailure {
    /// A listener cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindFailure),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] OpenFault),
}

/// The running process.
pub struct App {
    path: Option<PathBuf>,
    outbound: Arc<ArcSwap<Outbound>>,
    inbound: Option<Arc<ArcSwap<Inbound>>>,
    fleet: Option<Fleet>,
    /// What listeners were bound with, and which files are watched.
    settled: Mutex<Settled>,
    drain: CancellationToken,
    drain_max: Duration,
    clock: Clock,
    tasks: Tasks,
    addresses: Addresses,
}

/// Who owns what runs.
#[derive(Clone, Default)]
struct Tasks {
    /// Connections, and calls whose downstream left.
    serving: TaskTracker,
    /// Attempts to deliver.
    delivering: TaskTracker,
    /// Tokens and upstream connections.
    background: TaskTracker,
}

struct Settled {
    listeners: Vec<(server::Options, SharedTls)>,
    files: Vec<PathBuf>,
    /// What a fleet shares, as it was joined.
    fleet: Option<FleetOptions>,
}

/// Where the process listens; `None` where only a unix socket does, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The local listener.
    pub local: Option<SocketAddr>,
    /// The admin listener.
    pub admin: Option<SocketAddr>,
    /// The public listener.
    pub public: Option<SocketAddr>,
}

/// Opens the store of the settings without serving; `None` where they take no pushes.
pub async fn store(config: &Config, clock: &Clock) -> Result<Option<Arc<Store>>, OpenFault> {
    let fleet = fleet::join(config).await?;
    fleet::store(config, fleet.as_ref(), clock).await
}

impl App {
    /// Binds everything and opens the store, then begins to serve: what cannot be used stops the
    /// start before anything else happened. `path` is where a reload reads the settings again.
    pub async fn start(config: Config, path: Option<PathBuf>) -> Result<Self, StartFailure> {
        Self::start_at(config, path, Clock::system()).await
    }

    /// The same, by a clock of the caller's.
    pub async fn start_at(
        mut config: Config,
        path: Option<PathBuf>,
        clock: Clock,
    ) -> Result<Self, StartFailure> {
        let local = server::bind(&config.local).await?;
        let admin = server::bind(&config.admin).await?;
        let public = match &config.inbound {
            None => None,
            Some(inbound) => Some(server::bind(&inbound.listener).await?),
        };
        let tasks = Tasks::default();
        let fleet = fleet::join(&config).await?;
        let store = fleet::store(&config, fleet.as_ref(), &clock).await?;
        let addresses = Addresses {
            local: local.address(),
            admin: admin.address(),
            public: public.as_ref().and_then(Bound::address),
        };
        let settled = Settled {
            listeners: bound(&config, [Some(&local), Some(&admin), public.as_ref()]),
            files: config.files.clone(),
            fleet: config.fleet.clone(),
        };
        let options = config.inbound.take();
        let openers = bridge::openers(&config);
        let default_account = config.default_account.clone();
        let drain_max = config.drain;
        let means = (&clock, &tasks.background, fleet.as_ref());
        let outbound = build(config, None, means);
        let outbound = Arc::new(ArcSwap::from_pointee(outbound));
        let inbound = options.zip(store).map(|(options, store)| {
            let parts = bridge::Parts {
                openers,
                default_account,
                store,
                outbound: Arc::clone(&outbound),
            };
            let built = bridge::build(options, parts, None, (&clock, &tasks));
            Arc::new(ArcSwap::from_pointee(built))
        });
        let app = Self {
            path,
            outbound,
            inbound,
            fleet,
            drain: CancellationToken::new(),
            drain_max,
            clock,
            tasks,
            addresses,
            settled: Mutex::new(settled),
        };
        app.serve(local, admin, public);
        Ok(app)
    }

    fn serve(&self, local: Bound, admin: Bound, public: Option<Bound>) {
        let options: Vec<server::Options> = self
            .settled()
            .listeners
            .iter()
            .map(|(options, _)| options.clone())
            .collect();
        let serving = &self.tasks.serving;
        if let Some(options) = options.first() {
            let service = inbound::Local {
                outbound: outbound::Service(Arc::clone(&self.outbound)),
                inbound: self.inbound.clone(),
            };
            let door = Door::new(service, options, serving.clone());
            let listening = server::serve(local, door, serving.clone(), self.drain.clone());
            serving.spawn(listening);
        }
        if let Some(options) = options.get(1) {
            let service = Admin::new(
                Arc::clone(&self.outbound),
                self.inbound.clone(),
                self.drain.clone(),
            );
            let door = Door::new(service, options, serving.clone());
            // The admin listener answers to the very end, so that a drain can be watched.
            let background = &self.tasks.background;
            let never = CancellationToken::new();
            background.spawn(server::serve(admin, door, background.clone(), never));
        }
        if let (Some(options), Some(bound), Some(inbound)) = (options.get(2), public, &self.inbound)
        {
            let service = inbound::Service(Arc::clone(inbound));
            let door = Door::new(service, options, serving.clone());
            let listening = server::serve(bound, door, serving.clone(), self.drain.clone());
            serving.spawn(listening);
            let upkeep = bridge::upkeep(Arc::clone(inbound), self.clock.clone());
            self.tasks
                .background
                .spawn(self.drain.clone().run_until_cancelled_owned(upkeep));
        }
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What calls go through at the moment.
    pub fn outbound(&self) -> Arc<Outbound> {
        self.outbound.load_full()
    }

    /// What pushes go through at the moment, if they are taken.
    pub fn inbound(&self) -> Option<Arc<Inbound>> {
        self.inbound.as_ref().map(|inbound| inbound.load_full())
    }

    /// Stops accepting at once. The future lets what is under way finish, and tells whether all of
    /// it did within the time that the settings allow.
    pub fn drain(&self) -> impl Future<Output = bool> {
        self.drain.cancel();
        let Tasks {
            serving,
            delivering,
            ..
        } = self.tasks.clone();
        let (inbound, fleet) = (self.inbound(), self.fleet.clone());
        serving.close();
        delivering.close();
        let drain_max = self.drain_max;
        async move {
            if let Some(inbound) = &inbound {
                inbound.delivery.stop();
            }
            let all = async {
                serving.wait().await;
                delivering.wait().await;
            };
            let whole = timeout(drain_max, all).await.is_ok();
            if let Some(inbound) = inbound {
                inbound.store.close().await;
            }
            if let Some(fleet) = fleet {
                fleet.redis.close().await;
            }
            whole
        }
    }

    fn settled(&self) -> std::sync::MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each listener as it was bound: local, admin, public.
fn bound(config: &Config, bound: [Option<&Bound>; 3]) -> Vec<(server::Options, SharedTls)> {
    let public = config.inbound.as_ref().map(|inbound| &inbound.listener);
    let options = [Some(&config.local), Some(&config.admin), public];
    options
        .into_iter()
        .zip(bound)
        .filter_map(|(options, bound)| Some((options?.clone(), bound?.tls())))
        .collect()
}

/// Makes the outbound path of a configuration. An account that did not change goes on with its
/// token and its connections.
fn build(
    config: Config,
    before: Option<&Outbound>,
    (clock, background, fleet): (&Clock, &TaskTracker, Option<&Fleet>),
) -> Outbound {
    let Config {
        accounts,
        policies,
        pace,
        catalogue,
        default_account,
        credentials,
        limits,
        cache,
        ..
    } = config;
    let accounts = accounts
        .into_iter()
        .map(|options| {
            let name = options.name.clone();
            let known = before.and_then(|before| before.accounts.get(&name));
            let account = match known {
                Some(known) if known.is_made_of(&options, &policies, pace) => Arc::clone(known),
                _ => {
                    let redis = fleet.map(|fleet| &fleet.redis);
                    let means = (clock, background);
                    Arc::new(Account::new(options, &policies, pace, means, redis))
                }
            };
            (name, account)
        })
        .collect();
    let known = before.map(|before| before.quotas.as_ref());
    let quotas = Arc::new(Quotas::new(&policies, known, fleet.cloned(), background));
    // What is kept stays through a reload, as long as there is room for as much.
    let caches = cache.map(
        |options| match before.and_then(|before| before.caches.as_ref()) {
            Some(known) if *known.cache.options() == options => Arc::clone(known),
            _ => {
                let redis = fleet.map(|fleet| &fleet.redis);
                let caches = Arc::new(Caches::new(options, redis, background.clone()));
                let follower = Arc::clone(&caches);
                background.spawn(async move { follower.follow().await });
                caches
            }
        },
    );
    Outbound {
        quotas,
        accounts,
        default_account,
        catalogue,
        policies,
        credentials,
        caches,
        limits,
        clock: clock.clone(),
    }
}
