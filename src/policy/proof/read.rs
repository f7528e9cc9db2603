//! Reading a proof, and what it must have to mean something.

use std::time::Duration;

use super::options::read_options;
use super::value::{Fingerprint, Names, Network, Public};
use super::{HandshakeRule, HmacRule, Proof, Rule};
use crate::crypto::{
    ALGORITHMS, Algorithm, ClientCertificates, Encoding, HANDSHAKES, KeyPlace, VERIFIERS,
};
use crate::mapping::SingularQuery;
use crate::mapping::selector::Step;
use crate::policy::choice;
use crate::yaml::{Fault, Faults, Fields, Node, Read, Value, meant};

/// Reads one proof: `none`, or keys and values of which exactly one is a verifier.
pub(in crate::policy) fn read(name: &str, node: &Node, faults: &Faults) -> Option<Proof> {
    let proof = |rule| Proof {
        name: name.to_owned(),
        rule,
        handshake: None,
        provenance: None,
    };
    if node.text() == Some("none") {
        return Some(proof(Rule::None));
    }
    if !matches!(node.value, Value::Map(_)) {
        faults.push(no_rule(Fault::at(node, "this is no proof")));
        return None;
    }
    let mut fields = Fields::open(node, faults)?;
    let _note: Option<String> = fields.optional("note");
    let provenance = fields.optional("source");
    let handshake = fields
        .node("handshake")
        .map(|node| read_handshake(node, faults));
    let rule = read_rule(&mut fields);
    fields.finish();
    let rule = rule?;
    if rule.shows_only_damage() {
        faults.push(
            Fault::at(node, "a digest shows damage, not who sent")
                .help("put it under `all:` beside something that proves the sender")
                .warning(),
        );
    }
    Some(Proof {
        handshake: handshake.map_or(Some(None), |read| read.map(Some))?,
        provenance,
        ..proof(rule)
    })
}

type ReadRule = fn(&Node, &Faults) -> Option<Rule>;

/// How each verifier is read.
const READERS: [(&str, ReadRule); 13] = [
    ("hmac", read_hmac),
    ("standard_webhooks", read_standard_webhooks),
    ("ed25519", read_ed25519),
    ("api_key", read_api_key),
    ("basic", read_basic),
    ("bearer", |node, faults| {
        Names::read(node, faults).map(|names| Rule::Bearer(names.0))
    }),
    ("client_certificate", read_certificates),
    ("ip", read_networks),
    ("digest", read_digest),
    ("path_secret", |node, faults| {
        Names::read(node, faults).map(|names| Rule::PathSecret(names.0))
    }),
    ("none", |node, faults| {
        faults.push(
            Fault::at(node, "`none` has nothing under it")
                .help("write `none` as the whole proof: `a-name: none`"),
        );
        None
    }),
    ("all", |node, faults| {
        read_parts(node, faults).map(Rule::All)
    }),
    ("any", |node, faults| {
        read_parts(node, faults).map(Rule::Any)
    }),
];

fn no_rule(fault: Fault) -> Fault {
    let names: Vec<&str> = VERIFIERS.iter().map(|verifier| verifier.name).collect();
    fault.help(format!("write one of: {}", names.join(", ")))
}

/// The one verifier of a mapping.
fn read_rule(fields: &mut Fields<'_>) -> Option<Rule> {
    let faults = fields.faults();
    let written = READERS.map(|(name, read)| (name, fields.node(name), read));
    let mut written = written
        .into_iter()
        .filter_map(|(name, node, read)| Some((name, node?, read)));
    let Some((first, node, read)) = written.next() else {
        // A key that is not known is told anyway, and likely was to be the verifier.
        if !fields.has_unknown() {
            faults.push(no_rule(
                fields.fault("this does not say how the sender is proven"),
            ));
        }
        return None;
    };
    for (other, node, _) in written {
        faults.push(
            Fault::at(node, format!("`{first}` stands here already")).help(format!(
                "write `all:` or `any:` with `- {first}: …` and `- {other}: …` under it"
            )),
        );
    }
    read(node, faults)
}

/// The parts of `all` or `any`.
fn read_parts(node: &Node, faults: &Faults) -> Option<Vec<Rule>> {
    let Value::List(items) = &node.value else {
        faults.push(
            Fault::at(node, format!("expected a list, found {}", node.kind()))
                .help("write one `- path_secret: a-name` a line"),
        );
        return None;
    };
    if items.is_empty() {
        faults.push(
            Fault::at(node, "an empty list proves nothing").help("write `none` to let all through"),
        );
        return None;
    }
    let parts: Vec<Option<Rule>> = items.iter().map(|item| read_part(item, faults)).collect();
    parts.into_iter().collect()
}

