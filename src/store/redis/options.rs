//! Where a Redis is, what it must be, and why it is not used.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::secret::Secret;
use crate::upstream::tls;

/// Where a Redis is, and its limits.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// Where it is.
    pub places: Places,
    /// The user, where it is not the default one.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The TLS client; `None` where it is spoken to in the clear.
    pub tls: Option<tls::Client>,
    /// What every key begins with, in braces, so that all are in one slot of a cluster.
    pub prefix: String,
    /// Finding it, connecting and signing in together.
    pub connect: Duration,
    /// How long an answer may take.
    pub answer: Duration,
    /// With more memory in use nothing comes in, and all the rest works.
    pub bytes_max: u64,
    /// How many operations may be under way.
    pub requests_max: usize,
    /// Who must have a write before it counts.
    pub acknowledged_by: Acknowledged,
    /// A Redis that may forget what it was given is used all the same.
    pub may_forget: bool,
}

/// Where to look for the node that takes writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Places {
    /// It is there.
    Single {
        /// Where.
        place: Place,
        /// The number of its database.
        database: i64,
    },
    /// Sentinels know where it is.
    Sentinel {
        /// Where they are.
        sentinels: Vec<Place>,
        /// The name under which they watch it.
        name: String,
        /// The number of its database.
        database: i64,
    },
    /// Each node of the cluster knows.
    Cluster {
        /// Where some of them are.
        nodes: Vec<Place>,
    },
}

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Who must have a write before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// One replica, as long as one is connected.
    Present,
    /// So many replicas, whatever happens; none is the master alone.
    Replicas(u32),
}

/// Why a Redis that answers is not used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// It throws keys away when its memory is used up.
    #[error(
        "Redis at {place} throws keys away (maxmemory-policy {policy}): set it to noeviction, or \
         write `without_persistence: allow`"
    )]
    Evicts {
        /// Where it is.
        place: Place,
        /// Its policy.
        policy: String,
    },
    /// It forgets everything when it ends.
    #[error(
        "Redis at {place} forgets everything when it ends: switch appendonly on, or write \
         `without_persistence: allow`"
    )]
    Forgets {
        /// Where it is.
        place: Place,
    },
    /// It does not say how it keeps what it has.
    #[error(
        "Redis at {place} does not tell how it keeps what it has ({what}): let this user run \
         CONFIG GET and INFO, or write `without_persistence: allow`"
    )]
    Silent {
        /// Where it is.
        place: Place,
        /// What it says instead.
        what: String,
    },
    /// Its version is too old.
    #[error("Redis at {place} is version {version}: 6.2 is the oldest that can be used")]
    Old {
        /// Where it is.
        place: Place,
        /// Its version.
        version: String,
    },
    /// It takes no writes.
    #[error("Redis at {place} is a replica, which takes no writes: name its master")]
    Replica {
        /// Where it is.
        place: Place,
    },
    /// Something else answers there.
    #[error("what answers at {place} is no Redis: {what}")]
    Foreign {
        /// Where it is.
        place: Place,
        /// What it says instead.
        what: String,
    },
    /// It does not let us in.
    #[error("Redis at {place} does not let us in: {what}")]
    Locked {
        /// Where it is.
        place: Place,
        /// What it says.
        what: String,
    },
}
