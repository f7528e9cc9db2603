//! Whether the process may open as many sockets as a load needs.

/// Refuses a load that would run into the limit of open files, which would be told as failures of
/// the gateway.
pub(super) fn room_for(connections: u16, is_whole: bool) -> Result<(), String> {
    let needed = needed(connections.into(), is_whole);
    // A system that does not tell is tried.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    match allowed(&limits) {
        Some(allowed) if allowed < needed => Err(format!(
            "so many connections need {needed} open files, and {allowed} are allowed\n  allow more with \
             ulimit -n {needed}, or choose fewer with --connections"
        )),
        _ => Ok(()),
    }
}

/// With the gateway and the sandbox in this process, a connection has two ends, and a call two more.
fn needed(connections: u64, is_whole: bool) -> u64 {
    let of_calls = connections.min(CALLS_MAX) * 2;
    OTHERS
        + if is_whole {
            connections * 2 + of_calls
        } else {
            connections
        }
}

/// The soft limit, as proc(5) shows it; `None` where there is none.
fn allowed(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What an account of the settings sends at once, if they say nothing of it.
const CALLS_MAX: u64 = 256;
/// Standard streams, listeners, the runtime.
const OTHERS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(allowed(limits), Some(1024));
        assert_eq!(
            allowed("Max open files            unlimited            unlimited            files"),
            None
        );
        assert_eq!(allowed(""), None);
    }

    #[test]
    fn each_end_of_a_connection_is_a_file() {
        assert_eq!(needed(64, true), 64 + 4 * 64);
        assert_eq!(needed(1000, true), 64 + 2 * 1000 + 2 * 256);
        assert_eq!(needed(1000, false), 1064);
    }
}
