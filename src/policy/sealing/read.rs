//! Reading a sealing, and what it must have to mean something.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::{Expected, Place, Plain, Sealing, SealingChoice, Spot};
use crate::crypto::{AesCbc, CbcOptions, ENCODINGS, Encoding, IvPlace, MacPlace, SCHEMES, Scheme};
use crate::mapping::MemberQuery;
use crate::policy::{Named, choice};
use crate::yaml::{Entries, Fault, Faults, Fields, Name, Node, Read as _, Value};

/// Reads what stands under `sealing:`: a name, `none`, or nothing.
pub(crate) fn read_choice(
    fields: &mut Fields<'_>,
    sealings: &Named<SealingChoice>,
) -> SealingChoice {
    match fields.node("sealing") {
        None => SealingChoice::Inherited,
        Some(node) if node.text() == Some("none") => SealingChoice::Plain,
        Some(node) => sealings
            .resolve(node, fields.faults())
            .map(|choice| SealingChoice::clone(choice))
            .unwrap_or_default(),
    }
}

/// Reads one sealing. One of the scheme `none` is the choice to seal nothing.
pub(in crate::policy) fn read(name: &str, node: &Node, faults: &Faults) -> Option<SealingChoice> {
    let mut fields = Fields::open(node, faults)?;
    let _note: Option<String> = fields.optional("note");
    let provenance = fields.required("source");
    let cipher = read_cipher(&mut fields)?;
    if cipher.scheme == Scheme::None {
        fields.finish();
        return Some(SealingChoice::Plain);
    }
    let keys = fields.required::<Name>("keys");
    let announce = fields.or("announce", Entries(Vec::new())).0;
    let digest = spot(&mut fields, "digest");
    let key_id = spot(&mut fields, "key_id");
    let sealed_type = fields.or("sealed_type", default_type(&cipher));
    let plain_type = fields.or("plain_type", JSON);
    let request = match fields.node("request") {
        None => Some((false, None)),
        Some(node) => read_request(node, faults),
    };
    let reply = match fields.node("reply") {
        None => Some(None),
        Some(node) => read_expected(node, faults, true).map(Some),
    };
    let callback = match fields.node("callback") {
        None => Some(None),
        Some(node) => read_expected(node, faults, false).map(Some),
    };
    fields.finish();
    let (query, request) = request?;
    let sealing = Sealing {
        name: name.to_owned(),
        scheme: cipher.scheme,
        keys: keys?.0,
        is_tagged: cipher.is_tagged,
        announce,
        digest,
        iv: cipher.iv,
        mac: cipher.mac,
        key_id,
        sealed_type,
        plain_type,
        query,
        request,
        reply: reply?,
        callback: callback?,
        provenance: provenance?,
    };
    check(&sealing, node, faults);
    Some(SealingChoice::By(Arc::new(sealing)))
}

/// The scheme with what belongs to it.
struct Cipher {
    scheme: Scheme,
    is_tagged: bool,
    iv: Option<Spot>,
    mac: Option<Spot>,
}

fn read_cipher(fields: &mut Fields<'_>) -> Option<Cipher> {
    let faults = fields.faults();
    let node = fields.required_node("scheme", "aes-cbc")?;
    let of_cbc = ["encoding", "iv", "mac"].map(|key| fields.node(key));
    let [encoding, iv, mac] = of_cbc;
    let encoding = match encoding {
        Some(node) => choice(node, faults, &ENCODINGS)?,
        None => Encoding::Base64,
    };
    let (iv, iv_spot) = match iv {
        Some(node) => read_iv(node, faults)?,
        None => (IvPlace::Prefix, None),
    };
    let (mac, mac_spot) = match mac {
        Some(node) => read_mac(node, faults)?,
        None => (None, None),
    };
    let options = CbcOptions { iv, encoding, mac };
    let schemes = SCHEMES.map(|described| (described.name, (described.make)(options)));
    let scheme = choice(node, faults, &schemes)?;
    if let Some(node) = of_cbc.into_iter().flatten().next()
        && !matches!(scheme, Scheme::AesCbc(_))
    {
        faults.push(
            Fault::at(
                node,
                "only the scheme `aes-cbc` has an encoding, an IV and a MAC to choose",
            )
            .help("remove it: the other schemes say these themselves"),
        );
    }
    Some(Cipher {
        scheme,
        is_tagged: mac.is_some(),
        iv: iv_spot,
        mac: mac_spot,
    })
}

