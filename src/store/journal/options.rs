//! Where a journal is, and why it was not opened.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::store::StoreFailure;
use crate::store::redis::Unfit;

/// Where a journal is, and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder, which is the journal's alone; made where it is not there.
    pub folder: PathBuf,
    /// How much it may hold, in bytes: with more in it nothing comes in, and all the rest works.
    pub bytes_max: u64,
    /// How many operations may wait to be written.
    pub queue_max: usize,
    /// How many operations go into one transaction.
    pub batch_max: usize,
}

/// Why a store was not opened.
#[derive(Debug, Error)]
pub enum OpenFault {
    /// Its folder cannot be made or used.
    #[error("the folder {folder} cannot be used")]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("another process uses the journal in {folder}")]
    Taken {
        /// Which.
        folder: PathBuf,
    },
    /// The file is not a journal.
    #[error("{file} is not a journal")]
    Foreign {
        /// Which.
        file: PathBuf,
    },
    /// A later version wrote it.
    #[error("{file} was written by a later version (its tables have version {version})")]
    Newer {
        /// Which.
        file: PathBuf,
        /// The version of its tables.
        version: i64,
    },
    /// It cannot be read or written.
    #[error("the journal {file} cannot be opened")]
    Broken {
        /// Which.
        file: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
    /// Redis answers, and will not do.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// What a journal holds for a Redis that is away cannot be read.
    #[error("what is held for Redis cannot be read")]
    Held(#[source] StoreFailure),
    /// The system has no more threads.
    #[error("the threads of the journal cannot be started")]
    Threads(#[source] io::Error),
}
