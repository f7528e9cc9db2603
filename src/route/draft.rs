//! The first draft of a route, from one sample of what a partner pushes.
//!
//! What a field means is guessed, and every guess is marked in the text. Absent: reading the
//! sample from somewhere and writing the draft down, which is `crate::cli`'s.

mod ending;
mod guess;
mod outcome;
mod text;

use std::fmt::Write as _;

use serde_json::Value;
use thiserror::Error;

use crate::codec::{self, CODECS, Format, Limits, Undecodable};
use crate::mapping::MemberQuery;
use guess::{Leaf, Looks};
pub use outcome::{Outcome, outcome};
use text::{quoted, scalar};

/// A sample, and what the route is called that is made for it.
#[derive(Debug)]
pub struct Sample {
    /// The name of the route.
    pub name: String,
    /// Where it listens.
    pub path: String,
    /// How the sample is written.
    pub format: Format,
    /// What it says. Of many leads only the first few are kept.
    document: Value,
    /// Where the leads stand, behind `$.body`, if there are several.
    each: Option<String>,
    /// The fields of the sample, or of its first lead.
    leaves: Vec<Leaf>,
    /// What is taken out of every push.
    never: Vec<String>,
}

/// Why no draft can be made.
#[derive(Debug, Error)]
pub enum NoDraft {
    /// There is nothing in it.
    #[error("the sample is empty")]
    Empty,
    /// The sample cannot be read.
    #[error("the sample looks like {0} and cannot be read")]
    Unreadable(&'static str, #[source] Undecodable),
    /// It is neither JSON nor XML nor a form.
    #[error("the sample is neither JSON nor XML nor a form")]
    Unknown,
    /// It has no fields.
    #[error("the sample has no fields")]
    NoFields,
}

impl Sample {
    /// Reads a sample, and guesses how it is written.
    pub fn read(name: &str, path: &str, bytes: &[u8]) -> Result<Self, NoDraft> {
        let (format, mut document) = decode(bytes)?;
        let each = guess::list_of_leads(&document);
        let leads = each
            .as_ref()
            .and_then(|path| guess::at(&mut document, path));
        let leaves = match leads {
            Some(Value::Array(leads)) => {
                leads.truncate(LEADS_MAX);
                leads.first().map(guess::leaves).unwrap_or_default()
            }
            _ => guess::leaves(&document),
        };
        if leaves.is_empty() {
            return Err(NoDraft::NoFields);
        }
        let mut sample = Self {
            name: name.to_owned(),
            path: path.to_owned(),
            format,
            each,
            never: Vec::new(),
            leaves,
            document,
        };
        sample.hide();
        Ok(sample)
    }

    /// Puts a word in the place of what may not be kept.
    fn hide(&mut self) {
        let before = self
            .each
            .as_ref()
            .map_or_else(String::new, |each| format!("{each}[*]"));
        let hidden = self
            .leaves
            .iter()
            .filter(|leaf| leaf.looks == Looks::Hidden);
        for leaf in hidden {
            let query = format!("${before}{}", leaf.path);
            if let Ok(members) = MemberQuery::parse(&query) {
                let mut hide = |value: &mut Value| {
                    *value = HIDDEN.into();
                    Ok::<(), std::convert::Infallible>(())
                };
                let Ok(()) = members.try_change(&mut self.document, &mut hide);
                self.never.push(query);
            }
        }
    }

    /// The text of the route. Without an outcome, its example expects nothing.
    pub fn draft(&self, outcome: Option<&Outcome>) -> String {
        let mut lines = self.head();
        match &self.each {
            None => lines.push_str(&self.one()),
            Some(each) => lines.push_str(&self.several(each)),
        }
        lines.push_str(&self.replies());
        lines.push_str(&self.example(outcome));
        lines
    }

