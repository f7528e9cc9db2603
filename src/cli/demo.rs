//! `pintle demo`: the main job, shown step by step on a sandbox.

mod receiver;
mod story;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio_util::task::TaskTracker;

use self::receiver::Receiver;
use super::{check, print, sandbox as sandbox_command, serve};
use crate::app::App;
use crate::config::Config;
use crate::sandbox::{Options, Sandbox};

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
    /// Where the gateway takes pushes
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7071")]
    public: SocketAddr,
    /// Where the sandbox listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7080")]
    sandbox: SocketAddr,
}

pub(super) async fn run(arguments: DemoArguments) -> ExitCode {
    let scene = match start(arguments).await {
        Ok(scene) => scene,
        Err(told) => {
            print::error(&told);
            return ExitCode::FAILURE;
        }
    };
    let outcome = story::tell(&scene).await;
    let status = match outcome {
        Ok(()) if arguments.once => ExitCode::SUCCESS,
        Ok(()) => {
            story::farewell(&scene);
            drop(tokio::signal::ctrl_c().await);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            print::error(&format!("the demo went wrong: {failure}"));
            ExitCode::FAILURE
        }
    };
    scene.app.drain().await;
    scene.sandbox.stop().await;
    // Nothing of the demo stays behind.
    drop(std::fs::remove_dir_all(&scene.folder));
    status
}

/// Who plays in the demo.
struct Scene {
    sandbox: Sandbox,
    app: App,
    receiver: Receiver,
    folder: PathBuf,
}

/// Starts everyone, or says in words which address is taken and what to do.
async fn start(arguments: DemoArguments) -> Result<Scene, String> {
    for (option, address) in [
        ("--local", arguments.local),
        ("--admin", arguments.admin),
        ("--public", arguments.public),
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
    let receiver = Receiver::start(&TaskTracker::new())
        .await
        .map_err(|error| format!("no port is free for the demo's receiver: {error}"))?;
    let folder = std::env::temp_dir().join(format!("pintle-demo-{}", std::process::id()));
    let config = config(arguments, &sandbox.url(), (&receiver.url(), &folder))?;
    let app = App::start(config, None)
        .await
        .map_err(|failure| serve::told(&failure, |name| format!("--{name}")))?;
    Ok(Scene {
        sandbox,
        app,
        receiver,
        folder,
    })
}

/// Settings as a person would write them, for the addresses of this demo.
fn config(
    arguments: DemoArguments,
    sandbox: &str,
    (receiver, folder): (&str, &Path),
) -> Result<Config, String> {
    let DemoArguments {
        local,
        admin,
        public,
        ..
    } = arguments;
    let settings = format!(
        "local: {{ listen: \"{local}\" }}
admin: {{ listen: \"{admin}\" }}
accounts:
  main:
    base_url: {sandbox}
    secrets: {{ app_key: \"literal:sandbox-key\", app_secret: \"literal:sandbox-secret\" }}
public:
  listen: \"{public}\"
  secrets: {{ callback_path: \"literal:{SECRET}\" }}
journal: {{ folder: journal }}
receivers:
  app: {{ url: \"{receiver}\", secrets: [\"literal:{SIGNING}\"] }}
drain: 2s
"
    );
    check::load_written(folder, &settings)
}

/// The secret segment of the paths that the sandbox calls back to.
const SECRET: &str = "demo";
/// What deliveries of the demo are signed with.
const SIGNING: &str = "whsec_ZGVtbyBkZW1vIGRlbW8gZGVtbyBkZW1v";
