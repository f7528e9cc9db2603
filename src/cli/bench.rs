//! `pintle bench`: load on a gateway, and what its replies tell of it.
//!
//! Without `--url` the gateway, and a sandbox as the platform, are started in this process.
//! Absent: HTTP/2 and TLS towards the gateway.

mod aim;
mod connection;
mod distribution;
mod files;
mod load;
mod option;
mod pace;
mod report;
mod scene;
mod tally;
mod timing;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use http::Method;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use self::aim::Aim;
use self::load::{Load, Outcome, Plan};
use self::option::{Base, Header};
use self::scene::Scene;
use self::tally::Tally;
use super::print;

/// What is measured, and how.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArguments {
    /// The local listener of a gateway that runs [default: one is started, with a sandbox behind it]
    #[arg(long, value_name = "URL", value_parser = option::base)]
    url: Option<Base>,
    /// The operation of the catalogue to call [default: collection.robots, which reads]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["path", "method"])]
    operation: Option<String>,
    /// The path to call instead, with its query
    #[arg(long, value_name = "PATH", value_parser = option::path)]
    path: Option<http::uri::PathAndQuery>,
    /// The method [default: GET, with a body POST]
    #[arg(long, value_name = "WORD")]
    method: Option<Method>,
    /// A file that is sent as the body; JSON, unless a header says otherwise
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A header of each request; may be given several times
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = option::header)]
    headers: Vec<Header>,
    /// How many connections send at once
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
    /// How long it is measured: 500ms, 10s, 5m, up to 1h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = option::duration)]
    duration: Duration,
    /// How long load runs before it is measured, up to 10m; 0s for none
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = option::warm_up)]
    warm_up: Duration,
    /// So many requests a second, whatever the replies do: latency then counts from the moment at
    /// which a request was due [default: each connection sends when its last reply is here]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How long a request may take, up to 10m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = option::timeout)]
    timeout: Duration,
    /// One JSON document instead of text for people
    #[arg(long)]
    json: bool,
    /// Also what may change something behind the gateway of --url
    #[arg(long, requires = "url")]
    yes: bool,
}

/// Why nothing was measured: the text for the person, and the status.
struct Refused {
    told: String,
    status: u8,
}

/// 0: every reply was 2xx. 1: requests failed, or nothing could be measured. 2: the arguments are
/// wrong.
pub(super) async fn run(arguments: BenchArguments) -> ExitCode {
    match measure(&arguments).await {
        Ok((aim, plan, outcome)) => tell(&arguments, (&aim, &plan), &outcome),
        Err(Refused { told, status }) => {
            print::error(&told);
            ExitCode::from(status)
        }
    }
}

async fn measure(arguments: &BenchArguments) -> Result<(Aim, Plan, Outcome), Refused> {
    let call = aim::call(arguments).map_err(|told| Refused { told, status: 2 })?;
    let failed = |told| Refused { told, status: 1 };
    files::room_for(arguments.connections, arguments.url.is_none()).map_err(failed)?;
    let (scene, authority) = if let Some(base) = &arguments.url {
        (None, base.authority.clone())
    } else {
        let scene = Scene::start(arguments.connections).await.map_err(failed)?;
        let authority = scene.authority().map_err(failed)?;
        (Some(scene), authority)
    };
    let plan = Plan {
        connections: arguments.connections,
        duration: arguments.duration,
        warm_up: arguments.warm_up,
        rate: arguments.rate,
        timeout: arguments.timeout,
    };
    let outcome = async {
        let address = reach(&authority).await?;
        let aim = Aim::new(call, authority, address)?;
        let tally = Tally::new().map_err(|error| format!("cannot count: {error}"))?;
        announce(&aim, &plan);
        let outcome = Load::run(aim.clone(), plan, tally).await;
        Ok((aim, plan, outcome))
    };
    let outcome = outcome.await.map_err(failed);
    if let Some(scene) = scene {
        scene.end().await;
    }
    outcome
}

/// The first address of the gateway that takes a connection.
async fn reach(authority: &str) -> Result<SocketAddr, String> {
    let addresses = lookup_host(authority)
        .await
        .map_err(|error| format!("the name in {authority} is not known: {error}"))?;
    let mut why = None;
    for address in addresses {
        match timeout(REACH_MAX, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(address),
            Ok(Err(error)) => why = Some(error.to_string()),
            Err(_) => why = None,
        }
    }
    let why = why.unwrap_or_else(|| "it does not answer".to_owned());
    Err(format!(
        "no gateway answers at http://{authority}: {why}\n  start it (`pintle serve`), or name its \
         local listener with --url http://HOST:PORT"
    ))
}

/// Says what begins, so that nobody waits in the dark.
fn announce(aim: &Aim, plan: &Plan) {
    if cfg!(debug_assertions) {
        print::note("this is a debug build: what it measures says nothing of a release build");
    }
    print::note(&format!(
        "measuring {aim} for {:?}, after {:?} to warm up; Ctrl-C ends it early",
        plan.duration, plan.warm_up
    ));
}

fn tell(arguments: &BenchArguments, (aim, plan): (&Aim, &Plan), outcome: &Outcome) -> ExitCode {
    if arguments.json {
        print::line(&format!("{:#}", report::json((aim, plan), outcome)));
    } else {
        report::text((aim, plan), outcome);
        if arguments.url.is_none() {
            print::line(SHARED);
        }
    }
    match report::fault(outcome) {
        None => ExitCode::SUCCESS,
        Some(told) => {
            print::error(&told);
            ExitCode::FAILURE
        }
    }
}

const SHARED: &str = "\nGateway, sandbox and load shared the cores of this machine: a gateway that runs \
                      elsewhere is measured with --url.";
const REACH_MAX: Duration = Duration::from_secs(5);
