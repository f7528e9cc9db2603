//! `pintle serve`: start, reload, drain.

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{ConfigArgument, check, print};
use crate::app::{App, Reloaded, StartFailure, watch};
use crate::config::{Log, Signature};
use crate::mapping::function;
use crate::server::BindFailure;
use crate::telemetry::{self, LogFormat, LogGuard, LogLine, LogWriter};

pub(super) async fn run(argument: &ConfigArgument) -> ExitCode {
    // Beside the reading of the settings, whose routes need it.
    std::thread::spawn(function::make_ready);
    let config = match check::load_aloud(argument) {
        Ok(config) => config,
        Err(status) => return status,
    };
    // Dropped last, so that the log is written to its end.
    let _log = match start_log(&config.log, io::stderr()) {
        Ok(log) => log,
        Err(error) => {
            print::error(&format!("the log cannot be written: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // Before anything listens: a signal that comes early must not end the process by default.
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            print::error(&format!("no signals can be received: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let app = match App::start(config, argument.path()).await {
        Ok(app) => app,
        Err(failure) => {
            print::error(&told(&failure, |name| format!("`{name}.listen`")));
            return ExitCode::FAILURE;
        }
    };
    let seen = app.signature();
    let addresses = app.addresses();
    tracing::info!(
        settings = argument.described(),
        local = addresses.local.map(tracing::field::display),
        admin = addresses.admin.map(tracing::field::display),
        public = addresses.public.map(tracing::field::display),
        "serving"
    );
    let name = signals.until_told_to_stop(&app, seen).await;
    let drained = app.drain();
    tracing::info!(signal = name, "draining: no new connections are taken");
    tokio::select! {
        whole = drained => if whole {
            tracing::info!("drained");
        } else {
            tracing::warn!("the time for draining is over: what is left is cut off");
        },
        () = signals.stop() => {
            tracing::warn!("told twice: ending at once, calls under way are cut off");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The signals that the process understands.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Taken and never looked at: a limit on the size of files is a full disk to the journal, which
    /// copes with that, and not the end of the process.
    _file_too_large: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _file_too_large: signal(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Waits for SIGTERM or SIGINT.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Serves, and reloads on SIGHUP or a changed file, until SIGTERM or SIGINT.
    async fn until_told_to_stop(&mut self, app: &App, mut seen: Signature) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {
                    // Looked at before it is read: a change that comes meanwhile is another one.
                    seen = app.signature();
                    reload(app, "SIGHUP");
                }
                () = watch(app, &mut seen) => reload(app, "a changed file"),
            }
            seen = app.follow(&seen);
        }
    }
}

fn reload(app: &App, why: &'static str) {
    match app.reload() {
        Reloaded::Done { restart_for } => {
            tracing::info!(why, "reloaded");
            for listener in restart_for {
                tracing::warn!(
                    listener,
                    "its settings changed: they take effect with a restart"
                );
            }
        }
        Reloaded::Refused(faults) => {
            for fault in &faults {
                let place = fault
                    .position()
                    .map(|(file, line, column)| format!("{file}:{line}:{column}"));
                tracing::error!(place, fault = %fault, help = fault.help_text(), "not reloaded");
            }
            tracing::error!(
                why,
                "the files are faulty: the configuration from before serves on"
            );
        }
    }
}

/// The signal of a file that would exceed the limit (setrlimit(2)).
const SIGXFSZ: i32 = 25;

/// What a person does about a start that failed.
///
/// `setting` names what sets the address of a listener.
pub(super) fn told(failure: &StartFailure, setting: impl Fn(&str) -> String) -> String {
    let bind = match failure {
        StartFailure::Bind(bind) => bind,
        StartFailure::Store(fault) => return telemetry::chain(fault),
    };
    match bind {
        BindFailure::Taken { name, place } => format!(
            "{bind}\n  another program listens on {place}, perhaps another pintle: stop it, or \
             choose another address with {}\n  who it is: ss -ltnp | grep {}",
            setting(name),
            place.rsplit(':').next().unwrap_or(place)
        ),
        BindFailure::Other { .. } => telemetry::chain(bind),
    }
}

/// Sends the log to a place, such as standard error, until the guard is dropped.
pub(super) fn start_log(log: &Log, to: impl io::Write + Send + 'static) -> io::Result<LogGuard> {
    let (writer, guard) = LogWriter::start(to)?;
    let builder = tracing_subscriber::fmt()
        .with_max_level(log.level)
        .with_writer(move || writer.clone());
    let started = if log.json {
        builder
            .event_format(LogLine::new(LogFormat::Json))
            .try_init()
    } else if print::colour_on_stderr() {
        builder.with_ansi(true).try_init()
    } else {
        builder
            .event_format(LogLine::new(LogFormat::Text))
            .try_init()
    };
    // Only a second start in one process fails, and then there is a log already.
    drop(started);
    Ok(guard)
}
