//! Where secrets come from: the environment or a file, named by a reference.
//!
//! A fault about a secret never shows what stands in its field: it may be the secret itself.

use std::env::VarError;
use std::path::{Path, PathBuf};

use super::files::bounded;
use crate::secret::Secret;
use crate::yaml::{Fault, Faults, Node};

/// Where the secrets of one configuration are looked for.
pub(super) struct Secrets<'c> {
    /// What relative paths are relative to.
    pub(super) base: &'c Path,
    /// The files that were read.
    pub(super) watched: &'c mut Vec<PathBuf>,
    pub(super) faults: &'c Faults,
}

/// A secret and how it was written.
pub(super) struct Found {
    pub(super) secret: Secret,
    pub(super) is_literal: bool,
}

impl Secrets<'_> {
    /// Follows a reference.
    pub(super) fn read(&mut self, node: &Node) -> Option<Found> {
        let Some((scheme, rest)) = node.text().and_then(|text| text.split_once(':')) else {
            self.faults.push(
                Fault::at(node, "this is no reference to a secret")
                    .concealed()
                    .help(REFERENCE),
            );
            return None;
        };
        let text = match scheme {
            "env" => self.environment(node, rest)?,
            "file" => self.text_file(node, rest)?,
            "literal" => rest.to_owned(),
            _ => {
                self.faults.push(
                    Fault::at(node, "this is no reference to a secret")
                        .concealed()
                        .help(REFERENCE),
                );
                return None;
            }
        };
        if text.is_empty() {
            self.faults.push(
                Fault::at(node, "the secret is empty")
                    .concealed()
                    .help("put the secret where the reference points: an empty one is never right"),
            );
            return None;
        }
        Some(Found {
            secret: Secret::new(text),
            is_literal: scheme == "literal",
        })
    }

    /// Follows a reference of what belongs to an upstream. A literal is for one on this machine.
    pub(super) fn read_for(&mut self, node: &Node, loopback: bool) -> Option<Secret> {
        let found = self.read(node)?;
        if found.is_literal && !loopback {
            self.faults.push(
                Fault::at(
                    node,
                    "a secret of another machine's platform stands in the file",
                )
                .concealed()
                .help(
                    "`literal:` is for a sandbox on this machine: write `env:NAME` or `file:/path`",
                ),
            );
        }
        Some(found.secret)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    fn environment(&self, node: &Node, name: &str) -> Option<String> {
        let fault = match std::env::var(name) {
            Ok(value) => return Some(value),
            Err(VarError::NotPresent) if is_name(name) => Fault::at(
                node,
                format!("the environment variable `{name}` is not set"),
            )
            .label("points nowhere")
            .help(format!("set it before the start: export {name}=…")),
            // Perhaps the secret itself was written after `env:`.
            Err(VarError::NotPresent) => Fault::at(
                node,
                "what follows `env:` is no name of an environment variable",
            )
            .concealed()
            .help("write letters, digits and `_`, such as `env:AIRUDDER_APP_KEY`"),
            Err(VarError::NotUnicode(_)) => Fault::at(
                node,
                format!("the environment variable `{name}` is not text"),
            )
            .help("set it to the secret as UTF-8 text"),
        };
        self.faults.push(fault);
        None
    }

    fn text_file(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = self.file(node, path)?;
        let Ok(text) = String::from_utf8(text) else {
            self.faults.push(
                Fault::at(node, "the file is not text")
                    .help("put the secret into it as UTF-8 text"),
            );
            return None;
        };
        // Editors and `echo` end a file with a line break that is not meant.
        Some(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Reads a file that a setting points to, relative to the settings' folder.
    pub(super) fn file(&mut self, node: &Node, written: &str) -> Option<Vec<u8>> {
        let path = self.base.join(written);
        self.watched.push(path.clone());
        match bounded(&path, BYTES_MAX) {
            Ok(bytes) => Some(bytes),
            Err(unread) => {
                let is_reference =
                    node.text().is_some_and(|text| text == written) && written.starts_with("file:");
                let help = if is_reference {
                    "write the path alone, without `file:`"
                } else {
                    unread.help()
                };
                self.faults.push(
                    Fault::at(node, unread.told(&path))
                        .label("points nowhere")
                        .help(help),
                );
                None
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

const REFERENCE: &str =
    "write `env:NAME` (an environment variable) or `file:/path` (a file that holds it)";
const BYTES_MAX: u64 = 1024 * 1024;
