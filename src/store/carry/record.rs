//! A record as a line of text.

use base64_simd::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::store::carry::{Carried, CarriedMark, Counter, Past, Record};
use crate::store::line::{self, bytes, parts, text};
use crate::store::{Reason, STATES};

impl Record {
    /// Writes it down: one JSON object with one member that says what it is.
    pub fn write(&self) -> String {
        let line = match self {
            Self::Event(carried) => json!({ "event": of_event(carried) }),
            Self::Mark(mark) => json!({ "mark": of_mark(mark) }),
            Self::Value(keep) => json!({ "value": line::of_keep(keep) }),
            Self::Counter(counter) => json!({ "counter": {
                "space": counter.space,
                "key": counter.key,
                "count": counter.count,
                "until_ms": counter.until_ms,
            }}),
        };
        line.to_string()
    }

    /// Reads what was written down; `None` where it is none.
    pub fn read(line: &[u8]) -> Option<Self> {
        let line: Value = serde_json::from_slice(line).ok()?;
        let (kind, of) = line.as_object()?.iter().next()?;
        Some(match kind.as_str() {
            "event" => Self::Event(Box::new(event(of)?)),
            "mark" => Self::Mark(mark(of)?),
            "value" => Self::Value(line::keep(of)?),
            "counter" => Self::Counter(Counter {
                space: text(of, "space")?,
                key: text(of, "key")?,
                count: of.get("count")?.as_u64()?,
                until_ms: of.get("until_ms")?.as_i64()?,
            }),
            _ => return None,
        })
    }
}

fn of_event(carried: &Carried) -> Value {
    let mut of = line::of_event(&carried.event);
    if let Some(of) = of.as_object_mut() {
        let pasts: Vec<Value> = carried.pasts.iter().map(of_past).collect();
        let claims: Vec<Value> = carried.claims.iter().map(of_mark).collect();
        of.insert("pasts".to_owned(), pasts.into());
        of.insert("claims".to_owned(), claims.into());
    }
    of
}

fn of_past(past: &Past) -> Value {
    let state = STATES.iter().find(|(_, state)| *state == past.state);
    let progress = past.progress.as_ref();
    json!({
        "state": state.map(|(word, _)| word),
        "attempts": past.attempts,
        "lost": past.lost,
        "class": past.reason.as_ref().map(|reason| &reason.class),
        "status": past.reason.as_ref().and_then(|reason| reason.status),
        "progress": progress.map(|progress| STANDARD.encode_to_string(progress)),
    })
}

fn of_mark(mark: &CarriedMark) -> Value {
    json!({
        "name": STANDARD.encode_to_string(mark.name),
        "digest": STANDARD.encode_to_string(mark.digest),
        "answer": STANDARD.encode_to_string(&mark.answer),
        "until_ms": mark.until_ms,
    })
}

fn event(of: &Value) -> Option<Carried> {
    let event = line::event(of)?;
    let pasts: Vec<Past> = parts(of, "pasts")?.map(past).collect::<Option<_>>()?;
    // What has neither duties nor as many pasts as it has duties is no event of a store.
    (!pasts.is_empty() && pasts.len() == event.duties.len()).then_some(())?;
    Some(Carried {
        claims: parts(of, "claims")?.map(mark).collect::<Option<_>>()?,
        event,
        pasts,
    })
}

fn past(of: &Value) -> Option<Past> {
    let word = of.get("state")?.as_str()?;
    let status = match of.get("status")? {
        Value::Null => None,
        status => Some(u16::try_from(status.as_u64()?).ok()?),
    };
    let progress: Option<Bytes> = match of.get("progress")? {
        Value::Null => None,
        _ => Some(bytes(of, "progress")?),
    };
    Some(Past {
        state: STATES.iter().find(|(known, _)| *known == word)?.1,
        attempts: u32::try_from(of.get("attempts")?.as_u64()?).ok()?,
        lost: u32::try_from(of.get("lost")?.as_u64()?).ok()?,
        reason: text(of, "class").map(|class| Reason { class, status }),
        progress,
    })
}

fn mark(of: &Value) -> Option<CarriedMark> {
    Some(CarriedMark {
        name: bytes(of, "name")?.as_ref().try_into().ok()?,
        digest: bytes(of, "digest")?.as_ref().try_into().ok()?,
        answer: bytes(of, "answer")?,
        until_ms: of.get("until_ms")?.as_i64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Duty, Event, Keep, State};

    #[test]
    fn a_record_comes_back_as_it_was() {
        let mark = CarriedMark {
            name: [9; 16],
            digest: [7; 32],
            answer: Bytes::from_static(&[0, 255]),
            until_ms: i64::MAX,
        };
        let past = |state, reason, progress| Past {
            state,
            attempts: 3,
            lost: 1,
            reason,
            progress,
        };
        let reason = Reason {
            class: "status".to_owned(),
            status: Some(503),
        };
        let duty = Duty {
            target: "crm".to_owned(),
            order: Some("a\n".to_owned()),
            due_ms: -5,
            is_once: true,
            leased_until_ms: None,
        };
        let carried = Carried {
            event: Event {
                id: "evt_1".to_owned(),
                route: "leads".to_owned(),
                marks: Vec::new(),
                content_type: "text/plain".to_owned(),
                body: (0..=255).collect(),
                received_ms: 1,
                duties: vec![duty.clone(), duty],
                keeps: Vec::new(),
            },
            pasts: vec![
                past(State::Buried, Some(reason), None),
                past(State::Waiting, None, Some(Bytes::from_static(b"{}"))),
            ],
            claims: vec![mark.clone()],
        };
        let records = [
            Record::Event(Box::new(carried)),
            Record::Mark(mark),
            Record::Value(Keep {
                space: "s".to_owned(),
                key: String::new(),
                value: Bytes::new(),
                until_ms: 9,
            }),
            Record::Counter(Counter {
                space: "s".to_owned(),
                key: "k".to_owned(),
                count: u64::MAX,
                until_ms: 9,
            }),
        ];
        for record in records {
            let line = record.write();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(Record::read(line.as_bytes()), Some(record));
        }
        for nonsense in ["", "{}", "null", "{\"later\":{}}", "{\"event\":{\"id\":1}}"] {
            assert_eq!(Record::read(nonsense.as_bytes()), None);
        }
    }
}