fn read_part(node: &Node, faults: &Faults) -> Option<Rule> {
    if node.text() == Some("none") {
        faults.push(
            Fault::at(node, "`none` stands beside others")
                .help("remove it, or write `none` as the whole proof"),
        );
        return None;
    }
    let mut fields = Fields::open(node, faults)?;
    let rule = read_rule(&mut fields);
    fields.finish();
    rule
}

fn read_hmac(node: &Node, faults: &Faults) -> Option<Rule> {
    let mut fields = Fields::open(node, faults)?;
    let algorithm = fields
        .required_node("algorithm", "hmac-sha256")
        .and_then(|node| choice(node, faults, &ALGORITHMS));
    let written = match fields.node("key") {
        None => Some(Encoding::Raw),
        Some(node) => choice(node, faults, &KEY_ENCODINGS),
    };
    let options = read_options(&mut fields);
    let secrets = fields.required::<Names>("secrets");
    fields.finish();
    let (algorithm, options) = (algorithm?, options?);
    let sign = node.child("sign").unwrap_or(node);
    match (algorithm, options.sign.has_secret()) {
        (Algorithm::Sha256, false) => faults.push(
            Fault::at(
                sign,
                "without the secret in it anyone can compute this hash",
            )
            .help("add `{secret}`, or write `algorithm: hmac-sha256`"),
        ),
        (Algorithm::HmacSha1 | Algorithm::HmacSha256 | Algorithm::HmacSha512, true) => faults.push(
            Fault::at(
                sign,
                "the secret is the key of an HMAC, not part of its text",
            )
            .help("remove `{secret}`, or write `algorithm: sha256`"),
        ),
        _ => {}
    }
    Some(Rule::Hmac(Box::new(HmacRule {
        options,
        algorithm,
        written: written?,
        secrets: secrets?.0,
    })))
}

fn read_ed25519(node: &Node, faults: &Faults) -> Option<Rule> {
    let mut fields = Fields::open(node, faults)?;
    let options = read_options(&mut fields);
    let keys = fields.required::<Vec<Public>>("public_keys");
    fields.finish();
    let (options, keys) = (options?, keys?);
    if options.sign.has_secret() {
        faults.push(
            Fault::at(
                node.child("sign").unwrap_or(node),
                "there is no secret to sign here",
            )
            .help("remove `{secret}`"),
        );
    }
    not_empty(node, "public_keys", keys.len(), faults);
    Some(Rule::Ed25519 {
        options: Box::new(options),
        keys: keys.into_iter().map(|key| key.0).collect(),
    })
}

fn read_standard_webhooks(node: &Node, faults: &Faults) -> Option<Rule> {
    let mut fields = Fields::open(node, faults)?;
    let secrets = fields.required::<Names>("secrets");
    let tolerance = fields.or("tolerance", WEBHOOK_TOLERANCE);
    fields.finish();
    Some(Rule::StandardWebhooks {
        secrets: secrets?.0,
        tolerance,
    })
}

fn read_api_key(node: &Node, faults: &Faults) -> Option<Rule> {
    let mut fields = Fields::open(node, faults)?;
    let header = fields.optional("header").map(KeyPlace::Header);
    let query = fields.optional("query").map(KeyPlace::Query);
    let body = fields
        .optional("body")
        .map(|query| KeyPlace::Body(pointer(&query)));
    let secrets = fields.required::<Names>("secrets");
    let written = ["header", "query", "body"].map(|key| node.child(key));
    if written.into_iter().flatten().count() != 1 {
        faults.push(
            fields
                .fault("a key stands in one place")
                .help("write one of `header: X-Api-Key`, `query: key` and `body: $.auth.key`"),
        );
    }
    fields.finish();
    Some(Rule::ApiKey {
        place: header.or(query).or(body)?,
        secrets: secrets?.0,
    })
}

