//! `pintle suppress`: the lists of those who are left alone, of a running gateway.

use std::io::Read as _;
use std::process::ExitCode;

use bytes::Bytes;
use clap::Subcommand;
use http::Method;

use super::gateway::Gateway;
use super::{ConfigArgument, print};

#[derive(Debug, clap::Args)]
pub(super) struct SuppressArguments {
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
    /// Put keys on a list, for as long as its policy says
    Add(KeysArguments),
    /// Take keys off a list
    Remove(KeysArguments),
    /// Print the keys that were put on a list, one a line; without a list, the lists as JSON
    List {
        /// A name of `suppressions` in the policies
        list: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct KeysArguments {
    /// A name of `suppressions` in the policies
    list: String,
    /// The keys, as the routes write them (+14045550139) [default: standard input, one a line]
    keys: Vec<String>,
}

pub(super) async fn run(arguments: SuppressArguments) -> ExitCode {
    match suppress(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(told) => {
            if !told.is_empty() {
                print::error(&told);
            }
            ExitCode::FAILURE
        }
    }
}

async fn suppress(arguments: SuppressArguments) -> Result<(), String> {
    let gateway = Gateway::find(arguments.admin, &arguments.config)?;
    let (method, keys) = match arguments.command {
        Command::Add(keys) => (Method::POST, keys),
        Command::Remove(keys) => (Method::DELETE, keys),
        Command::List { list: Some(list) } => {
            return gateway.print_lines(&format!("/suppressions/{list}")).await;
        }
        Command::List { list: None } => {
            let asked = gateway.ask(Method::GET, "/suppressions", Bytes::new());
            print::body(&asked.await?.0);
            return Ok(());
        }
    };
    let path = format!("/suppressions/{}", keys.list);
    print::body(
        &gateway
            .ask(method, &path, lines(&keys.keys)?.into())
            .await?
            .0,
    );
    Ok(())
}

/// A key a line.
fn lines(keys: &[String]) -> Result<String, String> {
    if !keys.is_empty() {
        return Ok(keys.join("\n"));
    }
    let mut read = String::new();
    std::io::stdin()
        .read_to_string(&mut read)
        .map_err(|error| format!("standard input cannot be read: {error}"))?;
    Ok(read)
}
