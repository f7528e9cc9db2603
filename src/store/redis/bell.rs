//! Hearing that something was stored: every replica of the gateway reads the stream that each of
//! them writes to when something becomes due. It is a bell and nothing more: what it says twice, or
//! not at all, costs a question or a moment.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value, cmd};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::store::redis::link::Link;
use crate::store::redis::place::Wire;

#[derive(Default)]
pub(super) struct Bell {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The connection, and the one beside which it was opened.
    own: Option<(MultiplexedConnection, Arc<Wire>)>,
    /// The last entry that was heard.
    last: Option<String>,
}

impl Bell {
    /// Waits until it rings; tells the targets that something was stored for, or `None` where some
    /// of it may not have been heard.
    pub(super) async fn rung(&self, link: &Link) -> Option<BTreeSet<String>> {
        let mut state = self.state.lock().await;
        loop {
            match listen(&mut state, link).await {
                Some(Ok(targets)) if targets.is_empty() => {}
                Some(Ok(targets)) => return Some(targets),
                // Redis is away: until it is back there is nothing to hear.
                Some(Err(_)) | None => {
                    state.own = None;
                    state.last = None;
                    sleep(AGAIN_AFTER).await;
                    if link.wire().await.is_ok() {
                        return None;
                    }
                }
            }
        }
    }
}

async fn listen(state: &mut State, link: &Link) -> Option<Result<BTreeSet<String>, RedisError>> {
    let wire = link.wire().await.ok()?;
    let mut connection = match &state.own {
        Some((connection, beside)) if Arc::ptr_eq(beside, &wire) => connection.clone(),
        Some(_) => return None,
        None => {
            let finder = &link.finder;
            let deadline = Instant::now() + finder.options.connect;
            let opened = finder.open(&wire.place, finder.database(), deadline).await;
            let mut opened = opened.ok()?;
            // Longer than it is asked to wait for.
            opened.set_response_timeout(LISTEN + finder.options.answer);
            state.own = Some((opened.clone(), wire));
            opened
        }
    };
    let options = &link.finder.options;
    let mut read = cmd("XREAD");
    read.arg("COUNT")
        .arg(HEARD_MAX)
        .arg("BLOCK")
        .arg(millis(LISTEN));
    read.arg("STREAMS").arg(format!("{}:bell", options.prefix));
    read.arg(state.last.as_deref().unwrap_or("$"));
    let asked = read.query_async(&mut connection);
    let answer: Value = match timeout(LISTEN * 2 + options.answer, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Some(Err(error)),
        Err(_) => return None,
    };
    let mut targets = BTreeSet::new();
    for (id, target) in entries(answer) {
        state.last = Some(id);
        targets.insert(target);
    }
    Some(Ok(targets))
}

/// `[[stream, [[id, ["t", target]], …]]]`, or nothing.
fn entries(answer: Value) -> Vec<(String, String)> {
    let parts = |value: Value| match value {
        Value::Array(parts) => parts,
        _ => Vec::new(),
    };
    let text = |value: Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    };
    let streams = parts(answer).into_iter();
    let entries = streams.flat_map(|stream| parts(stream).into_iter().skip(1).flat_map(parts));
    let read = entries.filter_map(|entry| {
        let mut entry = parts(entry).into_iter();
        let id = text(entry.next()?)?;
        let target = parts(entry.next()?).into_iter().nth(1)?;
        Some((id, text(target)?))
    });
    read.collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const LISTEN: Duration = Duration::from_secs(2);
const AGAIN_AFTER: Duration = Duration::from_millis(500);
const HEARD_MAX: usize = 1000;
