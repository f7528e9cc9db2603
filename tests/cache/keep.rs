//! What is kept of large replies, and how a reply is streamed while it is kept.

use pintle::cache::{Builder, Cache, Entry, Life, Options, Owner, Vary};
use std::sync::Arc;

use crate::support::{Stage, answer};

fn entry(len: usize) -> Arc<Entry> {
    Arc::new(Entry {
        owner: Owner {
            account: "main".into(),
            operation: "x".into(),
        },
        status: http::StatusCode::OK,
        headers: http::HeaderMap::new(),
        body: vec![0; len].into(),
        vary: Vary::default(),
        life: Life {
            born_ms: 0,
            age_ms: 0,
            fresh_until_ms: i64::MAX,
            revalidate_until_ms: i64::MAX,
            error_until_ms: i64::MAX,
            silence_until_ms: i64::MAX,
            is_strict: false,
        },
    })
}

#[test]
fn the_memory_is_bounded_whatever_the_keys() {
    let options = Options {
        bytes_max: 4 << 20,
        entry_bytes_max: 64 << 10,
    };
    let cache = Cache::in_memory(options);
    let mut kept = 0;
    for n in 0_u64..100_000 {
        let mut key = Builder::new(&[0; 32], "main", 1);
        key.part(&n.to_be_bytes());
        let key = key.build();
        cache.keep(&key, &cache.ticket(&key), entry(100));
        kept += usize::from(cache.get(&key).is_some());
        assert!(cache.stats().bytes <= options.bytes_max);
    }
    assert!(
        kept > 90_000,
        "{kept} were there right after they were kept"
    );
    let mut counted = 0_usize;
    cache.each(&mut |_| counted += 1);
    assert!((1_000..10_000).contains(&counted), "{counted}");
    let key = Builder::new(&[0; 32], "main", 2).build();
    cache.keep(&key, &cache.ticket(&key), entry(65 << 10));
    assert!(cache.get(&key).is_none(), "it is larger than one may be");
    assert_eq!(
        cache.purge(None, Some("main")),
        u64::try_from(counted).unwrap()
    );
    let mut left = 0;
    cache.each(&mut |_| left += 1);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_large_reply_passes_and_is_not_kept() {
    let limits = "cache: { bytes_max: 1MiB, entry_bytes_max: 64KiB }";
    for (len, hits) in [(64 << 10, 1), ((64 << 10) + 1, 2)] {
        let body = "x".repeat(len);
        let reply = move |_: &_, _| answer(&body, &[("cache-control", "max-age=60")]);
        let stage = Stage::with(limits, reply).await;
        for _ in 0..2 {
            assert_eq!(stage.client.get("/plain/x").await.body.len(), len);
        }
        assert_eq!(stage.origin.hits(), hits, "{len}");
    }
}
