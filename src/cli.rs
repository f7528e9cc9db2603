//! The command line: the only place that prints.

mod bench;
mod cache;
mod check;
mod demo;
mod diff;
mod explain;
mod export;
mod gateway;
mod new;
mod print;
mod queue;
mod routes;
mod sandbox;
mod schema;
mod seal;
mod serve;
mod suppress;
mod test;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Runs the command line and returns the status to end with.
///
/// 0: done. 1: the files are faulty, or the process cannot start. 2: the arguments are wrong.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run(arguments.command))
}

/// Pintle joins your own systems to the AI Rudder voice and workflow platform.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Start with `pintle demo`: it needs no account and nothing to edit."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the main job on a local stand-in for the platform, step by step
    #[command(after_help = "Example:\n  pintle demo --once")]
    Demo(demo::DemoArguments),
    /// Run the gateway until SIGTERM; SIGHUP or a changed file reloads
    #[command(after_help = "Examples:\n  pintle serve --config pintle.yaml\n  \
        curl http://127.0.0.1:7070/service/cloud/robot")]
    Serve(ConfigArgument),
    /// Run a local stand-in for the platform: login, workflows, tasks, faults on demand
    #[command(after_help = "Then:\n  curl http://127.0.0.1:7080/sandbox")]
    Sandbox(SandboxArguments),
    /// Measure a gateway under load: rate, percentiles, and what each stage of a call costs
    #[command(
        after_help = "Ends with 0 where every reply was 2xx, 1 where requests failed, 2 where the arguments are wrong.\n\n\
        Examples:\n  pintle bench\n  \
        pintle bench --url http://127.0.0.1:7070 --rate 500 --duration 30s\n  \
        pintle bench --json | jq .latency_ms.p99"
    )]
    Bench(bench::BenchArguments),
    /// Read every file and report every fault at once; starts nothing
    #[command(after_help = "Examples:\n  pintle check --config pintle.yaml\n  \
        pintle check --json | jq '.faults[] | .file, .line, .help'")]
    Check(CheckArguments),
    /// List the catalogue: every call and callback of the platform's portal
    #[command(after_help = "Examples:\n  pintle routes --family workflow\n  \
        pintle routes --export mine     # to edit the catalogue; the settings then name the folders")]
    Routes(RoutesArguments),
    /// Play the examples of routes on the engine that production runs
    #[command(after_help = "Examples:\n  pintle test --folder routes lendswift\n  \
        pintle test --folder routes --watch\n  pintle test --junit report.xml --cover-min 90")]
    Test(test::TestArguments),
    /// Tell what a changed route would have made of recorded pushes, field by field
    #[command(
        after_help = "Ends with 0 where nothing changed, 1 where something did, 2 where it could not be told.\n\n\
        Example:\n  pintle diff --from lendswift.jsonl routes new-routes --ignore vars.received"
    )]
    Diff(diff::DiffArguments),
    /// Tell step by step what a route makes of one push; makes no call
    #[command(after_help = "Examples:\n  pintle explain lendswift lead.json\n  \
        curl -s https://…/sample | pintle explain typeform --show")]
    Explain(explain::ExplainArguments),
    /// Write the first draft of a route from a sample of what a partner pushes
    #[command(
        after_help = "Examples:\n  pintle new route acme --from sample.json\n  \
        curl -s https://partner.example/sample | pintle new route acme --from - --out routes/acme.yaml"
    )]
    New(new::NewArguments),
    /// Seal a payload as the gateway would, and print it with its headers
    #[command(
        after_help = "Examples:\n  pintle seal airudder --key env:AES_KEY lead.json\n  \
        printf 'TaskID=1' | pintle seal airudder --query\n  \
        pintle seal airudder lead.json | pintle open airudder --include"
    )]
    Seal(seal::SealArguments),
    /// Open a sealed payload as the gateway would; says what is wrong with it
    #[command(
        after_help = "Examples:\n  curl -si http://127.0.0.1:7080/… | pintle open airudder --as reply --include\n  \
        pintle open airudder --as callback -H 'Signed: 6956…' captured.txt"
    )]
    Open(seal::OpenArguments),
    /// See and change what is owed to receivers
    #[command(after_help = "Examples:\n  pintle queue list --state buried\n  \
        pintle queue replay --state buried --route workflow.call_finished --yes")]
    Queue(queue::QueueArguments),
    /// See and drop what a running gateway keeps of replies
    #[command(after_help = "Examples:\n  pintle cache list\n  \
        pintle cache purge --operation collection.robots --account main")]
    Cache(cache::CacheArguments),
    /// Write what a running gateway keeps as JSON lines: recorded pushes, records of consent
    #[command(after_help = "Example:\n  pintle export recordings lendswift > lendswift.jsonl")]
    Export(export::ExportArguments),
    /// See and change the lists of those who are left alone
    #[command(
        after_help = "Examples:\n  pintle suppress add do_not_call +14045550139\n  \
        pintle suppress add do_not_call < numbers.txt\n  pintle suppress list do_not_call"
    )]
    Suppress(suppress::SuppressArguments),
    /// Print the JSON Schema of a kind of file, for editors
    #[command(after_help = "Example:\n  pintle schema route > route.schema.json\n\n\
        Then begin a file with:\n  # yaml-language-server: $schema=route.schema.json")]
    Schema(schema::SchemaArguments),
    /// Print the local endpoint as an OpenAPI 3.1 document
    #[command(after_help = "Example:\n  pintle openapi > pintle.openapi.json")]
    Openapi(ConfigArgument),
}

