//! An account at the platform: where it is, and its tokens.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderName, HeaderValue};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::crypto::{Keyring, Vault};
use crate::limit::FailureLimit;
use crate::outbound::guard::Guard;
use crate::policy::{Family, FamilyLogin, FamilyUpstream, Login, Policies, Sealer, SealingChoice};
use crate::route::Entry;
use crate::secret::Secret;
use crate::store::Redis;
use crate::token::{Health, Identity, Keeper, Means, Pace};
use crate::upstream::{self, Upstream};

/// What the settings say of an account.
#[derive(Debug, PartialEq, Eq)]
pub struct AccountOptions {
    /// Its name.
    pub name: String,
    /// Where the platform is.
    pub upstream: upstream::Options,
    /// The account's secrets by name.
    pub secrets: BTreeMap<String, Secret>,
    /// The login of all its families, in place of each family's own.
    pub login: Option<Arc<Login>>,
    /// The scheme in `Authorization`, in place of the login's.
    pub authorization: Option<String>,
    /// How its messages are sealed, where operation and family do not say.
    pub sealing: SealingChoice,
    /// Its keyrings by name.
    pub keys: BTreeMap<String, Arc<Keyring>>,
    /// How many of its replies a minute may fail to open before calls are held back.
    pub open_failures_max: NonZeroU32,
    /// Whether its replies are kept as HTTP allows.
    pub http_cache: bool,
    /// Upstreams of other systems.
    pub others: BTreeMap<String, OtherOptions>,
}

/// An upstream of another system, with headers of its own instead of a token.
#[derive(Debug, PartialEq, Eq)]
pub struct OtherOptions {
    /// Where it is.
    pub upstream: upstream::Options,
    /// Whether its replies are kept as HTTP allows.
    pub http_cache: bool,
    /// Headers of every call; their values are secrets.
    pub headers: Vec<(HeaderName, Secret)>,
}

/// An account at work.
pub struct Account {
    options: AccountOptions,
    upstream: Upstreams,
    keepers: BTreeMap<String, Keeper>,
    /// By family.
    guards: BTreeMap<String, Arc<Guard>>,
    /// The login of the family that takes the paths nobody else claims; it is kept ready.
    main: Option<String>,
    pace: Pace,
    open_failures: FailureLimit,
    serial: u64,
    /// Seals what a fleet keeps of its replies.
    vault: Option<Arc<Vault>>,
}

struct Upstreams {
    platform: Arc<Upstream>,
    others: BTreeMap<String, NamedUpstream>,
}

/// An upstream with the headers that every call to it gets.
struct NamedUpstream {
    upstream: Arc<Upstream>,
    http_cache: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// How an account is doing.
#[derive(Debug, Clone)]
pub struct AccountHealth {
    /// Its name.
    pub name: String,
    /// Its main token; `None` where no login is needed.
    pub token: Option<Health>,
    /// How the circuits of its upstreams stand, in a word, by retry policy; the platform's have no
    /// name before it.
    pub circuits: BTreeMap<String, &'static str>,
}

impl Account {
    /// An account that begins to log in at once.
    pub fn new(
        options: AccountOptions,
        policies: &Policies,
        pace: Pace,
        (clock, tasks): (&Clock, &TaskTracker),
        redis: Option<&Arc<Redis>>,
    ) -> Self {
        let platform = Arc::new(Upstream::new(options.upstream.clone(), tasks.clone()));
        let others = options
            .others
            .iter()
            .map(|(name, other)| (name.clone(), NamedUpstream::new(other, tasks)))
            .collect();
        let keepers = logins_of(&options, policies)
            .into_iter()
            .map(|(name, login)| {
                let means = Means {
                    account: options.name.clone(),
                    upstream: Arc::clone(&platform),
                    pace,
                    clock: clock.clone(),
                    redis: redis.cloned(),
                    tasks: tasks.clone(),
                };
                (name, keeper(&options, &login, means))
            })
            .collect();
        let main = main_login(&options, policies);
        let vault = redis.and_then(|_| vault(&options));
        let upstream = Upstreams { platform, others };
        let account = Self {
            open_failures: FailureLimit::per_minute(options.open_failures_max),
            options,
            upstream,
            keepers,
            guards: guards_of(policies),
            main,
            pace,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            vault,
        };
        if let Some(keeper) = account.main_keeper() {
            keeper.begin();
        }
        account
    }

