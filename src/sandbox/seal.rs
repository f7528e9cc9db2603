//! The stand-in's own sealing: it opens what comes sealed, and seals its answers and callbacks.
//!
//! A plain call gets a plain answer where the sealing is announced by headers. Errors stay plain.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::crypto::Keyring;
use crate::policy::{Direction, Sealer, Sealing};
use crate::sandbox::body::Source;
use crate::sandbox::reply::{Refusal, Reply};
use crate::sandbox::{Shared, login};

/// How the stand-in seals.
#[derive(Debug, Clone)]
pub struct Seals {
    /// What, and how.
    pub sealing: Arc<Sealing>,
    /// With which keys.
    pub keys: Arc<Keyring>,
}

/// How one answer is spoilt that should be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoil {
    /// It is not sealed.
    Plain,
    /// What is sealed is no JSON.
    Json,
    /// The end of the text is missing.
    Length,
    /// A letter stands in it that its encoding does not have.
    Encoding,
    /// A letter at its beginning is another one.
    First,
    /// A letter at its end is another one.
    Last,
}

/// The words for them.
pub(super) const SPOILS: [(&str, Spoil); 6] = [
    ("plain", Spoil::Plain),
    ("json", Spoil::Json),
    ("length", Spoil::Length),
    ("encoding", Spoil::Encoding),
    ("first", Spoil::First),
    ("last", Spoil::Last),
];

/// A request as it was before it was sealed.
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) is_sealed: bool,
}

/// Opens a request, if it is sealed.
pub(super) fn open(shared: &Shared, head: &Parts, body: &Bytes) -> Result<Asked, Refusal> {
    let mut asked = Asked {
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        body: body.clone(),
        is_sealed: false,
    };
    let Some(seals) = &shared.options.seals else {
        return Ok(asked);
    };
    let sealer = seals.sealer();
    let sealing = sealer.sealing;
    let is_always = sealing.announce.is_empty() && !login::is_login(head.uri.path());
    if !is_always && !sealing.is_announced(&head.headers) {
        return Ok(asked);
    }
    let now = shared.clock.now();
    let refuse = |_| {
        Refusal::http(
            StatusCode::BAD_REQUEST,
            "the sealed request cannot be opened",
        )
    };
    if asked.body.is_empty() && sealing.query && !asked.query.is_empty() {
        asked.query = sealer
            .open_query(&asked.headers, &asked.query, now)
            .map_err(refuse)?;
    } else if !asked.body.is_empty() {
        let opened = sealer
            .open(Direction::Request, &mut asked.headers, &asked.body, now)
            .map_err(refuse)?;
        asked.body = opened.unwrap_or(asked.body);
    }
    asked.is_sealed = true;
    Ok(asked)
}

impl Asked {
    /// Seals the answer to a sealed request.
    pub(super) fn seal(&self, shared: &Shared, spoil: Option<Spoil>, reply: &mut Reply) {
        let Some(seals) = shared.options.seals.as_ref().filter(|_| self.is_sealed) else {
            return;
        };
        if reply.status.is_success() && spoil != Some(Spoil::Plain) {
            let now = shared.clock.now();
            if let Source::Whole(body) = &mut reply.source {
                if spoil == Some(Spoil::Json) {
                    *body = Bytes::from_static(b"{\"code\":200,");
                }
                let sealed = seals
                    .sealer()
                    .seal(Direction::Reply, &mut reply.headers, body, now);
                if let Ok(Some(sealed)) = sealed {
                    *body = spoil.map_or(sealed.clone(), |spoil| spoilt(&sealed, spoil));
                }
                // How long the body is, is told by whoever sends it.
                reply.headers.remove(http::header::CONTENT_LENGTH);
            }
        }
    }
}

impl Seals {
    /// Seals a callback; headers beside the body are put into `headers`.
    pub(super) fn callback(&self, headers: &mut HeaderMap, body: Bytes, now: i64) -> Bytes {
        let sealed = self.sealer().seal(Direction::Callback, headers, &body, now);
        sealed.ok().flatten().unwrap_or(body)
    }

    fn sealer(&self) -> Sealer<'_> {
        Sealer {
            sealing: &self.sealing,
            keys: &self.keys,
        }
    }
}

/// A sealed text with one fault in it.
fn spoilt(sealed: &Bytes, spoil: Spoil) -> Bytes {
    let mut text = sealed.to_vec();
    let len = text.len();
    let at = match spoil {
        Spoil::Plain | Spoil::Json => return sealed.clone(),
        Spoil::Length => {
            text.truncate(len.saturating_sub(4));
            return text.into();
        }
        Spoil::Encoding | Spoil::First => 0,
        // Before the last letters: those may be padding of the encoding.
        Spoil::Last => len.saturating_sub(8),
    };
    if let Some(letter) = text.get_mut(at) {
        *letter = match (spoil, *letter) {
            (Spoil::Encoding, _) => b'!',
            (_, b'b') => b'c',
            _ => b'b',
        };
    }
    text.into()
}
