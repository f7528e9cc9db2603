//! Requests with many parts, and what is answered to them.

use redis::Value;

use crate::store::event::mark_name;
use crate::store::redis::reply::{Parts, moment, nonsense};
use crate::store::redis::script::{ENQUEUE, Request, SETTLE};
use crate::store::{
    Change, DeliveryId, Duty, Enqueued, Event, Filter, Keep, Leased, Mark, Settlement,
    StoreFailure, UnixMs,
};

/// An id as keys have it: text that sorts as its number does.
pub(super) fn key(id: DeliveryId) -> String {
    format!("{:019}", id.0)
}

impl Request {
    /// An event with all that comes with it.
    pub(super) fn enqueue(event: &Event, (prefix, hand): (&str, &str), now_ms: UnixMs) -> Self {
        let request = Self::new(&ENQUEUE, prefix).arg(now_ms).arg(hand);
        let request = request.arg(&event.id).arg(&event.route);
        let request = request.arg(&event.content_type).arg(event.received_ms);
        let request = request.arg(event.body.as_ref()).arg(event.marks.len());
        let request = request.arg(event.duties.len()).arg(event.keeps.len());
        let request = event.marks.iter().fold(request, Self::mark);
        let request = event.duties.iter().fold(request, Self::duty);
        event.keeps.iter().fold(request, Self::keep)
    }

    fn mark(self, mark: &Mark) -> Self {
        self.arg(mark_name(&mark.space, &mark.key).as_slice())
            .arg(mark.digest.as_slice())
            .arg(mark.answer.as_ref())
            .arg(moment(mark.until_ms))
            .arg(i32::from(mark.after_success))
    }

    fn duty(self, duty: &Duty) -> Self {
        let order = duty.order.as_ref().map(String::as_bytes);
        let leased = duty.leased_until_ms;
        let leased = leased.map_or_else(String::new, |until_ms| moment(until_ms).to_string());
        self.arg(&duty.target)
            .maybe(order)
            .arg(moment(duty.due_ms))
            .arg(i32::from(duty.is_once))
            .arg(leased)
    }

    /// Space, key, value and end of a value.
    pub(super) fn keep(self, keep: &Keep) -> Self {
        self.arg(&keep.space)
            .arg(&keep.key)
            .arg(keep.value.as_ref())
            .arg(moment(keep.until_ms))
    }

    /// How an attempt ended.
    pub(super) fn settle(
        prefix: &str,
        (id, attempt): (DeliveryId, u32),
        settlement: &Settlement,
        now_ms: UnixMs,
    ) -> Self {
        let (how, due_ms, ended) = match settlement {
            Settlement::Done => ("done", 0, None),
            Settlement::Withdraw => ("withdraw", 0, None),
            Settlement::Retry {
                due_ms,
                reason,
                progress,
            } => ("retry", *due_ms, Some((reason, progress))),
            Settlement::Unknown { reason, progress } => ("unknown", 0, Some((reason, progress))),
            Settlement::Bury { reason, progress } => ("bury", 0, Some((reason, progress))),
        };
        let request = Self::new(&SETTLE, prefix).arg(now_ms).arg(key(id));
        let request = request.arg(attempt).arg(how).arg(moment(due_ms));
        let Some((reason, progress)) = ended else {
            return request;
        };
        let status = reason.status.map(|status| status.to_string());
        request
            .arg(&reason.class)
            .arg(status.unwrap_or_default())
            .maybe(progress.as_deref())
    }

    /// The parts of a filter, as `filter.lua` takes them.
    pub(super) fn filter(self, filter: &Filter) -> Self {
        let text = |text: &Option<String>| text.clone().map(String::into_bytes);
        let number = |number: Option<i64>| number.map(|number| number.to_string().into_bytes());
        let state = filter.state.and_then(super::reply::letter);
        let parts = [
            filter.id.map(|id| key(id).into_bytes()),
            text(&filter.event),
            text(&filter.route),
            text(&filter.target),
            state.map(<[u8]>::to_vec),
            text(&filter.class),
            text(&filter.order),
            number(filter.from_ms),
            number(filter.before_ms),
        ];
        parts
            .iter()
            .fold(self, |request, part| request.maybe(part.as_deref()))
    }

    /// What is to be changed, as `change.lua` takes it behind a filter and a part.
    pub(super) fn change(self, change: Change, now_ms: UnixMs) -> Self {
        let (word, due_ms, force) = match change {
            Change::Replay { due_ms, force } => ("replay", due_ms, force),
            Change::Bury => ("bury", 0, false),
        };
        self.arg(now_ms)
            .arg(word)
            .arg(moment(due_ms))
            .arg(i32::from(force))
    }
}

/// What became of an event.
pub(super) fn enqueued(answer: Value) -> Result<Enqueued, StoreFailure> {
    let mut parts = Parts::of(answer)?;
    match parts.text()?.as_str() {
        "stored" => {
            let mut leased = Vec::new();
            while parts.left() {
                let (duty, id) = (parts.number()?, parts.id()?);
                leased.push(Leased { duty, id });
            }
            Ok(Enqueued::Stored { leased })
        }
        "repeated" => {
            let answer = parts.bytes()?;
            let marks = places(parts)?;
            Ok(Enqueued::Repeated { marks, answer })
        }
        "conflict" => Ok(Enqueued::Conflict {
            marks: places(parts)?,
        }),
        _ => Err(nonsense()),
    }
}

fn places(mut parts: Parts) -> Result<Vec<usize>, StoreFailure> {
    let mut places = Vec::new();
    while parts.left() {
        places.push(parts.number()?);
    }
    Ok(places)
}
