//! `pintle queue`: what is owed to receivers, asked of the gateway that runs; and
//! the store itself, carried over where none does.

mod carry;
mod file;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::{Subcommand, ValueEnum};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::time::sleep;

use super::gateway::Gateway;
use super::{ConfigArgument, print};

#[derive(Debug, clap::Args)]
pub(super) struct QueueArguments {
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
    /// List deliveries, the newest first
    List {
        #[command(flatten)]
        filter: FilterArguments,
        /// At most so many
        #[arg(long, default_value_t = 20)]
        max: usize,
        /// One JSON document instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show one delivery with its body
    Show {
        /// Its id
        id: i64,
    },
    /// Deliver again; says how many are meant, and does it only with --yes
    Replay {
        #[command(flatten)]
        filter: FilterArguments,
        #[command(flatten)]
        change: ChangeArguments,
        /// Also what may take effect a second time
        #[arg(long)]
        force: bool,
    },
    /// Give up; says how many are meant, and does it only with --yes
    Bury {
        #[command(flatten)]
        filter: FilterArguments,
        #[command(flatten)]
        change: ChangeArguments,
    },
    /// Write all that the store of the settings has, for another store; no gateway may use it
    #[command(after_help = carry::EXAMPLE)]
    Export {
        /// The file, which must not be there yet [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Take an export into the store of the settings; a second time adds nothing
    #[command(after_help = carry::EXAMPLE)]
    Import {
        /// What `pintle queue export` wrote
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct FilterArguments {
    /// How they are doing
    #[arg(long)]
    state: Option<StateArgument>,
    /// The route that took the event
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Who gets them
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// The class of the last failure, such as `upstream_timeout`
    #[arg(long, value_name = "WORD")]
    class: Option<String>,
    /// The id of the event
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// The order key
    #[arg(long, value_name = "KEY")]
    order: Option<String>,
    /// Whose event came then or later: 2026-11-23T08:00:00Z
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// Whose event came before
    #[arg(long, value_name = "MOMENT")]
    before: Option<String>,
    /// One delivery
    #[arg(long)]
    id: Option<i64>,
}

#[derive(Debug, clap::Args)]
struct ChangeArguments {
    /// Do it
    #[arg(long)]
    yes: bool,
    /// At most so many a second
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rate: u16,
    /// All of them, without a filter
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StateArgument {
    Waiting,
    Leased,
    Done,
    Unknown,
    Buried,
}

pub(super) async fn run(arguments: QueueArguments) -> ExitCode {
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

async fn try_run(arguments: QueueArguments) -> Result<(), String> {
    let command = match arguments.command {
        Command::Export { .. } | Command::Import { .. } if arguments.admin.is_some() => {
            return Err(
                "export and import open the store itself: leave out --admin, and name the \
                        settings with --config"
                    .to_owned(),
            );
        }
        Command::Export { out } => return carry::export(&arguments.config, out.as_deref()).await,
        Command::Import { file } => return carry::import(&arguments.config, &file).await,
        asking => asking,
    };
    let gateway = Gateway::find(arguments.admin, &arguments.config)?;
    match command {
        Command::List { filter, max, json } => {
            let query = format!("{}&max={max}", filter.query()?);
            let found = gateway.json(Method::GET, format!("?{query}"), Bytes::new());
            let found = found.await?;
            if json {
                print::line(&format!("{found:#}"));
            } else {
                table(&found);
            }
        }
        Command::Show { id } => {
            let found = gateway.json(Method::GET, format!("/{id}"), Bytes::new());
            print::line(&format!("{:#}", found.await?));
        }
        Command::Replay {
            filter,
            change,
            force,
        } => {
            let forced = if force { "&force=true" } else { "" };
            gateway.change("replay", &filter, &change, forced).await?;
        }
        Command::Bury { filter, change } => gateway.change("bury", &filter, &change, "").await?,
        Command::Export { .. } | Command::Import { .. } => {}
    }
    Ok(())
}

impl Gateway {
    /// What stands below `/deliveries`.
    async fn below(&self, method: Method, below: String, body: Bytes) -> Result<Bytes, String> {
        let (reply, _) = self
            .ask(method, &format!("/deliveries{below}"), body)
            .await?;
        Ok(reply)
    }

    async fn json(&self, method: Method, below: String, body: Bytes) -> Result<Value, String> {
        let answer = self.below(method, below, body).await?;
        serde_json::from_slice(&answer).map_err(|_| "the gateway's answer is not JSON".to_owned())
    }

    /// Counts, and with `--yes` changes so many a second until none is left.
    async fn change(
        &self,
        verb: &str,
        filter: &FilterArguments,
        change: &ChangeArguments,
        more: &str,
    ) -> Result<(), String> {
        let query = filter.query()?;
        if query.is_empty() && !change.all {
            return Err("name what is meant, such as --state buried, or --all".to_owned());
        }
        let counted = self.json(Method::GET, format!("/count?{query}"), Bytes::new());
        let count = number(&counted.await?, "count");
        if !change.yes {
            print::line(&format!(
                "{count} {} would be looked at; with --yes it is done: {verb}",
                if count == 1 { "delivery" } else { "deliveries" }
            ));
            return Ok(());
        }
        let (mut done, rate) = (0, change.rate);
        while done < count {
            let path = format!("/{verb}?{query}&max={rate}&yes=true{more}");
            let changed = self.json(Method::POST, path, Bytes::new()).await?;
            let changed = number(&changed, "changed");
            done += changed;
            if changed < u64::from(rate) {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        print::line(&format!("{done} of {count} changed"));
        if done < count {
            print::line(
                "the rest has an attempt under way, or might take effect twice (--force replays \
                 those, too)",
            );
        }
        Ok(())
    }
}

impl FilterArguments {
    fn query(&self) -> Result<String, String> {
        let state = self.state.and_then(|state| state.to_possible_value());
        let moment = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => text
                .parse::<jiff::Timestamp>()
                .map(|moment| Some(moment.as_millisecond().to_string()))
                .map_err(|_| format!("`{text}` is no moment: write 2026-11-23T08:00:00Z")),
        };
        let fields = [
            ("state", state.map(|state| state.get_name().to_owned())),
            ("route", self.route.clone()),
            ("receiver", self.receiver.clone()),
            ("class", self.class.clone()),
            ("event", self.event.clone()),
            ("order", self.order.clone()),
            ("from_ms", moment(&self.from)?),
            ("before_ms", moment(&self.before)?),
            ("id", self.id.map(|id| id.to_string())),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| {
            let value = value?;
            Some(format!(
                "{name}={}",
                utf8_percent_encode(&value, NON_ALPHANUMERIC)
            ))
        });
        Ok(given.collect::<Vec<_>>().join("&"))
    }
}

fn number(answer: &Value, name: &str) -> u64 {
    answer.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn table(found: &Value) {
    let rows = found["deliveries"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let columns = [
        "id", "state", "route", "receiver", "attempts", "class", "event",
    ];
    let cell = |row: &Value, column: &str| match row.get(column) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut lines = vec![columns.map(str::to_uppercase)];
    lines.extend(
        rows.iter()
            .map(|row| columns.map(|column| cell(row, column))),
    );
    print::columns(&lines);
    if let Some(next) = found.get("next_before").and_then(Value::as_i64) {
        print::line(&format!("\nmore below id {next}: ask for more with --max"));
    }
}
