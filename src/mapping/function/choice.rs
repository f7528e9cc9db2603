//! Truth values, and values that pass a check or are absent.

use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;
use serde_json::Value;

use super::argument::Argument;
use super::{Apply, Function, Kind, Make, absent, gives, scalar_of, text_of};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "to_bool",
        about: "Reads `true`, `yes`, `y`, `on`, `1` and their opposites, in any case; absent of \
                anything else.",
        argument: "",
        takes: Kind::Scalar,
        gives: Kind::Bool,
        cost: 1,
        examples: &[
            gives("", r#""Yes""#, "true"),
            gives("", "0", "false"),
            absent("", r#""maybe""#),
        ],
        make: Make::Bare(|value, _| truth(&value).map(Value::Bool)),
    },
    Function {
        name: "yes_no",
        about: "`Yes` or `No` for what `to_bool` reads; absent of anything else.",
        argument: "the two words, if they are other ones",
        takes: Kind::Scalar,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("", "true", r#""Yes""#),
            gives("[Y, N]", r#""off""#, r#""N""#),
            absent("", r#""maybe""#),
        ],
        make: Make::With(yes_no),
    },
    Function {
        name: "one_of",
        about: "Lets a value through that is in the list.",
        argument: "the list of values",
        takes: Kind::Scalar,
        gives: Kind::Scalar,
        cost: 4,
        examples: &[
            gives("[web, tv]", r#""tv""#, r#""tv""#),
            gives("[1, 2]", "2", "2"),
            absent("[web, tv]", r#""radio""#),
        ],
        make: Make::With(|argument| {
            let words = argument.words()?;
            Some(passing(move |text| words.iter().any(|word| word == text)))
        }),
    },
    Function {
        name: "email",
        about: "Lets an address of mail through, its domain in small letters.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 2,
        examples: &[
            gives(
                "",
                r#"" Ana.Ruiz@Example.COM ""#,
                r#""Ana.Ruiz@example.com""#,
            ),
            absent("", r#""ana@localhost""#),
            absent("", r#""a@b@example.com""#),
        ],
        make: Make::Text(email),
    },
    Function {
        name: "ip",
        about: "Lets an address of IP version 4 or 6 through, written as RFC 5952 has it.",
        argument: "",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 1,
        examples: &[
            gives("", r#""203.0.113.7""#, r#""203.0.113.7""#),
            gives("", r#""2001:DB8:0::1""#, r#""2001:db8::1""#),
            absent("", r#""203.0.113.700""#),
        ],
        make: Make::Text(|text| Some(text.trim().parse::<IpAddr>().ok()?.to_string())),
    },
    Function {
        name: "url",
        about: "Lets a URL of the web through, without a user in it, that begins with one of some \
                prefixes.",
        argument: "`prefixes`, each with scheme, host and a `/` after it; any URL of the web, if left out",
        takes: Kind::Text,
        gives: Kind::Text,
        cost: 4,
        examples: &[
            gives(
                "{ prefixes: [https://cert.example.com/] }",
                r#""https://cert.example.com/a1b2""#,
                r#""https://cert.example.com/a1b2""#,
            ),
            gives("", r#""http://example.com""#, r#""http://example.com""#),
            absent(
                "{ prefixes: [https://cert.example.com/] }",
                r#""https://cert.example.com.evil.test/a""#,
            ),
            absent("", r#""https://cert.example.com@evil.test/""#),
        ],
        make: Make::With(url),
    },
];

/// The truth value that a scalar stands for.
fn truth(value: &Value) -> Option<bool> {
    let text = scalar_of(value)?;
    let word = text.trim();
    let is_in = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    match () {
        () if is_in(&["true", "yes", "y", "on", "1"]) => Some(true),
        () if is_in(&["false", "no", "n", "off", "0"]) => Some(false),
        () => None,
    }
}

fn yes_no(argument: &Argument<'_>) -> Option<Apply> {
    let words = match argument.node {
        Some(_) => argument.words()?,
        None => vec!["Yes".to_owned(), "No".to_owned()],
    };
    let Ok([yes, no]) = <[String; 2]>::try_from(words) else {
        return argument.refuse("there are two words: one for yes and one for no");
    };
    Some(Arc::new(move |value, _| {
        let word = if truth(&value)? { &yes } else { &no };
        Some(Value::from(word.as_str()))
    }))
}

/// A scalar that passes a check, as it is.
fn passing(check: impl Fn(&str) -> bool + Send + Sync + 'static) -> Apply {
    Arc::new(move |value, _| {
        let passes = check(&scalar_of(&value)?);
        passes.then(|| value.into_owned())
    })
}

fn email(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.split_once('@')?;
    let is_plain = |c: char| !(c.is_whitespace() || c.is_control() || c == '@');
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let sound = text.len() <= EMAIL_BYTES_MAX
        && !local.is_empty()
        && local.chars().all(is_plain)
        && domain.contains('.')
        && domain.split('.').all(is_label);
    sound.then(|| format!("{local}@{}", domain.to_lowercase()))
}

fn url(argument: &Argument<'_>) -> Option<Apply> {
    let prefixes: Vec<String> = if argument.node.is_some() {
        let mut fields = argument.fields()?;
        let prefixes = fields.required("prefixes");
        fields.finish();
        prefixes?
    } else {
        Vec::new()
    };
    if argument.node.is_some() && prefixes.is_empty() {
        return argument.refuse("a list of no prefixes lets nothing through");
    }
    for prefix in &prefixes {
        // Without the `/` the host could go on: `https://example.com.evil.test`.
        let whole = prefix.splitn(4, '/').count() == 4;
        if !whole || !is_web(prefix) {
            return argument.refuse(format!(
                "`{prefix}` is no scheme and host with a `/` after it"
            ));
        }
    }
    Some(Arc::new(move |value, _| {
        let text = text_of(&value)?;
        let text = text.trim();
        let begins = |prefix: &String| text.starts_with(prefix.as_str());
        let passes = is_web(text) && (prefixes.is_empty() || prefixes.iter().any(begins));
        passes.then(|| Value::from(text))
    }))
}

/// Whether a text is a URL of the web with a host, no user, and no step out of its folder.
fn is_web(text: &str) -> bool {
    if text.contains('\\') {
        return false;
    }
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let path = uri.path().to_ascii_lowercase().replace("%2e", ".");
    let is_step = |part: &str| matches!(part, "." | "..");
    matches!(uri.scheme_str(), Some("https" | "http"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && uri
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'))
        && !path.split('/').any(is_step)
}

const EMAIL_BYTES_MAX: usize = 254;
