//! TLS and HTTP/2, on both sides: requests on kept connections, and connections that are new or resumed.

use std::path::Path;
use std::process::{Command, Output};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::contestant::{Contestant, TOKEN, started, write};
use crate::pintle;
use crate::process::{Process, free_port, load_tool};

/// What TLS takes beside peers that do the same.
pub(crate) fn tls() {
    let authority = Authority::new();
    let upstream = upstream(&authority);
    println!("\n### tls: TLS on both sides, P-256, AES by TLS 1.3\n");
    println!(
        "| | CPU-s for 100,000 over HTTP/1.1 | over HTTP/2 | CPU-ms for a new connection | resumed |\n\
         |---|---|---|---|---|"
    );
    for begin in [nginx, haproxy, gateway] {
        let one = begin(&authority, upstream.port, false);
        let kept = requests(&one, wrk);
        let fresh = connections(&one, &["-new"]);
        // Sessions of TLS 1.3 come behind the handshake, which `s_time` does not wait for.
        let resumed = connections(&one, &["-reuse", "-tls1_2"]);
        let name = one.name;
        drop(one);
        let multiplexed = requests(&begin(&authority, upstream.port, true), h2load);
        println!("| {name} | {kept:.2} | {multiplexed:.2} | {fresh:.2} | {resumed:.2} |");
    }
    println!(
        "\nHTTP/1.1: 64 connections; HTTP/2: 16 connections with 4 streams, and HTTP/2 to the upstream too, \
         besides nginx, which has HTTP/1.1 there. Resumed: TLS 1.2."
    );
}

/// A certificate for `localhost`, and who vouches for it.
struct Authority(TempDir);

impl Authority {
    fn new() -> Self {
        let mut of_ca = CertificateParams::default();
        of_ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(of_ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &ca).unwrap();
        let folder = TempDir::new().unwrap();
        let pair = [leaf.pem(), key.serialize_pem()];
        write(folder.path(), "ca.pem", &ca.pem());
        write(folder.path(), "leaf.pem", &pair[0]);
        write(folder.path(), "leaf.key", &pair[1]);
        write(folder.path(), "both.pem", &pair.concat());
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// nginx with TLS, and with a place that answers by itself or by another server.
fn server(authority: &Authority, (port, folder): (u16, &Path), location: &str) -> String {
    let (of, pair) = (folder.display(), authority.path().display());
    let text = format!(
        "daemon off; worker_processes 1; worker_rlimit_nofile 20000;
         pid {of}/pid; error_log {of}/error.log warn;
         events {{ worker_connections 20000; multi_accept on; }}
         http {{
           access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 3600s;
           http2_max_requests 1000000000;
           client_body_temp_path {of}/body; proxy_temp_path {of}/proxy;
           {location}
           server {{
             listen 127.0.0.1:{port} ssl http2 backlog=4096;
             ssl_certificate {pair}/leaf.pem; ssl_certificate_key {pair}/leaf.key;
             ssl_session_cache shared:kept:10m; ssl_protocols TLSv1.2 TLSv1.3;
             include {of}/place.conf;
           }}
         }}"
    );
    write(folder, "nginx.conf", &text)
}

fn upstream(authority: &Authority) -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let body = "x".repeat(200);
    let place = format!("location / {{ return 200 \"{body}\"; }}");
    write(folder.path(), "place.conf", &place);
    let path = server(authority, (port, folder.path()), "");
    let words = ["nginx", "-p", folder.path().to_str().unwrap(), "-c", &path];
    let process = Process::on_load_core(&words, folder.path());
    started("upstream", port, process, folder)
}

fn nginx(authority: &Authority, upstream: u16, _: bool) -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let place = format!(
        "location / {{
           proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_ssl_session_reuse on;
           proxy_set_header Authorization \"Bearer {TOKEN}\"; proxy_pass https://up;
         }}"
    );
    write(folder.path(), "place.conf", &place);
    let up = format!(
        "upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}"
    );
    let path = server(authority, (port, folder.path()), &up);
    let words = ["nginx", "-p", folder.path().to_str().unwrap(), "-c", &path];
    let process = Process::on_own_core(&words, folder.path());
    started("nginx", port, process, folder)
}

