//! Sending a call, and sending it again where that is safe and promises something.
//!
//! What stands in the way of a further attempt, in this order: no policy, too many attempts, a body
//! that is gone, an effect that may have happened, a deadline that would pass, and the budget.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::request::Parts;
use tokio::time::{Instant, sleep};

use super::account::{Account, Way};
use super::guard::Guard;
use super::pace::{self, Paced};
use super::repeat::Repeatable;
use super::reply::{self, Judged};
use super::{Outbound, open, placed};
use crate::error::Failure;
use crate::policy::{Family, Sealer};
use crate::route::catalogue::Effect;
use crate::telemetry::{Record, Stage, Timing};
use crate::token::{Keeper, Token};
use crate::upstream::{Purpose, SendFailure};

/// A call that is ready to be sent, as often as need be.
pub(super) struct Prepared<'o, 'h> {
    pub(super) account: &'o Account,
    pub(super) family: &'o Family,
    pub(super) way: Way<'o>,
    pub(super) sealer: Option<Sealer<'o>>,
    pub(super) effect: Effect,
    pub(super) head: &'h mut Parts,
    pub(super) body: Repeatable,
    pub(super) deadline: Instant,
    /// How often it was tried.
    pub(super) tries: u32,
    /// How often it was sent.
    pub(super) sent: u32,
}

/// A reply, and the token that went with its call.
type Attempted = Result<(Judged, Option<Arc<Token>>), Failure>;

impl Outbound {
    /// Sends a call, as often as is safe and promises something.
    pub(super) async fn attempts(
        &self,
        prepared: &mut Prepared<'_, '_>,
        paced: &Paced,
        record: &mut Record,
    ) -> Result<Judged, Failure> {
        let keeper = prepared.account.keeper(prepared.family);
        let guard = prepared.way.guard;
        if let Some(guard) = guard {
            guard.earn();
        }
        let mut is_renewed = false;
        let mut last: Option<Attempted> = None;
        loop {
            let pass = match (guard.map(Guard::enter), last.take()) {
                (None, _) => None,
                (Some(Ok(pass)), _) => pass,
                // What became of the call is what its last attempt came to.
                (Some(Err(_)), Some(last)) => return last.map(clean),
                (Some(Err(open)), None) => return Err(open),
            };
            prepared.tries += 1;
            let is_hurried = prepared.deadline < Instant::now() + HURRY;
            let attempted = match guard.and_then(|guard| guard.policy.hedge_after) {
                Some(after) if prepared.effect == Effect::Read => {
                    placed(|| self.hedged(prepared, keeper, after, record)).await
                }
                _ => {
                    self.attempt(prepared, keeper, (&mut record.timing, &record.begun))
                        .await
                }
            };
            record.attempts = prepared.sent;
            if let (Some(pass), Some(has_failed)) = (pass, verdict(&attempted, is_hurried)) {
                pass.note(has_failed);
            }
            if let Ok((judged, _)) = &attempted {
                pace::learn(
                    &paced.admitted,
                    judged.reply.status(),
                    judged.reply.headers(),
                );
            }
            if let (Ok((judged, Some(token))), Some(keeper)) = (&attempted, keeper)
                && renew(keeper, token, judged, &mut is_renewed)
                && prepared.body.is_repeatable()
            {
                continue;
            }
            match guard.and_then(|guard| prepared.again(guard, &attempted)) {
                None => {
                    return attempted.map(clean);
                }
                Some(wait) => {
                    let why = told(&attempted);
                    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    tracing::info!(
                        id = record.id.as_str(),
                        attempts = prepared.sent,
                        why,
                        wait_ms,
                        "sends a call again"
                    );
                    last = Some(attempted);
                    sleep(wait).await;
                }
            }
        }
    }