    fn head(&self) -> String {
        let (name, path) = (scalar(&self.name), scalar(&self.path));
        let format = word(self.format);
        let mut lines = format!(
            "# A first draft, made from one sample. Look at every line that says `a guess`, then delete the remarks.\n\
             route: {name}\n\
             about: A lead becomes a contact of a workflow.\n\
             source: assumed                 # `documented` once the partner's page says so, `observed` once you saw it\n\
             listen: {{ path: {path}, body: {format} }}\n\
             \n\
             # Who proves the sender. Ask the partner what it can do, and take the first of these that it can:\n\
             #   a signature over the body    prove: github            a name of policies/proof.yaml, or a rule of your own\n\
             #   a key in a header            prove: {{ api_key: {{ header: X-Api-Key, secrets: [{secret}] }} }}\n\
             #   a token                      prove: {{ bearer: [{secret}] }}\n\
             #   a key in the body            prove: {{ api_key: {{ body: $.key, secrets: [{secret}] }} }}\n\
             #   nothing but a secret URL     prove: {{ path_secret: {secret} }}   and path: {own}/{{secret}}\n\
             # Each name under `secrets` is given a value in pintle.yaml. docs/proof.md has all of them.\n\
             prove: {{ api_key: {{ header: X-Api-Key, secrets: [{secret}] }} }}\n\
             \n\
             # What differs from one installation to the next; pintle.yaml gives it under run.{name}.settings.\n\
             settings:\n  workflow:                     # the id of the workflow that calls; without a default, it must be given\n",
            secret = self.secret(),
            own = self.path,
        );
        if !self.never.is_empty() {
            let never: Vec<String> = self.never.iter().map(|query| scalar(query)).collect();
            let _never = write!(
                lines,
                "\n# Taken out of every push before anything is stored. A guess: secrets, or what may not be kept.\n\
                 # If one of them is the partner's key, prove the sender by it: see `a key in the body` above.\n\
                 never: [{}]\n",
                never.join(", ")
            );
        }
        lines
    }

    /// A push with one lead.
    fn one(&self) -> String {
        let mut lines = String::from("\n");
        lines.push_str(&self.vars("$.body", 0));
        lines.push_str(&self.checks("$.body", 0));
        lines.push_str(&self.once("$.body", 0));
        lines.push_str(
            "\n# What is called. The sender is answered before; add `answer: when_done` to let it wait.\n\
             steps:\n  - call: workflow.add_contacts\n    body:\n      workflow_id: $.settings.workflow\n      details:\n        -\n",
        );
        lines.push_str(&self.contact("$.body", 10));
        lines
    }

    /// A push with several leads.
    fn several(&self, each: &str) -> String {
        let id = self.id().map_or_else(
            || "$.vars.case_id".to_owned(),
            |leaf| scalar(&format!("$.item{}", leaf.path)),
        );
        let mut lines = format!(
            "\n# A guess: the leads stand in a list. A lead that stands there alone, without a list, is taken too.\n\
             items:\n  each: {}\n",
            scalar(&format!("$.body{each}")),
        );
        lines.push_str(&self.vars("$.item", 2));
        lines.push_str(&self.checks("$.item", 2));
        lines.push_str(&self.once("$.item", 2));
        lines.push_str("  row:\n");
        lines.push_str(&self.contact("$.item", 4));
        let _never = write!(
            lines,
            "  # What `$.results` of the reply says of a lead that is taken, and of one that is not.\n  \
             result: {{ id: {id}, status: queued }}\n  \
             refusal: {{ id: {id}, status: refused, reason: $.reason }}\n\
             \n\
             # What is called, for so many leads at a time. The sender is answered before.\n\
             steps:\n  - call: workflow.add_contacts\n    over: $.rows\n    chunk: 500\n    \
             body: {{ workflow_id: $.settings.workflow, details: $.chunk }}\n"
        );
        lines
    }

    fn vars(&self, root: &str, indent: usize) -> String {
        let mut lines = format!("{:indent$}vars:\n", "");
        let phones: Vec<&Leaf> = self.all(Looks::Phone).take(PHONES_MAX).collect();
        let phone = match phones.as_slice() {
            [] => format!(
                "{{ from: {root}.phone, then: [{{ to_e164: US }}] }}   # no field looks like a phone number: name it here"
            ),
            [one] => format!(
                "{{ from: {}, then: [{{ to_e164: US }}] }}   # a guess: {:?} looks like a phone number; `US` where it has no country code",
                selector(root, one),
                one.name,
            ),
            several => {
                let from: Vec<String> = several.iter().map(|leaf| selector(root, leaf)).collect();
                format!(
                    "{{ from: [{}], then: [{{ first_valid_phone: US }}] }}   # a guess: they look like phone numbers; the first good one is taken",
                    from.join(", ")
                )
            }
        };
        let _never = writeln!(lines, "{:indent$}  phone: {phone}", "");
        if let Some(state) = self.all(Looks::State).next() {
            let _never = writeln!(
                lines,
                "{:indent$}  state: {{ from: {}, then: [us_state] }}   # a guess: {:?} looks like a state",
                "",
                selector(root, state),
                state.name,
            );
        }
        let case = match self.id() {
            Some(leaf) => format!(
                "{{ text: {} }}   # a guess: {:?} looks like the id of the lead",
                quoted(&format!("{}-{{{root}{}}}", self.name, leaf.path)),
                leaf.name,
            ),
            None => format!(
                "{{ text: {} }}   # no field looks like an id: name one here if there is one",
                quoted(&format!("{}-{{$.vars.phone}}", self.name)),
            ),
        };
        let _never = writeln!(lines, "{:indent$}  case_id: {case}", "");
        lines
    }

