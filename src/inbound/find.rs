//! Which push a path is, and the secret that stands in it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use http::Method;
use http::request::Parts;

use crate::codec::Format;
use crate::crypto::{Handshake, Verifier};
use crate::policy::OF_ROUTE;
use crate::route::catalogue::PushPath;
use crate::route::flow::Begins;
use crate::route::{Entry, SECRET, Webhook};
use crate::runner::Running;

/// A push that is taken, with what proves it and who gets it.
#[derive(Debug)]
pub struct Hook {
    /// Whose push it is.
    pub of: HookOf,
    /// What proves its sender.
    pub verifier: Verifier,
    /// What answers its sender's question whether this is the right address.
    pub handshake: Option<Handshake>,
    /// Its proof is over the plaintext of what comes sealed.
    pub reads_plaintext: bool,
    /// Where its body must be read before its sender can be proved: how.
    pub reads_document: Option<Format>,
}

/// Whose push it is.
pub enum HookOf {
    /// A callback of the platform.
    Callback(Callback),
    /// A push of a partner.
    Route(Arc<Running>),
}

/// A callback of the platform.
#[derive(Debug)]
pub struct Callback {
    /// Its entry in the catalogue.
    pub entry: Arc<Entry>,
    /// What the entry says of the push.
    pub webhook: Arc<Webhook>,
    /// Who gets it, and whether getting it twice does harm.
    pub targets: Vec<(String, bool)>,
}

impl std::fmt::Debug for HookOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Callback(callback) => &callback.entry.name,
            Self::Route(running) => &running.flow.name,
        })
    }
}

impl Hook {
    /// The name of the route.
    pub fn name(&self) -> &str {
        match &self.of {
            HookOf::Callback(callback) => &callback.entry.name,
            HookOf::Route(running) => &running.flow.name,
        }
    }

    /// Who pushes: the platform, whom a proof of the policies proves, or, where it has a proof of its
    /// own, whoever pushes to the route.
    pub(super) fn partner(&self) -> &str {
        match &self.of {
            HookOf::Callback(_) => "platform",
            HookOf::Route(running) => match &running.flow.begins {
                Begins::Listen(listen) if listen.proof.name != OF_ROUTE => &listen.proof.name,
                _ => &running.flow.name,
            },
        }
    }

    /// How it comes: method and path.
    pub(super) fn place(&self) -> Option<(&Method, &PushPath)> {
        match &self.of {
            HookOf::Callback(callback) => Some((&callback.webhook.method, &callback.webhook.path)),
            HookOf::Route(running) => match &running.flow.begins {
                Begins::Listen(listen) => Some((&listen.method, &listen.path)),
                Begins::On(_) => None,
            },
        }
    }
}

/// The pushes that are taken, by method and path.
#[derive(Debug, Default)]
pub struct Hooks {
    by_path: HashMap<(Method, String), Arc<Hook>>,
    /// At which segments some path has its secret.
    secrets_at: BTreeSet<usize>,
}

/// A push that was found.
pub(super) struct Found<'h> {
    pub(super) hook: &'h Arc<Hook>,
    /// The account that the path names: `/accounts/NAME/…`.
    pub(super) account: Option<String>,
    /// The segment that stands where the path has its secret.
    pub(super) secret: Option<String>,
}

impl Hooks {
    /// All pushes that somebody gets.
    pub fn new(hooks: impl IntoIterator<Item = Hook>) -> Self {
        let mut all = Self::default();
        for hook in hooks {
            let Some((method, path)) = hook.place() else {
                continue;
            };
            all.secrets_at.extend(path.secret_at);
            let methods = [Some(method.clone()), asked_by(&hook)];
            let (pattern, hook) = (path.pattern.clone(), Arc::new(hook));
            for method in methods.into_iter().flatten() {
                let place = (method, pattern.clone());
                all.by_path.insert(place, Arc::clone(&hook));
            }
        }
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    pub(super) fn find(&self, head: &Parts) -> Option<Found<'_>> {
        let path = head.uri.path();
        let (account, path) = match path.strip_prefix("/accounts/") {
            None => (None, path),
            Some(rest) => {
                let (name, _) = rest.split_once('/')?;
                (Some(name.to_owned()), rest.get(name.len()..)?)
            }
        };
        let found = |pattern: String, secret: Option<&str>| {
            let hook = self.by_path.get(&(head.method.clone(), pattern))?;
            Some(Found {
                hook,
                account: account.clone(),
                secret: secret.map(str::to_owned),
            })
        };
        found(path.to_owned(), None).or_else(|| {
            self.secrets_at.iter().find_map(|at| {
                let (pattern, secret) = with_secret_at(path, *at)?;
                found(pattern, Some(secret))
            })
        })
    }
}

/// Some senders ask by `GET` before they push.
fn asked_by(hook: &Hook) -> Option<Method> {
    hook.handshake.as_ref().map(|_| Method::GET)
}

/// The pattern of a path whose segment `at` is a secret, and the secret.
fn with_secret_at(path: &str, at: usize) -> Option<(String, &str)> {
    let mut segments: Vec<&str> = path.split('/').skip(1).collect();
    let segment = segments.get_mut(at)?;
    let secret = *segment;
    *segment = SECRET;
    (!secret.is_empty()).then(|| (format!("/{}", segments.join("/")), secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_stands_where_the_pattern_has_it() {
        let found = with_secret_at("/callback/s3/call", 1);
        assert_eq!(found, Some(("/callback/{secret}/call".to_owned(), "s3")));
        assert_eq!(with_secret_at("/callback//call", 1), None);
        assert_eq!(with_secret_at("/callback", 1), None);
    }
}
