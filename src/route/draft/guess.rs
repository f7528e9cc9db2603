//! What the fields of a sample look like, by their names and by their values. Every answer is a
//! guess, and the draft says so.

use serde_json::{Map, Value};

use crate::mapping::path::Path;

/// A single value of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The selector behind `$.body` or `$.item`: `.lead['First Name']`.
    pub(super) path: String,
    /// The name of the field.
    pub(super) name: String,
    /// Its value, as text.
    pub(super) value: String,
    /// What it looks like.
    pub(super) looks: Looks,
}

/// What a field looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    /// It must not be kept: a number of an identity card or card, a password, a key.
    Hidden,
    /// An address of mail.
    Email,
    /// A phone number.
    Phone,
    /// A certificate of consent.
    Certificate,
    /// The text that was agreed to.
    Consent,
    /// A date or a moment.
    Date,
    /// An address of the network.
    Ip,
    /// A URL.
    Url,
    /// A postal code.
    Zip,
    /// A state.
    State,
    /// A first name.
    FirstName,
    /// A last name.
    LastName,
    /// A whole name.
    FullName,
    /// An amount.
    Money,
    /// What tells it apart from others.
    Id,
    /// Nothing that is known.
    Plain,
}

impl Looks {
    /// What it looks like, in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Hidden => "a secret, or what may not be kept",
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
            Self::Certificate => "a certificate of consent",
            Self::Consent => "the text of the consent",
            Self::Date => "a date",
            Self::Ip => "an IP address",
            Self::Url => "a URL",
            Self::Zip => "a ZIP code",
            Self::State => "a state",
            Self::FirstName => "a first name",
            Self::LastName => "a last name",
            Self::FullName => "a whole name",
            Self::Money => "an amount",
            Self::Id => "an id",
            Self::Plain => "a value of its own",
        }
    }

    fn of(name: &str, value: &str) -> Self {
        let words = words(name);
        let key = words.concat();
        let last = words.last().map(String::as_str).unwrap_or_default();
        let has = |pieces: &[&str]| pieces.iter().any(|piece| key.contains(piece));
        let is = |names: &[&str]| names.contains(&key.as_str());
        let value = value.trim();
        let digits = value.chars().filter(char::is_ascii_digit).count();
        let is_number = !value.is_empty() && amount(value);
        let is_short = value.chars().count() <= 20;
        // The first row that fits counts: what is above is surer, or matters more.
        let rows: [(bool, Self); 15] = [
            (
                is(HIDDEN) || HIDDEN_ENDS.iter().any(|end| key.ends_with(end)),
                Self::Hidden,
            ),
            (is_email(value), Self::Email),
            (
                (has(PHONE) || PHONE_WORDS.contains(&last)) && is_phone(value),
                Self::Phone,
            ),
            (has(CERTIFICATE), Self::Certificate),
            (
                is_sentence(value) && (has(CONSENT) || value.contains("consent")),
                Self::Consent,
            ),
            (is_date(value), Self::Date),
            (value.parse::<std::net::IpAddr>().is_ok(), Self::Ip),
            (
                value.starts_with("https://") || value.starts_with("http://"),
                Self::Url,
            ),
            (has(ZIP) && digits >= 3 && value.len() <= 10, Self::Zip),
            (
                STATE.contains(&last) && digits == 0 && !value.is_empty() && is_short,
                Self::State,
            ),
            (has(FIRST_NAME) || is(&["first"]), Self::FirstName),
            (has(LAST_NAME) || is(&["last"]), Self::LastName),
            (is(FULL_NAME), Self::FullName),
            (
                is_number && (value.starts_with('$') || has(MONEY)),
                Self::Money,
            ),
            (
                ID.contains(&last)
                    || ID_ENDS.iter().any(|end| key.ends_with(end))
                    || is_uuid(value),
                Self::Id,
            ),
        ];
        // A number that is written as one is a phone number whatever its field is called.
        if value.starts_with(['+', '(']) && digits >= 10 && is_phone(value) {
            return Self::Phone;
        }
        rows.into_iter()
            .find(|(fits, _)| *fits)
            .map_or(Self::Plain, |(_, looks)| looks)
    }
}

/// Every single value, in the order of the sample. Of a list only the first item is looked at.
pub(super) fn leaves(value: &Value) -> Vec<Leaf> {
    let mut found = Vec::new();
    walk(value, (String::new(), ""), true, &mut found);
    found
}

/// Where the leads stand, if the sample has several: the selector behind `$.body`.
pub(super) fn list_of_leads(document: &Value) -> Option<String> {
    let mut alone = Vec::new();
    walk(document, (String::new(), ""), false, &mut alone);
    if alone.iter().any(|leaf| leaf.looks == Looks::Phone) {
        return None;
    }
    find_list(document, String::new())
}

