//! A sealing: which scheme, which keyring, and which parts of a message it covers.
//!
//! [`Sealing`] is what a file says; [`Sealer`] is a sealing with the keys of an account, and seals
//! and opens whole messages. The gateway, the sandbox and the command line all use the latter.

mod message;
mod read;

pub(super) use read::read;
pub(crate) use read::read_choice;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::crypto::{Keyring, Scheme};
use crate::mapping::MemberQuery;
use crate::policy::Provenance;

/// How messages are sealed.
#[derive(Debug, PartialEq, Eq)]
pub struct Sealing {
    /// Its name in `policies/`.
    pub name: String,
    /// The scheme; never [`Scheme::None`].
    pub scheme: Scheme,
    /// The keyring of the account that it uses.
    pub keys: String,
    /// Whether it needs a MAC key besides the cipher's.
    pub is_tagged: bool,
    /// The headers that announce a sealed message.
    pub announce: Vec<(HeaderName, HeaderValue)>,
    /// Where the digest of the plaintext travels.
    pub digest: Option<Spot>,
    /// Where the initialisation vector travels, if not in the text.
    pub iv: Option<Spot>,
    /// Where the tag travels, if not in the text.
    pub mac: Option<Spot>,
    /// Where the id of the key travels.
    pub key_id: Option<Spot>,
    /// The content type of a body that is sealed whole.
    pub sealed_type: HeaderValue,
    /// The content type of what was opened. Where it is JSON, anything else is not opened.
    pub plain_type: HeaderValue,
    /// Whether the query of a call without a body is sealed.
    pub query: bool,
    /// What of a call's body is sealed.
    pub request: Option<Place>,
    /// What of a reply is sealed.
    pub reply: Option<Expected>,
    /// What of a callback is sealed.
    pub callback: Option<Expected>,
    /// How sure this is.
    pub provenance: Provenance,
}

/// Where something travels beside the sealed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// In a header.
    Header(HeaderName),
    /// In a field of the wrapping object.
    Field(String),
}

/// What of a body is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// All of it.
    Whole,
    /// All of it, as the value of this field of an object.
    Wrapped(String),
    /// The values that these queries select, each for itself.
    Fields(Vec<MemberQuery>),
}

/// What a message that comes to us looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// What of it is sealed.
    pub place: Place,
    /// Which messages may be plain.
    pub plain: Plain,
}

/// Which messages may come without being sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// None.
    Refused,
    /// Those whose HTTP status is no success.
    Errors,
    /// Any that is not announced as sealed, or has no wrapping field.
    Allowed,
}

/// What `sealing:` says of an operation, a family or an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SealingChoice {
    /// Nothing: the next wider one decides.
    #[default]
    Inherited,
    /// Nothing is sealed.
    Plain,
    /// Sealed by this one.
    By(Arc<Sealing>),
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A call.
    Request,
    /// The answer to a call.
    Reply,
    /// A call of the platform to us.
    Callback,
}

/// A sealing with the keys to do it.
#[derive(Debug, Clone, Copy)]
pub struct Sealer<'a> {
    /// What is sealed, and how.
    pub sealing: &'a Sealing,
    /// With which keys.
    pub keys: &'a Keyring,
}

impl SealingChoice {
    /// The choice of the first that has one: the operation's, its family's, the account's.
    pub fn decide(choices: [&Self; 3]) -> Option<&Arc<Sealing>> {
        match choices
            .into_iter()
            .find(|choice| **choice != Self::Inherited)
        {
            Some(Self::By(sealing)) => Some(sealing),
            _ => None,
        }
    }

    /// The sealing that it names.
    pub fn sealing(&self) -> Option<&Arc<Sealing>> {
        match self {
            Self::By(sealing) => Some(sealing),
            Self::Inherited | Self::Plain => None,
        }
    }
}

impl Sealing {
    /// What of a message's body is sealed.
    pub fn place(&self, direction: Direction) -> Option<&Place> {
        match direction {
            Direction::Request => self.request.as_ref(),
            Direction::Reply => self.reply.as_ref().map(|expected| &expected.place),
            Direction::Callback => self.callback.as_ref().map(|expected| &expected.place),
        }
    }

    /// The headers that belong to a sealed message and to no other.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        let spots = [&self.digest, &self.iv, &self.mac, &self.key_id];
        let of_spots = spots.into_iter().flatten().filter_map(|spot| match spot {
            Spot::Header(name) => Some(name),
            Spot::Field(_) => None,
        });
        self.announce.iter().map(|(name, _)| name).chain(of_spots)
    }

    /// Whether a message says that it is sealed. Without announcing headers none does.
    pub fn is_announced(&self, headers: &HeaderMap) -> bool {
        !self.announce.is_empty()
            && self
                .announce
                .iter()
                .all(|(name, value)| headers.get(name) == Some(value))
    }

    /// Whether a message that comes to us is taken as it is, judged by its head alone.
    pub fn may_be_plain(
        &self,
        direction: Direction,
        headers: &HeaderMap,
        status: StatusCode,
    ) -> bool {
        let expected = match direction {
            // What we seal ourselves is sealed.
            Direction::Request => return false,
            Direction::Reply => self.reply.as_ref(),
            Direction::Callback => self.callback.as_ref(),
        };
        let Some(expected) = expected else {
            return true;
        };
        if self.is_announced(headers) {
            return false;
        }
        match expected.plain {
            Plain::Refused => false,
            Plain::Errors => !status.is_success(),
            Plain::Allowed => !self.announce.is_empty(),
        }
    }

    /// Whether the plaintext must be JSON.
    fn is_json(&self) -> bool {
        let media = self
            .plain_type
            .as_bytes()
            .split(|byte| *byte == b';')
            .next();
        let media = media.unwrap_or_default().trim_ascii().to_ascii_lowercase();
        media == b"application/json" || media.ends_with(b"+json")
    }
}
