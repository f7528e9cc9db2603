//! The files: on disk, or embedded in the binary.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::yaml::{Fault, Faults, Node, Source};

/// Why a file could not be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// The operating system says so.
    Io(io::Error),
    /// It is larger than this.
    TooLarge(u64),
}

impl Unread {
    /// What happened, for a person.
    pub(super) fn told(&self, path: &Path) -> String {
        let shown = path.display();
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                format!("there is no file {shown}")
            }
            Self::Io(error) => format!("cannot read {shown}: {error}"),
            Self::TooLarge(max) => format!("{shown} is larger than {max} bytes"),
        }
    }

    /// What to do about it.
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                "check the path: a relative one begins at the folder of the settings file"
            }
            Self::Io(error) if error.kind() == io::ErrorKind::IsADirectory => {
                "name a file, not a folder"
            }
            Self::Io(_) => "check who may read it",
            Self::TooLarge(_) => "this is likely not the file that was meant",
        }
    }
}

/// Reads a file of a limited size. The limit holds for pipes and devices too.
pub(super) fn bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        .map_err(Unread::Io)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > bytes_max) {
        return Err(Unread::TooLarge(bytes_max));
    }
    Ok(bytes)
}

/// Reads the settings file. What it holds may be secret.
pub(super) fn read_settings(path: &Path, faults: &Faults) -> Option<Arc<Source>> {
    let text = read_text(
        path,
        faults,
        "check the path after `--config`; `pintle serve --help` tells what is used without it",
    )?;
    Some(Source::with_secrets(path.display().to_string(), text))
}

fn read_text(path: &Path, faults: &Faults, missing: &str) -> Option<String> {
    let fault = match bounded(path, FILE_BYTES_MAX).map(String::from_utf8) {
        // An editor may put a byte order mark before the text.
        Ok(Ok(text)) => return Some(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()),
        Ok(Err(_)) => {
            Fault::nowhere(format!("{} is not text", path.display())).help("save it as UTF-8")
        }
        Err(unread) => {
            let not_there =
                matches!(&unread, Unread::Io(error) if error.kind() == io::ErrorKind::NotFound);
            let help = if not_there { missing } else { unread.help() };
            Fault::nowhere(unread.told(path)).help(help)
        }
    };
    faults.push(fault);
    None
}

/// The files of a folder, as far as they can be read.
pub(super) fn read_plainly(folder: &Path) -> Vec<Arc<Source>> {
    let faults = Faults::new();
    let mut found = Vec::new();
    if let Some(node) = crate::yaml::parse(&Source::new("", "folder"), &faults) {
        found = read_folder(&node, folder, &faults, &mut Vec::new());
    }
    found
}

/// Reads every `*.yaml` of a folder and its folders, in the order of their paths.
pub(super) fn read_folder(
    node: &Node,
    folder: &Path,
    faults: &Faults,
    watched: &mut Vec<PathBuf>,
) -> Vec<Arc<Source>> {
    let mut found = Vec::new();
    list(node, folder, (faults, &mut found), 0);
    found.sort();
    if found.is_empty() && folder.is_dir() {
        faults.push(
            Fault::at(
                node,
                format!("no file of {} ends in .yaml", folder.display()),
            )
            .help(
                "`pintle routes --export FOLDER` writes the built-in files to start from; \
                 without this key they are used as they are",
            ),
        );
    }
    // A folder changes when a file comes into it or goes.
    let folders = found
        .iter()
        .filter_map(|path| path.parent())
        .map(Path::to_path_buf);
    watched.push(folder.to_path_buf());
    watched.extend(folders);
    watched.extend(found.iter().cloned());
    found
        .iter()
        .filter_map(|path| {
            let text = read_text(path, faults, "it went away while it was read: check again")?;
            Some(Source::new(path.display().to_string(), text))
        })
        .collect()
}

fn list(node: &Node, folder: &Path, into: (&Faults, &mut Vec<PathBuf>), depth: usize) {
    let (faults, found) = into;
    let shown = folder.display();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let told = match error.kind() {
                io::ErrorKind::NotFound => format!("there is no folder {shown}"),
                io::ErrorKind::NotADirectory => format!("{shown} is no folder"),
                _ => format!("cannot read the folder {shown}: {error}"),
            };
            faults.push(
                Fault::at(node, told)
                    .help("check the path, or leave the key out to use the built-in files"),
            );
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let ends_in = |end: &str| path.extension().is_some_and(|found| found == end);
        if path.is_dir() && depth < FOLDER_DEPTH_MAX {
            list(node, &path, (faults, found), depth + 1);
        } else if path.is_dir() {
            faults.push(
                Fault::at(node, format!("{} is too deep to be read", path.display())).help(
                    format!("at most {FOLDER_DEPTH_MAX} folders below this one are read"),
                ),
            );
        } else if ends_in("yaml") {
            found.push(path);
        } else if ends_in("yml") {
            faults.push(
                Fault::at(node, format!("{} is not read", path.display()))
                    .help("rename it: only files that end in .yaml are")
                    .warning(),
            );
        }
        if found.len() > FILES_MAX {
            found.truncate(FILES_MAX);
            faults.push(
                Fault::at(node, format!("{shown} has more than {FILES_MAX} files"))
                    .help("this is likely not the folder that was meant"),
            );
            return;
        }
    }
}

/// What tells that a file has changed without reading it: length and time of change.
///
/// Paths are compared as texts: it is made twice a second, of a thousand files maybe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(BTreeMap<OsString, Look>);

/// Length and time of change; nothing where there is no file.
type Look = Option<(u64, SystemTime)>;

impl Signature {
    /// The signature of files and folders as they are now. Links are followed, so that a mounted
    /// volume that is swapped as a whole counts as changed.
    pub fn of(paths: &[PathBuf]) -> Self {
        let seen = |path: &PathBuf| (path.clone().into_os_string(), look(path));
        Self(paths.iter().map(seen).collect())
    }

    /// The signature of a folder and of all in it.
    pub fn of_folder(folder: &Path) -> Self {
        let mut watched = vec![folder.to_path_buf()];
        let faults = Faults::new();
        if let Some(node) = crate::yaml::parse(&Source::new("", "folder"), &faults) {
            read_folder(&node, folder, &faults, &mut watched);
        }
        Self::of(&watched)
    }

    /// The same for other paths: what was looked at before stays as it was seen then, so that a
    /// change in between is not taken for seen.
    #[must_use]
    pub fn follow(&self, paths: &[PathBuf]) -> Self {
        let seen = |path: &PathBuf| {
            let before = self.0.get(path.as_os_str()).copied();
            (
                path.clone().into_os_string(),
                before.unwrap_or_else(|| look(path)),
            )
        };
        Self(paths.iter().map(seen).collect())
    }
}

fn look(path: &Path) -> Look {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
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
