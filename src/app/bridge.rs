//! The inbound bridge of a configuration: what takes pushes, makes steps and delivers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::sleep;

use super::Tasks;
use crate::clock::Clock;
use crate::config::{Config, FlowOptions, InboundOptions};
use crate::delivery::{self, Delivery, RouteTarget, Target, TargetOptions};
use crate::inbound::{Drift, Inbound, Opener, Senders};
use crate::outbound::{AccountOptions, Outbound};
use crate::runner::{Parties, Runner, Running};
use crate::store::{Queue as _, Store};

/// What opens sealed pushes, taken from the accounts.
pub(super) fn openers(config: &Config) -> BTreeMap<String, Opener> {
    let opener = |account: &AccountOptions| Opener {
        sealing: account.sealing.clone(),
        keys: account.keys.clone(),
    };
    config
        .accounts
        .iter()
        .map(|account| (account.name.clone(), opener(account)))
        .collect()
}

/// What the inbound path takes from elsewhere.
pub(super) struct Parts {
    pub(super) openers: BTreeMap<String, Opener>,
    pub(super) default_account: String,
    pub(super) store: Arc<Store>,
    pub(super) outbound: Arc<ArcSwap<Outbound>>,
}

/// Makes the inbound path of a configuration. What did not change goes on as it is.
pub(super) fn build(
    options: InboundOptions,
    parts: Parts,
    before: Option<&Inbound>,
    (clock, tasks): (&Clock, &Tasks),
) -> Inbound {
    let quotas = Arc::clone(&parts.outbound.load().quotas);
    let runner = runner(&options, parts.outbound, before, (clock, tasks));
    let routes = options.flows.iter().map(|flow| Arc::clone(&flow.running));
    let routes: Vec<_> = routes.collect();
    let drifts = drifts(&routes, before);
    let body_bytes_max = options.listener.limits.body_bytes_max;
    let means = delivery::Means {
        store: Arc::clone(&parts.store),
        clock: clock.clone(),
        tasks: tasks.delivering.clone(),
    };
    let targets = (options.receivers, options.flows);
    Inbound {
        trouble: before.map_or_else(Arc::default, |before| Arc::clone(&before.trouble)),
        delivery: deliver(targets, &runner, before, (&means, tasks)),
        senders: before.map_or_else(
            || Arc::new(Senders::new(options.failures_max)),
            |before| Arc::clone(&before.senders),
        ),
        quotas,
        counts: before.map_or_else(Arc::default, |before| Arc::clone(&before.counts)),
        drifts,
        runner,
        routes,
        hooks: options.hooks,
        accounts: parts.openers,
        default_account: parts.default_account,
        store: parts.store,
        url: options.url,
        proxies: options.proxies,
        clock: clock.clone(),
        retention: options.retention,
        body_bytes_max: usize::try_from(body_bytes_max).unwrap_or(usize::MAX),
    }
}

fn runner(
    options: &InboundOptions,
    outbound: Arc<ArcSwap<Outbound>>,
    before: Option<&Inbound>,
    (clock, tasks): (&Clock, &Tasks),
) -> Arc<Runner> {
    if let Some(before) = before {
        return Arc::clone(&before.runner);
    }
    let parties = Parties::new(options.parties.clone(), tasks.background.clone());
    Arc::new(Runner {
        outbound,
        parties: match &options.stand_in {
            None => parties,
            Some(stand_in) => parties.with_stand_in(stand_in.clone()),
        },
        clock: clock.clone(),
        witness: options.witness.clone(),
    })
}

fn deliver(
    (receivers, flows): (Vec<TargetOptions>, Vec<FlowOptions>),
    runner: &Arc<Runner>,
    before: Option<&Inbound>,
    (means, tasks): (&delivery::Means<Store>, &Tasks),
) -> Arc<Delivery> {
    // Routes are read anew each time, so that only receivers alone can go on as they are.
    let known = before.filter(|before| {
        let targets = before.delivery.targets().filter_map(Target::options);
        flows.is_empty() && before.routes.is_empty() && targets.eq(receivers.iter())
    });
    if let Some(before) = known {
        return Arc::clone(&before.delivery);
    }
    let receivers = receivers.into_iter();
    let receivers = receivers.map(|options| Target::new(options, &tasks.background));
    let routes = flows.into_iter().map(|flow| {
        let route = RouteTarget {
            running: flow.running,
            runner: Arc::clone(runner),
        };
        Target::route(route, flow.retry, flow.attempts_max)
    });
    Arc::new(Delivery::new(receivers.chain(routes).collect(), means))
}

/// What was learned of a route stays learned, as long as the route reads the same.
fn drifts(routes: &[Arc<Running>], before: Option<&Inbound>) -> BTreeMap<String, Arc<Drift>> {
    let watched = routes.iter().filter(|running| running.flow.watches_drift);
    let drift = |running: &Arc<Running>| {
        let fresh = Drift::new(&running.flow);
        let known = before.and_then(|before| before.drifts.get(&running.flow.name));
        let known = known.filter(|known| known.reads_as(&fresh)).cloned();
        (
            running.flow.name.clone(),
            known.unwrap_or_else(|| Arc::new(fresh)),
        )
    };
    watched.map(drift).collect()
}

/// What is done beside pushes and deliveries, for ever.
pub(super) async fn upkeep(inbound: Arc<ArcSwap<Inbound>>, clock: Clock) {
    tokio::join!(
        sweep(&inbound, &clock),
        bring(&inbound, &clock),
        listen(&inbound)
    );
}

/// Forgets what was kept long enough.
async fn sweep(inbound: &ArcSwap<Inbound>, clock: &Clock) {
    loop {
        let current = inbound.load_full();
        let swept = current.store.sweep(current.retention, clock.now_ms()).await;
        drop(current);
        // As long as there is much to forget, it goes on at once.
        if !matches!(swept, Ok(1..)) {
            sleep(SWEEP_EVERY).await;
        }
    }
}

/// Brings over what was held while the store of the fleet was away.
async fn bring(inbound: &ArcSwap<Inbound>, clock: &Clock) {
    loop {
        sleep(BRING_EVERY).await;
        let store = Arc::clone(&inbound.load().store);
        match store.bring(clock.now_ms()).await {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "what was held is in the store"),
            Err(failure) => tracing::debug!(%failure, "what is held stays held"),
        }
    }
}

/// Rings the bell of targets that another process stored something for.
async fn listen(inbound: &ArcSwap<Inbound>) {
    loop {
        let store = Arc::clone(&inbound.load().store);
        let rung = store.rung().await;
        let current = inbound.load_full();
        let is_meant = |target: &&Target| {
            rung.as_ref()
                .is_none_or(|names| names.contains(target.name()))
        };
        for target in current.delivery.targets().filter(is_meant) {
            target.ring();
        }
    }
}

const SWEEP_EVERY: Duration = Duration::from_secs(10);
const BRING_EVERY: Duration = Duration::from_secs(1);
