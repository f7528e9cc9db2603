//! An event as a line of text, whole, for stores that keep it for another one.

use base64_simd::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::store::{Duty, Event, Keep, Mark};

/// Writes an event down.
pub(super) fn write(event: &Event) -> Bytes {
    of_event(event).to_string().into()
}

/// An event as JSON.
pub(super) fn of_event(event: &Event) -> Value {
    let bytes = |bytes: &[u8]| STANDARD.encode_to_string(bytes);
    let mark = |mark: &Mark| {
        json!({
            "space": mark.space,
            "key": mark.key,
            "digest": bytes(&mark.digest),
            "answer": bytes(&mark.answer),
            "until_ms": mark.until_ms,
            "after_success": mark.after_success,
        })
    };
    let duty = |duty: &Duty| {
        json!({
            "target": duty.target,
            "order": duty.order,
            "due_ms": duty.due_ms,
            "is_once": duty.is_once,
        })
    };
    json!({
        "id": event.id,
        "route": event.route,
        "marks": event.marks.iter().map(mark).collect::<Vec<_>>(),
        "content_type": event.content_type,
        "body": bytes(&event.body),
        "received_ms": event.received_ms,
        "duties": event.duties.iter().map(duty).collect::<Vec<_>>(),
        "keeps": event.keeps.iter().map(of_keep).collect::<Vec<_>>(),
    })
}

/// A value as JSON.
pub(super) fn of_keep(keep: &Keep) -> Value {
    json!({
        "space": keep.space,
        "key": keep.key,
        "value": STANDARD.encode_to_string(&keep.value),
        "until_ms": keep.until_ms,
    })
}

/// Reads an event that was written down; `None` where it is none. Nobody waits for its deliveries.
pub(super) fn read(line: &[u8]) -> Option<Event> {
    event(&serde_json::from_slice(line).ok()?)
}

/// An event of JSON; `None` where it is none.
pub(super) fn event(line: &Value) -> Option<Event> {
    let mark = |part: &Value| {
        Some(Mark {
            space: text(part, "space")?,
            key: text(part, "key")?,
            digest: bytes(part, "digest")?.as_ref().try_into().ok()?,
            answer: bytes(part, "answer")?,
            until_ms: part.get("until_ms")?.as_i64()?,
            after_success: part.get("after_success")?.as_bool()?,
        })
    };
    let duty = |part: &Value| {
        Some(Duty {
            target: text(part, "target")?,
            order: text(part, "order"),
            due_ms: part.get("due_ms")?.as_i64()?,
            is_once: part.get("is_once")?.as_bool()?,
            leased_until_ms: None,
        })
    };
    Some(Event {
        id: text(line, "id")?,
        route: text(line, "route")?,
        marks: parts(line, "marks")?.map(mark).collect::<Option<_>>()?,
        content_type: text(line, "content_type")?,
        body: bytes(line, "body")?,
        received_ms: line.get("received_ms")?.as_i64()?,
        duties: parts(line, "duties")?.map(duty).collect::<Option<_>>()?,
        keeps: parts(line, "keeps")?.map(keep).collect::<Option<_>>()?,
    })
}

/// A value of JSON; `None` where it is none.
pub(super) fn keep(part: &Value) -> Option<Keep> {
    Some(Keep {
        space: text(part, "space")?,
        key: text(part, "key")?,
        value: bytes(part, "value")?,
        until_ms: part.get("until_ms")?.as_i64()?,
    })
}

/// The text of a member.
pub(super) fn text(line: &Value, name: &str) -> Option<String> {
    line.get(name)?.as_str().map(str::to_owned)
}

/// The bytes of a member, which are base64 there.
pub(super) fn bytes(line: &Value, name: &str) -> Option<Bytes> {
    let text = line.get(name)?.as_str()?;
    STANDARD.decode_to_vec(text).ok().map(Bytes::from)
}

/// The elements of a member.
pub(super) fn parts<'v>(line: &'v Value, name: &str) -> Option<impl Iterator<Item = &'v Value>> {
    Some(line.get(name)?.as_array()?.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_comes_back_as_it_was() {
        let event = Event {
            id: "evt_1".to_owned(),
            route: "leads".to_owned(),
            marks: vec![Mark {
                space: "leads".to_owned(),
                key: "k\"\n".to_owned(),
                digest: [7; 32],
                answer: Bytes::from_static(&[0, 255]),
                until_ms: i64::MAX,
                after_success: true,
            }],
            content_type: "text/plain".to_owned(),
            body: (0..=255).collect(),
            received_ms: -1,
            duties: vec![Duty {
                target: "crm".to_owned(),
                order: Some(String::new()),
                due_ms: 5,
                is_once: true,
                leased_until_ms: None,
            }],
            keeps: vec![Keep {
                space: "s".to_owned(),
                key: String::new(),
                value: Bytes::new(),
                until_ms: 9,
            }],
        };
        assert_eq!(read(&write(&event)), Some(event));
        for nonsense in ["", "{}", "null", "{\"id\":1}"] {
            assert_eq!(read(nonsense.as_bytes()), None);
        }
    }
}
