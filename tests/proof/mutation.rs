//! Every way to change a push that was signed, and the failure it comes to.

use http::HeaderValue;
use pintle::crypto::{ProofFailure, TimestampPlace, TimestampUnit, Verifier};
use pintle::policy::Rule;

use crate::support::{Push, Vector, shipped, vectors, verifier};

/// Every valid vector with its verifier.
fn good() -> Vec<(Vector, Verifier)> {
    let all = vectors().into_iter().filter(|vector| vector.valid);
    let with = |vector: Vector| {
        let verifier = verifier(&shipped(&vector.scheme), &[&vector.secret]);
        (vector, verifier)
    };
    all.map(with).collect()
}

/// The vector of a scheme.
fn of(scheme: &str) -> (Vector, Verifier) {
    let mut all = good().into_iter();
    all.find(|(vector, _)| vector.scheme == scheme).unwrap()
}

/// The header of a scheme's signature, and where its timestamp stands.
fn places(scheme: &str) -> (String, Option<(TimestampPlace, TimestampUnit, i64)>) {
    let Rule::Hmac(rule) = &shipped(scheme).rule else {
        let place = TimestampPlace::Header("webhook-timestamp".parse().unwrap());
        let timestamp = (place, TimestampUnit::Second, 300);
        return ("webhook-signature".to_owned(), Some(timestamp));
    };
    let timestamp = rule.options.timestamp.as_ref().map(|timestamp| {
        let tolerance_s = i64::try_from(timestamp.tolerance.as_secs()).unwrap();
        (timestamp.place.clone(), timestamp.unit, tolerance_s)
    });
    (rule.options.header.to_string(), timestamp)
}

fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit / 8, flipped)
    })
}

#[test]
fn one_flipped_bit_of_a_body_is_seen() {
    for (vector, verifier) in good() {
        for (at, flipped) in flips(&vector.push.body) {
            // `%2B` and `%2b` are one form field.
            let is_escape = vector.scheme == "twilio_form"
                && vector.push.body[at.saturating_sub(2)..at].contains(&b'%')
                && flipped.eq_ignore_ascii_case(&vector.push.body);
            let mut push = vector.push.clone();
            push.body = flipped;
            let expected = match vector.scheme.as_str() {
                "twilio_json" => Err(ProofFailure::Damaged),
                _ if is_escape => Ok(()),
                _ => Err(ProofFailure::Wrong),
            };
            assert_eq!(
                push.proven(&verifier),
                expected,
                "{}: byte {at}",
                vector.name
            );
        }
    }
}

#[test]
fn one_flipped_bit_of_a_header_is_seen() {
    for (vector, verifier) in good() {
        for (name, value) in &vector.push.headers {
            if name == "content-type" {
                continue;
            }
            for (at, flipped) in flips(value.as_bytes()) {
                let Ok(changed) = HeaderValue::from_bytes(&flipped) else {
                    continue;
                };
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                // Hex is read in either case.
                let signature = text.rfind(['=', ',']).map_or(0, |before| before + 1);
                let is_hex = text[signature..]
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit());
                let is_same =
                    is_hex && at >= signature && flipped.eq_ignore_ascii_case(value.as_bytes());
                let mut push = vector.push.clone();
                push.headers.insert(name, changed);
                let said = push.proven(&verifier);
                assert_eq!(said.is_ok(), is_same, "{}: {name}, byte {at}", vector.name);
            }
        }
    }
}

#[test]
fn one_flipped_bit_of_a_signed_url_is_seen() {
    for scheme in ["twilio_form", "twilio_json", "hubspot_v2", "hubspot_v3"] {
        let (vector, verifier) = of(scheme);
        for (at, flipped) in flips(vector.push.url.as_bytes()) {
            let Ok(url) = String::from_utf8(flipped) else {
                continue;
            };
            let mut push = vector.push.clone();
            push.url = url;
            assert!(push.proven(&verifier).is_err(), "{scheme}: byte {at}");
        }
    }
}

