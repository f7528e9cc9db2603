//! The stores of a fleet for the suites: each a queue of its own in a Redis or a cluster that all
//! tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pintle::store::Redis;
use pintle::store::redis::{Acknowledged, Options, Place, Places};

use crate::servers::Shared;
use crate::servers::cluster::Cluster;
use crate::servers::redis::Server;

static SINGLE: Shared<Server> = Shared::new();
static CLUSTER: Shared<Cluster> = Shared::new();

pub(crate) fn single() -> Arc<Server> {
    SINGLE.get(Server::start)
}

pub(crate) fn cluster() -> Arc<Cluster> {
    CLUSTER.get(Cluster::start)
}

/// Begins a queue of its own.
pub(crate) async fn open(places: Places) -> Redis {
    Redis::open(options(places)).await.unwrap()
}

pub(crate) fn options(places: Places) -> Options {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    Options {
        places,
        user: None,
        password: None,
        tls: None,
        prefix: format!("{{queue{}}}", COUNT.fetch_add(1, Ordering::Relaxed)),
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(10),
        bytes_max: 4 << 30,
        requests_max: 4096,
        acknowledged_by: Acknowledged::Present,
        may_forget: false,
    }
}

pub(crate) fn place(port: u16) -> Place {
    Place {
        host: "127.0.0.1".to_owned(),
        port,
    }
}

pub(crate) fn alone(server: &Server) -> Places {
    Places::Single {
        place: place(server.port),
        database: 0,
    }
}

pub(crate) fn several(cluster: &Cluster) -> Places {
    Places::Cluster {
        nodes: cluster.ports().into_iter().map(place).collect(),
    }
}