/// `prefix`, `{ header: … }`, `{ field: … }` or `{ fixed: HEX, legacy: true }`.
fn read_iv(node: &Node, faults: &Faults) -> Option<(IvPlace, Option<Spot>)> {
    if node.text() == Some("prefix") {
        return Some((IvPlace::Prefix, None));
    }
    let Some(fixed) = node.child("fixed") else {
        return read_spot(node, faults).map(|spot| (IvPlace::Beside, Some(spot)));
    };
    let mut fields = Fields::open(node, faults)?;
    let legacy = fields.or("legacy", false);
    let hex: Option<String> = fields.required("fixed");
    fields.finish();
    faults.push(if legacy {
        Fault::at(fixed, "with a fixed IV equal texts look equal on the wire")
            .help("write `iv: prefix` as soon as the other side can take it")
            .warning()
    } else {
        Fault::at(fixed, "a fixed IV is for partners that know no better")
            .help("write `iv: prefix`, or add `legacy: true` if it must be fixed")
    });
    let bytes = Encoding::Hex.decode(hex?.as_bytes()).ok();
    let iv = bytes.and_then(|bytes| bytes.try_into().ok());
    if iv.is_none() {
        faults.push(Fault::at(fixed, "an IV of AES is 16 bytes").help("write 32 hex digits"));
    }
    iv.map(|iv| (IvPlace::Fixed(iv), None))
}

/// `appended`, `{ header: … }` or `{ field: … }`.
fn read_mac(node: &Node, faults: &Faults) -> Option<(Option<MacPlace>, Option<Spot>)> {
    if node.text() == Some("appended") {
        return Some((Some(MacPlace::Appended), None));
    }
    read_spot(node, faults).map(|spot| (Some(MacPlace::Beside), Some(spot)))
}

fn spot(fields: &mut Fields<'_>, key: &'static str) -> Option<Spot> {
    let faults = fields.faults();
    fields.node(key).and_then(|node| read_spot(node, faults))
}

fn read_spot(node: &Node, faults: &Faults) -> Option<Spot> {
    let one = || {
        Fault::at(node, "this names no place beside the sealed text")
            .help("write `{ header: x-name }` or `{ field: name }`")
    };
    if !matches!(node.value, Value::Map(_)) {
        faults.push(one());
        return None;
    }
    let mut fields = Fields::open(node, faults)?;
    let header = fields.optional::<HeaderName>("header");
    let field = fields.optional::<String>("field");
    let is_one = header.is_some() != field.is_some();
    fields.finish();
    if !is_one {
        faults.push(one());
        return None;
    }
    header.map(Spot::Header).or(field.map(Spot::Field))
}

fn read_request(node: &Node, faults: &Faults) -> Option<(bool, Option<Place>)> {
    let mut fields = Fields::open(node, faults)?;
    let query = match fields.node("query") {
        Some(node) => choice(node, faults, &[("whole", true), ("plain", false)]),
        None => Some(false),
    };
    let body = match fields.node("body") {
        Some(node) => read_place(node, faults).map(Some),
        None => Some(None),
    };
    fields.finish();
    query.zip(body)
}

fn read_expected(node: &Node, faults: &Faults, has_status: bool) -> Option<Expected> {
    let mut fields = Fields::open(node, faults)?;
    let choices = [
        ("refused", Plain::Refused),
        ("allowed", Plain::Allowed),
        ("errors", Plain::Errors),
    ];
    // A callback has no status that could tell an error.
    let choices = if has_status {
        &choices[..]
    } else {
        choices.split_at(2).0
    };
    let plain = match fields.node("plain") {
        Some(node) => choice(node, faults, choices),
        None => Some(Plain::Refused),
    };
    let place = fields
        .required_node("body", "whole")
        .and_then(|node| read_place(node, faults));
    fields.finish();
    Some(Expected {
        place: place?,
        plain: plain?,
    })
}

/// `whole`, `{ wrap: NAME }` or `{ fields: [QUERY] }`.
fn read_place(node: &Node, faults: &Faults) -> Option<Place> {
    if node.text() == Some("whole") {
        return Some(Place::Whole);
    }
    let no_place = |message: &str| {
        faults.push(
            Fault::at(node, message)
                .help("write `whole`, `{ wrap: data }` or `{ fields: [$.a.b, $.c[*].d] }`"),
        );
        None
    };
    if !matches!(node.value, Value::Map(_)) {
        return no_place("this is no place in a body");
    }
    let mut fields = Fields::open(node, faults)?;
    let wrap = fields.node("wrap");
    let chosen = fields.node("fields");
    fields.finish();
    match (wrap, chosen) {
        (Some(wrap), None) => String::read(wrap, faults).map(Place::Wrapped),
        (None, Some(chosen)) => read_queries(chosen, faults).map(Place::Fields),
        (None, None) => no_place("this is no place in a body"),
        (Some(_), Some(_)) => no_place("these are two ways to seal one body"),
    }
}

fn read_queries(node: &Node, faults: &Faults) -> Option<Vec<MemberQuery>> {
    let queries = Vec::<MemberQuery>::read(node, faults)?;
    for (at, query) in queries.iter().enumerate() {
        let before = queries.iter().take(at).find(|other| other.overlaps(query));
        if let Some(before) = before {
            let message = format!(
                "`{}` and `{}` both seal the same place",
                before.as_str(),
                query.as_str()
            );
            faults.push(Fault::at(node, message).help("keep one of the two"));
        }
    }
    if queries.is_empty() {
        faults.push(Fault::at(node, "no field is sealed").help("name one: `[$.id_card]`"));
    }
    Some(queries)
}

