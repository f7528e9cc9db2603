//! The lock of a journal's folder: one process has it at a time.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::store::journal::OpenFault;

/// The lock of a folder, which is held as long as the file is open.
pub(super) fn taken(folder: &Path) -> Result<File, OpenFault> {
    let unusable = |source| OpenFault::Folder {
        folder: folder.to_owned(),
        source,
    };
    // What lies in it is not for everyone's eyes.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(unusable)?;
    if let Some(parent) = folder.parent().filter(|parent| parent.is_dir()) {
        // A folder that is gone after a failure of power takes with it what was acknowledged.
        File::open(parent)
            .and_then(|parent| parent.sync_all())
            .map_err(unusable)?;
    }
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(unusable)?;
    // A process that is just ending, or a child that is just beginning, may hold it for a moment.
    let end = Instant::now() + TAKEN_MAX;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(TAKEN_PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(OpenFault::Taken {
                    folder: folder.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
    }
}

const LOCK: &str = "lock";
const TAKEN_MAX: Duration = Duration::from_secs(2);
const TAKEN_PAUSE: Duration = Duration::from_millis(20);
