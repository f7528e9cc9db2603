//! What a Redis says of itself, and whether it will do.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, Value, cmd};

use crate::store::StoreFailure;
use crate::store::redis::failure::told;
use crate::store::redis::options::{Options, Place, Places, Unfit};

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It answers, and will not do: a person must change something.
    Unfit(Unfit),
    /// It does not answer, or not yet.
    Away(String),
}

impl From<Trouble> for StoreFailure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unfit(unfit) => Self::Unwritable {
                what: unfit.to_string(),
            },
            Trouble::Away(what) => Self::Unreachable { what },
        }
    }
}

/// What changes while it runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vitals {
    /// The memory in use, in bytes.
    pub(super) bytes: u64,
    /// The replicas that are connected.
    pub(super) replicas: u32,
}

/// Looks at a Redis before it is used.
pub(super) async fn fit(
    connection: &mut MultiplexedConnection,
    place: &Place,
    options: &Options,
) -> Result<(), Trouble> {
    let told = info(connection, "everything").await;
    let told = told.map_err(|error| refused(&error, place))?;
    let Some(version) = told.get("redis_version") else {
        return Err(Trouble::Unfit(Unfit::Foreign {
            place: place.clone(),
            what: "it tells no version".to_owned(),
        }));
    };
    if told.get("loading").is_some_and(|loading| loading != "0") {
        return Err(Trouble::Away(format!(
            "Redis at {place} still loads what it kept"
        )));
    }
    if is_old(version) {
        return Err(Trouble::Unfit(Unfit::Old {
            place: place.clone(),
            version: version.clone(),
        }));
    }
    if told.get("role").is_some_and(|role| role != "master") {
        return Err(match options.places {
            Places::Single { .. } => Trouble::Unfit(Unfit::Replica {
                place: place.clone(),
            }),
            _ => Trouble::Away(format!("Redis at {place} is no master any longer")),
        });
    }
    if options.may_forget {
        return Ok(());
    }
    keeps(connection, place, &told)
        .await
        .map_err(Trouble::Unfit)
}

/// Whether it keeps what it is given.
async fn keeps(
    connection: &mut MultiplexedConnection,
    place: &Place,
    told_by_info: &HashMap<String, String>,
) -> Result<(), Unfit> {
    let place = || place.clone();
    let silent = |what: &str| Unfit::Silent {
        place: place(),
        what: what.to_owned(),
    };
    let policy = told_by_info.get("maxmemory_policy");
    let policy = policy.ok_or_else(|| silent("it tells no maxmemory-policy"))?;
    if policy != "noeviction" {
        return Err(Unfit::Evicts {
            place: place(),
            policy: policy.clone(),
        });
    }
    if told_by_info
        .get("aof_enabled")
        .is_some_and(|enabled| enabled == "1")
    {
        return Ok(());
    }
    let mut asked = cmd("CONFIG");
    asked.arg("GET").arg("save");
    let saves: Vec<String> = asked
        .query_async(connection)
        .await
        .map_err(|error| silent(&told(&error)))?;
    if saves.get(1).is_some_and(|points| !points.is_empty()) {
        return Ok(());
    }
    Err(Unfit::Forgets { place: place() })
}

/// Looks again at what changes.
pub(super) async fn vitals(connection: &mut MultiplexedConnection) -> Result<Vitals, RedisError> {
    let memory = info(connection, "memory").await?;
    let replication = info(connection, "replication").await?;
    let number = |told: Option<&String>| told.and_then(|number| number.parse().ok()).unwrap_or(0);
    Ok(Vitals {
        bytes: number(memory.get("used_memory")),
        replicas: u32::try_from(number(replication.get("connected_slaves"))).unwrap_or(u32::MAX),
    })
}

async fn info(
    connection: &mut MultiplexedConnection,
    section: &str,
) -> Result<HashMap<String, String>, RedisError> {
    let mut asked = cmd("INFO");
    asked.arg(section);
    let answer: Value = asked.query_async(connection).await?;
    let text = match answer {
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => text,
        _ => String::new(),
    };
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    Ok(lines
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect())
}

/// What it means that it did not let us in, or answered what nobody understands.
pub(super) fn refused(error: &RedisError, place: &Place) -> Trouble {
    let (place, what) = (place.clone(), told(error));
    match error.kind() {
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            Trouble::Unfit(Unfit::Foreign { place, what })
        }
        ErrorKind::AuthenticationFailed => Trouble::Unfit(Unfit::Locked { place, what }),
        _ if LOCKED.iter().any(|code| error.code() == Some(code)) => {
            Trouble::Unfit(Unfit::Locked { place, what })
        }
        ErrorKind::Server(_) | ErrorKind::Extension if !what.starts_with("LOADING") => {
            Trouble::Unfit(Unfit::Foreign { place, what })
        }
        _ => Trouble::Away(format!("Redis at {place}: {what}")),
    }
}

fn is_old(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor) = (parts.next().flatten(), parts.next().flatten());
    (major, minor) < (Some(OLDEST.0), Some(OLDEST.1))
}

/// The oldest version that can be used: the tests run 7.0, and nothing is used that 6.2 lacks.
const OLDEST: (u32, u32) = (6, 2);
const LOCKED: [&str; 4] = ["NOAUTH", "WRONGPASS", "NOPERM", "DENIED"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_old_by_its_numbers() {
        for (version, old) in [
            ("7.0.15", false),
            ("6.2.0", false),
            ("6.10.1", false),
            ("10.0", false),
            ("6.0.20", true),
            ("5.0.7", true),
            ("nonsense", true),
        ] {
            assert_eq!(is_old(version), old, "{version}");
        }
    }
}