fn haproxy(authority: &Authority, upstream: u16, has_http2: bool) -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let pair = authority.path().display();
    let alpn = if has_http2 { "h2" } else { "http/1.1" };
    let text = format!(
        "global
  nbthread 1
  no strict-limits
  maxconn 11000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  http-reuse always
frontend in
  bind 127.0.0.1:{port} backlog 4096 ssl crt {pair}/both.pem alpn h2,http/1.1
  default_backend up
backend up
  http-request set-header Authorization \"Bearer {TOKEN}\"
  server up 127.0.0.1:{upstream} ssl verify none alpn {alpn}
"
    );
    let path = write(folder.path(), "haproxy.cfg", &text);
    let process = Process::on_own_core(&["haproxy", "-db", "-f", &path], folder.path());
    started("haproxy", port, process, folder)
}

fn gateway(authority: &Authority, upstream: u16, has_http2: bool) -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let pair = authority.path().display();
    let http = if has_http2 { "2" } else { "\"1.1\"" };
    let settings = format!(
        "local: {{ listen: \"127.0.0.1:{port}\", tls: {{ certificate: {pair}/leaf.pem, key: \"file:{pair}/leaf.key\" }} }}
admin: {{ listen: \"127.0.0.1:{}\" }}
policies: policies
routes: routes
accounts:
  main:
    base_url: https://localhost:{upstream}
    secrets: {{}}
    upstreams:
      up:
        base_url: https://localhost:{upstream}
        http: {http}
        tls: {{ ca: {pair}/ca.pem }}
        headers: {{ authorization: \"literal:Bearer {TOKEN}\" }}
",
        free_port()
    );
    write(folder.path(), "policies/all.yaml", POLICIES);
    write(folder.path(), "routes/all.yaml", pintle::OPERATIONS);
    let path = write(folder.path(), "pintle.yaml", &settings);
    let process = Process::on_own_core(&pintle::words(&path), folder.path());
    started("pintle", port, process, folder)
}

/// CPU seconds for 100,000 requests of a load that tells how many it made.
fn requests(one: &Contestant, load: impl Fn(&str) -> f64) -> f64 {
    let url = format!("https://127.0.0.1:{}/s", one.port);
    load(&url);
    let before = one.process.cpu_s();
    let made = load(&url);
    (one.process.cpu_s() - before) / made * 100_000.0
}

fn wrk(url: &str) -> f64 {
    let told = run(load_tool("wrk").args(["-t1", "-c64", "-d3s", url]));
    assert!(
        !told.contains("Non-2xx") && !told.contains("Socket errors"),
        "{told}"
    );
    number(&told, " requests in ")
}

fn h2load(url: &str) -> f64 {
    let told = run(load_tool("h2load").args(["-c16", "-m4", "-D3", url]));
    assert!(told.contains("Application protocol: h2"), "{told}");
    let line = told.lines().find(|line| line.starts_with("status codes:"));
    assert!(
        line.is_some_and(|line| line.contains(" 0 3xx, 0 4xx, 0 5xx")),
        "{told}"
    );
    number(&told, " 2xx,")
}

/// CPU milliseconds for one connection of `openssl s_time`.
fn connections(one: &Contestant, how: &[&str]) -> f64 {
    let to = format!("127.0.0.1:{}", one.port);
    let before = one.process.cpu_s();
    let told = run(load_tool("openssl")
        .args(["s_time", "-connect", &to, "-time", "3"])
        .args(how));
    let made = number(&told, " connections in ");
    assert!(made > 100.0, "{told}");
    (one.process.cpu_s() - before) / made * 1_000.0
}

fn run(command: &mut Command) -> String {
    let Output { stdout, stderr, .. } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
}

/// The number that stands before a text.
fn number(told: &str, text: &str) -> f64 {
    let before = told.split(text).next().unwrap_or_default();
    let word = before.rsplit([' ', '\n']).next().unwrap_or_default();
    word.parse()
        .unwrap_or_else(|_| panic!("no number before `{text}`:\n{told}"))
}

const POLICIES: &str = "verdicts: { plain: { source: assumed } }
families: { peer: { verdict: plain, login: none, retry: usual, upstream: up, paths: [/] } }
retries: { usual: { source: assumed, statuses: [502, 503, 504], breaker: {} } }
";
