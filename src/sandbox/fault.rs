//! Faults on demand: how they are written, and which one a request meets.
//!
//! A fault is a list of words split by semicolons. `status`, `code`, `html`, `early`, `echo`,
//! `hang`, `reset` and `nonsense` come *instead of* the operation, which is not carried out. With
//! every other word it is carried out and only its answer suffers: that is how a test reaches the
//! state in which nobody knows whether a call took effect.

use std::str::FromStr;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use crate::sandbox::seal::{SPOILS, Spoil};

/// A way in which the sandbox misbehaves, on some paths and for some number of requests.
///
/// Made from text, for instance `"status=503; retry-after=2"`, by [`str::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    path: Option<String>,
    times: Option<u32>,
    pub(super) status: Option<StatusCode>,
    pub(super) code: Option<i64>,
    pub(super) delay: Option<Duration>,
    pub(super) reply_rate: Option<u64>,
    pub(super) read_rate: Option<u64>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) token: Option<String>,
    pub(super) close: bool,
    pub(super) instead: Option<Instead>,
    pub(super) damage: Option<Damage>,
    pub(super) spoil: Option<Spoil>,
}

impl Fault {
    /// Limits the fault to paths that begin with `prefix`.
    #[must_use]
    pub fn at(mut self, prefix: &str) -> Self {
        self.path = Some(prefix.to_owned());
        self
    }

    /// Limits the fault to the next `times` requests that meet it.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// No misbehaviour at all.
    pub(super) fn none() -> Self {
        Fault {
            path: None,
            times: None,
            status: None,
            code: None,
            delay: None,
            reply_rate: None,
            read_rate: None,
            headers: Vec::new(),
            token: None,
            close: false,
            instead: None,
            damage: None,
            spoil: None,
        }
    }
}

/// What comes instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    /// Nothing, ever.
    Hang,
    /// A TCP RST.
    Reset,
    /// Bytes that are not HTTP.
    Nonsense,
    /// An HTML page.
    Html,
    /// An answer before the request body is read.
    Early,
    /// The headers of the request.
    Echo,
}

/// What is done to an answer that is otherwise right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// JSON that stops in the middle, announced at its true length.
    BadJson,
    /// No body.
    Empty,
    /// The full length announced, these many bytes sent, then an orderly close.
    Truncate(u64),
    /// These many bytes sent, then a TCP RST.
    ResetAfter(u64),
}

/// Why a text is not a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The word is none of the known ones.
    #[error("no fault is called {word:?}")]
    Unknown {
        /// The word as written.
        word: String,
    },
    /// The word is known, its value is not of the right form.
    #[error("the fault {word} is written {form}")]
    Value {
        /// The word.
        word: &'static str,
        /// How it is written.
        form: &'static str,
    },
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut fault = Fault::none();
        for part in text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (part, None),
            };
            let word =
                WORDS
                    .iter()
                    .find(|word| word.name == name)
                    .ok_or_else(|| FaultError::Unknown {
                        word: name.to_owned(),
                    })?;
            (word.read)(&mut fault, value).ok_or(FaultError::Value {
                word: word.name,
                form: word.form,
            })?;
        }
        Ok(fault)
    }
}

/// One word of the grammar.
pub(super) struct Word {
    /// The word.
    pub(super) name: &'static str,
    /// How it is written, value included.
    pub(super) form: &'static str,
    /// What it does.
    pub(super) about: &'static str,
    read: fn(&mut Fault, Option<&str>) -> Option<()>,
}