/// A query of names and indexes as a JSON pointer (RFC 6901).
fn pointer(query: &SingularQuery) -> String {
    let step = |step: &Step| match step {
        Step::Name(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        Step::Index(index) => format!("/{index}"),
    };
    query.steps().iter().map(step).collect()
}

fn read_basic(node: &Node, faults: &Faults) -> Option<Rule> {
    let mut fields = Fields::open(node, faults)?;
    let user: Option<String> = fields.required("user");
    let secrets = fields.required::<Names>("secrets");
    fields.finish();
    let user = user?;
    if user.contains(':') {
        faults.push(
            Fault::at(
                node.child("user").unwrap_or(node),
                "a user has no colon in it",
            )
            .help("the colon parts user and password: write only the user here"),
        );
    }
    Some(Rule::Basic {
        user,
        secrets: secrets?.0,
    })
}

fn read_certificates(node: &Node, faults: &Faults) -> Option<Rule> {
    let mut fields = Fields::open(node, faults)?;
    let sha256: Option<Vec<Fingerprint>> = fields.optional("sha256");
    let names: Option<Vec<String>> = fields.optional("names");
    let is_faulty = |key: &str, is_read: bool| node.child(key).is_some() && !is_read;
    fields.finish();
    if is_faulty("sha256", sha256.is_some()) || is_faulty("names", names.is_some()) {
        return None;
    }
    let (sha256, names) = (sha256.unwrap_or_default(), names.unwrap_or_default());
    if sha256.is_empty() && names.is_empty() {
        faults.push(
            Fault::at(node, "no certificate is named")
                .help("add `sha256: [FINGERPRINT]` or `names: [partner.example]`"),
        );
        return None;
    }
    Some(Rule::ClientCertificate(ClientCertificates {
        sha256: sha256.into_iter().map(|print| print.0).collect(),
        names,
    }))
}

fn read_networks(node: &Node, faults: &Faults) -> Option<Rule> {
    let networks = Vec::<Network>::read(node, faults)?;
    if networks.is_empty() {
        faults.push(
            Fault::at(node, "no network is named").help("write for example `[203.0.113.0/24]`"),
        );
    }
    Some(Rule::Ip(
        networks.into_iter().map(|network| network.0).collect(),
    ))
}

fn read_digest(node: &Node, faults: &Faults) -> Option<Rule> {
    let mut fields = Fields::open(node, faults)?;
    let header = fields.required("header");
    fields.finish();
    header.map(Rule::Digest)
}

/// `slack`, or `{ hub: NAMES }`.
fn read_handshake(node: &Node, faults: &Faults) -> Option<HandshakeRule> {
    let (name, place, secrets) = match &node.value {
        Value::Map(entries) => match entries.as_slice() {
            [(key, value)] => (key.text()?, key, Some(value)),
            _ => ("", node, None),
        },
        _ => (node.text().unwrap_or_default(), node, None),
    };
    let known = HANDSHAKES.iter().map(|handshake| handshake.name);
    let Some(found) = HANDSHAKES.iter().find(|handshake| handshake.name == name) else {
        let help = meant(name, known);
        faults.push(Fault::at(place, "this is no handshake").help(help));
        return None;
    };
    let secrets = match (found.has_secret, secrets) {
        (true, Some(node)) => Names::read(node, faults)?.0,
        (false, None) => Vec::new(),
        (true, None) => {
            faults.push(
                Fault::at(place, format!("the handshake `{name}` needs a secret"))
                    .help(format!("write `{{ {name}: a-name }}`")),
            );
            return None;
        }
        (false, Some(_)) => {
            faults.push(
                Fault::at(place, format!("the handshake `{name}` has no secret"))
                    .help(format!("write `handshake: {name}`")),
            );
            return None;
        }
    };
    Some(HandshakeRule {
        name: name.to_owned(),
        secrets,
    })
}

fn not_empty(node: &Node, key: &str, count: usize, faults: &Faults) {
    if count == 0 {
        let at = node.child(key).unwrap_or(node);
        faults.push(Fault::at(at, "an empty list proves nothing").help("name one"));
    }
}

/// How secrets are written.
const KEY_ENCODINGS: [(&str, Encoding); 3] = [
    ("text", Encoding::Raw),
    ("hex", Encoding::Hex),
    ("base64", Encoding::Base64),
];

/// What the libraries of Standard Webhooks take.
const WEBHOOK_TOLERANCE: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verifier_is_read() {
        let mut known = VERIFIERS.map(|verifier| verifier.name);
        let mut read = READERS.map(|(name, _)| name);
        known.sort_unstable();
        read.sort_unstable();
        assert_eq!(known, read);
    }
}
