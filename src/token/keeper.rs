//! The keeper of a token: one login at a time, ahead of time, with generations.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::attempt::{Attempt, Granted};
use super::fleet::Shared;
use super::{Generation, LoginFailure, Pace, Token};
use crate::clock::Clock;
use crate::crypto::Keyring;
use crate::policy::Login;
use crate::secret::Secret;
use crate::store::Redis;
use crate::upstream::Upstream;

/// Keeps one token. Cheap to share; dropping the last handle ends its work.
pub struct Keeper {
    inner: Arc<Inner>,
    stop: CancellationToken,
}

/// What an account logs in with.
pub struct Identity {
    /// The scheme in `Authorization`.
    pub authorization: String,
    /// Name on the wire and secret of each field of the login.
    pub fields: Vec<(String, Secret)>,
    /// The keyring of a login that is sealed.
    pub keys: Option<Arc<Keyring>>,
}

/// What a keeper works with.
pub struct Means {
    /// The account, for the log.
    pub account: String,
    /// Whom it asks.
    pub upstream: Arc<Upstream>,
    /// How it behaves over time.
    pub pace: Pace,
    /// The wall clock, for keys that are valid for a time.
    pub clock: Clock,
    /// Where a fleet has its tokens together.
    pub redis: Option<Arc<Redis>>,
    /// Who owns its work.
    pub tasks: TaskTracker,
}

/// No token can be handed out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NoToken {
    /// The last login failed, and the next one is not due yet.
    #[error("the last login failed")]
    LoginFailed {
        /// Why.
        #[source]
        failure: LoginFailure,
        /// When the next login is tried, from now.
        retry_in: Duration,
    },
    /// No login ended within the caller's deadline.
    #[error("no login ended in time")]
    Timeout,
}

/// How a keeper is doing, for readiness and listings.
#[derive(Debug, Clone)]
pub enum Health {
    /// It has a token for this long.
    Valid(Duration),
    /// It has none, and the first login is still under way.
    LoggingIn,
    /// It has none, for this reason.
    Failing(LoginFailure),
}

struct Inner {
    attempt: Attempt,
    shared: Option<Shared>,
    pace: Pace,
    current: ArcSwapOption<Token>,
    state: Mutex<State>,
    /// Counts the logins that ended; whoever waits for one waits for a change.
    ended: watch::Sender<u64>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Default)]
struct State {
    generation: u64,
    /// Which of the fleet's tokens was the last one.
    version: u64,
    under_way: bool,
    /// The login under way began before a token was rejected: what it brings may be as void.
    outdated: bool,
    /// How often in a row a call was refused again with a new token: each time doubles the age
    /// from which a token is thrown away.
    in_vain: u32,
    failures: u32,
    last_failure: Option<LoginFailure>,
    not_before: Option<Instant>,
}

impl Keeper {
    /// A keeper that logs in when it is first asked, or told to by [`Keeper::begin`].
    pub fn new(login: Arc<Login>, identity: Identity, means: Means) -> Self {
        let Means {
            account,
            upstream,
            pace,
            clock,
            redis,
            tasks,
        } = means;
        let stop = CancellationToken::new();
        let attempt = Attempt {
            account,
            login,
            identity,
            upstream,
            clock,
        };
        let inner = Arc::new(Inner {
            shared: redis.and_then(|redis| Shared::new(redis, &attempt)),
            attempt,
            pace,
            current: ArcSwapOption::empty(),
            state: Mutex::default(),
            ended: watch::Sender::new(0),
            tasks,
            stop: stop.clone(),
        });
        Self { inner, stop }
    }

    /// Begins to log in, if there is no token and no login under way or too early.
    pub fn begin(&self) {
        self.inner.begin_login();
    }