    /// Whether it would be made the same of these, so that it can go on as it is.
    pub fn is_made_of(&self, options: &AccountOptions, policies: &Policies, pace: Pace) -> bool {
        let logins = logins_of(options, policies);
        self.options == *options
            && self.pace == pace
            && self.main == main_login(options, policies)
            && self.guards_are_of(policies)
            && self.keepers.len() == logins.len()
            && logins.values().all(|login| {
                self.keepers
                    .get(&login.name)
                    .is_some_and(|keeper| keeper.login() == login.as_ref())
            })
    }

    /// Whether the guards are those of the policies.
    fn guards_are_of(&self, policies: &Policies) -> bool {
        let wanted = guards_of(policies);
        self.guards.len() == wanted.len()
            && wanted.iter().all(|(key, wanted)| {
                let known = self.guards.get(key);
                known
                    .is_some_and(|known| known.name == wanted.name && known.policy == wanted.policy)
            })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Which account of this name it is: a reload may give a name to another tenant.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// What seals its replies for a fleet.
    pub(super) fn vault(&self) -> Option<&Arc<Vault>> {
        self.vault.as_ref()
    }

    /// Who keeps the token for a family; `None` where the family needs none.
    pub(super) fn keeper(&self, family: &Family) -> Option<&Keeper> {
        login_of(&self.options, family).and_then(|login| self.keepers.get(&login.name))
    }

    /// How the messages of an operation are sealed; `None` where they are not.
    ///
    /// The check of the settings has found the keyring of every sealing that an account uses.
    pub(super) fn sealer<'a>(
        &'a self,
        entry: Option<&'a Entry>,
        family: &'a Family,
    ) -> Option<Sealer<'a>> {
        let own = entry.map_or(&INHERITED, |entry| &entry.sealing);
        let sealing = SealingChoice::decide([own, &family.sealing, &self.options.sealing])?;
        let keys = self.options.keys.get(&sealing.keys)?;
        Some(Sealer { sealing, keys })
    }

    /// The replies of this account that could not be opened.
    pub(super) fn open_failures(&self) -> &FailureLimit {
        &self.open_failures
    }

    /// Where a family's calls go, or the name of the upstream that is not set.
    pub(super) fn upstream<'a>(&'a self, family: &'a Family) -> Result<Way<'a>, &'a str> {
        let guard = self.guards.get(&family.name).map(Arc::as_ref);
        match &family.upstream {
            FamilyUpstream::Account => Ok(Way {
                upstream: &self.upstream.platform,
                headers: &[],
                http_cache: self.options.http_cache,
                guard,
            }),
            FamilyUpstream::Named(name) => self
                .upstream
                .others
                .get(name)
                .map(|named| Way {
                    upstream: &named.upstream,
                    headers: &named.headers,
                    http_cache: named.http_cache,
                    guard,
                })
                .ok_or(name),
        }
    }

    /// How it is doing.
    pub fn health(&self) -> AccountHealth {
        AccountHealth {
            name: self.options.name.clone(),
            token: self.main_keeper().map(Keeper::health),
            circuits: self.circuits(),
        }
    }

    fn circuits(&self) -> BTreeMap<String, &'static str> {
        let told = self.guards.values();
        told.map(|guard| (guard.name.clone(), guard.stands()))
            .collect()
    }

    fn main_keeper(&self) -> Option<&Keeper> {
        self.keepers.get(self.main.as_ref()?)
    }
}