    /// Sends a call once, and tells what the reply says and which token went with it.
    async fn attempt(
        &self,
        prepared: &mut Prepared<'_, '_>,
        keeper: Option<&Keeper>,
        (timing, begun): (&mut Timing, &std::sync::atomic::AtomicBool),
    ) -> Attempted {
        let deadline = prepared.deadline;

        // token: taken anew for each attempt, since the last one may have been rejected.
        let mut token = take(keeper, deadline).await?;
        timing.mark(Stage::Token);

        // connect: a place and a connection. That may take a while, in which the token can
        // expire or be rejected for another call: an old one is never sent.
        let upstream = prepared.way.upstream;
        let ready = upstream.ready(deadline, Purpose::Call).await;
        let ready = ready.map_err(Failure::Upstream)?;
        if let Some((keeper, old)) = keeper.zip(token.as_ref())
            && !keeper.is_current(old)
        {
            token = take(Some(keeper), deadline).await?;
        }
        let head = &mut *prepared.head;
        if let Some(token) = &token {
            head.headers.insert(AUTHORIZATION, token.header());
        }
        timing.mark(Stage::Connect);

        // send: streamed, unless the body is in memory anyway.
        let body = prepared.body.next();
        prepared.sent += 1;
        let sending = ready.send(head, body, (deadline, begun));
        let reply = sending.await.map_err(Failure::Upstream)?;
        timing.mark(Stage::Send);

        // open: before anything reads the reply.
        let reply = match &prepared.sealer {
            None => reply,
            Some(sealer) => {
                let means = (&self.limits, deadline, self.clock.now());
                let opened = open::open(sealer, reply, &head.method, means).await;
                if let Err(Failure::Open(_)) = opened {
                    prepared.account.open_failures().note();
                }
                timing.mark(Stage::Open);
                opened?
            }
        };

        // verdict: by the family's rule, because a 200 of the platform may be a no.
        let verdict = &prepared.family.verdict;
        let judging = reply::judge(reply, verdict, &head.method, (&self.limits, deadline));
        let judged = judging.await.map_err(Failure::Reply)?;
        timing.mark(Stage::Verdict);
        Ok((judged, token))
    }

    /// Sends a read, and once more beside the first when that is slow; the first good reply counts.
    async fn hedged(
        &self,
        prepared: &mut Prepared<'_, '_>,
        keeper: Option<&Keeper>,
        after: Duration,
        record: &mut Record,
    ) -> Attempted {
        let mut head = prepared.head.clone();
        let twin = prepared.twin(&mut head);
        let sent_before = prepared.sent;
        let guard = prepared.way.guard;
        let (outcome, sent) = {
            let first = self.attempt(prepared, keeper, (&mut record.timing, &record.begun));
            tokio::pin!(first);
            let Some(mut twin) = twin else {
                return first.await;
            };
            tokio::select! {
                outcome = &mut first => return outcome,
                () = sleep(after) => {}
            }
            if !guard.is_some_and(Guard::spend) {
                return first.await;
            }
            let mut timing = Timing::start();
            let begun = std::sync::atomic::AtomicBool::new(false);
            let second = self.attempt(&mut twin, keeper, (&mut timing, &begun));
            tokio::pin!(second);
            let outcome = tokio::select! {
                outcome = &mut first => if is_good(&outcome) { outcome } else { second.await },
                outcome = &mut second => if is_good(&outcome) { outcome } else { first.await },
            };
            (outcome, 2)
        };
        prepared.sent = sent_before + sent;
        record.timing.mark(Stage::Send);
        outcome
    }
}

