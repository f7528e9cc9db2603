//! Finding the node that takes writes, and connecting to it.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, Value, cmd};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::store::redis::look::{Trouble, fit, refused};
use crate::store::redis::options::{Options, Place, Places};
use crate::upstream::Dialer;

/// A connection to the node that takes writes.
pub(super) struct Wire {
    /// Shared by all requests.
    pub(super) connection: MultiplexedConnection,
    /// Where the node is.
    pub(super) place: Place,
}

/// Opens connections to the nodes of one Redis. `drivers` owns what moves their bytes.
pub(super) struct Finder {
    pub(super) options: Arc<Options>,
    pub(super) drivers: TaskTracker,
}

impl Finder {
    /// Finds the node that takes writes, connects, and looks whether it will do.
    pub(super) async fn find(&self, deadline: Instant) -> Result<Wire, Trouble> {
        let place = match &self.options.places {
            Places::Single { place, .. } => place.clone(),
            Places::Sentinel { sentinels: who, .. } | Places::Cluster { nodes: who } => {
                self.ask_each(who, deadline).await?
            }
        };
        let mut connection = self.open(&place, self.database(), deadline).await?;
        let looking = fit(&mut connection, &place, &self.options);
        let looked = timeout_at(deadline, looking).await;
        looked.map_err(|_| late(&place))??;
        Ok(Wire { connection, place })
    }

    /// The first answer of several who may know.
    async fn ask_each(&self, places: &[Place], deadline: Instant) -> Result<Place, Trouble> {
        let mut last = Trouble::Away("no node of Redis is named".to_owned());
        for (tried, place) in places.iter().enumerate() {
            // Each gets its share of the time that is left.
            let left = u32::try_from(places.len() - tried + 1).unwrap_or(1);
            let until = Instant::now() + deadline.saturating_duration_since(Instant::now()) / left;
            match timeout_at(until, self.ask(place, until)).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(trouble)) => last = trouble,
                Err(_) => last = late(place),
            }
        }
        Err(last)
    }

    async fn ask(&self, place: &Place, deadline: Instant) -> Result<Place, Trouble> {
        let mut connection = self.open(place, 0, deadline).await?;
        match &self.options.places {
            Places::Sentinel { name, .. } => master(&mut connection, name).await,
            _ => owner(&mut connection, &self.options.prefix, place).await,
        }
    }

    /// Connects to one node and signs in.
    pub(super) async fn open(
        &self,
        place: &Place,
        database: i64,
        deadline: Instant,
    ) -> Result<MultiplexedConnection, Trouble> {
        let dialer = Dialer::new(&place.host, place.port, self.options.tls.as_ref());
        let stream = dialer.dial(deadline).await.map_err(|failure| {
            let told = crate::telemetry::chain(&failure);
            Trouble::Away(format!("Redis at {place}: {told}"))
        })?;
        let mut info = RedisConnectionInfo::default()
            .set_db(database)
            .set_skip_set_lib_name();
        if let Some(user) = &self.options.user {
            info = info.set_username(user);
        }
        if let Some(password) = &self.options.password {
            info = info.set_password(password.expose());
        }
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(self.options.answer));
        let opened = MultiplexedConnection::new_with_config(&info, stream, config);
        let opened = timeout_at(deadline, opened).await;
        let (connection, driver) = opened
            .map_err(|_| late(place))?
            .map_err(|error| refused(&error, place))?;
        self.drivers.spawn(driver);
        Ok(connection)
    }

    /// The number of the database.
    pub(super) fn database(&self) -> i64 {
        match self.options.places {
            Places::Single { database, .. } | Places::Sentinel { database, .. } => database,
            Places::Cluster { .. } => 0,
        }
    }
}

/// Whom the sentinels hold for the master (Redis' own page on sentinels).
async fn master(connection: &mut MultiplexedConnection, name: &str) -> Result<Place, Trouble> {
    let mut asked = cmd("SENTINEL");
    asked.arg("get-master-addr-by-name").arg(name);
    let answer: Option<(String, u16)> = asked.query_async(connection).await.map_err(|error| {
        let told = crate::store::redis::failure::told(&error);
        Trouble::Away(format!("a sentinel of Redis: {told}"))
    })?;
    let (host, port) = answer
        .ok_or_else(|| Trouble::Away(format!("the sentinels of Redis know no master `{name}`")))?;
    Ok(Place { host, port })
}

/// Who has the slot of our keys, by what a node of the cluster says (`CLUSTER SLOTS`).
async fn owner(
    connection: &mut MultiplexedConnection,
    prefix: &str,
    asked: &Place,
) -> Result<Place, Trouble> {
    let away = |error: redis::RedisError| {
        let told = crate::store::redis::failure::told(&error);
        Trouble::Away(format!("Redis Cluster at {asked}: {told}"))
    };
    let mut slot_of = cmd("CLUSTER");
    slot_of.arg("KEYSLOT").arg(prefix);
    let slot: i64 = slot_of.query_async(connection).await.map_err(away)?;
    let mut slots = cmd("CLUSTER");
    slots.arg("SLOTS");
    let answer: Value = slots.query_async(connection).await.map_err(away)?;
    holder(&answer, slot, asked)
        .ok_or_else(|| Trouble::Away(format!("no node of the Redis Cluster has our slot {slot}")))
}

/// Each row: first slot, last slot, then its nodes, the master first, each host and port. A node that
/// does not know its own name tells none: it is the one that was asked.
fn holder(answer: &Value, slot: i64, asked: &Place) -> Option<Place> {
    let Value::Array(rows) = answer else {
        return None;
    };
    let has = |row: &&Value| {
        matches!(row, Value::Array(parts) if matches!(parts.as_slice(),
            [Value::Int(first), Value::Int(last), ..] if (*first..=*last).contains(&slot)))
    };
    let Value::Array(parts) = rows.iter().find(has)? else {
        return None;
    };
    let Value::Array(node) = parts.get(2)? else {
        return None;
    };
    let host = match node.first()? {
        Value::BulkString(bytes) if !bytes.is_empty() => String::from_utf8(bytes.clone()).ok()?,
        _ => asked.host.clone(),
    };
    let Value::Int(port) = node.get(1)? else {
        return None;
    };
    let port = u16::try_from(*port).ok()?;
    Some(Place { host, port })
}

fn late(place: &Place) -> Trouble {
    Trouble::Away(format!("Redis at {place} did not answer in time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn the_master_of_a_slot_is_found() {
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), bulk("id")]);
        let row = |first, last, nodes: Vec<Value>| {
            let bounds = vec![Value::Int(first), Value::Int(last)];
            Value::Array([bounds, nodes].concat())
        };
        let answer = Value::Array(vec![
            row(0, 5460, vec![node(bulk("a"), 1), node(bulk("b"), 2)]),
            row(5461, 16383, vec![node(Value::Nil, 3)]),
        ]);
        let asked = Place {
            host: "asked".to_owned(),
            port: 9,
        };
        let told = |slot| holder(&answer, slot, &asked).map(|place| place.to_string());
        assert_eq!(told(5460).as_deref(), Some("a:1"));
        assert_eq!(told(5461).as_deref(), Some("asked:3"));
        assert_eq!(told(16384), None);
        for nonsense in [Value::Nil, Value::Array(vec![Value::Array(vec![])])] {
            assert_eq!(holder(&nonsense, 1, &asked), None);
        }
    }
}