/// Every word there is.
pub(super) static WORDS: &[Word] = &[
    Word {
        name: "status",
        form: "status=503",
        about: "this HTTP status, with the error envelope of the family",
        read: |fault, value| put(&mut fault.status, value?.parse().ok()),
    },
    Word {
        name: "code",
        form: "code=10812",
        about: "this code in the envelope; HTTP 200 unless a status is given",
        read: |fault, value| put(&mut fault.code, value?.parse().ok()),
    },
    Word {
        name: "delay",
        form: "delay=200ms (ms or s)",
        about: "waits before it answers",
        read: |fault, value| put(&mut fault.delay, duration(value?)),
    },
    Word {
        name: "retry-after",
        form: "retry-after=2",
        about: "a Retry-After header",
        read: |fault, value| header(fault, &format!("retry-after:{}", value?)),
    },
    Word {
        name: "header",
        form: "header=Name:value",
        about: "a header on the reply; may be repeated",
        read: |fault, value| header(fault, value?),
    },
    Word {
        name: "hang",
        form: "hang",
        about: "never answers",
        read: |fault, value| flag(&mut fault.instead, Instead::Hang, value),
    },
    Word {
        name: "reset",
        form: "reset",
        about: "resets the connection instead of answering",
        read: |fault, value| flag(&mut fault.instead, Instead::Reset, value),
    },
    Word {
        name: "nonsense",
        form: "nonsense",
        about: "answers with bytes that are not HTTP",
        read: |fault, value| flag(&mut fault.instead, Instead::Nonsense, value),
    },
    Word {
        name: "html",
        form: "html",
        about: "an HTML page; HTTP 200 unless a status is given",
        read: |fault, value| flag(&mut fault.instead, Instead::Html, value),
    },
    Word {
        name: "early",
        form: "early",
        about: "answers before it reads the request body",
        read: |fault, value| flag(&mut fault.instead, Instead::Early, value),
    },
    Word {
        name: "echo",
        form: "echo",
        about: "the request headers as data, Authorization also as X-Echo-Authorization",
        read: |fault, value| flag(&mut fault.instead, Instead::Echo, value),
    },
    Word {
        name: "bad-json",
        form: "bad-json",
        about: "an answer that stops in the middle of its JSON",
        read: |fault, value| flag(&mut fault.damage, Damage::BadJson, value),
    },
    Word {
        name: "empty",
        form: "empty",
        about: "an answer without a body",
        read: |fault, value| flag(&mut fault.damage, Damage::Empty, value),
    },
    Word {
        name: "truncate",
        form: "truncate=N",
        about: "announces the full length, sends N bytes and closes",
        read: |fault, value| put(&mut fault.damage, value?.parse().ok().map(Damage::Truncate)),
    },
    Word {
        name: "reset-after",
        form: "reset-after=N",
        about: "sends N bytes of the body and resets the connection",
        read: |fault, value| {
            put(
                &mut fault.damage,
                value?.parse().ok().map(Damage::ResetAfter),
            )
        },
    },
    Word {
        name: "slow-body",
        form: "slow-body=10b/s (b/s, kb/s or mb/s)",
        about: "sends the body at this rate",
        read: |fault, value| put(&mut fault.reply_rate, rate(value?)),
    },
    Word {
        name: "slow-read",
        form: "slow-read=10b/s (b/s, kb/s or mb/s)",
        about: "reads the request body at this rate",
        read: |fault, value| put(&mut fault.read_rate, rate(value?)),
    },
    Word {
        name: "close",
        form: "close",
        about: "closes the connection after the reply, and says so",
        read: |fault, value| {
            fault.close = true;
            value.is_none().then_some(())
        },
    },
    Word {
        name: "spoil",
        form: "spoil=plain (plain, json, length, encoding, first or last)",
        about: "spoils a sealed answer, or leaves it plain",
        read: |fault, value| put(&mut fault.spoil, spoil(value?)),
    },
    Word {
        name: "token",
        form: "token=LITERAL (may be empty)",
        about: "a login hands out this token",
        read: |fault, value| put(&mut fault.token, Some(value?.to_owned())),
    },
    Word {
        name: "token-crlf",
        form: "token-crlf",
        about: "a login hands out a token with a line break in it",
        read: |fault, value| flag(&mut fault.token, TOKEN_CRLF.to_owned(), value),
    },
];

/// The faults set for all requests, in the order in which they were set.
pub(super) struct Faults {
    rules: Vec<Fault>,
}

impl Faults {
    /// No faults.
    pub(super) fn new() -> Self {
        Faults { rules: Vec::new() }
    }

    /// Adds a fault; the oldest gives way when there are too many.
    pub(super) fn set(&mut self, fault: Fault) {
        if self.rules.len() >= RULES_MAX {
            self.rules.remove(0);
        }
        self.rules.push(fault);
    }

