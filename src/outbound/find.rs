//! Which account, which operation, which upstream.

use std::sync::Arc;

use http::Uri;
use http::request::Parts;

use super::account::Way;
use super::cached::Caching;
use super::pace::Turn;
use super::{Account, Outbound};
use crate::error::Failure;
use crate::message::header;
use crate::message::target::{Target, Wanted};
use crate::policy::{Family, Sealer, Unlisted};
use crate::route::catalogue::{Effect, Found};
use crate::route::{Catalogue, Entry};
use crate::telemetry::Record;

/// Where a call goes.
#[derive(Clone)]
pub(super) struct Destination<'o> {
    pub(super) account: &'o Account,
    pub(super) family: &'o Arc<Family>,
    pub(super) way: Way<'o>,
    /// How its messages are sealed, if they are.
    pub(super) sealer: Option<Sealer<'o>>,
    /// How its replies are kept, if they are.
    pub(super) caching: Caching,
    /// Path and query, as they are sent.
    pub(super) target: Uri,
    /// When its turn comes, and how long it may take.
    pub(super) turn: Turn,
    /// What a second time would do.
    pub(super) effect: Effect,
}

impl Outbound {
    /// Finds where a call goes, or says why it goes nowhere.
    pub(super) fn find(
        &self,
        head: &Parts,
        record: &mut Record,
    ) -> Result<Destination<'_>, Failure> {
        let target = Target::parse(head.uri.path()).map_err(Failure::Target)?;
        let account = self.account(target.account.as_deref(), head)?;
        record.account = Some(account.name().to_owned());
        let (entry, family, path) = match &target.wanted {
            Wanted::Operation(name) => {
                let entry = self.listed_by_name(head, name)?;
                record.operation = Some(entry.name.clone());
                let path = entry.path.as_deref().ok_or_else(|| no_path(entry))?;
                (Some(entry), &entry.family, path)
            }
            Wanted::Path { raw, plain } => {
                let entry = self.listed_by_path(head, plain)?;
                record.operation = entry.map(|entry| entry.name.clone());
                let family = match entry {
                    Some(entry) => &entry.family,
                    None => self.policies.family_of(plain).ok_or(Failure::Unlisted)?,
                };
                (entry, family, *raw)
            }
        };
        let way = account
            .upstream(family)
            .map_err(|name| Failure::NoUpstream {
                upstream: name.to_owned(),
            })?;
        let sealer = account.sealer(entry.map(Arc::as_ref), family);
        let caching = self.caching(head, entry.map(Arc::as_ref), (family, &way, &sealer));
        Ok(Destination {
            account,
            family,
            way,
            sealer,
            caching,
            target: join(path, head)?,
            turn: self.turn(&head.headers, record)?,
            effect: effect(entry.map(Arc::as_ref), &head.method),
        })
    }

    /// The account of a call: named by the path, by a header, or the default.
    fn account(&self, named: Option<&str>, head: &Parts) -> Result<&Account, Failure> {
        let by_header = head
            .headers
            .get(header::ACCOUNT)
            .map(|value| value.to_str().unwrap_or(""));
        let name = named.or(by_header).unwrap_or(&self.default_account);
        self.accounts
            .get(name)
            .map(Arc::as_ref)
            .ok_or(Failure::Account)
    }

    fn listed_by_name(&self, head: &Parts, name: &str) -> Result<&Arc<Entry>, Failure> {
        match self.catalogue.by_name(&head.method, name) {
            Found::Operation(entry) => Ok(entry),
            Found::NoPath(entry) => Err(no_path(entry)),
            Found::OtherMethod(allowed) => Err(other_method(&allowed)),
            Found::Reserved(entry) => Err(reserved(entry)),
            Found::Unlisted => Err(Failure::Operation),
        }
    }

    /// The entry of a path; `None` where the path is not listed and may pass all the same.
    fn listed_by_path(&self, head: &Parts, path: &str) -> Result<Option<&Arc<Entry>>, Failure> {
        let catalogue: &Catalogue = &self.catalogue;
        if let Some(login) = self.policies.login_at(path) {
            return Err(Failure::Reserved {
                operation: login.name.clone(),
            });
        }
        match (
            catalogue.by_path(&head.method, path),
            self.policies.unlisted,
        ) {
            (Found::Operation(entry), _) => Ok(Some(entry)),
            (Found::Reserved(entry), _) => Err(reserved(entry)),
            (Found::NoPath(entry), _) => Err(no_path(entry)),
            // The catalogue may lack a method that the platform has.
            (Found::OtherMethod(_) | Found::Unlisted, Unlisted::Pass) => Ok(None),
            (Found::OtherMethod(allowed), Unlisted::Refuse) => Err(other_method(&allowed)),
            (Found::Unlisted, Unlisted::Refuse) => Err(Failure::Unlisted),
        }
    }
}

/// What a call does a second time. Where the catalogue does not say, its method does: safe ones change
/// nothing (RFC 9110, section 9.2.1).
fn effect(entry: Option<&Entry>, method: &http::Method) -> Effect {
    match entry {
        Some(entry) => entry.effect,
        None if method.is_safe() => Effect::Read,
        None => Effect::Once,
    }
}

fn no_path(entry: &Entry) -> Failure {
    Failure::NoPath {
        operation: entry.name.clone(),
        line: entry.line.clone(),
    }
}

fn reserved(entry: &Entry) -> Failure {
    Failure::Reserved {
        operation: entry.name.clone(),
    }
}

fn other_method(allowed: &[&http::Method]) -> Failure {
    Failure::OtherMethod {
        allowed: allowed.iter().map(|method| (*method).clone()).collect(),
    }
}

/// The path with the caller's query, untouched.
fn join(path: &str, head: &Parts) -> Result<Uri, Failure> {
    let unusable = |_| Failure::Target(crate::message::target::TargetFault::Encoding);
    match head.uri.query() {
        None => Uri::try_from(path).map_err(unusable),
        Some(query) => Uri::try_from(format!("{path}?{query}")).map_err(unusable),
    }
}
