//! The files: on disk, or embedded in the binary.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::yaml::{Fault, Faults, Source};

/// Reads one file; a fault says what to do about one that cannot be read.
pub(super) fn read(path: &Path, faults: &Faults) -> Option<Arc<Source>> {
    let shown = path.display();
    let text = fs::metadata(path)
        .and_then(|metadata| {
            if metadata.len() > FILE_BYTES_MAX {
                return Err(std::io::Error::other(format!(
                    "larger than {FILE_BYTES_MAX} bytes"
                )));
            }
            fs::read_to_string(path)
        })
        .map_err(|error| {
            faults.push(
                Fault::nowhere(format!("cannot read {shown}: {error}"))
                    .help("check the path and who may read it"),
            );
        })
        .ok()?;
    Some(Source::new(shown.to_string(), text))
}

/// Reads every `*.yaml` of a folder and its folders, in the order of their paths.
pub(super) fn read_folder(
    folder: &Path,
    faults: &Faults,
    watched: &mut Vec<PathBuf>,
) -> Vec<Arc<Source>> {
    let mut paths = Vec::new();
    list(folder, faults, &mut paths, 0);
    paths.sort();
    watched.push(folder.to_path_buf());
    watched.extend(paths.iter().cloned());
    paths.iter().filter_map(|path| read(path, faults)).collect()
}

fn list(folder: &Path, faults: &Faults, paths: &mut Vec<PathBuf>, depth: usize) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) if depth <= FOLDER_DEPTH_MAX => entries,
        Ok(_) => return,
        Err(error) => {
            faults.push(
                Fault::nowhere(format!(
                    "cannot read the folder {}: {error}",
                    folder.display()
                ))
                .help("check the path, or leave the key out to use the embedded files"),
            );
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if path.is_dir() && !hidden {
            list(&path, faults, paths, depth + 1);
        } else if path.extension().is_some_and(|end| end == "yaml") && !hidden {
            if paths.len() >= FILES_MAX {
                return;
            }
            paths.push(path);
        }
    }
}

/// What tells that a file has changed without reading it: length and time of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(BTreeMap<PathBuf, Option<(u64, SystemTime)>>);

impl Signature {
    /// The signature of files and folders as they are now. Links are followed, so that a mounted
    /// volume that is swapped as a whole counts as changed.
    pub fn of(paths: &[PathBuf]) -> Self {
        let look = |path: &PathBuf| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        };
        Self(
            paths
                .iter()
                .map(|path| (path.clone(), look(path)))
                .collect(),
        )
    }
}

/// The files that are built in: they make the binary work alone.
pub mod embedded {
    use std::sync::Arc;

    use include_dir::{Dir, include_dir};

    use crate::yaml::Source;

    static ROUTES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/routes");
    static POLICIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/policies");

    /// The settings: the shipped `pintle.yaml`.
    pub fn settings() -> Arc<Source> {
        Source::new("pintle.yaml", include_str!("../../pintle.yaml"))
    }

    /// The routes, named as in the checkout.
    pub fn routes() -> Vec<Arc<Source>> {
        sources(&ROUTES, "routes")
    }

    /// The policies, named as in the checkout.
    pub fn policies() -> Vec<Arc<Source>> {
        sources(&POLICIES, "policies")
    }

    fn sources(dir: &Dir<'_>, name: &str) -> Vec<Arc<Source>> {
        let mut all = Vec::new();
        collect(dir, name, &mut all);
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn collect(dir: &Dir<'_>, name: &str, all: &mut Vec<Arc<Source>>) {
        all.extend(dir.files().filter_map(|file| {
            let yaml = file.path().extension().is_some_and(|end| end == "yaml");
            let text = file.contents_utf8().filter(|_| yaml)?;
            Some(Source::new(
                format!("{name}/{}", file.path().display()),
                text,
            ))
        }));
        for inner in dir.dirs() {
            collect(inner, name, all);
        }
    }
}

const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
const FILES_MAX: usize = 2_000;
const FOLDER_DEPTH_MAX: usize = 8;
