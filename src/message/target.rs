//! Where a call wants to go: the path of the local endpoint, taken apart.
//!
//! A path is matched by its decoded form and forwarded as it came. What two readers could
//! understand differently (encoded slashes, dot segments, empty segments) is refused.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TargetFault {
    /// `%2f` or `%5c`, which some readers take for a separator.
    #[error("the path has an encoded slash or backslash")]
    EncodedSlash,
    /// `.` or `..`, plain or encoded.
    #[error("the path has a `.` or `..` segment")]
    DotSegment,
    /// `//` within the path.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// Not UTF-8 after decoding, a control character, or a `%` without two hex digits.
    #[error("the path has a broken percent-encoding or a control character")]
    Encoding,
}

/// A target of the local endpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct Target<'p> {
    /// The account named by `/accounts/NAME/`.
    pub account: Option<Cow<'p, str>>,
    /// What is called.
    pub wanted: Wanted<'p>,
}

/// What is called.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted<'p> {
    /// `/operations/NAME`: an operation by its name in the catalogue.
    Operation(Cow<'p, str>),
    /// Any other path: one of the platform's own.
    Path {
        /// As it came, to be forwarded.
        raw: &'p str,
        /// Decoded and without a slash at its end, to be matched.
        plain: Cow<'p, str>,
    },
}

impl<'p> Target<'p> {
    /// Takes a path apart.
    ///
    /// `path` begins with `/` and has no query.
    pub fn parse(path: &'p str) -> Result<Self, TargetFault> {
        let plain = decode(path)?;
        check_segments(path, &plain)?;
        let (account, raw) = match path.strip_prefix("/accounts/") {
            None if plain.starts_with("/accounts/") => return Err(TargetFault::Encoding),
            None => (None, path),
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                let (name, raw) = rest.split_at(end);
                (Some(decode(name)?), if raw.is_empty() { "/" } else { raw })
            }
        };
        let wanted = match raw.strip_prefix("/operations/") {
            Some(name) => Wanted::Operation(decode(name)?),
            None => Wanted::Path {
                raw,
                plain: without_slash(decode(raw)?),
            },
        };
        Ok(Self { account, wanted })
    }
}

fn decode(text: &str) -> Result<Cow<'_, str>, TargetFault> {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = rest.get(at + 1..).unwrap_or_default();
        let hex = rest
            .as_bytes()
            .iter()
            .take(2)
            .filter(|b| b.is_ascii_hexdigit())
            .count();
        if hex != 2 {
            return Err(TargetFault::Encoding);
        }
    }
    let plain = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| TargetFault::Encoding)?;
    // Encoded twice: a server that decodes twice would read another path.
    let twice = plain.as_bytes().windows(3).any(|window| {
        matches!(window, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    });
    if twice || plain.chars().any(char::is_control) {
        return Err(TargetFault::Encoding);
    }
    Ok(plain)
}

fn check_segments(raw: &str, plain: &str) -> Result<(), TargetFault> {
    if plain.matches(['/', '\\']).count() != raw.matches('/').count() {
        return Err(TargetFault::EncodedSlash);
    }
    let inner = plain.strip_prefix('/').unwrap_or(plain);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() {
        return Ok(());
    }
    for segment in inner.split('/') {
        // `..;x` is `..` to a server that takes what follows a `;` for parameters.
        match segment.split(';').next().unwrap_or_default() {
            "" => return Err(TargetFault::EmptySegment),
            "." | ".." => return Err(TargetFault::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

fn without_slash(path: Cow<'_, str>) -> Cow<'_, str> {
    if path.len() < 2 || !path.ends_with('/') {
        return path;
    }
    match path {
        Cow::Borrowed(path) => Cow::Borrowed(path.strip_suffix('/').unwrap_or(path)),
        Cow::Owned(mut path) => {
            path.pop();
            Cow::Owned(path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart() {
        let path = |raw, plain| Wanted::Path {
            raw,
            plain: Cow::Borrowed(plain),
        };
        for (given, account, wanted) in [
            ("/", None, path("/", "/")),
            (
                "/service/cloud/list",
                None,
                path("/service/cloud/list", "/service/cloud/list"),
            ),
            (
                "/service/cloud/list/",
                None,
                path("/service/cloud/list/", "/service/cloud/list"),
            ),
            ("/%73ervice/x", None, path("/%73ervice/x", "/service/x")),
            (
                "/accounts/eu/service/x",
                Some("eu"),
                path("/service/x", "/service/x"),
            ),
            ("/accounts/eu", Some("eu"), path("/", "/")),
            ("/operations/a.b", None, Wanted::Operation("a.b".into())),
            (
                "/accounts/eu/operations/a.b",
                Some("eu"),
                Wanted::Operation("a.b".into()),
            ),
        ] {
            let expected = Target {
                account: account.map(Into::into),
                wanted,
            };
            assert_eq!(Target::parse(given), Ok(expected), "{given}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (given, fault) in [
            ("/a%2fb", TargetFault::EncodedSlash),
            ("/a%5Cb", TargetFault::EncodedSlash),
            ("/a\\b", TargetFault::EncodedSlash),
            ("/a/../b", TargetFault::DotSegment),
            ("/a/%2e%2E/b", TargetFault::DotSegment),
            ("/./a", TargetFault::DotSegment),
            ("/a//b", TargetFault::EmptySegment),
            ("//a", TargetFault::EmptySegment),
            ("/accounts//x", TargetFault::EmptySegment),
            ("/a%", TargetFault::Encoding),
            ("/a%zz", TargetFault::Encoding),
            ("/a%00", TargetFault::Encoding),
            ("/a%0d%0ab", TargetFault::Encoding),
            ("/a%ff", TargetFault::Encoding),
            ("/%2561uth", TargetFault::Encoding),
            ("/%61ccounts/eu/x", TargetFault::Encoding),
            ("/a/..;x/b", TargetFault::DotSegment),
            ("/a/;x/b", TargetFault::EmptySegment),
        ] {
            assert_eq!(Target::parse(given), Err(fault), "{given}");
        }
    }
}
