//! The gateway under callgrind.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::peer;

/// Where a message goes.
#[derive(Clone, Copy)]
pub(crate) enum Listener {
    Local,
    Public,
}

/// A gateway that is counted.
pub(crate) struct Gateway {
    child: Child,
    folder: TempDir,
    local: u16,
    public: u16,
}

impl Gateway {
    pub(crate) fn start(upstream: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let [local, public, admin] = [(); 3].map(|()| peer::free_port());
        for (name, text) in [
            ("policies/all.yaml", POLICIES.to_owned()),
            ("routes/all.yaml", OPERATIONS.to_owned()),
            ("routes/lead.yaml", LEAD.to_owned()),
            ("pintle.yaml", settings(upstream, (local, public, admin))),
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let child = valgrind(folder.path());
        let mut gateway = Self {
            child,
            folder,
            local,
            public,
        };
        gateway.until_ready(admin);
        gateway
    }

    pub(crate) fn port(&self, listener: Listener) -> u16 {
        match listener {
            Listener::Local => self.local,
            Listener::Public => self.public,
        }
    }

    /// Instructions that all its threads took meanwhile, and pieces of memory that they gave back.
    pub(crate) fn counting(&self, meanwhile: impl FnOnce()) -> (u64, u64) {
        self.control("--zero");
        meanwhile();
        self.control("--dump");
        let dump = self.folder.path().join("out.1");
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let text = std::fs::read_to_string(&dump).unwrap_or_default();
            let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
            if let Some(totals) = totals {
                return (totals.trim().parse().unwrap(), calls_of("mi_free", &text));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("callgrind wrote no counts");
    }

    fn control(&self, word: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("callgrind_control")
            .args([word, &pid])
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn until_ready(&mut self, admin: u16) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Ok(Some(_)) = self.child.try_wait() {
                break;
            }
            if peer::is_ready(admin) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("the gateway did not start:\n{log}");
    }
}

/// How often a function was called, by a dump of callgrind: `cfn=(12) name` or `cfn=(12)`, and then
/// `calls=34 …`. A name stands only where its number is first used.
fn calls_of(name: &str, dump: &str) -> u64 {
    let named = |line: &str| {
        let (number, written) = line.split_once("=(")?.1.split_once(") ")?;
        (written == name).then(|| format!("cfn=({number})"))
    };
    let Some(number) = dump.lines().find_map(named) else {
        return 0;
    };
    let mut lines = dump.lines();
    let mut calls = 0;
    while let Some(line) = lines.next() {
        if line.split(' ').next() == Some(&number) {
            let told = lines.next().and_then(|line| line.strip_prefix("calls="));
            let count = told.and_then(|told| told.split(' ').next());
            calls += count.map_or(0, |count| count.parse().unwrap());
        }
    }
    calls
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn valgrind(folder: &Path) -> Child {
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let out = format!("--callgrind-out-file={}", folder.join("out").display());
    Command::new("valgrind")
        .args(["--tool=callgrind", &out, env!("CARGO_BIN_EXE_pintle")])
        .args(["serve", "--config"])
        .arg(folder.join("pintle.yaml"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("valgrind cannot be run ({error}): apt-get install valgrind")
        })
}

fn settings(upstream: u16, (local, public, admin): (u16, u16, u16)) -> String {
    let key = peer::KEY;
    format!(
        r#"local: {{ listen: "127.0.0.1:{local}" }}
admin: {{ listen: "127.0.0.1:{admin}" }}
public: {{ listen: "127.0.0.1:{public}", secrets: {{ callback_path: "literal:s" }} }}
policies: policies
routes: routes
run: {{ lead: {{ secrets: {{ lead_key: "literal:k" }} }} }}
cache: {{}}
default_account: main
accounts:
  main:
    base_url: http://127.0.0.1:{upstream}
    secrets: {{}}
    upstreams:
      up: {{ base_url: "http://127.0.0.1:{upstream}", headers: {{ authorization: "literal:Bearer {key}" }} }}
      kept: {{ base_url: "http://127.0.0.1:{upstream}", http_cache: shared }}
  sealed:
    base_url: http://127.0.0.1:{upstream}
    secrets: {{}}
    sealing: aes
    keys: {{ aes: [{{ id: "1", key: "literal:{key}", encoding: hex }}] }}
    upstreams:
      up: {{ base_url: "http://127.0.0.1:{upstream}" }}
      kept: {{ base_url: "http://127.0.0.1:{upstream}" }}
"#
    )
}

const POLICIES: &str = "verdicts: { plain: { source: assumed } }
families:
  peer: { verdict: plain, login: none, retry: usual, upstream: up, paths: [/] }
  kept: { verdict: plain, login: none, retry: usual, upstream: kept, paths: [/kept] }
retries: { usual: { source: assumed, statuses: [502, 503, 504], breaker: {} } }
sealings:
  aes:
    source: assumed
    scheme: aes-cbc
    keys: aes
    encoding: base64
    request: { body: whole }
    reply: { body: whole }
";

const OPERATIONS: &str = "family: peer
operations:
  - { name: peer.leads, titles: [Leads], method: POST, path: /leads, effect: once, source: assumed }
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
      variables:
        from: { object: { email: $.body.email, state: $.body.state, amount: { from: $.body.amount, then: [money] } } }
        then: [to_strings, drop_empty]
replies:
  accepted: { json: { status: ok } }
  refused: { status: 422, json: { error: $.reason } }
"#;

const PATIENCE: Duration = Duration::from_mins(1);
