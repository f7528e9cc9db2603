//! What scripts answer, as values. An answer of another shape is a failure, never a guess.

use bytes::Bytes;
use redis::Value;

use crate::store::{
    Delivery, DeliveryId, Keep, Lease, Reason, STATES, State, StoreFailure, UnixMs,
};

/// The parts of an answer, taken from the front.
pub(super) struct Parts(std::vec::IntoIter<Value>);

impl Parts {
    pub(super) fn of(answer: Value) -> Result<Self, StoreFailure> {
        match answer {
            Value::Array(parts) => Ok(Self(parts.into_iter())),
            _ => Err(nonsense()),
        }
    }

    pub(super) fn left(&self) -> bool {
        self.0.len() > 0
    }

    pub(super) fn next(&mut self) -> Result<Value, StoreFailure> {
        self.0.next().ok_or_else(nonsense)
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, StoreFailure> {
        self.maybe()?.ok_or_else(nonsense)
    }

    pub(super) fn maybe(&mut self) -> Result<Option<Bytes>, StoreFailure> {
        match self.next()? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => Ok(Some(bytes.into())),
            Value::SimpleString(text) => Ok(Some(text.into())),
            Value::Okay => Ok(Some(Bytes::from_static(b"OK"))),
            Value::Int(number) => Ok(Some(number.to_string().into())),
            _ => Err(nonsense()),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, StoreFailure> {
        text(self.bytes()?)
    }

    pub(super) fn maybe_text(&mut self) -> Result<Option<String>, StoreFailure> {
        self.maybe()?.map(text).transpose()
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self) -> Result<T, StoreFailure> {
        self.text()?.parse().map_err(|_| nonsense())
    }

    pub(super) fn id(&mut self) -> Result<DeliveryId, StoreFailure> {
        self.number().map(DeliveryId)
    }

    pub(super) fn truth(&mut self) -> Result<bool, StoreFailure> {
        Ok(self.number::<i64>()? == 1)
    }

    pub(super) fn state(&mut self) -> Result<State, StoreFailure> {
        state(&self.text()?)
    }

    pub(super) fn rows<T>(
        answer: Value,
        row: impl Fn(&mut Self) -> Result<T, StoreFailure>,
    ) -> Result<Vec<T>, StoreFailure> {
        let mut rows = Vec::new();
        for one in Self::of(answer)?.0 {
            rows.push(row(&mut Self::of(one)?)?);
        }
        Ok(rows)
    }
}

/// A number alone.
pub(super) fn number(answer: &Value) -> Result<i64, StoreFailure> {
    match answer {
        Value::Int(number) => Ok(*number),
        _ => Err(nonsense()),
    }
}

/// A row of `lease.lua`.
pub(super) fn lease(parts: &mut Parts) -> Result<Lease, StoreFailure> {
    Ok(Lease {
        id: parts.id()?,
        attempt: parts.number()?,
        event: parts.text()?,
        route: parts.text()?,
        order: parts.maybe_text()?,
        content_type: parts.text()?,
        body: parts.bytes()?,
        received_ms: parts.number()?,
        is_once: parts.truth()?,
        progress: parts.maybe()?,
    })
}

/// A row of `list.lua`.
pub(super) fn delivery(parts: &mut Parts) -> Result<Delivery, StoreFailure> {
    let (id, event, route) = (parts.id()?, parts.text()?, parts.text()?);
    let (target, order) = (parts.text()?, parts.maybe_text()?);
    let state = parts.state()?;
    let (attempts, received_ms, due_ms) = (parts.number()?, parts.number()?, parts.number()?);
    let is_once = parts.truth()?;
    let (class, status) = (parts.maybe_text()?, parts.maybe_text()?);
    let status = status.map(|status| status.parse().map_err(|_| nonsense()));
    let status = status.transpose()?;
    Ok(Delivery {
        id,
        event,
        route,
        target,
        order,
        state,
        attempts,
        received_ms,
        due_ms,
        is_once,
        reason: class.map(|class| Reason { class, status }),
        content_type: parts.text()?,
        body_bytes: parts.number()?,
    })
}

/// A row of `kept.lua`.
pub(super) fn keep(space: &str, parts: &mut Parts) -> Result<Keep, StoreFailure> {
    Ok(Keep {
        space: space.to_owned(),
        key: parts.text()?,
        value: parts.bytes()?,
        until_ms: parts.number()?,
    })
}

/// The letter under which a state is kept: the first of its word.
pub(super) fn letter(state: State) -> Option<&'static [u8]> {
    let (word, _) = STATES.iter().find(|(_, known)| *known == state)?;
    word.as_bytes().get(..1)
}

fn state(letter: &str) -> Result<State, StoreFailure> {
    let found = STATES.iter().find(|(word, _)| word.starts_with(letter));
    found.map(|(_, state)| *state).ok_or_else(nonsense)
}

fn text(bytes: Bytes) -> Result<String, StoreFailure> {
    String::from_utf8(bytes.into()).map_err(|_| nonsense())
}

/// An answer that no script of ours gives.
pub(super) fn nonsense() -> StoreFailure {
    StoreFailure::Unreachable {
        what: "Redis gave an answer that nobody asked for".to_owned(),
    }
}

/// A moment as sorted sets of Redis tell it exactly: they count in doubles.
pub(super) fn moment(at: UnixMs) -> UnixMs {
    at.clamp(-MOMENT_MAX, MOMENT_MAX)
}

/// 2^53.
const MOMENT_MAX: UnixMs = 9_007_199_254_740_992;
