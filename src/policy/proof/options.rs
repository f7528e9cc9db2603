//! Reading how a sender signs, and what it must have to mean something.

use crate::crypto::{
    PLACEHOLDERS, Parse, SIGNATURE_ENCODINGS, SignatureOptions, TIMESTAMP_UNITS, Template,
    TemplateFault, Timestamp, TimestampPlace,
};
use crate::policy::choice;
use crate::yaml::{Fault, Faults, Fields, Node, Read as _, meant};

/// The keys that `hmac` and `ed25519` share.
pub(super) fn read_options(fields: &mut Fields<'_>) -> Option<SignatureOptions> {
    let faults = fields.faults();
    let nodes = ["sign", "prefix", "body_digest", "either_port", "timestamp"]
        .map(|key| (key, fields.node(key)));
    let at = |key: &str| {
        let found = nodes.iter().find(|(name, _)| *name == key);
        found.and_then(|(_, node)| *node)
    };
    let sign = fields
        .required_node("sign", "\"{raw_body}\"")
        .and_then(|node| read_template(node, faults));
    let header = fields.required("header");
    let encoding = fields
        .required_node("encoding", "hex")
        .and_then(|node| choice(node, faults, &SIGNATURE_ENCODINGS));
    let parse = match fields.node("parse") {
        None => Some(Parse::Whole),
        Some(node) => read_parse(node, faults),
    };
    let prefix = fields.or("prefix", String::new());
    let body_digest = fields.node("body_digest").map(|node| {
        let mut fields = Fields::open(node, faults)?;
        let query = fields.required("query");
        fields.finish();
        query
    });
    let either_port = fields.or("either_port", false);
    let timestamp = at("timestamp").map(|node| read_timestamp(node, faults));
    let options = SignatureOptions {
        sign: sign?,
        header: header?,
        encoding: encoding?,
        prefix,
        parse: parse?,
        timestamp: timestamp.map_or(Some(None), |read| read.map(Some))?,
        body_digest: body_digest.map_or(Some(None), |read| read.map(Some))?,
        either_port,
    };
    check_parse(&options, &at, faults);
    check_signed(&options, &at, faults);
    Some(options)
}

fn read_template(node: &Node, faults: &Faults) -> Option<Template> {
    let text = String::read(node, faults)?;
    let fault = match Template::parse(&text) {
        Ok(template) => return Some(template),
        Err(fault) => fault,
    };
    let known = PLACEHOLDERS.iter().map(|(name, _)| *name);
    let help = match &fault {
        TemplateFault::Unknown(name) => meant(name, known),
        TemplateFault::Brace => "write `{{` or `}}` for a brace that is signed as it is".to_owned(),
        TemplateFault::Header(_) => "write for example `{header:x-timestamp}`".to_owned(),
        TemplateFault::Constant => {
            let known: Vec<&str> = known.collect();
            format!("placeholders: {}", known.join(", "))
        }
    };
    faults.push(Fault::at(node, fault.to_string()).help(help));
    None
}

/// `whole`, `{ pairs: KEY }` or `{ list: VERSION }`.
fn read_parse(node: &Node, faults: &Faults) -> Option<Parse> {
    if node.text() == Some("whole") {
        return Some(Parse::Whole);
    }
    let pairs = node.child("pairs").is_some();
    if pairs == node.child("list").is_some() {
        faults.push(
            Fault::at(node, "this is no way to read a signature's header")
                .help("write `whole`, `{ pairs: v1 }` or `{ list: v1 }`"),
        );
        return None;
    }
    let mut fields = Fields::open(node, faults)?;
    let parse = if pairs {
        fields.required("pairs").map(Parse::Pairs)
    } else {
        fields.required("list").map(Parse::List)
    };
    fields.finish();
    parse
}

