//! `pintle seal` and `pintle open`: what the gateway does to a payload, by hand.

use std::fs::File;
use std::io::{Read as _, stdin};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, json};

use super::{ConfigArgument, check, print};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::crypto::{Keyring, OpenFailure};
use crate::policy::{Direction, Sealer, Sealing, SealingChoice};

#[derive(Debug, clap::Args)]
pub(super) struct SealArguments {
    /// The sealing of `policies/`, such as `airudder`
    #[arg(value_name = "POLICY")]
    policy: String,
    /// What is sealed or opened [default: standard input]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgument,
    /// The account whose keys are used [default: the default account]
    #[arg(long, value_name = "NAME", conflicts_with = "key")]
    account: Option<String>,
    /// A key instead of an account's: `env:NAME` or `file:/path`
    #[arg(long, value_name = "REFERENCE")]
    key: Option<String>,
    /// The MAC key beside `--key`
    #[arg(long, value_name = "REFERENCE", requires = "key")]
    mac: Option<String>,
    /// How `--key` and `--mac` are written
    #[arg(long, value_name = "WORD", default_value = "text", value_parser = ["text", "hex", "base64"])]
    encoding: String,
    /// Which part of the policy: what a message of this kind looks like
    #[arg(long = "as", value_name = "KIND", default_value = "request")]
    kind: Kind,
    /// The payload is a query string
    #[arg(long)]
    query: bool,
    /// One JSON document instead of headers, an empty line and the body
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct OpenArguments {
    #[command(flatten)]
    of_both: SealArguments,
    /// A header that came with the payload: `Signed: 6956…`; may be repeated
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    headers: Vec<String>,
    /// The payload begins with its headers, as `pintle seal` and `curl -i` print them
    #[arg(long, short)]
    include: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Request,
    Reply,
    Callback,
}

/// A payload with its headers.
struct Message {
    headers: HeaderMap,
    body: Vec<u8>,
}

pub(super) fn seal(arguments: &SealArguments) -> ExitCode {
    ended(try_seal(arguments))
}

pub(super) fn open(arguments: &OpenArguments) -> ExitCode {
    ended(try_open(arguments))
}

/// Why nothing was done.
pub(super) enum Told {
    /// It was told already.
    Already,
    /// What to tell.
    Now(String),
}

fn ended(outcome: Result<(), Told>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(told) => {
            told.tell();
            ExitCode::FAILURE
        }
    }
}

fn try_seal(arguments: &SealArguments) -> Result<(), Told> {
    let tools = Tools::find(arguments)?;
    let plain = read(arguments.file.as_ref())?;
    let mut headers = HeaderMap::new();
    let (sealer, now) = (tools.sealer(), Clock::system().now());
    let body = if arguments.query {
        let query = String::from_utf8(plain).map_err(|_| told("a query string is text"))?;
        sealer
            .seal_query(&mut headers, query.trim_end_matches(['\r', '\n']), now)
            .map(String::into_bytes)
    } else {
        sealer
            .seal(arguments.kind.direction(), &mut headers, &plain, now)
            .map(|sealed| sealed.map_or(plain, |sealed| sealed.to_vec()))
    };
    let body = body.map_err(|failure| told(&format!("not sealed: {failure}")))?;
    show(&Message { headers, body }, arguments.json);
    Ok(())
}

