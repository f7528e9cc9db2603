//! What a process shares with others, and where it keeps what comes in.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::limit::Fleet;
use crate::store::{OpenFault, Redis, Store};

/// The fleet of the settings. A Redis that is away is no reason not to start; one that will not do is.
pub(super) async fn join(config: &Config) -> Result<Option<Fleet>, OpenFault> {
    let Some(options) = &config.fleet else {
        return Ok(None);
    };
    let redis = Redis::open(Arc::clone(&options.redis)).await?;
    Ok(Some(Fleet {
        redis: Arc::new(redis),
        alone: options.alone,
    }))
}

/// Where events are kept, if any are taken.
pub(super) async fn store(
    config: &Config,
    fleet: Option<&Fleet>,
    clock: &Clock,
) -> Result<Option<Arc<Store>>, OpenFault> {
    let Some(inbound) = &config.inbound else {
        return Ok(None);
    };
    let holds = config.fleet.as_ref().is_some_and(|fleet| fleet.holds);
    let opened = match fleet {
        None => Store::journal(&inbound.journal, clock.now_ms()).await?,
        Some(fleet) => {
            let hold = holds.then_some(&inbound.journal);
            Store::fleet(Arc::clone(&fleet.redis), hold, clock.now_ms()).await?
        }
    };
    Ok(Some(Arc::new(opened)))
}
