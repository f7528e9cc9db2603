//! `pintle export`: what a running gateway keeps, as JSON lines.

use std::process::ExitCode;

use clap::Subcommand;

use super::gateway::Gateway;
use super::{ConfigArgument, print};

#[derive(Debug, clap::Args)]
pub(super) struct ExportArguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    config: ConfigArgument,
    /// The admin listener of the gateway [default: that of the settings]
    #[arg(long, value_name = "URL", global = true)]
    admin: Option<String>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The pushes that a route recorded, for `pintle diff`
    Recordings {
        /// The route
        route: String,
    },
    /// The records of consent of all routes
    Consents,
}

pub(super) async fn run(arguments: ExportArguments) -> ExitCode {
    match export(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(told) => {
            if !told.is_empty() {
                print::error(&told);
            }
            ExitCode::FAILURE
        }
    }
}

async fn export(arguments: ExportArguments) -> Result<(), String> {
    let gateway = Gateway::find(arguments.admin, &arguments.config)?;
    let path = match arguments.what {
        What::Consents => "/kept/consents".to_owned(),
        What::Recordings { route } => format!("/kept/recordings/{route}"),
    };
    gateway.print_lines(&path).await
}
