//! Rates: who goes at once, who waits, who is refused, and that nobody starves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pintle::sandbox::Sandbox;
use tokio::task::JoinSet;

use crate::support::{Client, Reply, Stage, fault, policies_with, sandbox_options, settings};

const ROBOTS: &str = "/service/cloud/robot";

/// A gateway with these rates, and no others.
async fn stage(rates: &str) -> Stage {
    let folder = policies_with("rate.yaml", rates);
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let settings = settings(&sandbox.url(), "policies: policies\n");
    let stage = Stage::start_in(folder, sandbox, &settings).await;
    // The token is had before anything is timed.
    stage.client.get("/service/cloud/list").await;
    stage
}

fn rate(of: &str) -> String {
    format!("rates:\n  tried: {{ source: assumed, calls: [\"*\"], {of} }}\n")
}

async fn ask(client: &Client, headers: &[(&str, &str)]) -> Reply {
    client.send("GET", ROBOTS, headers, "").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_have_a_turn_in_time_is_told_at_once_when_to_come() {
    let stage = stage(&rate(
        "per: [caller], limits: [{ max: 10, per: 10s, burst: 3 }]",
    ))
    .await;
    let patient = [("x-pintle-caller", "crm"), ("x-pintle-timeout", "500ms")];
    for left in ["2", "1", "0"] {
        let reply = ask(&stage.client, &patient).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("ratelimit-policy"), "\"tried\";q=10;w=10");
        assert_eq!(reply.header("ratelimit"), format!("\"tried\";r={left}"));
    }
    let begun = Instant::now();
    let reply = ask(&stage.client, &patient).await;
    assert!(
        begun.elapsed() < Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (429, "over_quota")
    );
    assert_eq!(reply.json()["outcome"], "not_sent");
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(reply.header("ratelimit"), "\"tried\";r=0;t=1");
    // Another caller has a count of its own, and nothing of the headers goes on.
    let other = [("x-pintle-caller", "billing")];
    assert_eq!(ask(&stage.client, &other).await.status, 200);
    let seen = stage.last_seen();
    let names: Vec<&str> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        !names.iter().any(|name| name.starts_with("x-pintle")),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_of_the_gateway_and_cannot_be_read_is_refused() {
    let stage = stage(&rate("limits: [{ max: 1000, per: 1s }]")).await;
    for (name, value, expected) in [
        ("x-pintle-timeout", "soon", "such as `2s`"),
        ("x-pintle-timeout", "0s", "such as `2s`"),
        ("x-pintle-timeout", "-1", "such as `2s`"),
        ("x-pintle-priority", "high", "`interactive` or `campaign`"),
    ] {
        let reply = ask(&stage.client, &[(name, value)]).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (400, "bad_control")
        );
        let told = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(told.contains(name) && told.contains(expected), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_wait_for_their_turns_and_several_limits_hold_together() {
    let stage = stage(&rate(
        "limits: [{ max: 50, per: 1s, burst: 1 }, { max: 600, per: 1m, burst: 20 }]",
    ))
    .await;
    let begun = Instant::now();
    let replies = many(&stage, 15, &[]).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(
        begun.elapsed() >= Duration::from_millis(14 * 20),
        "{:?}",
        begun.elapsed()
    );
    // The burst of the longer limit is used up: one each 100 ms from then on.
    many(&stage, 12, &[]).await;
    let begun = Instant::now();
    many(&stage, 5, &[]).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(4 * 100),
        "{:?}",
        begun.elapsed()
    );
}

async fn many(stage: &Stage, count: usize, headers: &[(&'static str, &'static str)]) -> Vec<Reply> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let (client, headers) = (stage.client.clone(), headers.to_vec());
        calls.spawn(async move { ask(&client, &headers).await });
    }
    calls.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_under_way_than_may_be() {
    let stage = stage(&rate("in_flight_max: 2")).await;
    stage.sandbox.set_fault(fault("delay=100ms"));
    let begun = Instant::now();
    let replies = many(&stage, 6, &[]).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(
        begun.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    let impatient = [("x-pintle-timeout", "150ms")];
    let replies = many(&stage, 6, &impatient).await;
    let refused = replies.iter().filter(|reply| reply.status == 429).count();
    assert!(refused >= 2, "{refused}");
    stage.sandbox.clear_faults();
    assert_eq!(
        ask(&stage.client, &impatient).await.status,
        200,
        "places come back"
    );
}

/// Calls a second of a class for a time: how long each waited, of those that had a turn.
async fn offer(
    client: Client,
    (a_second, seconds): (u32, u32),
    class: &'static str,
) -> (usize, Vec<Duration>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / a_second);
    let mut calls = JoinSet::new();
    let count = a_second * seconds;
    for _ in 0..count {
        ticks.tick().await;
        let client = client.clone();
        calls.spawn(async move {
            let headers = [("x-pintle-priority", class), ("x-pintle-timeout", "1s")];
            let begun = Instant::now();
            let reply = ask(&client, &headers).await;
            (reply.status.as_u16(), begun.elapsed())
        });
    }
    let ended = calls.join_all().await;
    let others = ended
        .iter()
        .filter(|(status, _)| ![200, 429].contains(status));
    assert_eq!(others.count(), 0);
    let mut waited: Vec<Duration> = ended
        .into_iter()
        .filter(|(status, _)| *status == 200)
        .map(|(_, waited)| waited)
        .collect();
    waited.sort_unstable();
    (usize::try_from(count).unwrap(), waited)
}

const SHARED: &str = "per: [account], limits: [{ max: 200, per: 1s, burst: 4 }]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_three_times_the_quota_interactive_calls_hardly_wait() {
    let stage = stage(&rate(SHARED)).await;
    let mut p99s = Vec::new();
    // The machine may be busy with something else: the best of three counts.
    while p99s.len() < 3 && p99s.iter().all(|p99| *p99 >= Duration::from_millis(50)) {
        let (interactive, campaign) = tokio::join!(
            offer(stage.client.clone(), (100, 4), "interactive"),
            offer(stage.client.clone(), (500, 4), "campaign"),
        );
        let (offered, waited) = interactive;
        assert_eq!(waited.len(), offered, "every interactive call has its turn");
        // What is left is 100 a second, over the four seconds and the one that the last may wait.
        let (_, taken) = campaign;
        assert!((350..=520).contains(&taken.len()), "{}", taken.len());
        p99s.push(waited[waited.len() * 99 / 100]);
    }
    let best = p99s.iter().min().unwrap();
    assert!(*best < Duration::from_millis(50), "{p99s:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn campaigns_get_their_share_however_many_others_come() {
    let stage = stage(&rate(SHARED)).await;
    let (interactive, campaign) = tokio::join!(
        offer(stage.client.clone(), (500, 4), "interactive"),
        offer(stage.client.clone(), (100, 4), "campaign"),
    );
    // A tenth of 200 a second.
    assert!(
        (60..=140).contains(&campaign.1.len()),
        "{}",
        campaign.1.len()
    );
    assert!(interactive.1.len() >= 600, "{}", interactive.1.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_says_it_is_too_much_is_left_alone_and_called_slower_after() {
    let stage = stage(&rate("limits: [{ max: 10000, per: 1s, burst: 1000 }]")).await;
    for _ in 0..40 {
        assert_eq!(ask(&stage.client, &[]).await.status, 200);
    }
    stage.sandbox.set_fault(fault("status=429; retry-after=1"));
    let hasty = [("x-pintle-timeout", "500ms")];
    let refused = ask(&stage.client, &hasty).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), "1");
    stage.sandbox.clear_faults();
    let before = stage.seen_at(ROBOTS);
    let reply = ask(&stage.client, &hasty).await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (429, "over_quota")
    );
    assert_eq!(
        stage.seen_at(ROBOTS),
        before,
        "nothing is sent in the pause"
    );
    let begun = Instant::now();
    let reply = ask(&stage.client, &[]).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json());
    assert!(
        begun.elapsed() > Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    // Some forty came in the second before: twenty a second come now, not thousands.
    let begun = Instant::now();
    many(&stage, 6, &[]).await;
    assert!(
        begun.elapsed() > Duration::from_millis(120),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_keeps_the_counts() {
    let stage = stage(&rate("limits: [{ max: 2, per: 10s, burst: 2 }]")).await;
    let hasty = [("x-pintle-timeout", "100ms")];
    // One is used up by the first call of all.
    assert_eq!(ask(&stage.client, &hasty).await.status, 200);
    assert!(matches!(
        stage.app.reload(),
        pintle::app::Reloaded::Done { .. }
    ));
    assert_eq!(ask(&stage.client, &hasty).await.status, 429);
    let stage = Arc::new(stage);
    let file = stage.folder.path().join("policies/rate.yaml");
    std::fs::write(file, rate("limits: [{ max: 100, per: 1s }]")).unwrap();
    assert!(matches!(
        stage.app.reload(),
        pintle::app::Reloaded::Done { .. }
    ));
    assert_eq!(ask(&stage.client, &hasty).await.status, 200);
}