    /// A token that has not expired, waiting for a login if there is none.
    pub async fn take(&self, deadline: Instant) -> Result<Arc<Token>, NoToken> {
        if let Some(token) = self.inner.valid() {
            return Ok(token);
        }
        // Subscribed before the look: a login that ends in between is not missed.
        let mut ended = self.inner.ended.subscribe();
        loop {
            if let Some(token) = self.inner.valid() {
                return Ok(token);
            }
            self.inner.refused()?;
            self.inner.begin_login();
            match timeout_at(deadline, ended.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(NoToken::Timeout),
            }
        }
    }

    /// Throws a token away that the platform rejected, and begins a login.
    ///
    /// Only the current generation is thrown away, so that however many calls come back refused
    /// with one token, one login follows. Returns whether a newer token is there or on its way.
    pub fn reject(&self, generation: Generation) -> bool {
        self.inner.reject(generation)
    }

    /// Notes how a call went that was repeated with a new token: refused again, it was not the
    /// token that was wrong, and the next refusal must not cost a login so soon.
    pub fn repeated(&self, refused_again: bool) {
        let mut state = self.inner.lock();
        state.in_vain = if refused_again {
            state.in_vain.saturating_add(1)
        } else {
            0
        };
    }

    /// Whether a token is still the one that would be handed out.
    pub fn is_current(&self, token: &Token) -> bool {
        self.inner
            .valid()
            .is_some_and(|current| current.generation == token.generation)
    }

    /// The login that it uses.
    pub fn login(&self) -> &Login {
        &self.inner.attempt.login
    }

