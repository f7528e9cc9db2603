//! All rates at work: each with a count for each of its keys.
//!
//! What a caller or a partner sends makes keys, so there is a bound: past it, counts that nobody
//! uses are forgotten, and where there are none, all further keys share one.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash as _, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::bucket::{Bucket, Turn};
use super::share::Fleet;
use crate::crypto::{hex, sha256};
use crate::mapping::Scope;
use crate::policy::{Class, Part, Policies, Rate};

/// All rates at work.
#[derive(Debug)]
pub struct Quotas {
    rates: Vec<Counted>,
    fleet: Option<Fleet>,
    hasher: RandomState,
}

/// A rate with its counts.
#[derive(Debug)]
struct Counted {
    rate: Arc<Rate>,
    share_percent: u32,
    buckets: Mutex<Buckets>,
    tasks: TaskTracker,
}

#[derive(Debug, Clone)]
struct Buckets {
    by_key: HashMap<u64, Arc<Bucket>>,
    /// When those that nobody uses were forgotten last.
    swept: Instant,
}

/// What is counted: a call or a push, by what tells counts apart.
#[derive(Debug, Clone, Copy)]
pub struct Counting<'c> {
    /// The account.
    pub account: &'c str,
    /// The family of the operation.
    pub family: &'c str,
    /// The operation; `None` for a path that is not listed.
    pub operation: Option<&'c str>,
    /// Who calls.
    pub caller: &'c str,
    /// The route or callback of a push; `None` for a call.
    pub route: Option<&'c str>,
    /// Who pushes.
    pub partner: &'c str,
    /// The headers.
    pub headers: &'c HeaderMap,
    /// The query.
    pub query: &'c str,
}

/// Somebody may go. While it is held, they count as under way.
#[derive(Debug, Default)]
pub struct Admitted {
    turns: Vec<(Arc<Rate>, Turn)>,
}

/// A rate lets nobody go in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverQuota {
    /// Its name.
    pub rate: String,
    /// When it may let somebody go, from now.
    pub retry_in: Duration,
}

impl Quotas {
    /// The rates of the policies. One that did not change keeps its counts.
    pub fn new(
        policies: &Policies,
        before: Option<&Self>,
        fleet: Option<Fleet>,
        tasks: &TaskTracker,
    ) -> Self {
        let share_percent = policies.campaign.share_percent;
        let counted = policies.rates.values().map(|rate| {
            let known = before.and_then(|before| {
                let mut known = before.rates.iter();
                known.find(|known| known.rate == *rate && known.share_percent == share_percent)
            });
            let buckets = known.map_or_else(Buckets::new, |known| known.buckets().clone());
            Counted {
                rate: Arc::clone(rate),
                share_percent,
                buckets: Mutex::new(buckets),
                tasks: tasks.clone(),
            }
        });
        Self {
            rates: counted.collect(),
            fleet,
            // Keys of counts that are kept must come to the same numbers.
            hasher: before.map_or_else(RandomState::new, |before| before.hasher.clone()),
        }
    }

    /// Waits until every rate lets one go, at most until `deadline`.
    pub async fn admit(
        &self,
        counting: &Counting<'_>,
        class: Class,
        deadline: Instant,
    ) -> Result<Admitted, OverQuota> {
        let mut admitted = Admitted::default();
        for counted in self.rates.iter().filter(|counted| counted.counts(counting)) {
            let bucket = counted.bucket(self.key(&counted.rate, counting), || {
                let fleet = self.fleet.clone()?;
                Some((fleet, name(&counted.rate, counting)))
            });
            match bucket.turn(class, deadline).await {
                Ok(turn) => admitted.turns.push((Arc::clone(&counted.rate), turn)),
                Err(not_now) => {
                    return Err(OverQuota {
                        rate: counted.rate.name.clone(),
                        retry_in: not_now.wait,
                    });
                }
            }
        }
        Ok(admitted)
    }

    /// The key of a count.
    fn key(&self, rate: &Rate, counting: &Counting<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        parts(rate, counting, &mut hasher);
        hasher.finish()
    }
}

/// What tells a count from the others of its rate.
fn parts(rate: &Rate, counting: &Counting<'_>, into: &mut impl Hasher) {
    for part in &rate.per {
        match part {
            Part::Account => counting.account.hash(into),
            Part::Family => counting.family.hash(into),
            Part::Operation => counting.operation.hash(into),
            Part::Caller => counting.caller.hash(into),
            Part::Route => counting.route.hash(into),
            Part::Partner => counting.partner.hash(into),
            Part::Value(query) => {
                let scope = Scope {
                    body: &serde_json::Value::Null,
                    headers: counting.headers,
                    query: counting.query,
                };
                query.text(&scope).hash(into);
            }
        }
    }
}

