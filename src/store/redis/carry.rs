//! What Redis has, for another store; and what another store had, for Redis.

use crate::store::carry::{Carried, CarriedMark, Counter, Part, Past, Record, Taken};
use crate::store::redis::Redis;
use crate::store::redis::ask::key;
use crate::store::redis::reply::{Parts, letter, moment, nonsense, number};
use crate::store::redis::script::{CARRY, DUMP, PUT, Request};
use crate::store::{DeliveryId, Duty, Event, Keep, Reason, StoreFailure, UnixMs};

impl Redis {
    /// Some of a part, behind a place; and the place behind it, `None` at the end. Nobody else may
    /// change anything meanwhile.
    pub(in crate::store) async fn dump(
        &self,
        part: Part,
        after: i64,
        now_ms: UnixMs,
    ) -> Result<(Vec<Record>, Option<i64>), StoreFailure> {
        let (kind, looks) = match part {
            Part::Events => ("e", EVENTS),
            Part::Marks => ("m", ROWS),
            Part::Values => ("k", ROWS),
            Part::Counters => ("c", ROWS),
        };
        let after = match part {
            Part::Events => key(DeliveryId(after)),
            _ => after.to_string(),
        };
        let request = self.request(&DUMP).arg(now_ms).arg(kind).arg(after);
        let mut parts = Parts::of(self.run(request.arg(looks).arg(BYTES)).await?)?;
        let next = parts.text()?;
        let next = (!next.is_empty()).then(|| next.parse().map_err(|_| nonsense()));
        let found = Parts::rows(parts.next()?, |row| match part {
            Part::Events => event(row).map(|carried| Record::Event(Box::new(carried))),
            Part::Marks => mark(row).map(Record::Mark),
            Part::Values => value(row).map(Record::Value),
            Part::Counters => counter(row).map(Record::Counter),
        })?;
        Ok((found, next.transpose()?))
    }

    /// Stores what another store had, where it is not there.
    pub(in crate::store) async fn carry(
        &self,
        record: &Record,
        now_ms: UnixMs,
    ) -> Result<Taken, StoreFailure> {
        let request = match record {
            Record::Event(carried) => self.request(&CARRY).carried(carried, now_ms),
            Record::Mark(mark) => self.request(&PUT).arg(now_ms).arg("m").carried_mark(mark),
            Record::Value(keep) => self.request(&PUT).arg(now_ms).arg("k").keep(keep),
            Record::Counter(counter) => {
                let request = self.request(&PUT).arg(now_ms).arg("c");
                let request = request.arg(&counter.space).arg(&counter.key);
                request.arg(counter.count).arg(moment(counter.until_ms))
            }
        };
        self.inner.fits().await?;
        let taken = number(&self.run(request).await?)?;
        self.inner.confirmed().await?;
        match taken {
            0 => Ok(Taken::Known),
            1 => Ok(Taken::Added),
            2 => Ok(Taken::Conflict),
            _ => Err(nonsense()),
        }
    }
}

impl Request {
    /// An event with what became of it.
    fn carried(self, carried: &Carried, now_ms: UnixMs) -> Self {
        let event = &carried.event;
        let request = self.arg(now_ms).arg(&event.id).arg(&event.route);
        let request = request.arg(&event.content_type).arg(event.received_ms);
        let request = request.arg(event.body.as_ref()).arg(event.duties.len());
        let request = request.arg(carried.claims.len());
        let duties = event.duties.iter().zip(&carried.pasts);
        let request = duties.fold(request, |request, (duty, past)| request.past(duty, past));
        carried.claims.iter().fold(request, Self::carried_mark)
    }

    fn past(self, duty: &Duty, past: &Past) -> Self {
        let order = duty.order.as_ref().map(String::as_bytes);
        let class = past.reason.as_ref().map(|reason| reason.class.as_bytes());
        let status = past.reason.as_ref().and_then(|reason| reason.status);
        self.arg(&duty.target)
            .maybe(order)
            .arg(moment(duty.due_ms))
            .arg(i32::from(duty.is_once))
            .arg(letter(past.state).unwrap_or_default())
            .arg(past.attempts)
            .arg(past.lost)
            .maybe(class)
            .arg(status.map_or_else(String::new, |status| status.to_string()))
            .maybe(past.progress.as_deref())
    }

    fn carried_mark(self, mark: &CarriedMark) -> Self {
        self.arg(mark.name.as_slice())
            .arg(mark.digest.as_slice())
            .arg(mark.answer.as_ref())
            .arg(moment(mark.until_ms))
    }
}

fn event(row: &mut Parts) -> Result<Carried, StoreFailure> {
    let (id, route, content_type) = (row.text()?, row.text()?, row.text()?);
    let (received_ms, body) = (row.number()?, row.bytes()?);
    let (duties, pasts) = Parts::rows(row.next()?, past)?.into_iter().unzip();
    let claims = Parts::rows(row.next()?, claim)?;
    let event = Event {
        id,
        route,
        marks: Vec::new(),
        content_type,
        body,
        received_ms,
        duties,
        keeps: Vec::new(),
    };
    Ok(Carried {
        event,
        pasts,
        claims,
    })
}

fn past(row: &mut Parts) -> Result<(Duty, Past), StoreFailure> {
    let duty = Duty {
        target: row.text()?,
        order: row.maybe_text()?,
        due_ms: row.number()?,
        is_once: row.truth()?,
        leased_until_ms: None,
    };
    let state = row.state()?;
    let attempts = row.number()?;
    let (lost, class, status) = (row.maybe_text()?, row.maybe_text()?, row.maybe_text()?);
    let status = status.map(|status| status.parse().map_err(|_| nonsense()));
    let status = status.transpose()?;
    let lost = lost.map_or(Ok(0), |lost| lost.parse().map_err(|_| nonsense()))?;
    let past = Past {
        state,
        attempts,
        lost,
        reason: class.map(|class| Reason { class, status }),
        progress: row.maybe()?,
    };
    Ok((duty, past))
}

fn mark(row: &mut Parts) -> Result<CarriedMark, StoreFailure> {
    let (name, digest) = (row.bytes()?, row.bytes()?);
    Ok(CarriedMark {
        name: name.as_ref().try_into().map_err(|_| nonsense())?,
        digest: digest.as_ref().try_into().map_err(|_| nonsense())?,
        answer: row.bytes()?,
        until_ms: row.number()?,
    })
}

fn claim(row: &mut Parts) -> Result<CarriedMark, StoreFailure> {
    let (name, until_ms, mut answer) = (row.bytes()?, row.number()?, row.bytes()?);
    if answer.len() < DIGEST {
        return Err(nonsense());
    }
    let digest = answer.split_to(DIGEST);
    Ok(CarriedMark {
        name: name.as_ref().try_into().map_err(|_| nonsense())?,
        digest: digest.as_ref().try_into().map_err(|_| nonsense())?,
        answer,
        until_ms,
    })
}

fn value(row: &mut Parts) -> Result<Keep, StoreFailure> {
    let space = row.text()?;
    crate::store::redis::reply::keep(&space, row)
}

fn counter(row: &mut Parts) -> Result<Counter, StoreFailure> {
    Ok(Counter {
        space: row.text()?,
        key: row.text()?,
        count: row.number()?,
        until_ms: row.number()?,
    })
}

const DIGEST: usize = 32;
/// Events and rows that are looked at in one act, and bytes after which no more are.
const EVENTS: usize = 100;
const ROWS: usize = 500;
const BYTES: usize = 8 << 20;
