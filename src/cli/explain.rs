//! `pintle explain`: what a route makes of one push, step by step. Makes no call, stores nothing.

mod mask;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{ConfigArgument, check, print};
use crate::clock::Clock;
use crate::codec::{self, Format, Limits};
use crate::config::Config;
use crate::crypto::{hex, sha256};
use crate::mapping::Document;
use crate::mapping::function::Moment;
use crate::mapping::path::{Fuel, Root as _};
use crate::mapping::scalar::as_text;
use crate::route::Flow;
use crate::route::flow::outline::{call, reply_value};
use crate::route::flow::plan::{Claimed, NOTHING_SEEN, Planned, Planner};
use crate::route::flow::{Begins, Check, Reply, Step};
use mask::Mask;

/// The options of `pintle explain`.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArguments {
    /// The route
    #[arg(value_name = "ROUTE")]
    route: String,
    /// The body of the push, or the event [default: standard input]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// A header of the push; may be given several times
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The query of the push
    #[arg(long, value_name = "QUERY", default_value = "")]
    query: String,
    /// Show values as they are, personal ones too; secrets stay covered
    #[arg(long)]
    show: bool,
    /// One JSON document instead of text for people
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgument,
}

/// What is told, in its order.
#[derive(Default)]
struct Told(Vec<Line>);

/// One line.
struct Line {
    what: String,
    value: Value,
    /// It comes from the push, and may be personal.
    is_pushed: bool,
}

impl Told {
    /// Tells what the route or this command says itself.
    fn say(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.0.push(Line {
            what: what.into(),
            value: Value::String(text.into()),
            is_pushed: false,
        });
    }

    /// Tells what comes from the push.
    fn tell(&mut self, what: impl Into<String>, value: Value) {
        self.0.push(Line {
            what: what.into(),
            value,
            is_pushed: true,
        });
    }
}

pub(super) fn run(arguments: &ExplainArguments) -> ExitCode {
    let config = match check::load(&arguments.config) {
        Ok(config) => config,
        Err(status) => return status,
    };
    let flows = config.catalogue.flows();
    let Some(flow) = flows.iter().find(|flow| flow.name == arguments.route) else {
        let names = flows.iter().map(|flow| flow.name.as_str());
        let help = crate::yaml::meant(&arguments.route, names);
        print::error(&format!("no route is called `{}`: {help}", arguments.route));
        return ExitCode::FAILURE;
    };
    let body = match read(arguments.file.as_ref()) {
        Ok(body) => body,
        Err(why) => {
            print::error(&why);
            return ExitCode::FAILURE;
        }
    };
    let mut told = Told::default();
    let document = document(flow, &config, (&body, arguments), &mut told);
    let status = match document {
        Ok(mut document) => explain(flow, &mut document, &mut told),
        Err(why) => {
            told.say("refused", why);
            ExitCode::FAILURE
        }
    };
    let mask = Mask::of(flow, given(flow, &config).as_ref(), arguments.show);
    show(&told, &mask, arguments.json);
    status
}

fn read(file: Option<&PathBuf>) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    match file {
        None => std::io::stdin()
            .lock()
            .take(BODY_MAX)
            .read_to_end(&mut body)
            .map_err(|error| format!("cannot read standard input: {error}"))?,
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(BODY_MAX).read_to_end(&mut body))
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?,
    };
    Ok(body)
}

/// The settings of the route: what `run` gives it, else its defaults.
fn given(flow: &Flow, config: &Config) -> Arc<Value> {
    let flows = config.inbound.iter().flat_map(|inbound| &inbound.flows);
    let running = flows.map(|flow| &flow.running);
    let mut running = running.filter(|running| running.flow.name == flow.name);
    running.next().map_or_else(
        || {
            let defaults = flow.settings.iter().map(|(name, default)| {
                let value = default.clone();
                (
                    name.clone(),
                    value.unwrap_or_else(|| Value::from(format!("[{name}]"))),
                )
            });
            Arc::new(Value::Object(defaults.collect()))
        },
        |running| Arc::clone(&running.settings),
    )
}

/// What the route's selectors look at.
fn document(
    flow: &Flow,
    config: &Config,
    (body, arguments): (&[u8], &ExplainArguments),
    told: &mut Told,
) -> Result<Document, String> {
    let now_ms = Clock::system().now_ms();
    let mut document = Document::default();
    document.share("settings", &given(flow, config));
    let secrets = flow.secrets.iter();
    let covered = secrets.map(|name| (name.clone(), Value::from(mask::COVERED)));
    document.share("secrets", &Arc::new(Value::Object(covered.collect())));
    told.say("route", format!("{} ({})", flow.name, flow.line));
    let format = match &flow.begins {
        Begins::Listen(listen) => {
            let place = format!("{} {}", listen.method, listen.path.pattern);
            told.say("listens", place);
            told.say("proved by", proof(&listen.proof.name));
            listen.format
        }
        Begins::On(names) => {
            told.say("begins on", names.join(", "));
            Format::Json
        }
    };
    let headers = headers(&arguments.header)?;
    let media = headers.get("content-type").and_then(Value::as_str);
    let read = codec::decode(format, media, None, body, &Limits::default());
    let mut read = read.map_err(|why| why.to_string())?;
    flow.never.iter().for_each(|never| never.remove(&mut read));
    if matches!(flow.begins, Begins::On(_)) {
        document.put("event", read);
        return Ok(document);
    }
    document.put("body", read);
    document.put("headers", Value::Object(headers));
    let query = codec::decode(
        Format::Form,
        None,
        None,
        arguments.query.as_bytes(),
        &Limits::default(),
    );
    document.put("query", query.map_err(|why| why.to_string())?);
    document.put(
        "push",
        json!({
            "id": "evt_explained",
            "sha256": hex(&sha256(body)),
            "received": Moment::at_ms(now_ms).text(),
        }),
    );
    Ok(document)
}

