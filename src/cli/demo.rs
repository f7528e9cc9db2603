//! `pintle demo`: the main job, shown step by step on a sandbox.

mod story;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use super::{print, sandbox as sandbox_command, serve};
use crate::app::App;
use crate::config::{self, Config};
use crate::sandbox::{Options, Sandbox};
use crate::upstream::BaseUrl;

/// The options of the demo.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct DemoArguments {
    /// End after the last step instead of staying up
    #[arg(long)]
    once: bool,
    /// Where the gateway's local endpoint listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    local: SocketAddr,
    /// Where the gateway's admin listener listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7072")]
    admin: SocketAddr,
    /// Where the sandbox listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7080")]
    sandbox: SocketAddr,
}

pub(super) async fn run(arguments: DemoArguments) -> ExitCode {
    let (sandbox, app) = match start(arguments).await {
        Ok(started) => started,
        Err(told) => {
            print::error(&told);
            return ExitCode::FAILURE;
        }
    };
    let outcome = story::tell(&sandbox, &app).await;
    let status = match outcome {
        Ok(()) if arguments.once => ExitCode::SUCCESS,
        Ok(()) => {
            story::farewell(&sandbox, &app);
            drop(tokio::signal::ctrl_c().await);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            print::error(&format!("the demo went wrong: {failure}"));
            ExitCode::FAILURE
        }
    };
    app.drain().await;
    sandbox.stop().await;
    status
}

/// Starts both servers, or says in words which address is taken and what to do.
async fn start(arguments: DemoArguments) -> Result<(Sandbox, App), String> {
    for (option, address) in [
        ("--local", arguments.local),
        ("--admin", arguments.admin),
        ("--sandbox", arguments.sandbox),
    ] {
        if !address.ip().is_loopback() {
            return Err(format!(
                "other machines could reach {address}: the demo is for this one alone\n  choose \
                 a loopback address, such as {option} 127.0.0.1:{}",
                address.port()
            ));
        }
    }
    let sandbox = Sandbox::start(Options::local(arguments.sandbox))
        .await
        .map_err(|error| sandbox_command::taken(arguments.sandbox, "--sandbox", &error))?;
    let config = config(arguments, &sandbox)?;
    let app = App::start(config, None)
        .await
        .map_err(|failure| serve::told(&failure, |name| format!("--{name}")))?;
    Ok((sandbox, app))
}

/// The built-in settings, with the addresses of this demo.
fn config(arguments: DemoArguments, sandbox: &Sandbox) -> Result<Config, String> {
    let loaded = config::load(None);
    let mut config = loaded.config.ok_or("the built-in settings are faulty")?;
    config.local.address = Some(arguments.local);
    config.admin.address = Some(arguments.admin);
    config.drain = Duration::from_secs(2);
    let base = BaseUrl::parse(&sandbox.url()).map_err(str::to_owned)?;
    for account in &mut config.accounts {
        account.upstream.base = base.clone();
    }
    Ok(config)
}