fn try_open(arguments: &OpenArguments) -> Result<(), Told> {
    let both = &arguments.of_both;
    let tools = Tools::find(both)?;
    let mut message = Message {
        headers: HeaderMap::new(),
        body: read(both.file.as_ref())?,
    };
    if arguments.include {
        message = message.split()?;
    }
    for line in &arguments.headers {
        let (name, value) = header(line)?;
        message.headers.insert(name, value);
    }
    let (sealer, now) = (tools.sealer(), Clock::system().now());
    let body = message.trimmed();
    let opened = if both.query {
        let query = std::str::from_utf8(body).map_err(|_| told("a query string is text"))?;
        sealer
            .open_query(&message.headers, query.trim_start_matches('?'), now)
            .map(String::into_bytes)
    } else {
        let body = body.to_vec();
        sealer
            .open(both.kind.direction(), &mut message.headers, &body, now)
            .map(|plain| plain.map_or(body, |plain| plain.to_vec()))
    };
    message.body = opened.map_err(|failure| {
        told(&format!(
            "not opened: {failure}\n  {}",
            advice(failure, sealer.sealing)
        ))
    })?;
    show(&message, both.json);
    Ok(())
}

impl Told {
    /// Tells it, if it was not.
    pub(super) fn tell(&self) {
        if let Self::Now(text) = self {
            print::error(text);
        }
    }
}

/// The policy and the keys that were asked for.
struct Tools {
    sealing: Arc<Sealing>,
    keys: Arc<Keyring>,
}

impl Tools {
    fn find(arguments: &SealArguments) -> Result<Self, Told> {
        let config = check::load(&arguments.config).map_err(|_| Told::Already)?;
        let sealing = sealing(&config, &arguments.policy)?;
        let keys = match &arguments.key {
            None => of_account(&config, arguments.account.as_deref(), &sealing)?,
            Some(key) => of_references(key, arguments.mac.as_deref(), &arguments.encoding)?,
        };
        Ok(Self { sealing, keys })
    }

    fn sealer(&self) -> Sealer<'_> {
        Sealer {
            sealing: &self.sealing,
            keys: &self.keys,
        }
    }
}

/// The sealing of a name.
pub(super) fn sealing(config: &Config, name: &str) -> Result<Arc<Sealing>, Told> {
    let sealings = &config.policies.sealings;
    match sealings.get(name).map(Arc::as_ref) {
        Some(SealingChoice::By(sealing)) => Ok(Arc::clone(sealing)),
        Some(_) => Err(told(&format!("the sealing `{name}` seals nothing"))),
        None => {
            let known: Vec<&str> = sealings.names().collect();
            Err(told(&format!(
                "there is no sealing `{name}`\n  known here: {}",
                known.join(", ")
            )))
        }
    }
}

/// A keyring of the key that the arguments refer to.
pub(super) fn of_references(
    key: &str,
    mac: Option<&str>,
    encoding: &str,
) -> Result<Arc<Keyring>, Told> {
    match config::keyring(key, mac, encoding) {
        Ok(keyring) => Ok(Arc::new(keyring)),
        Err(faults) => {
            print::faults(&faults, print::colour_on_stderr());
            Err(Told::Already)
        }
    }
}

fn of_account(
    config: &Config,
    account: Option<&str>,
    sealing: &Sealing,
) -> Result<Arc<Keyring>, Told> {
    let name = account.unwrap_or(&config.default_account);
    let mut accounts = config.accounts.iter();
    let account = accounts
        .find(|account| account.name == name)
        .ok_or_else(|| told(&format!("there is no account `{name}`")))?;
    let keys = account.keys.get(&sealing.keys).ok_or_else(|| {
        told(&format!(
            "the account `{name}` has no keyring `{0}`, which the sealing `{1}` uses\n  \
             add it to the settings (`keys: {{ {0}: [{{ id: \"1\", key: env:NAME }}] }}`), or give \
             a key with --key env:NAME",
            sealing.keys, sealing.name
        ))
    })?;
    Ok(Arc::clone(keys))
}

impl Kind {
    fn direction(self) -> Direction {
        match self {
            Self::Request => Direction::Request,
            Self::Reply => Direction::Reply,
            Self::Callback => Direction::Callback,
        }
    }
}

