//! What Pintle tells of itself: the stages of a call, the record of each call, the log.
//!
//! Names of stages, fields and targets live here and nowhere else. No body, no header value and
//! no query is ever among them.

mod attempt;
mod line;
mod record;
mod stage;
mod writer;

use std::error::Error;
use std::fmt::Write as _;

pub use attempt::AttemptRecord;
pub use line::{LogFormat, LogLine};
pub use record::Record;
pub use stage::{OF_CALL, OF_PUSH, STAGES, Stage, Timing};
pub use writer::{LogGuard, LogWriter};

/// The whole chain of an error's causes, for the log; never sent to anybody.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _infallible = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
