//! Named rules that operations share, read from `policies/`: how an answer says yes, how a token
//! is had, which family an operation belongs to.
//!
//! Pure: reading a policy touches no file, no network and no clock. What is known of the platform
//! is data in these files, never a constant here.

mod family;
mod login;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use family::{Family, FamilyLogin, FamilyUpstream};
pub(crate) use login::authorization_scheme;
pub use login::{Encoding, Login};
pub use verdict::{Judgement, Said, Verdict};

use crate::yaml::{Fault, Faults, Fields, Node, Read, Source, Value, nearest, parse};

/// Things by the names that files give them.
pub type Named<T> = BTreeMap<String, Arc<T>>;

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
    /// What happens to paths outside the catalogue.
    pub unlisted: Unlisted,
}

impl Policies {
    /// Reads all policy files. What is faulty is left out and told in `faults`.
    pub fn read(sources: &[Arc<Source>], faults: &Faults) -> Self {
        let mut sections = Sections::default();
        for source in sources {
            if let Some(node) = parse(source, faults) {
                sections.collect(&node, faults);
            }
        }
        let verdicts = named(&sections.verdicts, faults, Verdict::read);
        let logins = named(&sections.logins, faults, Login::read);
        let families = named(&sections.families, faults, |name, node, faults| {
            Family::read(name, node, &verdicts, &logins, faults)
        });
        family::check_prefixes(&families, &sections.families, faults);
        Self {
            families,
            logins,
            unlisted: sections.unlisted.unwrap_or(Unlisted::Pass),
        }
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

/// The named nodes of each kind, over all files.
#[derive(Default)]
struct Sections {
    verdicts: Vec<(Node, Node)>,
    logins: Vec<(Node, Node)>,
    families: Vec<(Node, Node)>,
    unlisted: Option<Unlisted>,
}

impl Sections {
    fn collect(&mut self, node: &Node, faults: &Faults) {
        let Some(mut fields) = Fields::open(node, faults) else {
            return;
        };
        for (key, into) in [
            ("verdicts", &mut self.verdicts),
            ("logins", &mut self.logins),
            ("families", &mut self.families),
        ] {
            let Some(section) = fields.node(key) else {
                continue;
            };
            match &section.value {
                Value::Map(entries) => into.extend(entries.iter().cloned()),
                _ => faults.push(
                    Fault::at(
                        section,
                        format!("`{key}` must be names with a mapping each"),
                    )
                    .help(format!("write `{key}:`, then `a-name:` lines under it")),
                ),
            }
        }
        if let Some(node) = fields.node("unlisted_paths") {
            self.unlisted = choice(
                node,
                faults,
                &[("pass", Unlisted::Pass), ("refuse", Unlisted::Refuse)],
            );
        }
        fields.finish();
    }
}

/// Reads each named node; a name that is there twice is a fault.
fn named<T>(
    entries: &[(Node, Node)],
    faults: &Faults,
    read: impl Fn(&str, &Node, &Faults) -> Option<T>,
) -> Named<T> {
    let mut all = BTreeMap::new();
    for (key, node) in entries {
        let name = key.text().unwrap_or_default();
        let Some(value) = read(name, node, faults) else {
            continue;
        };
        if all.insert(name.to_owned(), Arc::new(value)).is_some() {
            faults.push(
                Fault::at(key, format!("the name `{name}` is taken by another file"))
                    .help("give one of the two another name, or delete it"),
            );
        }
    }
    all
}

/// Finds what a name refers to, or says which name was likely meant.
pub fn resolve<'m, T>(
    node: &Node,
    kind: &str,
    known: &'m Named<T>,
    faults: &Faults,
) -> Option<&'m Arc<T>> {
    let name = String::read(node, faults)?;
    let found = known.get(&name);
    if found.is_none() {
        let help = nearest(&name, known.keys().map(String::as_str)).map_or_else(
            || {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                format!("known: {}", names.join(", "))
            },
            |near| format!("did you mean `{near}`?"),
        );
        faults.push(Fault::at(node, format!("there is no {kind} `{name}`")).help(help));
    }
    found
}