fn headers(written: &[String]) -> Result<Map<String, Value>, String> {
    let header = |text: &String| {
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| format!("`{text}` is no header: write `Name: value`"))?;
        Ok((name.trim().to_ascii_lowercase(), Value::from(value.trim())))
    };
    written.iter().map(header).collect()
}

/// Tells values, checks, items, calls and the answer.
fn explain(flow: &Flow, document: &mut Document, told: &mut Told) -> ExitCode {
    let moment = Moment::at_ms(Clock::system().now_ms());
    let planner = Planner {
        flow,
        moment: &moment,
        seen: &NOTHING_SEEN,
    };
    let planned = planner.plan(document, &mut Fuel::default());
    if let Some(Value::Object(vars)) = document.member("vars") {
        for (name, _) in &flow.vars {
            match vars.get(name) {
                Some(value) => told.tell(format!("vars.{name}"), value.clone()),
                None => told.say(format!("vars.{name}"), NOTHING),
            }
        }
    }
    tell_checks(&flow.checks, (&planner, document), told);
    let plan = match planned {
        Err(halt) => {
            told.say("refused", halt.to_string());
            return ExitCode::FAILURE;
        }
        Ok(Planned::Ends(ended)) => {
            told.say("ends as", ended.name);
            if let Some(reply) = ended.reply {
                tell_reply(&reply, told);
            }
            return ExitCode::SUCCESS;
        }
        Ok(Planned::Goes(plan)) => plan,
    };
    for claim in &plan.claims {
        let window = claim.window.as_secs();
        let (what, whose) = match claim.of {
            Claimed::Count => ("counted", format!(" by {}", claim.space)),
            Claimed::Push | Claimed::Item => ("seen once", String::new()),
        };
        told.say(what, format!("{:.12}… for {window} s{whose}", claim.key));
    }
    for (at, work) in plan.work.iter().enumerate() {
        let vars = work.get("vars").cloned().unwrap_or_default();
        told.tell(format!("item {} vars", at + 1), vars);
    }
    for name in ["rows", "results", "hours"] {
        if let Some(value) = document.member(name) {
            told.tell(name, value.clone());
        }
    }
    for record in plan.consents {
        told.tell("consent", record);
    }
    for (space, key, value, window) in plan.keeps {
        let kept = json!({ "key": key, "value": value, "for_s": window.as_secs() });
        told.tell(format!("keeps in {space}"), kept);
    }
    let steps = flow.items.iter().flat_map(|items| &items.steps);
    for step in steps.chain(&flow.steps) {
        tell_step(step, (&planner, document), told);
    }
    if let Ok(Some(reply)) = planner.reply("accepted", document, &mut Fuel::default()) {
        tell_reply(&reply, told);
    }
    ExitCode::SUCCESS
}

/// Each check, up to the one that fails.
fn tell_checks(checks: &[Check], (planner, document): (&Planner<'_>, &Document), told: &mut Told) {
    let means = planner.means(document);
    for (at, check) in checks.iter().enumerate() {
        let holds = |condition: &Option<_>, otherwise| match condition {
            None => otherwise,
            Some(condition) => {
                crate::mapping::condition::Condition::holds(condition, &means, &mut Fuel::default())
                    .unwrap_or(false)
            }
        };
        let fails = holds(&check.given, true) && !holds(&check.unless, false);
        let word = check.reason.clone().unwrap_or_else(|| check.reply.clone());
        let said = if fails {
            format!("fails: {word}")
        } else {
            "good".to_owned()
        };
        told.say(
            format!("check {} (line {})", at + 1, check.line.number),
            said,
        );
        if fails && check.fault.is_none() {
            return;
        }
    }
}

fn tell_step(step: &Step, parts: (&Planner<'_>, &Document), told: &mut Told) {
    let mut calls = Vec::new();
    call(step, parts, &mut calls);
    for mut made in calls {
        let of = made
            .get("of")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if let Value::Object(members) = &mut made {
            members.shift_remove("of");
            members.retain(|_, value| !value.is_null());
        }
        told.tell(format!("calls {of}"), made);
    }
}

fn tell_reply(reply: &Reply, told: &mut Told) {
    told.tell("answers", reply_value(reply));
}

fn show(told: &Told, mask: &Mask, as_json: bool) {
    let covered = told.0.iter().map(|line| {
        let value = if line.is_pushed {
            mask.cover(&line.value)
        } else {
            line.value.clone()
        };
        (&line.what, value)
    });
    if as_json {
        let list: Vec<Value> = covered
            .map(|(what, value)| json!({ "what": what, "value": value }))
            .collect();
        print::line(&format!("{:#}", Value::Array(list)));
        return;
    }
    let width = told.0.iter().map(|line| line.what.len()).max().unwrap_or(0);
    for (what, value) in covered {
        let text = as_text(&value).unwrap_or_else(|| value.to_string());
        print::line(&format!("{what:width$}  {text}"));
    }
}

/// How a route's own proof is told.
fn proof(name: &str) -> String {
    match name {
        crate::policy::OF_ROUTE => "the proof in the route".to_owned(),
        name => format!("`{name}` of the policies"),
    }
}

const NOTHING: &str = "(nothing)";
const BODY_MAX: u64 = 16 << 20;
