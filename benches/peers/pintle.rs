//! Pintle as a contestant: as it is shipped; ids, records, timing, verdicts and strict framing are on.

use std::fmt::Write as _;
use std::path::Path;

use tempfile::TempDir;

use crate::case::{CASES, Case, KEY, Work};
use crate::contestant::{Contestant, RATE, TOKEN, started, write};
use crate::process::{Process, free_port};

pub(crate) fn pintle(case: &Case, upstream: u16) -> Contestant {
    build("pintle", env!("CARGO_BIN_EXE_pintle"), case, upstream)
}

/// The build of Pintle that is this file.
pub(crate) fn build(name: &'static str, file: &str, case: &Case, upstream: u16) -> Contestant {
    let (port, public, folder) = (free_port(), free_port(), TempDir::new().unwrap());
    write(folder.path(), "policies/all.yaml", &policies(case));
    write(folder.path(), "routes/all.yaml", OPERATIONS);
    write(folder.path(), "routes/lead.yaml", LEAD);
    let settings = settings(case, upstream, (port, public, free_port()));
    let path = write(folder.path(), "pintle.yaml", &settings);
    let words = [file, "serve", "--config", &path];
    let process = Process::on_own_core(&words, folder.path());
    let port = if case.work == Work::Lead {
        public
    } else {
        port
    };
    started(name, port, process, folder)
}

/// The command that serves with these settings.
pub(crate) fn words(settings: &str) -> [&str; 4] {
    [env!("CARGO_BIN_EXE_pintle"), "serve", "--config", settings]
}

/// Pintle with so many routes for leads, as many operations, and a tenth as many rates.
pub(crate) fn beside(name: &'static str, upstream: u16, routes: usize) -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let settings = with_routes(folder.path(), (upstream, port, free_port()), routes);
    let process = Process::on_own_core(&words(&settings), folder.path());
    started(name, port, process, folder)
}

/// The settings of one with so many routes.
pub(crate) fn with_routes(
    folder: &Path,
    (upstream, port, admin): (u16, u16, u16),
    routes: usize,
) -> String {
    let mut rates = String::from("rates:\n");
    let mut operations = OPERATIONS.to_owned();
    let mut run = String::new();
    for number in 0..routes {
        let name = format!("lead_{number}");
        let route = LEAD
            .replace("route: lead", &format!("route: {name}"))
            .replace("/in/lead", &format!("/in/{name}"));
        write(folder, &format!("routes/{name}.yaml"), &route);
        writeln!(
            run,
            "  {name}: {{ secrets: {{ lead_key: \"literal:k\" }} }}"
        )
        .unwrap();
        writeln!(
            operations,
            "  - {{ name: peer.op{number}, titles: [Op {number}], method: POST, path: /op/{number}, effect: once, source: assumed }}"
        )
        .unwrap();
        if number % 10 == 0 {
            writeln!(
                rates,
                "  rate{number}: {{ source: assumed, calls: [peer.op{number}], per: [caller], limits: [{{ max: 10, per: 1s }}] }}"
            )
            .unwrap();
        }
    }
    write(folder, "routes/all.yaml", &operations);
    write(folder, "policies/all.yaml", &(policies(&CASES[0]) + &rates));
    let settings = settings(&CASES[0], upstream, (port, free_port(), admin));
    let settings = settings.replace(RUN_LEAD, &format!("run:\n{run}"));
    write(folder, "pintle.yaml", &settings)
}

fn policies(case: &Case) -> String {
    let rate = |per: &str| {
        format!(
            "{{ source: assumed, calls: [\"*\"], per: [{per}], limits: [{{ max: {RATE}, per: 1s }}] }}"
        )
    };
    let rates = if case.has_rates {
        format!(
            "rates: {{ client: {}, route: {} }}\n",
            rate("caller"),
            rate("operation")
        )
    } else {
        String::new()
    };
    let sealings = if case.work == Work::Sealed {
        "sealings:
  aes:
    source: assumed
    scheme: aes-cbc
    keys: aes
    encoding: base64
    request: { body: whole }
    reply: { body: whole }
"
    } else {
        ""
    };
    format!(
        "verdicts: {{ plain: {{ source: assumed }} }}
families: {{ peer: {{ verdict: plain, login: none, retry: usual, upstream: up, paths: [/] }} }}
retries: {{ usual: {{ source: assumed, statuses: [502, 503, 504], breaker: {{}} }} }}
{rates}{sealings}"
    )
}

fn settings(case: &Case, upstream: u16, (port, public, admin): (u16, u16, u16)) -> String {
    let (kept, cache) = if case.is_cached {
        ("shared", "cache: {}\n")
    } else {
        ("off", "")
    };
    let sealing = if case.work == Work::Sealed {
        format!(
            "    sealing: aes
    keys: {{ aes: [{{ id: \"1\", key: \"literal:{KEY}\", encoding: hex }}] }}
"
        )
    } else {
        String::new()
    };
    format!(
        "local: {{ listen: \"127.0.0.1:{port}\", limits: {{ connections_max: 11000, calls_max: 20000 }} }}
admin: {{ listen: \"127.0.0.1:{admin}\" }}
public: {{ listen: \"127.0.0.1:{public}\", secrets: {{ callback_path: \"literal:s\" }} }}
policies: policies
routes: routes
{RUN_LEAD}accounts:
  main:
    base_url: http://127.0.0.1:{upstream}
    secrets: {{}}
    limits: {{ calls_max: 512 }}
{sealing}    upstreams:
      up:
        base_url: http://127.0.0.1:{upstream}
        http_cache: {kept}
        headers: {{ authorization: \"literal:Bearer {TOKEN}\" }}
        limits: {{ calls_max: 512, waiting_max: 20000 }}
{cache}"
    )
}

const RUN_LEAD: &str = "run: { lead: { secrets: { lead_key: \"literal:k\" } } }\n";

pub(crate) const OPERATIONS: &str = "family: peer
operations:
  - { name: peer.leads, titles: [Leads], method: POST, path: /s, effect: once, source: assumed }
";

const LEAD: &str = r#"route: lead
about: A lead becomes a call, and is answered when that has been.
source: assumed
listen: { path: /in/lead, body: json }
prove: { api_key: { header: X-Api-Key, secrets: [lead_key] } }
answer: when_done
vars:
  phone: { from: $.body.phone, then: [{ to_e164: US }] }
check:
  - { unless: $.vars.phone, reply: refused, reason: phone }
steps:
  - call: peer.leads
    body:
      callee: $.vars.phone
      callee_name: { from: [$.body.first, $.body.last], then: [{ join: " " }, collapse], default: "" }
      case_id: $.body.id
      variables: { email: $.body.email, state: $.body.state }
replies:
  accepted: { json: { status: ok } }
  refused: { status: 422, json: { error: $.reason } }
"#;