#[test]
fn a_time_counts_up_to_its_tolerance() {
    for (vector, verifier) in good() {
        let (_, Some((_, _, tolerance_s))) = places(&vector.scheme) else {
            continue;
        };
        for (seconds, expected) in [
            (tolerance_s - 1, Ok(())),
            (tolerance_s, Ok(())),
            (tolerance_s + 1, Err(ProofFailure::Stale)),
            (1 - tolerance_s, Ok(())),
            (-tolerance_s, Ok(())),
            (-tolerance_s - 1, Err(ProofFailure::Future)),
        ] {
            let mut push = vector.push.clone();
            push.now_ms += seconds * 1000;
            assert_eq!(
                push.proven(&verifier),
                expected,
                "{}: {seconds}",
                vector.name
            );
        }
    }
}

#[test]
fn an_old_push_with_a_new_time_is_wrong() {
    let mut tried = 0;
    for (vector, verifier) in good() {
        let (header, Some((place, unit, _))) = places(&vector.scheme) else {
            continue;
        };
        let mut push = vector.push.clone();
        let old_ms = push.now_ms;
        push.now_ms += 3_600_000;
        let text = |ms: i64| match unit {
            TimestampUnit::Second => (ms / 1000).to_string(),
            TimestampUnit::Millisecond => ms.to_string(),
        };
        let name = match place {
            TimestampPlace::Header(name) => name.to_string(),
            TimestampPlace::Param(_) => header,
        };
        let written = push.headers[&name].to_str().unwrap();
        let fresh = written.replace(&text(old_ms), &text(push.now_ms));
        assert_ne!(fresh, written, "{}", vector.name);
        let name: http::HeaderName = name.parse().unwrap();
        push.headers.insert(name, fresh.parse().unwrap());
        assert_eq!(
            push.proven(&verifier),
            Err(ProofFailure::Wrong),
            "{}",
            vector.name
        );
        tried += 1;
    }
    assert_eq!(tried, 8);
}

#[test]
fn another_secret_is_wrong_and_either_of_two_is_right() {
    for (vector, _) in good() {
        let proof = shipped(&vector.scheme);
        // No zero bytes: HMAC fills a short key up with those.
        let other = format!("{}AAAB", vector.secret);
        for (secrets, expected) in [
            (&[other.as_str()][..], Err(ProofFailure::Wrong)),
            (&[&other, &vector.secret], Ok(())),
            (&[&vector.secret, &other], Ok(())),
        ] {
            let said = vector.push.proven(&verifier(&proof, secrets));
            assert_eq!(said, expected, "{}", vector.name);
        }
    }
}

#[test]
fn every_signature_of_a_list_is_tried() {
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let hex = "00".repeat(32);
    for (scheme, bad, by) in [
        ("standard_webhooks", format!("v1,{zeros}"), ' '),
        ("standard_webhooks", "v1,?".to_owned(), ' '),
        ("standard_webhooks", "v1a,AAAA".to_owned(), ' '),
        ("standard_webhooks", "v2".to_owned(), ' '),
        ("stripe", format!("v1={hex}"), ','),
        ("stripe", format!("v0={hex}"), ','),
        ("stripe", "v1=".to_owned(), ','),
        ("calendly", format!("v1={hex}"), ','),
        ("retell", format!("d={hex}"), ','),
    ] {
        let (vector, verifier) = of(scheme);
        let (header, _) = places(scheme);
        let header: http::HeaderName = header.parse().unwrap();
        let good = vector.push.headers[&header].to_str().unwrap();
        for text in [format!("{good}{by}{bad}"), format!("{bad}{by}{good}")] {
            let mut push = vector.push.clone();
            push.headers.insert(&header, text.parse().unwrap());
            assert_eq!(push.proven(&verifier), Ok(()), "{scheme}: {text}");
        }
        // In two lines it is the same list.
        for (first, second) in [(good, bad.as_str()), (bad.as_str(), good)] {
            let mut push = vector.push.clone();
            push.headers.remove(&header);
            let push = push
                .header(header.as_str(), first)
                .header(header.as_str(), second);
            assert_eq!(push.proven(&verifier), Ok(()), "{scheme}: {first} {second}");
        }
        let mut push = vector.push.clone();
        let many = format!("{by}{bad}").repeat(17);
        push.headers
            .insert(&header, format!("{good}{many}").parse().unwrap());
        let is_counted = bad.starts_with("v1,") || bad.starts_with("v1=") || bad.starts_with("d=");
        let expected = if is_counted {
            Err(ProofFailure::Malformed)
        } else {
            Ok(())
        };
        assert_eq!(push.proven(&verifier), expected, "{scheme}: {bad}");
    }
}