/// The name of a count in the fleet, which tells nothing of what it counts.
fn name(rate: &Rate, counting: &Counting<'_>) -> String {
    let mut told = Told(rate.name.clone().into_bytes());
    told.write_u8(0);
    parts(rate, counting, &mut told);
    hex(&sha256(&told.0))
}

/// All that would be hashed.
struct Told(Vec<u8>);

impl Hasher for Told {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl Counted {
    fn counts(&self, counting: &Counting<'_>) -> bool {
        match counting.route {
            Some(route) => self.rate.counts_push(route),
            None => self.rate.counts_call(counting.operation),
        }
    }

    fn bucket(&self, key: u64, fleet: impl FnOnce() -> Option<(Fleet, String)>) -> Arc<Bucket> {
        let mut buckets = self.buckets();
        if let Some(known) = buckets.by_key.get(&key) {
            return Arc::clone(known);
        }
        buckets.make_room();
        let is_full = buckets.by_key.len() >= KEYS_MAX;
        let key = if is_full { OF_ALL_OTHERS } else { key };
        let bucket = buckets.by_key.entry(key).or_insert_with(|| {
            let tasks = self.tasks.clone();
            // What has no count of its own here has none in the fleet.
            let fleet = if is_full { None } else { fleet() };
            Arc::new(Bucket::new(&self.rate, self.share_percent, fleet, tasks))
        });
        Arc::clone(bucket)
    }

    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn new() -> Self {
        Self {
            by_key: HashMap::new(),
            swept: Instant::now(),
        }
    }

    /// Forgets what nobody uses, where it is crowded; not more often than now and then, as it looks
    /// at all of them.
    fn make_room(&mut self) {
        let now = Instant::now();
        if self.by_key.len() >= KEYS_MAX && now.duration_since(self.swept) >= SWEPT_EACH {
            self.by_key.retain(|_, bucket| !bucket.is_idle(now));
            self.swept = now;
        }
    }
}

impl Admitted {
    /// The platform refused it as one too many, and asked for a pause.
    pub fn pause(&self, pause: Duration) {
        for (_, turn) in &self.turns {
            turn.pause(pause.min(PAUSE_MAX));
        }
    }

    /// Each rate, with what is left of it.
    pub fn left(&self) -> impl Iterator<Item = (&Rate, super::Left)> {
        let left = self
            .turns
            .iter()
            .map(|(rate, turn)| (rate.as_ref(), turn.left));
        left.filter_map(|(rate, left)| Some((rate, left?)))
    }
}

/// How many counts a rate has at most.
const KEYS_MAX: usize = 10_000;
/// How often those that nobody uses are looked for.
const SWEPT_EACH: Duration = Duration::from_secs(1);
/// The count of all keys past that.
const OF_ALL_OTHERS: u64 = 0;
/// The longest pause that the platform gets.
const PAUSE_MAX: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Faults, Source};

    fn quotas(text: &str) -> Quotas {
        let faults = Faults::new();
        let policies = Policies::read(&[Source::new("rate.yaml", text)], &faults);
        let mut rates = policies.rates.values();
        assert!(rates.next().is_some(), "{:?}", faults.into_sorted());
        Quotas::new(&policies, None, None, &TaskTracker::new())
    }

    async fn ask(quotas: &Quotas, caller: &str) -> bool {
        let headers = HeaderMap::new();
        let counting = Counting {
            account: "main",
            family: "cloud",
            operation: None,
            caller,
            route: None,
            partner: "",
            headers: &headers,
            query: "",
        };
        let admitted = quotas.admit(&counting, Class::Interactive, Instant::now());
        admitted.await.is_ok()
    }

    const RATE: &str = "rates: { r: { source: assumed, calls: [\"*\"], per: [caller], limits: [{ max: 1, per: 1h }] } }";

    #[tokio::test]
    async fn a_flood_of_keys_takes_a_bounded_part_of_memory() {
        let quotas = quotas(RATE);
        let mut taken = 0;
        for caller in 0..100_000 {
            taken += usize::from(ask(&quotas, &caller.to_string()).await);
        }
        assert_eq!(quotas.rates[0].buckets().by_key.len(), KEYS_MAX + 1);
        // Past the bound all share one count.
        assert_eq!(taken, KEYS_MAX + 1);
        assert!(!ask(&quotas, "7").await, "what was counted stays counted");
    }

    #[tokio::test]
    async fn what_nobody_uses_makes_room() {
        let quotas = quotas(&RATE.replace("1h", "10ms"));
        for caller in 0..KEYS_MAX {
            assert!(ask(&quotas, &caller.to_string()).await);
        }
        tokio::time::sleep(SWEPT_EACH + Duration::from_millis(20)).await;
        assert!(ask(&quotas, "another").await);
        assert_eq!(quotas.rates[0].buckets().by_key.len(), 1);
    }
}