/// An upstream and the headers that it always gets.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) upstream: &'a Upstream,
    pub(super) headers: &'a [(HeaderName, HeaderValue)],
    /// Whether its replies are kept as HTTP allows.
    pub(super) http_cache: bool,
    /// What keeps it from being overrun.
    pub(super) guard: Option<&'a Guard>,
}

impl NamedUpstream {
    fn new(options: &OtherOptions, tasks: &TaskTracker) -> Self {
        let headers = options.headers.iter().filter_map(|(name, secret)| {
            let mut value = HeaderValue::try_from(secret.expose()).ok()?;
            value.set_sensitive(true);
            Some((name.clone(), value))
        });
        Self {
            headers: headers.collect(),
            http_cache: options.http_cache,
            upstream: Arc::new(Upstream::new(options.upstream.clone(), tasks.clone())),
        }
    }
}

/// A vault that every process has whose account has the same secrets.
fn vault(options: &AccountOptions) -> Option<Arc<Vault>> {
    let secrets = options.secrets.iter();
    let secrets = secrets.map(|(name, secret)| (name.as_str(), secret));
    let purpose = format!("pintle cache\n{}", options.upstream.base);
    Vault::new(&purpose, secrets).map(Arc::new)
}

/// The guards of all families, by their names; those with one upstream and one policy share one.
fn guards_of(policies: &Policies) -> BTreeMap<String, Arc<Guard>> {
    let mut known: BTreeMap<String, Arc<Guard>> = BTreeMap::new();
    let guarded = policies.families.values().filter_map(|family| {
        let policy = family.retry.as_ref()?;
        let name = match &family.upstream {
            FamilyUpstream::Account => policy.name.clone(),
            FamilyUpstream::Named(upstream) => format!("{upstream} {}", policy.name),
        };
        let new = || Arc::new(Guard::new(name.clone(), Arc::clone(policy)));
        let guard = known.entry(name.clone()).or_insert_with(new);
        Some((family.name.clone(), Arc::clone(guard)))
    });
    guarded.collect()
}

/// The login of a family in an account: the account's own, if it has one, else the family's.
fn login_of<'a>(options: &'a AccountOptions, family: &'a Family) -> Option<&'a Arc<Login>> {
    match &family.login {
        FamilyLogin::None => None,
        FamilyLogin::By(login) => Some(options.login.as_ref().unwrap_or(login)),
    }
}

/// Every login that the account's families use, by name.
fn logins_of(options: &AccountOptions, policies: &Policies) -> BTreeMap<String, Arc<Login>> {
    policies
        .families
        .values()
        .filter_map(|family| login_of(options, family))
        .map(|login| (login.name.clone(), Arc::clone(login)))
        .collect()
}

/// The login of the family that takes the paths nobody else claims.
fn main_login(options: &AccountOptions, policies: &Policies) -> Option<String> {
    let family = policies.family_of("/")?;
    login_of(options, family).map(|login| login.name.clone())
}

static SERIAL: AtomicU64 = AtomicU64::new(1);
static INHERITED: SealingChoice = SealingChoice::Inherited;

fn keeper(options: &AccountOptions, login: &Arc<Login>, means: Means) -> Keeper {
    let fields = login.fields.iter().filter_map(|(wire, secret)| {
        options
            .secrets
            .get(secret)
            .map(|secret| (wire.clone(), secret.duplicate()))
    });
    let scheme = options
        .authorization
        .as_ref()
        .unwrap_or(&login.authorization);
    let sealing = login.sealing.sealing();
    let keys = sealing.and_then(|sealing| options.keys.get(&sealing.keys));
    let identity = Identity {
        authorization: scheme.clone(),
        fields: fields.collect(),
        keys: keys.map(Arc::clone),
    };
    Keeper::new(Arc::clone(login), identity, means)
}
