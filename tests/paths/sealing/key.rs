//! Which keys and which sealing a message gets: switches, logins, validity, rotation.

use std::sync::atomic::{AtomicUsize, Ordering};

use pintle::app::Reloaded;
use pintle::crypto::Keyring;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::until;

#[tokio::test]
async fn sealing_is_switched_by_account_family_and_operation() {
    let keys = format!("keys: {{ aes: [{}] }}", key_entry("airudder", "1", KEY));
    let plain = stage_with(sealing_platform("airudder"), "").await;
    plain.client.post(CREATE, INSTANCE).await;
    assert_eq!(plain.last_seen().body, INSTANCE);

    // The family says no where the account says yes, and the operation yes where the family says no.
    let folder = folder(|text| {
        let (from, to) = ("  workflow:\n", "  workflow:\n    sealing: none\n");
        text.replace(from, to)
    });
    std::fs::create_dir(folder.path().join("routes")).unwrap();
    let route = "family: workflow\noperations:\n  - { name: workflow.create, titles: [c], \
                 method: POST, path: /service/cloud/workflow/createinstance, effect: once, \
                 source: assumed, sealing: airudder }\n";
    std::fs::write(folder.path().join("routes/r.yaml"), route).unwrap();
    let of_account = format!("sealing: airudder, {keys}");
    let options = sealing_platform("airudder");
    let stage = stage_in(folder, options, &of_account, "routes: routes").await;
    stage.client.post(CREATE, INSTANCE).await;
    assert_ne!(stage.last_seen().body, INSTANCE, "the operation");
    stage.client.post(ADD, INSTANCE).await;
    assert_eq!(stage.last_seen().body, INSTANCE, "the family");
    stage.client.post("/service/cloud/nowhere", INSTANCE).await;
    assert_ne!(stage.last_seen().body, INSTANCE, "the account");
}

#[tokio::test]
async fn a_login_is_sealed_where_its_policy_says_so() {
    let folder = folder(|text| {
        let path = "    path: /service/cloud/auth\n";
        text.replace(path, &format!("{path}    sealing: airudder\n"))
    });
    let keys = format!("keys: {{ aes: [{}] }}", key_entry("airudder", "1", KEY));
    let stage = stage_in(folder, sealing_platform("airudder"), &keys, "").await;
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    let seen = stage.sandbox.seen();
    let login = seen
        .iter()
        .find(|seen| seen.target == "/service/cloud/auth");
    let login = login.unwrap();
    let opened = open_airudder(&login.body, header(login, "signed"));
    assert_eq!(
        opened,
        r#"{"APPKey":"sandbox-key","APPSecret":"sandbox-secret"}"#
    );
}

#[tokio::test]
async fn keys_are_valid_for_their_time_alone() {
    let options = sealing_platform("airudder");
    let key = format!("{{ id: \"1\", key: \"literal:{KEY}\", until: 2126-01-01T00:00:00Z }}");
    let stage = stage_with(
        options,
        &format!("sealing: airudder, keys: {{ aes: [{key}] }}"),
    )
    .await;
    assert_eq!(stage.client.post(CREATE, INSTANCE).await.status, 200);
    stage.app.outbound().clock.turn(100 * 366 * 24 * 3600);
    let reply = stage.client.post(CREATE, INSTANCE).await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (503, "no_key")
    );
}

/// The platform takes both keys while the gateway goes from one to the other and back.
#[tokio::test]
async fn a_rotation_under_load_has_no_failed_call() {
    let (old, new) = (KEY, "the new key, 16b");
    let ring = |key: &str| config::keyring(&format!("literal:{key}"), None, "text").unwrap();
    let keys = [old, new].into_iter().flat_map(|key| ring(key).into_keys());
    let mut options = sealing_platform("airudder");
    if let Some(seals) = &mut options.seals {
        seals.keys = Arc::new(Keyring::new(keys.collect()));
    }
    let of_account = |first: &str, second: &str| {
        let first = key_entry("airudder", "a", first);
        let second = key_entry("airudder", "b", second);
        format!("sealing: airudder, keys: {{ aes: [{first}, {second}] }}")
    };
    let stage = stage_with(options, &of_account(old, new)).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let done = CancellationToken::new();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (client, calls, done) = (stage.client.clone(), Arc::clone(&calls), done.clone());
            tokio::spawn(async move {
                while !done.is_cancelled() {
                    let reply = client.post(CREATE, INSTANCE).await;
                    assert_eq!(reply.status, 200, "{:?}", reply.body);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let path = stage.folder.path().join("pintle.yaml");
    let mut settings = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ((old, new), (new, old)),
        ((new, old), (old, new)),
        ((old, new), (new, old)),
    ] {
        settings = settings.replace(&of_account(from.0, from.1), &of_account(to.0, to.1));
        std::fs::write(&path, &settings).unwrap();
        assert!(matches!(stage.app.reload(), Reloaded::Done { .. }));
        let enough = calls.load(Ordering::Relaxed) + 100;
        until("calls after the reload", || {
            calls.load(Ordering::Relaxed) >= enough
        })
        .await;
    }
    done.cancel();
    for caller in callers {
        caller.await.unwrap();
    }
    let sealed = from_base64(&stage.last_seen().body);
    let plain = openssl("-aes-128-ecb", new, None, &sealed);
    assert!(plain.starts_with(b"{"), "the new key seals");
}