    fn checks(&self, root: &str, indent: usize) -> String {
        let mut lines = format!(
            "{:indent$}# What must hold. The reason stands in the reply as `$.reason`.\n\
             {:indent$}check:\n\
             {:indent$}  - {{ unless: $.vars.phone, reason: invalid phone }}\n",
            "", "", ""
        );
        if self.all(Looks::State).next().is_some() {
            let _never = writeln!(
                lines,
                "{:indent$}  # - {{ unless: {{ in: [$.vars.state, [CA, TX]] }}, reason: state not served }}",
                ""
            );
        }
        if let Some(consent) = self.all(Looks::Consent).next() {
            let text = selector(root, consent);
            let _never = write!(
                lines,
                "{:indent$}  - {{ unless: {text}, reason: no consent }}   # a guess: {:?} looks like the text of the consent\n\
                 {:indent$}# The record of consent, kept apart from the push.\n\
                 {:indent$}consent:\n\
                 {:indent$}  case_id: $.vars.case_id\n\
                 {:indent$}  phone: $.vars.phone\n\
                 {:indent$}  text: {text}\n",
                "", consent.name, "", "", "", "", ""
            );
            let others = [
                ("ip", Looks::Ip),
                ("url", Looks::Url),
                ("cert_url", Looks::Certificate),
            ];
            for (name, looks) in others {
                if let Some(leaf) = self.all(looks).next() {
                    let _never = writeln!(
                        lines,
                        "{:indent$}  {name}: {}   # a guess: {:?} looks like {}",
                        "",
                        selector(root, leaf),
                        leaf.name,
                        looks.words(),
                    );
                }
            }
        }
        lines
    }

    fn once(&self, root: &str, indent: usize) -> String {
        let key = self
            .id()
            .map_or_else(|| "$.vars.phone".to_owned(), |id| selector(root, id));
        format!(
            "{:indent$}# When a lead is a repeat: the same key within that time. Ask the partner what it sends again.\n\
             {:indent$}once: {{ key: [{key}], for: 30d }}   # a guess\n",
            "", ""
        )
    }

    /// The fields of a contact.
    fn contact(&self, root: &str, indent: usize) -> String {
        let mut lines = format!("{:indent$}callee: $.vars.phone\n", "");
        if let Some((from, why)) = self.callee_name(root) {
            let _never = writeln!(
                lines,
                "{:indent$}callee_name: {{ from: {from}, default: \"\" }}   # a guess: {why}",
                ""
            );
        }
        let _never = writeln!(lines, "{:indent$}case_id: $.vars.case_id", "");
        let variables = self.variables(root);
        if variables.is_empty() {
            return lines;
        }
        let _never = write!(
            lines,
            "{:indent$}# What the bot can say. Delete what it does not need.\n\
             {:indent$}variables:\n{:indent$}  from:\n{:indent$}    object:\n",
            "", "", "", ""
        );
        for (name, value, leaf) in variables {
            let _never = writeln!(
                lines,
                "{:indent$}      {}: {value}   # a guess: {:?} looks like {}",
                "",
                scalar(&name),
                leaf.name,
                leaf.looks.words(),
            );
        }
        let _never = writeln!(lines, "{:indent$}  then: [to_strings, drop_empty]", "");
        lines
    }

    fn callee_name(&self, root: &str) -> Option<(String, &'static str)> {
        let field = |looks| self.all(looks).next().map(|leaf| selector(root, leaf));
        let whole = |name| (format!("{name}, then: [collapse]"), "it looks like a name");
        match (
            field(Looks::FirstName),
            field(Looks::LastName),
            field(Looks::FullName),
        ) {
            (Some(first), Some(last), _) => Some((
                format!("[{first}, {last}], then: [{{ join: \" \" }}, collapse]"),
                "they look like first and last name",
            )),
            (_, _, Some(name)) | (Some(name), _, _) | (_, Some(name), _) => Some(whole(name)),
            (None, None, None) => None,
        }
    }

