//! What an error of Redis means: for the caller, and for the connection that it came on.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreFailure;

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// The script is not there: it is loaded, and the request made again.
    Load,
    /// The request was refused before it did anything, by a node that is not the right one: it is
    /// made again there.
    Move,
    /// Nobody knows what became of the request: what comes next gets another connection.
    Leave,
    /// The request was answered with no.
    Stay,
}

/// What is done after an error.
pub(super) fn course(error: &RedisError) -> Course {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoScript) => Course::Load,
        ErrorKind::Server(
            ServerErrorKind::Moved
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::BusyLoading,
        ) => Course::Move,
        _ if says(error, "READONLY") => Course::Move,
        ErrorKind::Server(_) | ErrorKind::Extension => Course::Stay,
        _ => Course::Leave,
    }
}

/// What the caller is told.
pub(super) fn failure(error: &RedisError) -> StoreFailure {
    // Its `maxmemory` is reached: how much that is, it does not say here.
    if says(error, "OOM") {
        return StoreFailure::Full { bytes: 0 };
    }
    let what = told(error);
    match error.kind() {
        ErrorKind::Server(
            ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain,
        ) => StoreFailure::Unreachable { what },
        ErrorKind::Server(_) | ErrorKind::Extension => StoreFailure::Unwritable { what },
        _ => StoreFailure::Unreachable { what },
    }
}

/// An error in words. Redis repeats the arguments of a command that it does not know, and those may
/// be anybody's data.
pub(super) fn told(error: &RedisError) -> String {
    let whole = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    };
    let plain = whole.split(", with args").next().unwrap_or_default();
    let plain = plain.chars().filter(|letter| !letter.is_control());
    plain.take(TOLD_MAX).collect()
}

/// Older versions put what a command inside a script said into the text of another error.
fn says(error: &RedisError, word: &str) -> bool {
    error.code() == Some(word) || error.detail().is_some_and(|detail| detail.contains(word))
}

/// What does not understand us may say much.
const TOLD_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, detail: &str) -> RedisError {
        redis::make_extension_error(code.to_owned(), Some(detail.to_owned()))
    }

    #[test]
    fn an_error_leads_to_what_is_done_about_it() {
        let full = error("OOM", "command not allowed when used memory > 'maxmemory'.");
        assert_eq!(failure(&full), StoreFailure::Full { bytes: 0 });
        assert_eq!(course(&full), Course::Stay);
        let inside = error("ERR", "Error running script: -READONLY You can't write");
        assert_eq!(course(&inside), Course::Move);
        let stopped = error("MISCONF", "Errors writing to the AOF file");
        let what = "MISCONF Errors writing to the AOF file".to_owned();
        assert_eq!(failure(&stopped), StoreFailure::Unwritable { what });
        let dropped = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(course(&dropped), Course::Leave);
        assert!(matches!(
            failure(&dropped),
            StoreFailure::Unreachable { .. }
        ));
    }

    #[test]
    fn an_error_repeats_no_arguments() {
        let unknown = error(
            "ERR",
            "unknown command 'X', with args beginning with: '+1555' ",
        );
        assert_eq!(told(&unknown), "ERR unknown command 'X'");
        assert_eq!(told(&error("ERR", &"x".repeat(999))).len(), TOLD_MAX);
    }
}