fn read_timestamp(node: &Node, faults: &Faults) -> Option<Timestamp> {
    let mut fields = Fields::open(node, faults)?;
    let header = fields.optional("header").map(TimestampPlace::Header);
    let param = fields.optional("param").map(TimestampPlace::Param);
    let unit = fields
        .required_node("unit", "s")
        .and_then(|node| choice(node, faults, &TIMESTAMP_UNITS));
    let tolerance = fields.required("tolerance");
    if node.child("header").is_some() == node.child("param").is_some() {
        faults.push(
            fields
                .fault("a timestamp stands in one place")
                .help("write `header: x-timestamp`, or `param: t` of the signature's header"),
        );
    }
    fields.finish();
    Some(Timestamp {
        place: header.or(param)?,
        unit: unit?,
        tolerance: tolerance?,
    })
}

/// What the header is read as must fit what is read out of it.
fn check_parse<'n>(
    options: &SignatureOptions,
    at: &impl Fn(&str) -> Option<&'n Node>,
    faults: &Faults,
) {
    let tell = |key: &str, message: &str, help: &str| {
        if let Some(node) = at(key) {
            faults.push(Fault::at(node, message).help(help));
        }
    };
    if !options.prefix.is_empty() && options.parse != Parse::Whole {
        tell(
            "prefix",
            "only a header that is read whole has a prefix",
            "remove it, or remove `parse`",
        );
    }
    let of_timestamp = match &options.timestamp {
        Some(Timestamp {
            place: TimestampPlace::Param(name),
            ..
        }) => Some(name.as_str()),
        _ => None,
    };
    let no_list = "the signature's header is not read as a list of keys and values";
    let help = "add `parse: { pairs: v1 }`, with the key of the signature";
    match &options.parse {
        Parse::Pairs(key) => {
            let is_own = |name: &str| name == key;
            if options.sign.params().any(is_own) {
                tell(
                    "sign",
                    "the signature cannot sign itself",
                    "take it out, or name the key of the signature in `parse`",
                );
            }
            if of_timestamp.is_some_and(is_own) {
                tell(
                    "timestamp",
                    "this is the key of the signature",
                    "name the key of the time",
                );
            }
        }
        Parse::Whole | Parse::List(_) => {
            if options.sign.params().next().is_some() {
                tell("sign", no_list, help);
            }
            if of_timestamp.is_some() {
                tell("timestamp", no_list, help);
            }
        }
    }
}

/// What is relied on must be signed.
fn check_signed<'n>(
    options: &SignatureOptions,
    at: &impl Fn(&str) -> Option<&'n Node>,
    faults: &Faults,
) {
    let fault = |key: &str, message: &str, help: &str| {
        at(key).map(|node| Fault::at(node, message).help(help))
    };
    let push = |fault: Option<Fault>| fault.into_iter().for_each(|fault| faults.push(fault));
    let sign = &options.sign;
    if sign.headers().any(|name| *name == options.header) {
        push(fault(
            "sign",
            "the signature cannot sign itself",
            "take the signature's header out",
        ));
    }
    let is_signed = options
        .timestamp
        .as_ref()
        .is_none_or(|timestamp| match &timestamp.place {
            TimestampPlace::Header(name) => sign.headers().any(|other| other == name),
            TimestampPlace::Param(name) => sign.params().any(|other| other == name),
        });
    if !is_signed {
        let help = "put `{header:NAME}` or `{param:NAME}` into `sign`, as the sender does";
        let told = "the timestamp is not signed: an old push can be given a new one";
        push(fault("timestamp", told, help).map(Fault::warning));
    }
    if options.body_digest.is_some() && !sign.has_query() {
        push(fault(
            "body_digest",
            "the digest of the body is not signed",
            "put `{url}` or `{query}` into `sign`, as the sender does",
        ));
    }
    if !sign.has_body() && options.body_digest.is_none() {
        let help = "put `{raw_body}` into `sign`, as the sender does";
        push(fault("sign", "the body is not signed", help).map(Fault::warning));
    }
    if options.either_port && !sign.has_url() {
        push(fault(
            "either_port",
            "no URL is signed",
            "remove it, or put `{url}` into `sign`",
        ));
    }
}