    fn variables(&self, root: &str) -> Vec<(String, String, &Leaf)> {
        let mut made: Vec<(String, String, &Leaf)> = Vec::new();
        let id = self.id();
        for leaf in &self.leaves {
            let is_used = matches!(
                leaf.looks,
                Looks::Hidden
                    | Looks::Phone
                    | Looks::FirstName
                    | Looks::LastName
                    | Looks::FullName
                    | Looks::Consent
                    | Looks::Ip
                    | Looks::Certificate
            );
            if is_used || id == Some(leaf) || made.len() >= VARIABLES_MAX {
                continue;
            }
            let name = guess::words(&leaf.name).join("_");
            let name = if name.is_empty() {
                format!("field_{}", made.len() + 1)
            } else {
                name
            };
            if made.iter().any(|(known, ..)| *known == name) {
                continue;
            }
            let from = selector(root, leaf);
            let then = match leaf.looks {
                Looks::State => "us_state",
                Looks::Zip => "zip5",
                Looks::Money => "money",
                Looks::Email => "email",
                Looks::Date if guess::is_us_date(&leaf.value) => "{ date: \"%m/%d/%Y\" }",
                Looks::Date if is_moment(&leaf.value) => "instant",
                Looks::Date => "date",
                _ => "",
            };
            let value = match then {
                "" => from,
                _ => format!("{{ from: {from}, then: [{then}] }}"),
            };
            made.push((name, value, leaf));
        }
        made
    }

    fn all(&self, looks: Looks) -> impl Iterator<Item = &Leaf> {
        self.leaves
            .iter()
            .filter(move |leaf| leaf.looks == looks && !leaf.value.is_empty())
    }

    /// The field that tells leads apart: the one that says it is the lead's, else the plainest.
    fn id(&self) -> Option<&Leaf> {
        let key = |leaf: &Leaf| guess::words(&leaf.name).concat();
        // A brace in the name would end the place in a text.
        let ids = || {
            self.all(Looks::Id)
                .filter(|leaf| !leaf.path.contains(['{', '}']))
        };
        let of_lead = ids().find(|leaf| key(leaf).contains("lead"));
        let plain = || ids().find(|leaf| PLAIN_IDS.contains(&key(leaf).as_str()));
        let other = || ids().find(|leaf| !OF_OTHERS.iter().any(|other| key(leaf).contains(other)));
        of_lead.or_else(plain).or_else(other)
    }

    /// The name of the secret that proves the sender.
    fn secret(&self) -> String {
        format!("{}_key", self.name)
    }
}

/// Reads a sample by what it looks like.
fn decode(bytes: &[u8]) -> Result<(Format, Value), NoDraft> {
    let bytes = bytes
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(bytes)
        .trim_ascii();
    let format = match bytes.first() {
        None => return Err(NoDraft::Empty),
        Some(b'{' | b'[') => Format::Json,
        Some(b'<') => Format::Xml,
        Some(_) if bytes.contains(&b'=') => Format::Form,
        Some(_) => return Err(NoDraft::Unknown),
    };
    match codec::decode(format, None, None, bytes, &Limits::default()) {
        Ok(document) => Ok((format, document)),
        Err(fault) => Err(NoDraft::Unreadable(word(format), fault)),
    }
}

/// The word for a format.
fn word(format: Format) -> &'static str {
    let codec = CODECS.iter().find(|codec| codec.format == format);
    codec.map_or("json", |codec| codec.name)
}

fn selector(root: &str, leaf: &Leaf) -> String {
    scalar(&format!("{root}{}", leaf.path))
}

/// Whether a date has a time and an offset.
fn is_moment(value: &str) -> bool {
    let time = value.get(10..).unwrap_or_default();
    guess::is_iso_date(value) && time.contains(':') && (time.contains(['Z', '+', '-']))
}

/// What stands in the example for what may not be kept.
const HIDDEN: &str = "removed";
const LEADS_MAX: usize = 3;
const PHONES_MAX: usize = 3;
const VARIABLES_MAX: usize = 40;
const PLAIN_IDS: &[&str] = &["id", "uuid", "guid", "reference", "uniqueid"];
/// Ids of what many leads share.
const OF_OTHERS: &[&str] = &[
    "campaign",
    "form",
    "page",
    "site",
    "workflow",
    "list",
    "promo",
    "click",
    "session",
    "source",
    "publisher",
    "affiliate",
    "user",
    "owner",
    "account",
    "organization",
    "adgroup",
    "gcl",
];