/// The value behind a selector of names.
pub(super) fn at<'v>(document: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    let path = Path::parse(&format!("${path}")).ok()?;
    path.names()
        .try_fold(document, |value, name| value.get_mut(name))
}

fn find_list(value: &Value, path: String) -> Option<String> {
    match value {
        Value::Array(items) if is_objects(items) && pairs(items).is_none() => {
            let first = leaves(items.first()?);
            let is_lead = first.iter().any(|leaf| leaf.looks == Looks::Phone);
            is_lead.then_some(path)
        }
        Value::Object(members) => members
            .iter()
            .find_map(|(name, member)| find_list(member, format!("{path}{}", step(name)))),
        _ => None,
    }
}

fn is_objects(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(Value::is_object)
}

fn walk(value: &Value, (path, name): (String, &str), into_lists: bool, found: &mut Vec<Leaf>) {
    match value {
        Value::Object(members) => walk_object(members, (&path, name), into_lists, found),
        Value::Array(items) => match pairs(items) {
            Some(pairs) => walk_pairs(items, pairs, &path, found),
            None if is_objects(items) && !into_lists => {}
            None => {
                if let Some(first) = items.first() {
                    walk(first, (format!("{path}[0]"), name), into_lists, found);
                }
            }
        },
        Value::Null => leaf(path, name, "", found),
        Value::String(text) => leaf(path, name, text, found),
        Value::Bool(_) | Value::Number(_) => leaf(path, name, &value.to_string(), found),
    }
}

fn walk_object(
    members: &Map<String, Value>,
    (path, name): (&str, &str),
    into_lists: bool,
    found: &mut Vec<Leaf>,
) {
    let own = members
        .iter()
        .filter(|(key, _)| !IGNORED.iter().any(|start| key.starts_with(start)));
    for (key, member) in own {
        // `phone: { value: … }` is named by what it stands under.
        let is_inner = VALUE_KEYS.contains(&key.as_str()) && !name.is_empty();
        let own_name = if is_inner { name } else { key };
        walk(
            member,
            (format!("{path}{}", step(key)), own_name),
            into_lists,
            found,
        );
    }
}

/// A list of names and values: the members that hold them.
fn pairs(items: &[Value]) -> Option<(&'static str, &'static str)> {
    if !is_objects(items) {
        return None;
    }
    let held = |key: &str| {
        items
            .iter()
            .all(|item| item.get(key).is_some_and(is_single))
    };
    let name = NAME_KEYS.iter().copied().find(|key| held(key))?;
    let value = VALUE_KEYS
        .iter()
        .copied()
        .find(|key| *key != name && held(key))?;
    let names: std::collections::BTreeSet<&str> = items
        .iter()
        .filter_map(|item| item.get(name)?.as_str())
        .collect();
    // Names that repeat are no names of fields.
    (names.len() == items.len()).then_some((name, value))
}

