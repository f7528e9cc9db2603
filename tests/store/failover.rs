//! A master that dies: the replica that takes its place has what was answered with a yes.

use std::time::{Duration, Instant};

use pintle::store::redis::{Acknowledged, Options, Places};
use pintle::store::{Enqueued, Filter, Queue, Redis};

use crate::fleet::{options, place, several};
use crate::servers::cluster::Cluster;
use crate::servers::redis::{Server, free_port};
use crate::support::{NOW, event};

/// Stores until the master has died and so many more were stored after it; tells which were.
async fn store_through(redis: &Redis, kill: impl FnOnce()) -> Vec<String> {
    let (mut stored, mut kill, mut since) = (Vec::new(), Some(kill), None);
    let end = Instant::now() + Duration::from_mins(1);
    for number in 0.. {
        assert!(Instant::now() < end, "{} were stored", stored.len());
        let id = format!("e{number}");
        match redis.enqueue(event(&id, "crm"), NOW).await {
            Ok(Enqueued::Stored { .. }) => stored.push(id),
            Ok(other) => panic!("{other:?}"),
            Err(_) => {
                since.get_or_insert(stored.len());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        if stored.len() == 300
            && let Some(kill) = kill.take()
        {
            kill();
        }
        if since.is_some_and(|since| stored.len() >= since + 100) {
            return stored;
        }
    }
    stored
}

async fn check(redis: &Redis, stored: &[String]) {
    for id in stored {
        let filter = Filter {
            event: Some(id.clone()),
            ..Filter::default()
        };
        assert_eq!(redis.count(&filter).await, Ok(1), "{id} is missing");
    }
}

#[tokio::test]
async fn nothing_is_lost_when_a_master_of_a_cluster_dies() {
    let mut cluster = Cluster::start();
    let options = Options {
        answer: Duration::from_secs(2),
        connect: Duration::from_secs(2),
        ..options(several(&cluster))
    };
    let prefix = options.prefix.clone();
    let redis = Redis::open(options).await.unwrap();
    let owner = cluster.owner(&prefix, 0);
    let stored = store_through(&redis, || {
        cluster.nodes[owner].kill();
    })
    .await;
    check(&redis, &stored).await;
    assert_ne!(cluster.owner(&prefix, (owner + 1) % 3), owner);
}

#[tokio::test]
async fn sentinels_tell_who_is_the_master_now() {
    let (mut master, replica) = (Server::start(), Server::start());
    let port = master.port.to_string();
    replica.client().ask(&["REPLICAOF", "127.0.0.1", &port]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sentinel.conf");
    let sentinel = free_port();
    let lines = format!(
        "port {sentinel}\nbind 127.0.0.1\nsentinel monitor pintle 127.0.0.1 {port} 1\n\
         sentinel down-after-milliseconds pintle 1000\nsentinel failover-timeout pintle 5000\n"
    );
    std::fs::write(&file, lines).unwrap();
    let watching = std::process::Command::new("redis-server")
        .arg(&file)
        .arg("--sentinel")
        .stdout(std::process::Stdio::null())
        .spawn();
    let _watching = Ended(watching.unwrap());
    let end = Instant::now() + Duration::from_secs(20);
    while replica.client().info("master_link_status") != "up"
        || !knows(sentinel, &replica.port.to_string())
    {
        assert!(Instant::now() < end, "the sentinel never sees the replica");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let options = Options {
        acknowledged_by: Acknowledged::Present,
        answer: Duration::from_secs(2),
        ..options(Places::Sentinel {
            sentinels: vec![place(1), place(sentinel)],
            name: "pintle".to_owned(),
            database: 0,
        })
    };
    let redis = Redis::open(options).await.unwrap();
    let stored = store_through(&redis, || {
        master.kill();
    })
    .await;
    check(&redis, &stored).await;
    assert_eq!(replica.client().info("role"), "master");
}

/// A child that is killed at the end.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn knows(sentinel: u16, port: &str) -> bool {
    let Ok(_) = std::net::TcpStream::connect(("127.0.0.1", sentinel)) else {
        return false;
    };
    let mut client = crate::servers::redis::Client::connect(sentinel);
    client
        .ask(&["SENTINEL", "REPLICAS", "pintle"])
        .contains(port)
}
