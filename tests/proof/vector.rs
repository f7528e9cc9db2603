//! Every vector passes through the shipped proof of its sender.

use std::collections::BTreeSet;

use pintle::crypto::ProofFailure;

use crate::support::{Push, data, shipped, vectors, verifier};

#[test]
fn every_vector_is_judged_as_its_sender_says() {
    let all = vectors();
    assert_eq!(all.len(), 20);
    for vector in all {
        let verifier = verifier(&shipped(&vector.scheme), &[&vector.secret]);
        let said = vector.push.proven(&verifier);
        let expected = match vector.name.as_str() {
            _ if vector.valid => Ok(()),
            "stripe form, 301 s old" => Err(ProofFailure::Stale),
            _ => Err(ProofFailure::Wrong),
        };
        assert_eq!(said, expected, "{}", vector.name);
    }
}

#[test]
fn every_scheme_of_the_vectors_is_shipped() {
    let data = data();
    let schemes = data["schemes"].as_object().unwrap();
    let tried: BTreeSet<String> = vectors().into_iter().map(|vector| vector.scheme).collect();
    for name in schemes
        .keys()
        .map(String::as_str)
        .chain(["slack", "platform"])
    {
        let proof = shipped(name);
        assert!(!proof.names().is_empty(), "{name}");
        assert!(proof.provenance.is_some(), "{name}");
        // Of Meta there is GitHub's vector, which it signs alike.
        let is_tried = tried.contains(name) || ["meta", "slack", "platform"].contains(&name);
        assert!(is_tried, "{name}");
    }
}

/// The example of <https://api.slack.com/authentication/verifying-requests-from-slack>.
#[test]
fn slacks_own_example_is_proven() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
                &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
                &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com\
                %2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
                &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let mut push = Push::new(body)
        .header("x-slack-request-timestamp", "1531420618")
        .header("x-slack-signature", signature);
    push.now_ms = 1_531_420_618_000;
    let verifier = verifier(&shipped("slack"), &["8f742231b10e8888abcd99yyyzzz85a5"]);
    assert_eq!(push.proven(&verifier), Ok(()));
}

#[test]
fn metas_signature_is_as_githubs() {
    let all = vectors();
    let vector = all.iter().find(|vector| vector.scheme == "github").unwrap();
    let verifier = verifier(&shipped("meta"), &[&vector.secret]);
    assert_eq!(vector.push.proven(&verifier), Ok(()));
}
