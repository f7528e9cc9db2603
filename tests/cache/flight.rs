//! One fetch for all that want the same.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{Answer, Stage, answer, status, until};

const YES: &str = r#"{"code":200,"data":[]}"#;

/// So many calls at once, and how the origin was asked.
async fn at_once(stage: &Stage, path: &str, calls: usize) -> Vec<crate::support::Reply> {
    stage.origin.hold();
    let all = join_all((0..calls).map(|_| stage.client.get(path)));
    let letting_go = async {
        until("a first request", || stage.origin.hits() > 0).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.origin.let_go(calls);
    };
    tokio::join!(all, letting_go).0
}

#[tokio::test]
async fn a_hundred_misses_are_one_fetch() {
    for path in ["/cloud/robots", "/plain/x"] {
        let stage = Stage::new(|_, _| answer(YES, &[("cache-control", "max-age=60")])).await;
        let replies = at_once(&stage, path, 100).await;
        assert!(
            replies
                .iter()
                .all(|reply| reply.status == 200 && reply.body == YES)
        );
        assert_eq!(stage.origin.hits(), 1, "{path}");
        let collapsed = replies
            .iter()
            .filter(|reply| reply.told().ends_with("collapsed"));
        assert!(collapsed.count() > 50, "{path}");
    }
}

#[tokio::test]
async fn a_no_is_for_all_that_waited_and_for_nobody_after() {
    let stage = Stage::new(|_, _| answer(r#"{"code":1}"#, &[])).await;
    let replies = at_once(&stage, "/cloud/robots", 20).await;
    assert!(
        replies
            .iter()
            .all(|reply| reply.header("x-pintle-verdict") == "refused")
    );
    assert_eq!(stage.origin.hits(), 1);
    stage.client.get("/cloud/robots").await;
    assert_eq!(stage.origin.hits(), 2);
}

#[tokio::test]
async fn a_fetch_that_fails_fails_for_all_at_once() {
    let cut = || Answer {
        cut: true,
        ..Answer::default()
    };
    let stage = Stage::new(move |_, n| if n == 0 { cut() } else { answer(YES, &[]) }).await;
    let replies = at_once(&stage, "/cloud/robots", 20).await;
    let failed = replies.iter().filter(|reply| reply.status == 502).count();
    assert!(failed >= 10, "{failed}");
    assert_eq!(
        stage.client.get("/cloud/robots").await.status,
        200,
        "nobody is stranded"
    );
}

#[tokio::test]
async fn who_leaves_does_not_strand_the_others() {
    let stage = Stage::new(|_, _| answer(YES, &[])).await;
    stage.origin.hold();
    let first = tokio::spawn({
        let client = stage.client.clone();
        async move { client.get("/cloud/robots").await }
    });
    until("the first", || stage.origin.hits() == 1).await;
    let second = stage.client.get("/cloud/robots");
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        first.abort();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stage.origin.let_go(1);
    };
    let (reply, ()) = tokio::join!(second, leaving);
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (200, YES));
    assert_eq!(
        stage.origin.hits(),
        1,
        "what the platform saw runs to its end"
    );
}

#[tokio::test]
async fn who_waits_waits_no_longer_than_its_deadline() {
    let stage = Stage::with(
        "cache: {}\nlocal: { listen: \"127.0.0.1:0\", deadline: 300ms }",
        |_, _| answer(YES, &[]),
    )
    .await;
    stage.origin.hold();
    let begun = tokio::time::Instant::now();
    let replies = join_all((0..10).map(|_| stage.client.get("/cloud/robots"))).await;
    assert!(replies.iter().all(|reply| reply.status == 504));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(stage.origin.hits(), 1);
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_waited_for() {
    let stage =
        Stage::new(|_, n| status(200, &n.to_string(), &[("cache-control", "no-store")])).await;
    let replies = at_once(&stage, "/plain/x", 10).await;
    let mut bodies: Vec<_> = replies.iter().map(|reply| reply.body.clone()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 10, "each has its own reply");
    // From then on nobody waits even for the head of another's reply.
    stage.origin.hold();
    let two = join_all((0..2).map(|_| stage.client.get("/plain/x")));
    let letting_go = async {
        until("both", || stage.origin.hits() == 12).await;
        stage.origin.let_go(2);
    };
    tokio::join!(two, letting_go);
}
