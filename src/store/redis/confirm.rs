//! Waiting until replicas have what was written.
//!
//! `WAIT` holds up everything that comes after it on its connection, so it has one of its own. What
//! it waits for is what was written before it there, so a write goes ahead of it: that one stands
//! behind all that the caller has had an answer to. One wait serves everybody who came before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{RedisError, cmd, pipe};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::store::StoreFailure;
use crate::store::redis::failure::failure;
use crate::store::redis::link::Link;
use crate::store::redis::options::Acknowledged;
use crate::store::redis::place::Wire;

#[derive(Default)]
pub(super) struct Confirm {
    asked: AtomicU64,
    /// Held by the one who waits for all.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Up to which question the last answer counts, and the answer.
    answered: u64,
    last: Option<Result<(), StoreFailure>>,
    /// The connection, and the one beside which it was opened.
    own: Option<(MultiplexedConnection, Arc<Wire>)>,
}

impl Confirm {
    /// Ready when as many replicas as are wanted have everything that was written so far.
    pub(super) async fn written(&self, link: &Link) -> Result<(), StoreFailure> {
        let wanted = match link.finder.options.acknowledged_by {
            Acknowledged::Replicas(0) => return Ok(()),
            Acknowledged::Replicas(wanted) => wanted,
            Acknowledged::Present => match link.vitals().await?.replicas {
                0 => return Ok(()),
                _ => 1,
            },
        };
        let own = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut state = self.state.lock().await;
        if state.answered >= own
            && let Some(last) = &state.last
        {
            return last.clone();
        }
        let covers = self.asked.load(Ordering::Acquire);
        let outcome = wait(&mut state, link, wanted).await;
        state.answered = covers;
        state.last = Some(outcome.clone());
        outcome
    }
}

async fn wait(state: &mut State, link: &Link, wanted: u32) -> Result<(), StoreFailure> {
    let wire = link.wire().await?;
    let mut connection = match &state.own {
        Some((connection, beside)) if Arc::ptr_eq(beside, &wire) => connection.clone(),
        _ => {
            let finder = &link.finder;
            let deadline = Instant::now() + finder.options.connect;
            let opened = finder
                .open(&wire.place, finder.database(), deadline)
                .await?;
            state.own = Some((opened.clone(), Arc::clone(&wire)));
            opened
        }
    };
    let options = &link.finder.options;
    let have = replicas(&mut connection, options, wanted).await;
    let have = have.map_err(|error| {
        state.own = None;
        failure(&error)
    })?;
    if have >= wanted {
        return Ok(());
    }
    Err(StoreFailure::Unwritable {
        what: format!("{have} replicas of Redis have it, and {wanted} must"),
    })
}

/// How many replicas have everything.
async fn replicas(
    connection: &mut MultiplexedConnection,
    options: &super::Options,
    wanted: u32,
) -> Result<u32, RedisError> {
    let millis = u64::try_from(options.answer.as_millis() / 2).unwrap_or(u64::MAX);
    let (mut write, mut wait) = (cmd("EVAL"), cmd("WAIT"));
    write
        .arg(WRITE)
        .arg(1)
        .arg(format!("{}:confirmed", options.prefix));
    wait.arg(wanted).arg(millis.max(1));
    let mut both = pipe();
    both.add_command(write).ignore().add_command(wait);
    let (have,): (u32,) = both.query_async(connection).await?;
    Ok(have)
}

/// Deleted first, so that it is taken also where the memory is used up.
const WRITE: &str = "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 1)";
