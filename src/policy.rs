//! Named rules that operations share, read from `policies/`: how an answer says yes, how a token
//! is had, which family an operation belongs to, how messages are sealed, how senders are proven,
//! when people may be called, how often, and who is left alone; what is cached, and what is
//! sent again.
//!
//! Pure: reading a policy touches no file, no network and no clock. What is known of the platform
//! is data in these files, never a constant here.

mod cache;
mod family;
mod hours;
mod limits;
mod login;
mod named;
mod proof;
mod rate;
mod retry;
mod sealing;
mod verdict;

use std::sync::Arc;

pub use cache::{Caching, KeyPart};
pub use family::{Family, FamilyLogin, FamilyUpstream};
pub use hours::{Hours, Opening};
pub use limits::{Cap, Suppression};
pub(crate) use login::authorization_scheme;
pub use login::{Encoding, Login};
pub use named::Named;
pub use proof::{HandshakeRule, HmacRule, MissingSecret, OF_ROUTE, Proof, Rule};
pub use rate::{CLASSES, Campaign, Class, Counts, Names, Part, Rate, RateLimit};
pub use retry::{Breaker, Retry};
pub(crate) use sealing::read_choice as read_sealing;
pub use sealing::{Direction, Expected, Place, Plain, Sealer, Sealing, SealingChoice, Spot};
pub use verdict::{Judgement, Said, Verdict};

use crate::crypto::sha256;
use crate::yaml::{Fault, Faults, Fields, Node, Read, Source, Value, parse};

/// How sure a fact of the platform is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// The platform's own documentation says so.
    Documented,
    /// Seen in a client that works.
    Observed,
    /// A convention or a guess; to be checked against the portal.
    Assumed,
}

impl Provenance {
    /// The word that files use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Observed => "observed",
            Self::Assumed => "assumed",
        }
    }
}

impl Read for Provenance {
    const EXAMPLE: &'static str = "documented";

    fn read(node: &Node, faults: &Faults) -> Option<Self> {
        choice(
            node,
            faults,
            &[
                ("documented", Self::Documented),
                ("observed", Self::Observed),
                ("assumed", Self::Assumed),
            ],
        )
    }
}

/// Reads one word of a closed list.
pub fn choice<T: Copy>(node: &Node, faults: &Faults, choices: &[(&str, T)]) -> Option<T> {
    let text = String::read(node, faults)?;
    let found = choices
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value);
    if found.is_none() {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        faults.push(
            Fault::at(node, format!("`{text}` is none of the choices here"))
                .label("not known here")
                .help(format!("write one of: {}", words.join(", "))),
        );
    }
    found
}

/// What happens to a path that the catalogue does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// It is forwarded, with the token of the family that its prefix tells.
    Pass,
    /// It is refused.
    Refuse,
}

/// Everything that the files of `policies/` say.
#[derive(Debug)]
pub struct Policies {
    /// The families by name.
    pub families: Named<Family>,
    /// The logins by name.
    pub logins: Named<Login>,
    /// The sealings by name.
    pub sealings: Named<SealingChoice>,
    /// The proofs of sender by name.
    pub proofs: Named<Proof>,
    /// The calling hours by name.
    pub hours: Named<Hours>,
    /// The caps by name.
    pub caps: Named<Cap>,
    /// The lists of those who are left alone, by name.
    pub suppressions: Named<Suppression>,
    /// The rates by name.
    pub rates: Named<Rate>,
    /// Which calls are of a campaign.
    pub campaign: Campaign,
    /// The cache policies by name.
    pub caches: Named<Caching>,
    /// A digest of the files, so that what was made by other policies can be told apart.
    pub digest: [u8; 32],
    /// What happens to paths outside the catalogue.
    pub unlisted: Unlisted,
}