/// What a sealing must have to mean something, and to be opened again.
fn check(sealing: &Sealing, node: &Node, faults: &Faults) {
    let tell = |key: &str, message: &str, help: &str| {
        let at = node.child(key).unwrap_or(node);
        faults.push(Fault::at(at, message).help(help));
    };
    let parts = || {
        let expected = sealing.reply.iter().chain(&sealing.callback);
        sealing
            .request
            .iter()
            .chain(expected.map(|expected| &expected.place))
    };
    if !sealing.query && parts().next().is_none() {
        tell(
            "",
            "this sealing seals nothing",
            "add `request`, `reply` or `callback`, or write `scheme: none`",
        );
    }
    if sealing.scheme == Scheme::Airudder && sealing.digest.is_none() {
        tell(
            "scheme",
            "the scheme `airudder` needs a place for its digest",
            "add `digest: { header: signed }`",
        );
    }
    if sealing.scheme != Scheme::Airudder && sealing.digest.is_some() {
        tell(
            "digest",
            "this scheme has no digest",
            "remove it, or use `mac`",
        );
    }
    check_spots(sealing, parts, &tell);
    let is_raw = matches!(
        sealing.scheme,
        Scheme::AesCbc(AesCbc(CbcOptions {
            encoding: Encoding::Raw,
            ..
        }))
    );
    if is_raw && (sealing.query || parts().any(|place| *place != Place::Whole)) {
        tell(
            "encoding",
            "raw bytes cannot stand in a query or in JSON",
            "write `encoding: base64`, or seal bodies `whole` and no query",
        );
    }
    for (key, expected) in [("reply", &sealing.reply), ("callback", &sealing.callback)] {
        let tells = |expected: &Expected| {
            expected.plain != Plain::Allowed
                || !sealing.announce.is_empty()
                || matches!(expected.place, Place::Wrapped(_))
        };
        if expected.as_ref().is_some_and(|expected| !tells(expected)) {
            tell(
                key,
                "nothing tells a plain message from a sealed one here",
                "add `announce: { header: value }`, or write `plain: refused` or `plain: errors`",
            );
        }
    }
}

/// What travels beside a sealed text must have one place of its own in every part.
fn check_spots<'s, I: Iterator<Item = &'s Place>>(
    sealing: &Sealing,
    parts: impl Fn() -> I,
    tell: &impl Fn(&str, &str, &str),
) {
    let spots = [
        ("digest", &sealing.digest),
        ("iv", &sealing.iv),
        ("mac", &sealing.mac),
        ("key_id", &sealing.key_id),
    ];
    let named = || {
        spots
            .iter()
            .filter_map(|(key, spot)| Some((*key, spot.as_ref()?)))
    };
    for (at, (key, spot)) in named().enumerate() {
        let is_announced =
            |name: &HeaderName| sealing.announce.iter().any(|(other, _)| other == name);
        let is_taken = matches!(spot, Spot::Header(name) if is_announced(name))
            || named().take(at).any(|(_, other)| other == spot);
        if is_taken {
            tell(
                key,
                "two values travel in one place",
                "give each a place of its own",
            );
        }
    }
    let in_field = named().find(|(_, spot)| matches!(spot, Spot::Field(_)));
    let is_wrap = |place: &&Place| matches!(place, Place::Wrapped(_));
    if let Some((key, _)) = in_field
        && (sealing.query || !parts().all(|place| is_wrap(&place)))
    {
        tell(
            key,
            "it travels in a field, and a query or a body that is not wrapped has none",
            "write `{ wrap: NAME }` for each body and no query, or `{ header: NAME }` here",
        );
    } else if let Some((key, _)) = named().next()
        && parts().any(|place| matches!(place, Place::Fields(_)))
    {
        tell(
            key,
            "single fields have no place for anything beside their text",
            "use `scheme: aes-cbc` with `iv: prefix` and `mac: appended`, and no `key_id`",
        );
    }
    let wraps = parts().filter_map(|place| match place {
        Place::Wrapped(name) => Some(Spot::Field(name.clone())),
        Place::Whole | Place::Fields(_) => None,
    });
    let taken = wraps.filter_map(|wrap| named().find(|(_, spot)| **spot == wrap));
    if let Some((key, _)) = taken.into_iter().next() {
        tell(
            key,
            "two values travel in one field",
            "give each a field of its own",
        );
    }
}

/// The content type of a body that is sealed whole, where the policy does not say.
fn default_type(cipher: &Cipher) -> HeaderValue {
    match cipher.scheme {
        Scheme::AesCbc(AesCbc(CbcOptions {
            encoding: Encoding::Raw,
            ..
        })) => HeaderValue::from_static("application/octet-stream"),
        _ => HeaderValue::from_static("text/plain; charset=utf-8"),
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
