//! The connections to third parties: one pool for each host, made when it is first called.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderName, HeaderValue, Uri};
use tokio_util::task::TaskTracker;

use crate::upstream::{BaseUrl, Options, Upstream};

/// Third parties, by scheme and authority.
pub struct Parties {
    pools: Mutex<HashMap<String, Arc<Upstream>>>,
    /// How each is spoken to; its base is that of the call.
    options: Options,
    /// Where everything goes while routes are tested.
    stand_in: Option<BaseUrl>,
    tasks: TaskTracker,
}

/// Where a call goes.
pub(super) struct Party {
    pub(super) upstream: Arc<Upstream>,
    /// Path and query below the base.
    pub(super) target: Uri,
    /// The URL as the route made it, told to a stand-in.
    pub(super) told: Vec<(HeaderName, HeaderValue)>,
}

impl Parties {
    /// Third parties that are spoken to as `options` say; `tasks` owns their connections.
    pub fn new(options: Options, tasks: TaskTracker) -> Self {
        Self {
            pools: Mutex::default(),
            options,
            stand_in: None,
            tasks,
        }
    }

    /// The same, but everything goes to one place, which is told where it would have gone.
    #[must_use]
    pub fn with_stand_in(mut self, stand_in: BaseUrl) -> Self {
        self.stand_in = Some(stand_in);
        self
    }

    /// The party of a URL; `None` where it is no URL, or where there are too many of them.
    pub(super) fn find(&self, url: &str, step: &str) -> Option<Party> {
        let uri: Uri = url.parse().ok()?;
        let base = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
        let target = Uri::from(uri.path_and_query()?.clone());
        if let Some(stand_in) = &self.stand_in {
            return Some(Party {
                upstream: self.pool("stand-in", stand_in.clone())?,
                target,
                told: vec![
                    (STAND_IN_FOR, HeaderValue::from_str(url).ok()?),
                    (STEP, HeaderValue::from_str(step).ok()?),
                ],
            });
        }
        Some(Party {
            upstream: self.pool(&base, BaseUrl::parse(&base).ok()?)?,
            target,
            told: Vec::new(),
        })
    }

    fn pool(&self, name: &str, base: BaseUrl) -> Option<Arc<Upstream>> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = pools.get(name) {
            return Some(Arc::clone(known));
        }
        if pools.len() >= PARTIES_MAX {
            return None;
        }
        let mut options = self.options.clone();
        options.base = base;
        let made = Arc::new(Upstream::new(options, self.tasks.clone()));
        pools.insert(name.to_owned(), Arc::clone(&made));
        Some(made)
    }
}

/// Tells a stand-in which URL it stands in for.
pub(crate) const STAND_IN_FOR: HeaderName = HeaderName::from_static("x-pintle-stand-in-for");
/// Tells a stand-in which step of the route this is.
const STEP: HeaderName = HeaderName::from_static("x-pintle-step");
/// How many hosts are called at most, by one process.
const PARTIES_MAX: usize = 1024;
