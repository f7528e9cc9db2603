//! Interim replies (RFC 9110, section 15.2), on their way from an upstream to whoever called.
//!
//! A call over HTTP/1.1 has an [`Interim`] among its extensions. It is good until the final reply
//! is at hand: what comes later belongs to no call, and is dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use http::header::LINK;
use http::{HeaderMap, StatusCode};

/// Where the interim replies to one call go. Cheap to clone.
#[derive(Clone)]
pub struct Interim {
    line: InterimLine,
    serial: u64,
}

/// The interim replies of one connection, to one call after the other.
#[derive(Clone, Default)]
pub struct InterimLine(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    /// The call that is under way, or none.
    open: Option<u64>,
    serial: u64,
    /// Written out and not sent yet.
    bytes: Vec<u8>,
    waker: Option<Waker>,
}

impl InterimLine {
    /// Begins a call.
    pub fn begin(&self) -> Interim {
        let mut shared = self.lock();
        shared.serial += 1;
        shared.open = Some(shared.serial);
        shared.bytes.clear();
        Interim {
            serial: shared.serial,
            line: self.clone(),
        }
    }

    /// What is to be sent now. Whoever sends is woken when there is more.
    pub fn take(&self, waker: &Waker) -> Vec<u8> {
        let mut shared = self.lock();
        if !shared
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            shared.waker = Some(waker.clone());
        }
        std::mem::take(&mut shared.bytes)
    }

    /// Drops what was to be sent to a call that is over.
    pub fn drop_late(&self) {
        let mut shared = self.lock();
        if shared.open.is_none() {
            shared.bytes.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interim {
    /// Hands an interim reply on, if it is one that may pass: that something is under way, and the
    /// links that it hints at (RFC 8297). No other field of it is meant for whoever called.
    pub fn tell(&self, status: StatusCode, headers: &HeaderMap) {
        let reason = match status.as_u16() {
            102 => "Processing",
            103 => "Early Hints",
            _ => return,
        };
        let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
        for link in headers.get_all(LINK) {
            bytes.extend_from_slice(b"link: ");
            bytes.extend_from_slice(link.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        let mut shared = self.line.lock();
        if shared.open == Some(self.serial) && shared.bytes.len() + bytes.len() <= BYTES_MAX {
            shared.bytes.extend_from_slice(&bytes);
            if let Some(waker) = shared.waker.take() {
                waker.wake();
            }
        }
    }

    /// The final reply is at hand.
    pub fn end(&self) {
        let mut shared = self.line.lock();
        if shared.open == Some(self.serial) {
            shared.open = None;
        }
    }
}

/// What of one call may wait to be sent.
const BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_call_that_is_under_way_is_told() {
        let line = InterimLine::default();
        let links = [(LINK, "</a>; rel=preload".parse().unwrap())];
        let headers: HeaderMap = links.into_iter().collect();
        let take = || String::from_utf8(line.take(Waker::noop())).unwrap();
        let first = line.begin();
        first.tell(StatusCode::CONTINUE, &headers);
        assert_eq!(take(), "");
        first.tell(StatusCode::from_u16(103).unwrap(), &headers);
        assert_eq!(
            take(),
            "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n"
        );
        first.end();
        first.tell(StatusCode::PROCESSING, &headers);
        let second = line.begin();
        first.tell(StatusCode::PROCESSING, &headers);
        assert_eq!(take(), "");
        second.tell(StatusCode::PROCESSING, &headers);
        second.end();
        assert_eq!(
            take(),
            "HTTP/1.1 102 Processing\r\nlink: </a>; rel=preload\r\n\r\n"
        );
    }
}