fn is_single(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn walk_pairs(items: &[Value], (name, value): (&str, &str), path: &str, found: &mut Vec<Leaf>) {
    for item in items {
        let own = item.get(name).and_then(Value::as_str).unwrap_or_default();
        let text = match item.get(value) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let path = format!("{path}[?@{}=={}]{}", step(name), quoted(own), step(value));
        leaf(path, own, &text, found);
    }
}

fn leaf(path: String, name: &str, value: &str, found: &mut Vec<Leaf>) {
    if Path::parse(&format!("${path}")).is_err() || path.is_empty() {
        return;
    }
    found.push(Leaf {
        looks: Looks::of(name, value),
        path,
        name: name.to_owned(),
        value: value.to_owned(),
    });
}

/// One step of a JSONPath (RFC 9535): `.name` where that can be written, else `['a name']`.
fn step(name: &str) -> String {
    let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_word {
        format!(".{name}")
    } else {
        format!("[{}]", quoted(name))
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The words of a name, in small letters: `leadID`, `Lead Id` and `lead_id` are the same.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins = c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit());
        if !c.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_email(value: &str) -> bool {
    value.split_once('@').is_some_and(|(user, domain)| {
        !user.is_empty() && domain.contains('.') && !value.contains([' ', '/'])
    })
}

fn is_phone(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let is_plain = value
        .chars()
        .all(|c| c.is_ascii_digit() || "+()-. x".contains(c));
    (7..=15).contains(&digits) && is_plain
}

fn is_sentence(value: &str) -> bool {
    value.chars().count() >= 20 && value.split_whitespace().count() >= 4
}

/// Whether it begins as `2026-01-31` or `1/31/2026` does.
pub(super) fn is_date(value: &str) -> bool {
    is_iso_date(value) || is_us_date(value)
}

/// Whether it begins as `2026-01-31` does.
pub(super) fn is_iso_date(value: &str) -> bool {
    shaped(value.get(..10).unwrap_or_default(), '-', &[4, 2, 2])
}

/// Whether it is a date such as `01/31/2026`, and nothing more.
pub(super) fn is_us_date(value: &str) -> bool {
    shaped(value, '/', &[2, 2, 4])
}

fn shaped(value: &str, separator: char, lengths: &[usize]) -> bool {
    let parts: Vec<&str> = value.split(separator).collect();
    parts.len() == lengths.len()
        && parts
            .iter()
            .zip(lengths)
            .all(|(part, length)| part.len() == *length && part.chars().all(|c| c.is_ascii_digit()))
}

fn amount(value: &str) -> bool {
    value.chars().any(|c| c.is_ascii_digit())
        && value
            .chars()
            .all(|c| c.is_ascii_digit() || "$,. ".contains(c))
}

fn is_uuid(value: &str) -> bool {
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && value.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

const HIDDEN: &[&str] = &[
    "ssn",
    "socialsecuritynumber",
    "socialsecurity",
    "cvv",
    "cvc",
    "pan",
    "key",
    "secret",
];
const HIDDEN_ENDS: &[&str] = &[
    "password",
    "passwd",
    "apikey",
    "secretkey",
    "accesstoken",
    "authtoken",
    "cardnumber",
    "ssn",
];
const PHONE: &[&str] = &["phone", "mobile", "cellular", "msisdn", "telephone"];
const PHONE_WORDS: &[&str] = &["cell", "tel", "callee", "to"];
const CERTIFICATE: &[&str] = &["trustedform", "certurl", "jornaya", "leadidtoken"];
const CONSENT: &[&str] = &["consent", "tcpa", "disclosure", "optin"];
const ZIP: &[&str] = &["zip", "postal", "postcode"];
const STATE: &[&str] = &["state", "province"];
const FIRST_NAME: &[&str] = &["firstname", "fname", "givenname"];
const LAST_NAME: &[&str] = &["lastname", "lname", "surname", "familyname"];
const FULL_NAME: &[&str] = &[
    "name",
    "fullname",
    "contactname",
    "customername",
    "leadname",
    "yourname",
];
const MONEY: &[&str] = &[
    "amount", "debt", "income", "price", "loan", "balance", "salary", "revenue", "budget",
];
const ID: &[&str] = &["id", "uuid", "guid", "reference"];
const ID_ENDS: &[&str] = &["leadid", "uniqueid"];
/// The members that hold the name of a field, in a list of names and values.
const NAME_KEYS: &[&str] = &["name", "key", "column_id", "field", "label", "ref"];
/// Those that hold its value.
const VALUE_KEYS: &[&str] = &["value", "string_value", "answer", "#text"];
/// What XML says of itself, not of the lead.
const IGNORED: &[&str] = &["@xmlns", "@schemaLocation", "@type"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_guessed_by_its_name_and_its_value() {
        let rows = [
            ("Phone Number", "(702) 555-0177", Looks::Phone),
            ("primary", "+17025550177", Looks::Phone),
            ("phone_verified", "true", Looks::Plain),
            ("firstName", "Ana", Looks::FirstName),
            ("LNAME", "Diaz", Looks::LastName),
            ("name", "Ana Diaz", Looks::FullName),
            ("contact", "ana@example.com", Looks::Email),
            ("address.state", "NV", Looks::State),
            ("Zip Code", "89101", Looks::Zip),
            ("leadId", "L-1", Looks::Id),
            ("paid", "12", Looks::Plain),
            ("debt_amount", "$12,500", Looks::Money),
            ("submitted", "2026-01-31T10:00:00Z", Looks::Date),
            ("dob", "01/31/1980", Looks::Date),
            ("tcpa", "I agree to be called by phone.", Looks::Consent),
            (
                "trustedFormCertUrl",
                "https://cert.example/1",
                Looks::Certificate,
            ),
            ("ip", "203.0.113.9", Looks::Ip),
            ("api_key", "abc", Looks::Hidden),
        ];
        for (name, value, looks) in rows {
            assert_eq!(Looks::of(name, value), looks, "{name}: {value}");
        }
    }

    #[test]
    fn a_name_that_is_no_word_is_quoted() {
        for (name, written) in [
            ("phone", ".phone"),
            ("First Name", "['First Name']"),
            ("a.b", "['a.b']"),
            ("answers[0]", "['answers[0]']"),
            ("it's", "['it\\'s']"),
        ] {
            assert_eq!(step(name), written);
            assert!(
                Path::parse(&format!("$.body{written}")).is_ok(),
                "{written}"
            );
        }
    }
}
