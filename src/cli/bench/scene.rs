//! A gateway, and a sandbox as the platform, for whoever has none that runs.

use std::net::{Ipv4Addr, SocketAddr};

use crate::app::App;
use crate::cli::{check, serve};
use crate::sandbox::{Options, Sandbox};
use crate::telemetry::LogGuard;

/// What is measured where no gateway is named.
pub(super) struct Scene {
    app: App,
    sandbox: Sandbox,
    /// Dropped last, so that no record is written past its end.
    _log: LogGuard,
}

impl Scene {
    /// Starts both on free ports of the loopback, with room for so many connections.
    pub(super) async fn start(connections: u16) -> Result<Self, String> {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sandbox = Sandbox::start(Options::local(free)).await;
        let sandbox =
            sandbox.map_err(|error| format!("no port is free for the sandbox: {error}"))?;
        let folder = std::env::temp_dir().join(format!("pintle-bench-{}", std::process::id()));
        let config = check::load_written(&folder, &settings(&sandbox.url(), connections));
        // They are read: nothing of them stays behind.
        drop(std::fs::remove_dir_all(&folder));
        let config = config?;
        // The records are made, as they are where the gateway serves, and thrown away.
        let log = serve::start_log(&config.log, std::io::sink());
        let log = log.map_err(|error| format!("the log cannot be written: {error}"))?;
        let app = App::start(config, None).await;
        let app =
            app.map_err(|failure| serve::told(&failure, |name| format!("`{name}.listen`")))?;
        Ok(Self {
            app,
            sandbox,
            _log: log,
        })
    }

    /// Where the gateway listens, as `HOST:PORT`.
    pub(super) fn authority(&self) -> Result<String, String> {
        let address = self.app.addresses().local;
        let address = address.ok_or("the gateway does not listen on an address")?;
        Ok(address.to_string())
    }

    /// Ends both.
    pub(super) async fn end(self) {
        self.app.drain().await;
        self.sandbox.stop().await;
    }
}

/// Settings as they are shipped, but for the ports and for room that is needed here.
fn settings(platform: &str, connections: u16) -> String {
    let room = connections.max(LISTENER_MAX);
    format!(
        "local: {{ listen: \"127.0.0.1:0\", limits: {{ connections_max: {room}, calls_max: {room} }} }}
admin: {{ listen: \"127.0.0.1:0\" }}
accounts:
  main:
    base_url: {platform}
    secrets: {{ app_key: \"literal:sandbox-key\", app_secret: \"literal:sandbox-secret\" }}
drain: 2s
"
    )
}

/// What a listener takes that says nothing of it.
const LISTENER_MAX: u16 = 1024;