impl Policies {
    /// Reads all policy files. What is faulty is left out and told in `faults`.
    pub fn read(sources: &[Arc<Source>], faults: &Faults) -> Self {
        let mut sections = Sections::default();
        for source in sources {
            match parse(source, faults) {
                Some(node) => sections.collect(&node, faults),
                None => sections.is_partial = true,
            }
        }
        let partial = sections.is_partial;
        let verdicts = Named::read(
            &sections.verdicts,
            ("verdict", partial),
            faults,
            Verdict::read,
        );
        let sealings = Named::read(
            &sections.sealings,
            ("sealing", partial),
            faults,
            sealing::read,
        );
        let proofs = Named::read(&sections.proofs, ("proof", partial), faults, proof::read);
        let hours = (&sections.hours, ("set of calling hours", partial));
        let hours = Named::read(hours.0, hours.1, faults, Hours::read);
        let rates = Named::read(&sections.rates, ("rate", partial), faults, Rate::read);
        let caps = Named::read(&sections.caps, ("cap", partial), faults, Cap::read);
        let lists = (&sections.suppressions, ("suppression", partial));
        let suppressions = Named::read(lists.0, lists.1, faults, Suppression::read);
        let caches = Named::read(&sections.caches, ("cache", partial), faults, Caching::read);
        let read =
            |name: &str, node: &Node, faults: &Faults| Login::read(name, node, &sealings, faults);
        let logins = Named::read(&sections.logins, ("login", partial), faults, read);
        let retries = Named::read(&sections.retries, ("retry", partial), faults, Retry::read);
        let known = family::Known {
            retries: &retries,
            verdicts: &verdicts,
            logins: &logins,
            sealings: &sealings,
        };
        let read =
            |name: &str, node: &Node, faults: &Faults| Family::read(name, node, &known, faults);
        let families = Named::read(&sections.families, ("family", partial), faults, read);
        family::check_prefixes(&sections.families, faults);
        if !partial && sections.unlisted != Some(Unlisted::Refuse) {
            family::check_root(&sections.families, faults);
        }
        Self {
            families,
            logins,
            sealings,
            proofs,
            hours,
            caps,
            suppressions,
            rates,
            campaign: sections.campaign.unwrap_or_default(),
            caches,
            digest: digest(sources),
            unlisted: sections.unlisted.unwrap_or(Unlisted::Pass),
        }
    }

    /// The login that stands at a path, also in other letter case and with parameters: an upstream
    /// may be lax where we are strict.
    pub fn login_at(&self, path: &str) -> Option<&Arc<Login>> {
        let same = |known: &str| {
            let mut segments = path.split('/').map(|segment| segment.split(';').next());
            let known = known.split('/').all(|known| {
                let segment = segments.next().flatten();
                segment.is_some_and(|segment| segment.eq_ignore_ascii_case(known))
            });
            known && segments.next().is_none()
        };
        self.logins.values().find(|login| same(&login.path))
    }

    /// The family of a path outside the catalogue: the one with the longest prefix.
    pub fn family_of(&self, path: &str) -> Option<&Arc<Family>> {
        self.families
            .values()
            .filter_map(|family| {
                let fits = |prefix: &&String| path.starts_with(prefix.as_str());
                let longest = family.prefixes.iter().filter(fits).map(String::len).max()?;
                Some((longest, family))
            })
            .max_by_key(|(longest, _)| *longest)
            .map(|(_, family)| family)
    }
}

fn digest(sources: &[Arc<Source>]) -> [u8; 32] {
    let of_each = sources.iter().map(|source| sha256(source.text.as_bytes()));
    sha256(&of_each.collect::<Vec<_>>().concat())
}

/// The named nodes of each kind, over all files.
#[derive(Default)]
struct Sections {
    verdicts: Vec<(Node, Node)>,
    logins: Vec<(Node, Node)>,
    sealings: Vec<(Node, Node)>,
    proofs: Vec<(Node, Node)>,
    hours: Vec<(Node, Node)>,
    caps: Vec<(Node, Node)>,
    rates: Vec<(Node, Node)>,
    campaign: Option<Campaign>,
    suppressions: Vec<(Node, Node)>,
    caches: Vec<(Node, Node)>,
    retries: Vec<(Node, Node)>,
    families: Vec<(Node, Node)>,
    unlisted: Option<Unlisted>,
    /// Some of what the files say could not be read, so that a name may be missing for that alone.
    is_partial: bool,
}

impl Sections {
    fn collect(&mut self, node: &Node, faults: &Faults) {
        let Some(mut fields) = Fields::open(node, faults) else {
            self.is_partial = true;
            return;
        };
        for (key, into) in [
            ("verdicts", &mut self.verdicts),
            ("logins", &mut self.logins),
            ("sealings", &mut self.sealings),
            ("proofs", &mut self.proofs),
            ("calling_hours", &mut self.hours),
            ("caps", &mut self.caps),
            ("rates", &mut self.rates),
            ("suppressions", &mut self.suppressions),
            ("caches", &mut self.caches),
            ("retries", &mut self.retries),
            ("families", &mut self.families),
        ] {
            let Some(section) = fields.node(key) else {
                continue;
            };
            if let Value::Map(entries) = &section.value {
                into.extend(entries.iter().cloned());
                continue;
            }
            self.is_partial = true;
            faults.push(
                Fault::at(
                    section,
                    format!("`{key}` must be names with a mapping each"),
                )
                .help(format!("write `{key}:`, then `a-name:` lines under it")),
            );
        }
        if let Some(node) = fields.node("unlisted_paths") {
            self.unlisted = choice(
                node,
                faults,
                &[("pass", Unlisted::Pass), ("refuse", Unlisted::Refuse)],
            );
        }
        if let Some(node) = fields.node("campaign") {
            self.campaign = Campaign::read(node, faults);
        }
        fields.finish();
    }
}
