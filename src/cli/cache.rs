//! `pintle cache`: what a running gateway keeps of replies.

use std::process::ExitCode;

use bytes::Bytes;
use clap::Subcommand;
use http::Method;
use serde_json::Value;

use super::gateway::Gateway;
use super::{ConfigArgument, print};
use crate::codec::form;

#[derive(Debug, clap::Args)]
pub(super) struct CacheArguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    config: ConfigArgument,
    /// The admin listener of the gateway [default: that of the settings]
    #[arg(long, value_name = "URL", global = true)]
    admin: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count how calls were answered, and how much is kept
    Stats {
        /// One JSON document instead of a table
        #[arg(long)]
        json: bool,
    },
    /// List what is kept, by account and operation
    List {
        /// One JSON document instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Drop what is kept of an operation, an account, or both
    Purge {
        /// The operation
        #[arg(long, value_name = "NAME", required_unless_present = "account")]
        operation: Option<String>,
        /// The account
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
    },
}

pub(super) async fn run(arguments: CacheArguments) -> ExitCode {
    match try_run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(told) => {
            if !told.is_empty() {
                print::error(&told);
            }
            ExitCode::FAILURE
        }
    }
}

async fn try_run(arguments: CacheArguments) -> Result<(), String> {
    let gateway = Gateway::find(arguments.admin, &arguments.config)?;
    match arguments.command {
        Command::Stats { json } => {
            let found = ask(&gateway, Method::GET, "/cache").await?;
            match found.as_object().filter(|_| !json) {
                Some(found) => {
                    let row = |(name, value): (&String, &Value)| [name.clone(), value.to_string()];
                    print::columns(&found.iter().map(row).collect::<Vec<_>>());
                }
                None => print::line(&format!("{found:#}")),
            }
        }
        Command::List { json } => {
            let found = ask(&gateway, Method::GET, "/cache/entries").await?;
            if json {
                print::line(&format!("{found:#}"));
            } else {
                table(&found);
            }
        }
        Command::Purge { operation, account } => {
            let named = [("operation", &operation), ("account", &account)];
            let named = named
                .iter()
                .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
            let path = format!("/cache/purge?{}", form::encode(named));
            let found = ask(&gateway, Method::POST, &path).await?;
            let purged = found.get("purged").and_then(Value::as_u64).unwrap_or(0);
            print::line(&format!("{purged} dropped"));
        }
    }
    Ok(())
}

async fn ask(gateway: &Gateway, method: Method, path: &str) -> Result<Value, String> {
    let (answer, _) = gateway.ask(method, path, Bytes::new()).await?;
    serde_json::from_slice(&answer).map_err(|_| "the gateway's answer is not JSON".to_owned())
}

fn table(found: &Value) {
    let names = ["account", "operation", "entries", "fresh", "bytes"];
    let mut rows = vec![names.map(str::to_owned)];
    for kept in found
        .get("kept")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        rows.push(names.map(|name| match kept.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }));
    }
    print::columns(&rows);
}
