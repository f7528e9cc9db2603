//! How the options of `pintle bench` are read, each within its bounds.

use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};

/// A header of each request.
pub(super) type Header = (HeaderName, HeaderValue);

/// Where a gateway listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// `HOST:PORT`.
    pub(super) authority: String,
    /// The path, if the URL has one.
    pub(super) path: Option<PathAndQuery>,
}

/// Reads the URL of a gateway.
pub(super) fn base(text: &str) -> Result<Base, String> {
    let hint = "write it as http://127.0.0.1:7070";
    let uri: Uri = text.parse().map_err(|_| format!("it is no URL; {hint}"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err("TLS towards the gateway is not measured; name a listener without".into());
        }
        _ => return Err(format!("it has no scheme; {hint}")),
    }
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| format!("it has no host; {hint}"))?;
    if uri
        .authority()
        .is_some_and(|all| all.as_str().contains('@'))
    {
        return Err("credentials go into a header: --header 'Authorization: …'".into());
    }
    let port = uri.port_u16().unwrap_or(80);
    let path = uri.path_and_query().filter(|path| path.as_str() != "/");
    Ok(Base {
        authority: format!("{host}:{port}"),
        path: path.cloned(),
    })
}

/// Reads a path with its query.
pub(super) fn path(text: &str) -> Result<PathAndQuery, String> {
    let path = text.starts_with('/').then(|| text.parse().ok()).flatten();
    path.ok_or_else(|| "a path begins with `/`, such as /service/cloud/robot".into())
}

/// Reads `Name: value`.
pub(super) fn header(text: &str) -> Result<Header, String> {
    let header = text.split_once(':').and_then(|(name, value)| {
        let name: HeaderName = name.trim().parse().ok()?;
        let mut value: HeaderValue = value.trim().parse().ok()?;
        // It may be a credential: it is not shown.
        value.set_sensitive(true);
        Some((name, value))
    });
    let (name, value) = header.ok_or("a header is written 'Name: value'")?;
    if [
        http::header::CONTENT_LENGTH,
        http::header::TRANSFER_ENCODING,
    ]
    .contains(&name)
    {
        return Err(format!("{name} is told by the body itself"));
    }
    Ok((name, value))
}

/// Reads how long it is measured.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(1), Duration::from_hours(1))
}

/// Reads how long it warms up.
pub(super) fn warm_up(text: &str) -> Result<Duration, String> {
    within(text, Duration::ZERO, Duration::from_mins(10))
}

/// Reads how long a request may take.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(1), Duration::from_mins(10))
}

fn within(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    let ms = number
        .zip(unit_ms)
        .and_then(|(n, unit)| n.checked_mul(unit));
    let read = ms.ok_or("a time is written 500ms, 10s, 5m or 1h")?;
    let read = Duration::from_millis(read);
    if (min..=max).contains(&read) {
        Ok(read)
    } else {
        Err(format!("it must be {min:?} to {max:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_bounds() {
        for (text, wanted) in [
            ("500ms", Some(Duration::from_millis(500))),
            ("10s", Some(Duration::from_secs(10))),
            ("60m", Some(Duration::from_hours(1))),
            ("1h", Some(Duration::from_hours(1))),
            ("61m", None),
            ("0s", None),
            ("10", None),
            ("s", None),
            ("1.5s", None),
            ("-1s", None),
            ("99999999999999999999h", None),
            ("9999999999999999h", None),
        ] {
            assert_eq!(duration(text).ok(), wanted, "{text}");
        }
        assert_eq!(warm_up("0s"), Ok(Duration::ZERO));
        let told = warm_up("11m").unwrap_err();
        assert_eq!(told, "it must be 0ns to 600s");
    }

    #[test]
    fn a_url_has_a_host_and_may_have_a_path() {
        let check = |text: &str, authority: &str, path: Option<&str>| {
            let read = base(text).unwrap();
            assert_eq!(read.authority, authority);
            assert_eq!(read.path.as_ref().map(PathAndQuery::as_str), path);
        };
        check("http://127.0.0.1:7070", "127.0.0.1:7070", None);
        check("http://localhost/", "localhost:80", None);
        check("http://[::1]:7070/a?b=c", "[::1]:7070", Some("/a?b=c"));
        for (text, told) in [
            ("https://a", "TLS"),
            ("127.0.0.1:7070", "scheme"),
            ("unix:/run/pintle", "no URL"),
            ("http://me:secret@a", "--header"),
        ] {
            let fault = base(text).unwrap_err();
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }

    #[test]
    fn a_header_is_a_name_and_a_value() {
        let (name, value) = header("X-Pintle-Account: main").unwrap();
        assert_eq!(
            (name.as_str(), value.as_bytes()),
            ("x-pintle-account", &b"main"[..])
        );
        for text in ["x", "a b: c", ": c", "a: b\nc", "Content-Length: 3"] {
            assert!(header(text).is_err(), "{text}");
        }
    }
}