impl Message {
    /// Takes the headers off that stand before the body.
    fn split(self) -> Result<Self, Told> {
        let mut headers = HeaderMap::new();
        let mut rest = self.body.as_slice();
        loop {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                return Err(told(
                    "no empty line ends the headers: leave --include out, or add it",
                ));
            };
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                break;
            }
            // The first line of a message is no header.
            if !line.starts_with("HTTP/") && !line.ends_with(" HTTP/1.1") {
                let (name, value) = header(line)?;
                headers.insert(name, value);
            }
        }
        Ok(Self {
            headers,
            body: rest.to_vec(),
        })
    }

    /// The body less the line break that editors and shells put behind it; a body of known length
    /// is taken at that.
    fn trimmed(&self) -> &[u8] {
        let body = self.body.as_slice();
        let len = self.headers.get(http::header::CONTENT_LENGTH);
        let len = len.and_then(|len| len.to_str().ok()?.parse::<usize>().ok());
        if let Some(len) = len {
            return body.get(..len).unwrap_or(body);
        }
        let body = body.strip_suffix(b"\n").unwrap_or(body);
        body.strip_suffix(b"\r").unwrap_or(body)
    }
}

fn header(line: &str) -> Result<(HeaderName, HeaderValue), Told> {
    let no_header = || told(&format!("`{line}` is no header: write `name: value`"));
    let (name, value) = line.split_once(':').ok_or_else(no_header)?;
    let name = name.trim().parse().map_err(|_| no_header())?;
    let value = value.trim().parse().map_err(|_| no_header())?;
    Ok((name, value))
}

/// What to look at when a text cannot be opened.
fn advice(failure: OpenFailure, sealing: &Sealing) -> String {
    match failure {
        OpenFailure::Encoding | OpenFailure::Length => {
            "is the payload whole, and in the encoding of the policy?".to_owned()
        }
        OpenFailure::Digest | OpenFailure::Mac | OpenFailure::Iv => {
            let names: Vec<&str> = sealing.headers().map(HeaderName::as_str).collect();
            format!(
                "is the key the right one, and is every header here ({})? Give them with -H or --include",
                names.join(", ")
            )
        }
        OpenFailure::Padding => "is the key the right one?".to_owned(),
        OpenFailure::Json => format!(
            "what was sealed is no JSON, as `plain_type` of the policy `{}` says it is; \
             or the key is another one",
            sealing.name
        ),
        OpenFailure::Plain => "there is no sealed text where the policy says it is".to_owned(),
        OpenFailure::NoKey => {
            "no key of that id is valid now: look at `from` and `until`".to_owned()
        }
    }
}

fn told(text: &str) -> Told {
    Told::Now(text.to_owned())
}

fn read(file: Option<&PathBuf>) -> Result<Vec<u8>, Told> {
    let mut bytes = Vec::new();
    let read = match file {
        None => stdin().take(PAYLOAD_MAX + 1).read_to_end(&mut bytes),
        Some(path) => {
            File::open(path).and_then(|file| file.take(PAYLOAD_MAX + 1).read_to_end(&mut bytes))
        }
    };
    let name = file.map_or_else(
        || "standard input".into(),
        |path| path.display().to_string(),
    );
    match read {
        Err(error) => Err(told(&format!("cannot read {name}: {error}"))),
        Ok(_) if u64::try_from(bytes.len()).is_ok_and(|len| len > PAYLOAD_MAX) => {
            Err(told(&format!(
                "{name} is larger than {PAYLOAD_MAX} bytes: that is more than a message holds"
            )))
        }
        Ok(_) => Ok(bytes),
    }
}

fn show(message: &Message, is_json: bool) {
    let headers = message.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    if is_json {
        let headers: Map<_, _> = headers.map(|(name, value)| (name, value.into())).collect();
        let body = String::from_utf8_lossy(&message.body);
        print::line(&format!(
            "{:#}",
            json!({ "headers": headers, "body": body })
        ));
        return;
    }
    for (name, value) in headers {
        print::line(&format!("{name}: {value}"));
    }
    print::line("");
    print::body(&message.body);
}

const PAYLOAD_MAX: u64 = 64 << 20;
