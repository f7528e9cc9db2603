//! Where secrets come from: the environment or a file, named by a reference.
//!
//! A fault about a secret never shows what stands in its field: it may be the secret itself.

use std::path::{Path, PathBuf};

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

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    fn environment(&self, node: &Node, name: &str) -> Option<String> {
        let value = std::env::var(name).ok();
        if value.is_none() {
            self.faults.push(
                Fault::at(
                    node,
                    format!("the environment variable `{name}` is not set"),
                )
                .label("points nowhere")
                .help(format!("set it before the start: export {name}=…")),
            );
        }
        value
    }

    fn text_file(&mut self, node: &Node, path: &str) -> Option<String> {
        let text = self.file(node, path)?;
        let Ok(text) = String::from_utf8(text) else {
            self.faults.push(Fault::at(node, "the file is not text"));
            return None;
        };
        // Editors and `echo` end a file with a line break that is not meant.
        Some(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Reads a file that a setting points to, relative to the settings' folder.
    pub(super) fn file(&mut self, node: &Node, path: &str) -> Option<Vec<u8>> {
        let path = self.base.join(path);
        self.watched.push(path.clone());
        let small = std::fs::metadata(&path).and_then(|metadata| {
            if metadata.len() > BYTES_MAX {
                return Err(std::io::Error::other(format!(
                    "larger than {BYTES_MAX} bytes"
                )));
            }
            std::fs::read(&path)
        });
        small
            .map_err(|error| {
                self.faults.push(
                    Fault::at(node, format!("cannot read {}: {error}", path.display()))
                        .label("points nowhere")
                        .help("check the path and who may read it"),
                );
            })
            .ok()
    }
}

const REFERENCE: &str =
    "write `env:NAME` (an environment variable) or `file:/path` (a file that holds it)";
const BYTES_MAX: u64 = 1024 * 1024;