    /// Takes every fault back.
    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The first fault that holds for `path`, counted as met.
    pub(super) fn meet(&mut self, path: &str) -> Option<Fault> {
        self.rules.retain(|rule| rule.times != Some(0));
        let rule = self.rules.iter_mut().find(|rule| {
            rule.path
                .as_deref()
                .is_none_or(|prefix| path.starts_with(prefix))
        })?;
        rule.times = rule.times.map(|times| times.saturating_sub(1));
        Some(rule.clone())
    }
}

fn spoil(value: &str) -> Option<Spoil> {
    let found = SPOILS.iter().find(|(word, _)| *word == value);
    found.map(|(_, spoil)| *spoil)
}

fn put<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    *slot = Some(value?);
    Some(())
}

fn flag<T>(slot: &mut Option<T>, meaning: T, value: Option<&str>) -> Option<()> {
    *slot = Some(meaning);
    value.is_none().then_some(())
}

fn header(fault: &mut Fault, text: &str) -> Option<()> {
    let (name, value) = text.split_once(':')?;
    fault
        .headers
        .push((name.trim().parse().ok()?, value.trim().parse().ok()?));
    Some(())
}

fn duration(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return Some(Duration::from_millis(number.parse().ok()?));
    }
    Some(Duration::from_secs(text.strip_suffix('s')?.parse().ok()?))
}

fn rate(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let amount = text.strip_suffix("b/s")?;
    let (number, unit) = match (amount.strip_suffix('k'), amount.strip_suffix('m')) {
        (Some(number), _) => (number, 1024),
        (_, Some(number)) => (number, 1024 * 1024),
        _ => (amount, 1),
    };
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(unit)
        .filter(|rate| *rate > 0)
}

const TOKEN_CRLF: &str = "sandbox\r\nX-Injected: 1";
const RULES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_from_its_words() {
        let fault: Fault = "status=503; code=7;delay=200ms; retry-after=2; slow-body=2kb/s; close"
            .parse()
            .unwrap();
        assert_eq!(fault.status, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(fault.code, Some(7));
        assert_eq!(fault.delay, Some(Duration::from_millis(200)));
        assert_eq!(fault.headers[0].1, "2");
        assert_eq!(fault.reply_rate, Some(2048));
        assert!(fault.close);
    }

    #[test]
    fn every_word_reads_its_own_form() {
        for word in WORDS {
            let form = word.form.split(" (").next().unwrap();
            let form = form.replace("=N", "=5");
            let fault: Fault = form
                .parse()
                .unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_ne!(fault, Fault::none(), "{form} does nothing");
        }
    }

    #[test]
    fn a_typo_or_a_bad_value_is_refused() {
        fn check(text: &str, message: &str) {
            assert_eq!(
                text.parse::<Fault>().unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
        check("statsu=503", "no fault is called \"statsu\"");
        check("status=1", "the fault status is written status=503");
        check("status", "the fault status is written status=503");
        check("hang=1", "the fault hang is written hang");
        check(
            "delay=5",
            "the fault delay is written delay=200ms (ms or s)",
        );
        check(
            "header=novalue",
            "the fault header is written header=Name:value",
        );
        check(
            "slow-body=0b/s",
            "the fault slow-body is written slow-body=10b/s (b/s, kb/s or mb/s)",
        );
        check("truncate=-1", "the fault truncate is written truncate=N");
    }

    #[test]
    fn an_empty_token_is_a_token() {
        assert_eq!(
            "token=".parse::<Fault>().unwrap().token.as_deref(),
            Some("")
        );
    }

    #[test]
    fn a_fault_is_met_by_its_prefix_and_as_often_as_asked() {
        let mut faults = Faults::new();
        faults.set("hang".parse::<Fault>().unwrap().at("/a").times(2));
        assert!(faults.meet("/b").is_none());
        assert!(faults.meet("/a/1").is_some());
        assert!(faults.meet("/a/2").is_some());
        assert!(faults.meet("/a/3").is_none());
    }
}