#[test]
fn a_header_is_there_once() {
    for (vector, verifier) in good() {
        let (signature, _) = places(&vector.scheme);
        let is_list = vector.scheme == "standard_webhooks";
        for name in vector
            .push
            .headers
            .keys()
            .filter(|name| *name != "content-type")
        {
            let mut push = vector.push.clone();
            push.headers.remove(name);
            let missing = push.clone();
            let empty = push.header(name.as_str(), "");
            for push in [missing, empty] {
                let said = push.proven(&verifier);
                assert_eq!(said, Err(ProofFailure::Missing), "{}: {name}", vector.name);
            }
            let value = vector.push.headers[name].to_str().unwrap();
            let twice = vector.push.clone().header(name.as_str(), value);
            // The signatures of a list may be several; the time beside them may not.
            let is_list = is_list && name.as_str() == signature;
            let expected = if is_list {
                Ok(())
            } else {
                Err(ProofFailure::Repeated)
            };
            assert_eq!(twice.proven(&verifier), expected, "{}: {name}", vector.name);
        }
    }
}

#[test]
fn what_is_no_text_is_no_proof() {
    for (vector, verifier) in good() {
        for name in vector
            .push
            .headers
            .keys()
            .filter(|name| *name != "content-type")
        {
            for bytes in [
                &b"\xff\xfe"[..],
                "é".as_bytes(),
                b"v1,\xff",
                b"t=1,v1=\xff",
                b"=",
                b",",
            ] {
                let mut push = vector.push.clone();
                push.headers
                    .insert(name, HeaderValue::from_bytes(bytes).unwrap());
                assert!(push.proven(&verifier).is_err(), "{}: {name}", vector.name);
            }
        }
    }
}

#[test]
fn a_url_is_signed_with_its_port_or_without() {
    let (vector, verifier) = of("twilio_form");
    for url in [
        "https://mycompany.com/myapp.php?foo=1&bar=2",
        "https://mycompany.com:443/myapp.php?foo=1&bar=2",
        "https://mycompany.com:8443/myapp.php?foo=1&bar=2",
    ] {
        let push = Push {
            url: url.to_owned(),
            ..vector.push.clone()
        };
        assert_eq!(push.proven(&verifier), Ok(()), "{url}");
    }
    let push = Push {
        url: "http://mycompany.com/myapp.php?foo=1&bar=2".to_owned(),
        ..vector.push
    };
    assert_eq!(push.proven(&verifier), Err(ProofFailure::Wrong));
}

#[test]
fn twilios_digest_of_the_body_is_there_once() {
    let (vector, verifier) = of("twilio_json");
    let digest = vector.push.url.rsplit('=').next().unwrap().to_owned();
    for url in [
        "https://mycompany.com/myapp.php?foo=1&bar=2".to_owned(),
        format!("{}&bodySHA256={digest}", vector.push.url),
    ] {
        let push = Push {
            url,
            ..vector.push.clone()
        };
        assert_eq!(push.proven(&verifier), Err(ProofFailure::Wrong));
    }
}