impl<'o> Prepared<'o, '_> {
    /// The same call with a head of its own, where its body is at hand.
    fn twin<'h>(&self, head: &'h mut Parts) -> Option<Prepared<'o, 'h>> {
        Some(Prepared {
            account: self.account,
            family: self.family,
            way: self.way,
            sealer: self.sealer,
            effect: self.effect,
            head,
            body: self.body.twin()?,
            deadline: self.deadline,
            tries: self.tries,
            sent: self.sent,
        })
    }

    /// How long to wait before it is sent again, if it is.
    fn again(&self, guard: &Guard, attempted: &Attempted) -> Option<Duration> {
        let policy = &guard.policy;
        if self.tries >= policy.attempts_max || !self.body.is_repeatable() {
            return None;
        }
        let changes_nothing = matches!(self.effect, Effect::Read | Effect::Repeatable);
        let asked = match attempted {
            Ok((judged, _)) => {
                let status = judged.reply.status();
                if !changes_nothing || !policy.statuses.contains(&status) {
                    return None;
                }
                retry_after(judged.reply.headers())
            }
            Err(failure) if may_pass(failure, changes_nothing) => None,
            Err(_) => return None,
        };
        let doubled = policy
            .first
            .saturating_mul(1 << self.tries.saturating_sub(1).min(16));
        let drawn = doubled.min(policy.max).mul_f64(fastrand::f64());
        // Those that were told the same time must not come back at the same moment.
        let wait = asked.unwrap_or_default() + drawn;
        // An attempt that would find the deadline gone is worth less than the reply at hand.
        let is_in_time = Instant::now() + wait + OF_ATTEMPT < self.deadline;
        (is_in_time && guard.spend()).then_some(wait)
    }
}

/// Whether a failure may be over a moment later, and the call has had no effect.
fn may_pass(failure: &Failure, changes_nothing: bool) -> bool {
    match failure {
        // A call that waited for its place in vain would only wait again.
        Failure::Upstream(
            SendFailure::Target
            | SendFailure::Crowded
            | SendFailure::NoPlace
            | SendFailure::Body(_),
        ) => false,
        Failure::Upstream(failure) => failure.is_unsent() || changes_nothing,
        Failure::Reply(_) => changes_nothing,
        _ => false,
    }
}

/// Whether the upstream failed, as far as its circuit is concerned; `None` where it was not asked, or
/// had no time: a caller in a hurry says nothing of it.
fn verdict(attempted: &Attempted, is_hurried: bool) -> Option<bool> {
    match attempted {
        Err(Failure::Upstream(SendFailure::Timeout | SendFailure::ConnectTimeout))
            if is_hurried =>
        {
            None
        }
        Ok((judged, _)) => Some(judged.reply.status().is_server_error()),
        Err(Failure::Upstream(
            SendFailure::Target
            | SendFailure::Crowded
            | SendFailure::NoPlace
            | SendFailure::Body(_),
        )) => None,
        Err(Failure::Upstream(_) | Failure::Reply(_)) => Some(true),
        Err(_) => None,
    }
}

/// The reply, without the token that its call had.
fn clean((judged, token): (Judged, Option<Arc<Token>>)) -> Judged {
    judged.without_token(token.as_deref())
}

/// Whether the token of a refused call was thrown away, and another one is worth an attempt: once,
/// since the platform refused the call unread. Refused again with a new token, it is not the token
/// that is wrong.
fn renew(keeper: &Keeper, token: &Token, judged: &Judged, is_renewed: &mut bool) -> bool {
    let is_rejected = judged.judgement.token_rejected;
    if std::mem::replace(is_renewed, *is_renewed || is_rejected) {
        keeper.repeated(is_rejected);
        return false;
    }
    is_rejected && keeper.reject(token.generation())
}

fn is_good(attempted: &Attempted) -> bool {
    verdict(attempted, false) == Some(false)
}

fn told(attempted: &Attempted) -> String {
    match attempted {
        Ok((judged, _)) => judged.reply.status().to_string(),
        Err(failure) => failure.description().code.to_owned(),
    }
}

/// The seconds that a reply asks to wait.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// A token, where one is needed.
async fn take(keeper: Option<&Keeper>, deadline: Instant) -> Result<Option<Arc<Token>>, Failure> {
    match keeper {
        None => Ok(None),
        Some(keeper) => keeper
            .take(deadline)
            .await
            .map(Some)
            .map_err(Failure::Token),
    }
}

/// Who has less time than that says nothing of the upstream by running out of it.
const HURRY: Duration = Duration::from_secs(1);
/// What an attempt takes at least.
const OF_ATTEMPT: Duration = Duration::from_millis(20);
