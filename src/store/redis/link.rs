//! The way to the node that takes writes: one shared connection, opened anew when it breaks or when
//! the node is no longer the right one.
//!
//! A request that may have been carried out is never made twice here. After an attempt to connect
//! that failed, requests fail at once for a moment: a Redis that is away must not hold calls up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{RedisError, Value};
use tokio::sync::Mutex as Turn;
use tokio::time::Instant;

use crate::store::StoreFailure;
use crate::store::redis::failure::{Course, course, failure, told};
use crate::store::redis::look::{Trouble, Vitals, vitals};
use crate::store::redis::place::{Finder, Wire};
use crate::store::redis::script::Request;

pub(super) struct Link {
    pub(super) finder: Finder,
    now: Mutex<Now>,
    /// Held by the one who connects; the last failure to, and when it was.
    connecting: Turn<Option<(Instant, Trouble)>>,
    /// Held by the one who looks; what was last seen, and when.
    looking: Turn<Option<(Instant, Vitals)>>,
}

#[derive(Default)]
struct Now {
    wire: Option<Arc<Wire>>,
    is_closed: bool,
}

impl Link {
    pub(super) fn new(finder: Finder) -> Self {
        Self {
            finder,
            now: Mutex::default(),
            connecting: Turn::default(),
            looking: Turn::default(),
        }
    }

    /// Connects, if there is no connection.
    pub(super) async fn wire(&self) -> Result<Arc<Wire>, Trouble> {
        if let Some(wire) = self.open()? {
            return Ok(wire);
        }
        let mut last = self.connecting.lock().await;
        if let Some(wire) = self.open()? {
            return Ok(wire);
        }
        if let Some((at, trouble)) = last.as_ref()
            && at.elapsed() < AGAIN_AFTER
        {
            return Err(trouble.clone());
        }
        let deadline = Instant::now() + self.finder.options.connect;
        match self.finder.find(deadline).await {
            Ok(wire) => {
                tracing::info!(place = %wire.place, "connected to Redis");
                let wire = Arc::new(wire);
                *last = None;
                self.lock().wire = Some(Arc::clone(&wire));
                Ok(wire)
            }
            Err(trouble) => {
                let is_news = last.as_ref().is_none_or(|(_, known)| *known != trouble);
                if is_news {
                    let failure = StoreFailure::from(trouble.clone());
                    tracing::warn!(%failure, "no connection to Redis");
                }
                *last = Some((Instant::now(), trouble.clone()));
                Err(trouble)
            }
        }
    }

    /// The connection, if there is one.
    fn open(&self) -> Result<Option<Arc<Wire>>, Trouble> {
        let now = self.lock();
        if now.is_closed {
            return Err(Trouble::Away("the store is closed".to_owned()));
        }
        Ok(now.wire.clone())
    }

    /// What comes next gets another connection.
    pub(super) fn leave(&self, wire: &Arc<Wire>, error: &RedisError) {
        let mut now = self.lock();
        if now
            .wire
            .as_ref()
            .is_some_and(|open| Arc::ptr_eq(open, wire))
        {
            now.wire = None;
            let why = told(error);
            tracing::warn!(place = %wire.place, why, "the connection to Redis is given up");
        }
    }

    /// Opens no connection any more, and lets the open one go.
    pub(super) fn close(&self) {
        *self.lock() = Now {
            wire: None,
            is_closed: true,
        };
    }

    /// Runs a script once, wherever its keys are.
    pub(super) async fn run(&self, request: &Request) -> Result<Value, StoreFailure> {
        let mut tries = 0;
        loop {
            let wire = self.wire().await?;
            let mut connection = wire.connection.clone();
            let error = match request.command.query_async(&mut connection).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tries += 1;
            match course(&error) {
                Course::Load if tries < TRIES_MAX => {
                    if let Err(error) = request.script.load_async(&mut connection).await {
                        self.leave(&wire, &error);
                        return Err(failure(&error));
                    }
                }
                // A node that is not the right one any longer has done nothing.
                Course::Move => {
                    self.leave(&wire, &error);
                    if tries == TRIES_MAX {
                        return Err(failure(&error));
                    }
                }
                Course::Leave => {
                    self.leave(&wire, &error);
                    return Err(failure(&error));
                }
                Course::Load | Course::Stay => return Err(failure(&error)),
            }
        }
    }

    /// What it says of itself, not older than a moment.
    pub(super) async fn vitals(&self) -> Result<Vitals, StoreFailure> {
        let mut last = self.looking.lock().await;
        if let Some((at, vitals)) = *last
            && at.elapsed() < LOOK_EVERY
        {
            return Ok(vitals);
        }
        let wire = self.wire().await?;
        let seen = vitals(&mut wire.connection.clone()).await;
        let seen = seen.map_err(|error| {
            self.leave(&wire, &error);
            failure(&error)
        })?;
        *last = Some((Instant::now(), seen));
        Ok(seen)
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const TRIES_MAX: usize = 3;
/// How long after a failure to connect nobody tries again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
const LOOK_EVERY: Duration = Duration::from_millis(500);
