//! `pintle sandbox`.

use std::process::ExitCode;

use super::seal::{self, Told};
use super::{SandboxArguments, check, print};
use crate::sandbox::{Options, Sandbox, Seals};

pub(super) async fn run(arguments: &SandboxArguments) -> ExitCode {
    let mut options = Options::local(arguments.listen);
    options.seed = arguments.seed;
    options.token_life = arguments.token_life();
    match seals(arguments) {
        Ok(seals) => options.seals = seals,
        Err(told) => {
            told.tell();
            return ExitCode::FAILURE;
        }
    }
    let (app_key, app_secret) = (options.app_key.clone(), options.app_secret.clone());
    let sandbox = match Sandbox::start(options).await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            print::error(&taken(arguments.listen, "--listen", &error));
            return ExitCode::FAILURE;
        }
    };
    let url = sandbox.url();
    let seals = arguments.sealing.as_ref().map_or_else(String::new, |name| {
        format!(
            "  sealing       {name}: what is announced as sealed is opened, and answered sealed\n"
        )
    });
    print::line(&format!(
        "The sandbox stands in for the platform at {url}\n\n  \
         credentials   app_key {app_key}, app_secret {app_secret}\n{seals}  \
         what it can   curl {url}/sandbox\n  \
         what it saw   curl {url}/sandbox/requests\n  \
         the gateway   pintle serve\n\nCtrl-C ends it."
    ));
    drop(tokio::signal::ctrl_c().await);
    sandbox.stop().await;
    ExitCode::SUCCESS
}

/// How the sandbox seals, where it is asked to.
fn seals(arguments: &SandboxArguments) -> Result<Option<Seals>, Told> {
    let Some(name) = &arguments.sealing else {
        return Ok(None);
    };
    let config = check::load(&arguments.config).map_err(|_| Told::Already)?;
    Ok(Some(Seals {
        sealing: seal::sealing(&config, name)?,
        keys: seal::of_references(
            &arguments.key,
            arguments.mac.as_deref(),
            &arguments.encoding,
        )?,
    }))
}

/// What a person does about an address that cannot be used.
pub(super) fn taken(address: std::net::SocketAddr, option: &str, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        format!(
            "the sandbox cannot use {address}: it is taken\n  another program listens there, \
             perhaps another sandbox: stop it, or choose another address with {option}\n  who it is: ss -ltnp | grep {}",
            address.port()
        )
    } else {
        format!("the sandbox cannot use {address}: {error}")
    }
}