/// Where the settings are.
#[derive(Debug, clap::Args)]
struct ConfigArgument {
    /// The settings file [default: ./pintle.yaml if it is there, else the built-in settings]
    #[arg(long, short, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct CheckArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// One JSON document instead of text for people
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct RoutesArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// One JSON document instead of a table
    #[arg(long, conflicts_with = "export")]
    json: bool,
    /// Only the entries of this family
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
    /// Write the built-in routes and policies into a folder, to be edited there
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct SandboxArguments {
    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7080")]
    listen: SocketAddr,
    /// What its ids and tokens are made from: the same seed gives the same ones
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How long a token lives, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    token_life: u64,
    /// Seal and open by this sealing of `policies/`, such as `airudder`
    #[arg(long, value_name = "POLICY")]
    sealing: Option<String>,
    /// The key for it: `env:NAME`, `file:/path` or `literal:…` [default: the one on the platform's page]
    #[arg(
        long,
        value_name = "REFERENCE",
        default_value = "literal:airudderredduria",
        hide_default_value = true,
        requires = "sealing"
    )]
    key: String,
    /// The MAC key beside it
    #[arg(long, value_name = "REFERENCE", requires = "sealing")]
    mac: Option<String>,
    /// How `--key` and `--mac` are written
    #[arg(long, value_name = "WORD", default_value = "text", value_parser = ["text", "hex", "base64"])]
    encoding: String,
    #[command(flatten)]
    config: ConfigArgument,
}

impl SandboxArguments {
    fn token_life(&self) -> Duration {
        Duration::from_secs(self.token_life)
    }
}

impl ConfigArgument {
    /// The settings file to read; `None` for the built-in settings.
    fn path(&self) -> Option<PathBuf> {
        let here = Path::new("pintle.yaml");
        self.config
            .clone()
            .or_else(|| here.exists().then(|| here.to_path_buf()))
    }

    /// Where the settings come from, for messages.
    fn described(&self) -> String {
        self.path().map_or_else(
            || "the built-in settings".to_owned(),
            |path| path.display().to_string(),
        )
    }
}

async fn run(command: Command) -> ExitCode {
    match command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Serve(config) => serve::run(&config).await,
        Command::Sandbox(arguments) => sandbox::run(&arguments).await,
        Command::Bench(arguments) => bench::run(arguments).await,
        Command::Check(arguments) => check::run(&arguments),
        Command::Routes(arguments) => routes::run(&arguments),
        Command::Test(arguments) => test::run(arguments).await,
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Seal(arguments) => seal::seal(&arguments),
        Command::Open(arguments) => seal::open(&arguments),
        Command::Cache(arguments) => cache::run(arguments).await,
        Command::Export(arguments) => export::run(arguments).await,
        Command::Suppress(arguments) => suppress::run(arguments).await,
        Command::Queue(arguments) => queue::run(arguments).await,
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Openapi(config) => routes::openapi(&config),
    }
}
