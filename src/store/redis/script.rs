//! The steps that must be one act, as Lua scripts, and their arguments.

use std::sync::LazyLock;

use redis::{Cmd, Script, ToRedisArgs, cmd};

/// A script with its hash.
pub(super) type Lua = LazyLock<Script>;

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {
        $(pub(super) static $name: Lua = LazyLock::new(|| {
            Script::new(concat!(include_str!("lib.lua"), $("\n", include_str!($file)),+))
        });)+
    };
}

scripts! {
    ENQUEUE = "enqueue.lua";
    LEASE = "lease.lua";
    SETTLE = "settle.lua";
    PROGRESS = "progress.lua";
    RETURN = "return.lua";
    SEEN = "seen.lua";
    KEEP = "keep.lua";
    KEPT = "kept.lua";
    TALLY = "tally.lua";
    NEXT = "next.lua";
    LIST = "filter.lua" "list.lua";
    CHANGE = "filter.lua" "change.lua";
    DUMP = "dump.lua";
    EXPIRE = "expire.lua";
    SWEEP = "sweep.lua";
    BODY = "body.lua";
    CACHED = "cached.lua";
    CARRY = "carry.lua";
    CELLS = "cells.lua";
    CLAIM = "claim.lua";
    GRANT = "grant.lua";
    PROBE = "probe.lua";
    PUT = "put.lua";
    VOID = "void.lua";
}

/// A call of a script: its hash, the one key, and arguments.
pub(super) struct Request {
    pub(super) script: &'static Lua,
    pub(super) command: Cmd,
}

impl Request {
    pub(super) fn new(script: &'static Lua, prefix: &str) -> Self {
        let mut command = cmd("EVALSHA");
        command.arg(script.get_hash()).arg(1).arg(prefix);
        Self { script, command }
    }

    /// The same with one more argument.
    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }

    /// One that may be absent: nothing, or itself with a `=` before it, so that an empty one is
    /// another thing.
    pub(super) fn maybe(self, argument: Option<&[u8]>) -> Self {
        match argument {
            None => self.arg(""),
            Some(argument) => self.arg([b"=", argument].concat()),
        }
    }
}
