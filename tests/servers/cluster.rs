//! A Redis Cluster of three masters with a replica each.

use std::time::{Duration, Instant};

use super::redis::{Server, free_port};

/// The first three were begun as masters, each with its replica three places behind it.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
}

impl Cluster {
    /// Starts six processes and waits until they are one.
    pub(crate) fn start() -> Self {
        let nodes: Vec<Server> = (0..6).map(|_| node()).collect();
        for (at, range) in [("0", "5460"), ("5461", "10922"), ("10923", "16383")]
            .into_iter()
            .enumerate()
        {
            let mut client = nodes[at].client();
            ok(&client.ask(&["CLUSTER", "ADDSLOTSRANGE", range.0, range.1]));
            // Otherwise two of them claim the same.
            ok(&client.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]));
        }
        let mut first = nodes[0].client();
        for node in &nodes[1..] {
            let (port, bus) = (node.port.to_string(), bus(node));
            ok(&first.ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]));
        }
        let cluster = Self { nodes };
        cluster.wait("the nodes to meet", |node| {
            let known = node.client().ask(&["CLUSTER", "NODES"]);
            known.lines().count() == 6 && !known.contains("handshake")
        });
        for at in 0..3 {
            let master = cluster.nodes[at].client().ask(&["CLUSTER", "MYID"]);
            let mut replica = cluster.nodes[at + 3].client();
            ok(&replica.ask(&["CLUSTER", "REPLICATE", &master]));
        }
        cluster.wait("the cluster to be whole", |node| {
            let mut client = node.client();
            client
                .ask(&["CLUSTER", "INFO"])
                .contains("cluster_state:ok")
                && (client.info("role") == "master" || client.info("master_link_status") == "up")
        });
        cluster.wait("the masters to have replicas", |node| {
            let mut client = node.client();
            client.info("role") == "slave" || client.info("connected_slaves") == "1"
        });
        cluster
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Server) -> bool) {
        let end = Instant::now() + Duration::from_mins(1);
        while !self.nodes.iter().all(&is_so) {
            assert!(Instant::now() < end, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(|node| node.port).collect()
    }

    /// Which node has the slot of a key now, by what a node that lives says.
    pub(crate) fn owner(&self, key: &str, asked: usize) -> usize {
        let mut client = self.nodes[asked].client();
        let slot: u16 = client.ask(&["CLUSTER", "KEYSLOT", key]).parse().unwrap();
        let told = client.ask(&["CLUSTER", "NODES"]);
        let has = |line: &&str| {
            let parts: Vec<&str> = line.split(' ').collect();
            parts[2].contains("master")
                && !parts[2].contains("fail")
                && parts[8..].iter().any(|range| {
                    let (from, to) = range.split_once('-').unwrap_or((range, range));
                    let within = |from: u16, to: u16| (from..=to).contains(&slot);
                    from.parse()
                        .is_ok_and(|from| to.parse().is_ok_and(|to| within(from, to)))
                })
        };
        let line = told.lines().find(has).expect("a master has every slot");
        let address = line.split(' ').nth(1).unwrap();
        let port = address.split(['@', ':']).nth(1).unwrap();
        let ports = self.ports();
        ports
            .iter()
            .position(|known| known.to_string() == port)
            .unwrap()
    }
}

fn node() -> Server {
    let bus = free_port().to_string();
    Server::with(&[
        "--appendonly",
        "yes",
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &bus,
        "--cluster-node-timeout",
        "2000",
        "--repl-diskless-sync-delay",
        "0",
    ])
}

fn bus(node: &Server) -> String {
    let mut client = node.client();
    let told = client.ask(&["CONFIG", "GET", "cluster-port"]);
    told.lines().nth(1).unwrap().to_owned()
}

fn ok(answer: &str) {
    assert_eq!(answer, "OK");
}