    /// How it is doing.
    pub fn health(&self) -> Health {
        if let Some(token) = self.inner.valid() {
            return Health::Valid(token.expires.saturating_duration_since(Instant::now()));
        }
        match &self.inner.lock().last_failure {
            Some(failure) => Health::Failing(failure.clone()),
            None => Health::LoggingIn,
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Inner {
    fn valid(&self) -> Option<Arc<Token>> {
        let token = self.current.load_full()?;
        (token.expires > Instant::now()).then_some(token)
    }

    /// An error while the last login failed and the next one is not due.
    fn refused(&self) -> Result<(), NoToken> {
        let state = self.lock();
        let Some((failure, due)) = state.last_failure.as_ref().zip(state.not_before) else {
            return Ok(());
        };
        let retry_in = due.saturating_duration_since(Instant::now());
        if retry_in.is_zero() || state.under_way {
            return Ok(());
        }
        Err(NoToken::LoginFailed {
            failure: failure.clone(),
            retry_in,
        })
    }

    fn reject(self: &Arc<Self>, generation: Generation) -> bool {
        {
            let mut state = self.lock();
            let current = self.current.load();
            match current.as_ref() {
                Some(token) if token.generation == generation => {
                    let patience = self
                        .pace
                        .rejection_age
                        .saturating_mul(1 << state.in_vain.min(8));
                    if token.born.elapsed() < patience {
                        return false;
                    }
                    self.current.store(None);
                    state.outdated = state.under_way;
                }
                // Someone else was refused with the same token and was faster.
                _ => return true,
            }
        }
        self.begin_login();
        true
    }

    /// Starts a login, unless one is under way, too early, or not needed.
    fn begin_login(self: &Arc<Self>) {
        {
            let mut state = self.lock();
            let early = state.not_before.is_some_and(|due| due > Instant::now());
            if state.under_way || early || self.valid().is_some() || self.stop.is_cancelled() {
                return;
            }
            state.under_way = true;
        }
        self.spawn_login();
    }

    fn spawn_login(self: &Arc<Self>) {
        let inner = Arc::clone(self);
        // A task of its own: the call that first wanted the token may leave, the others still
        // wait for it.
        self.tasks.spawn(async move {
            let asked = Instant::now();
            let deadline = asked + inner.pace.login;
            let run = timeout(inner.pace.login, inner.run(deadline));
            let outcome = tokio::select! {
                () = inner.stop.cancelled() => return,
                outcome = run => outcome.unwrap_or(Err(LoginFailure::Timeout)),
            };
            inner.end_login(asked, outcome);
        });
    }

    /// Logs in, or gets what the fleet has; with its version.
    async fn run(&self, deadline: Instant) -> Result<(Granted, u64), LoginFailure> {
        let have = self.lock().version;
        match &self.shared {
            None => Ok((self.attempt.run(deadline).await?, have)),
            Some(shared) => {
                shared
                    .token(&self.attempt, (have, deadline), &self.pace)
                    .await
            }
        }
    }

    fn end_login(self: &Arc<Self>, asked: Instant, outcome: Result<(Granted, u64), LoginFailure>) {
        let wake = {
            let mut state = self.lock();
            let outdated = std::mem::take(&mut state.outdated);
            match outcome {
                // Still under way: whoever waits goes on waiting for the next one.
                Ok(_) if outdated => None,
                Ok((granted, _)) if asked + granted.lifetime <= Instant::now() => {
                    Some(self.back_off(&mut state, LoginFailure::ShortLived))
                }
                Ok((granted, version)) => {
                    state.version = version;
                    Some(self.accept(&mut state, asked, granted))
                }
                Err(failure) => Some(self.back_off(&mut state, failure)),
            }
        };
        let Some(wake) = wake else {
            return self.spawn_login();
        };
        self.ended.send_modify(|count| *count += 1);
        self.wake_at(wake);
    }

    /// Takes a new token in, and says when to renew it. Its life is counted from when it was asked
    /// for: the platform gave it out some time before its answer was here.
    fn accept(&self, state: &mut State, asked: Instant, granted: Granted) -> Instant {
        state.under_way = false;
        state.generation += 1;
        state.failures = 0;
        state.last_failure = None;
        state.not_before = None;
        let token = Token {
            generation: Generation(state.generation),
            text: granted.text,
            header: granted.header,
            born: Instant::now().checked_sub(granted.age).unwrap_or(asked),
            expires: asked + granted.lifetime,
        };
        self.current.store(Some(Arc::new(token)));
        let jitter = fastrand::u32(0..=self.pace.jitter_percent);
        let percent = self.pace.renew_percent.saturating_sub(jitter).clamp(1, 99);
        tracing::info!(
            account = self.attempt.account,
            login = self.attempt.login.name,
            generation = state.generation,
            lifetime_s = granted.lifetime.as_secs(),
            "logged in"
        );
        // Never at once: a token that lives for a moment must not have us log in without pause.
        (asked + granted.lifetime * percent / 100).max(Instant::now() + self.pace.backoff)
    }

    /// Notes a failed login, and says when to try again: exponential, with full jitter above the
    /// half.
    fn back_off(&self, state: &mut State, failure: LoginFailure) -> Instant {
        let doubled = self
            .pace
            .backoff
            .saturating_mul(1 << state.failures.min(16));
        let longest = doubled.min(self.pace.backoff_max);
        let longest_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let wait = Duration::from_millis(fastrand::u64(longest_ms / 2..=longest_ms));
        tracing::warn!(
            account = self.attempt.account,
            to = %self.attempt.upstream.base(),
            login = self.attempt.login.name,
            failure = %crate::telemetry::chain(&failure),
            retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "login failed"
        );
        state.under_way = false;
        state.failures = state.failures.saturating_add(1);
        state.last_failure = Some(failure);
        let due = Instant::now() + wait;
        state.not_before = Some(due);
        due
    }

    /// Logs in at a later moment: to renew the token ahead of time, or after a failure.
    fn wake_at(self: &Arc<Self>, due: Instant) {
        let generation = self.lock().generation;
        let mut ended = self.ended.subscribe();
        let inner = Arc::downgrade(self);
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => return,
                // Another login ended: that one has its own alarm.
                _ = ended.changed() => return,
                () = sleep_until(due) => {}
            }
            let Some(inner) = inner.upgrade() else { return };
            let renew = {
                let mut state = inner.lock();
                // Another login came in between: that one has its own alarm.
                let early = state.not_before.is_some_and(|due| due > Instant::now());
                let stale = state.under_way || early || state.generation != generation;
                if !stale {
                    state.under_way = true;
                }
                !stale
            };
            if renew {
                inner.spawn_login();
            }
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
