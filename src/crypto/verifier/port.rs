//! A URL with and without its port: some senders sign one where we see the other.

/// The URL with its port taken out, or with the default one of its scheme put in (Twilio).
pub(super) fn other(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    // The colons of a user part and of an IPv6 address are no port's.
    let host = authority.rfind(['@', ']']).map_or(0, |at| at + 1);
    let colon = authority.get(host..)?.find(':').map(|colon| host + colon);
    if let Some(colon) = colon {
        return Some(format!("{scheme}://{}{rest}", authority.get(..colon)?));
    }
    let port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    Some(format!("{scheme}://{authority}:{port}{rest}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_port_is_put_in_or_taken_out() {
        for (url, other) in [
            (
                "https://a.example/x?y=1:2",
                Some("https://a.example:443/x?y=1:2"),
            ),
            ("https://a.example:443/x", Some("https://a.example/x")),
            ("http://a.example:8080?y", Some("http://a.example?y")),
            ("http://u:p@a.example", Some("http://u:p@a.example:80")),
            ("https://[::1]/x", Some("https://[::1]:443/x")),
            ("https://[::1]:1/x", Some("https://[::1]/x")),
            ("ftp://a.example/", None),
            ("/x", None),
            ("", None),
        ] {
            assert_eq!(super::other(url).as_deref(), other, "{url}");
        }
    }
}
