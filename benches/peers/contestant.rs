//! Who takes part, and how each is set up: as its makers advise for throughput, on one core.

use std::path::Path;

use tempfile::TempDir;

use crate::case::{Case, Work};
use crate::lua::nginx_lua;
use crate::pintle::{beside, build, pintle};
use crate::process::{Process, free_port, until_up};

pub(crate) const TOKEN: &str = "tok_0123456789abcdef0123456789abcdef";
/// The rates of case b are there, and never reached.
pub(crate) const RATE: u32 = 1_000_000;

/// A contestant that runs.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    pub(crate) process: Process,
    _folder: TempDir,
}

/// The upstream, on the core of the load generator.
pub(crate) fn upstream() -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let own = std::env::current_exe().unwrap();
    let address = format!("127.0.0.1:{port}");
    let words = [own.to_str().unwrap(), "upstream", &address];
    let process = Process::on_load_core(&words, folder.path());
    started("upstream", port, process, folder)
}

/// Everyone of a case.
pub(crate) fn all(case: &Case, upstream: u16) -> Vec<Contestant> {
    match case.work {
        Work::Pass => {}
        Work::Sealed | Work::Lead => {
            return vec![nginx_lua(case, upstream), pintle(case, upstream)];
        }
        Work::Beside => {
            return vec![
                beside("one-route", upstream, 1),
                beside("pintle", upstream, 1000),
            ];
        }
    }
    let mut all = vec![
        nginx(case, upstream),
        haproxy(case, upstream),
        pintle(case, upstream),
    ];
    if !case.has_rates {
        all.push(own("forwarder", upstream));
        all.push(own("bare", upstream));
    }
    all
}

/// Builds of Pintle alone, by their files.
pub(crate) fn builds(files: &[String], case: &Case, upstream: u16) -> Vec<Contestant> {
    let one = |file: &String| build(file.clone().leak(), file, case, upstream);
    files.iter().map(one).collect()
}

pub(crate) fn started(
    name: &'static str,
    port: u16,
    process: Process,
    folder: TempDir,
) -> Contestant {
    let mut one = Contestant {
        name,
        port,
        process,
        _folder: folder,
    };
    until_up(&mut one.process, name, port);
    one
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn nginx(case: &Case, upstream: u16) -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let of = folder.path().display();
    let (zones, limits) = if case.has_rates {
        (
            format!(
                "limit_req_zone $binary_remote_addr zone=client:10m rate={RATE}r/s;
                 limit_req_zone $uri zone=route:10m rate={RATE}r/s;
                 proxy_cache_path {of}/kept keys_zone=kept:10m inactive=1h use_temp_path=off;
                 open_file_cache max=1000 inactive=1h;"
            ),
            format!(
                "limit_req zone=client burst={RATE} nodelay; limit_req zone=route burst={RATE} nodelay;"
            ),
        )
    } else {
        (String::new(), String::new())
    };
    let cached = if case.is_cached {
        "proxy_cache kept; proxy_cache_lock on;"
    } else {
        ""
    };
    let text = format!(
        "daemon off; worker_processes 1; worker_rlimit_nofile 20000;
         pid {of}/pid; error_log {of}/error.log warn;
         events {{ worker_connections 20000; multi_accept on; }}
         http {{
           access_log off; server_tokens off; sendfile on; tcp_nodelay on;
           keepalive_requests 1000000000; keepalive_timeout 3600s; client_body_buffer_size 128k;
           client_body_temp_path {of}/body; proxy_temp_path {of}/proxy; {zones}
           upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
           server {{
             listen 127.0.0.1:{port} backlog=4096; {limits}
             proxy_http_version 1.1; proxy_set_header Connection \"\";
             proxy_set_header Authorization \"Bearer {TOKEN}\";
             proxy_buffer_size 16k; proxy_buffers 16 16k;
             location / {{ {cached} proxy_pass http://up; }}
           }}
         }}"
    );
    let path = write(folder.path(), "nginx.conf", &text);
    let words = ["nginx", "-p", folder.path().to_str().unwrap(), "-c", &path];
    let process = Process::on_own_core(&words, folder.path());
    started("nginx", port, process, folder)
}

fn haproxy(case: &Case, upstream: u16) -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let rates = if case.has_rates {
        format!(
            "  stick-table type ip size 100k expire 30s store http_req_rate(1s)
  http-request track-sc0 src
  http-request track-sc1 path table routes
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {RATE} }} || {{ sc_http_req_rate(1,routes) gt {RATE} }}
"
        )
    } else {
        String::new()
    };
    let cached = if case.is_cached {
        "  http-request cache-use kept\n  http-response cache-store kept\n"
    } else {
        ""
    };
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
  timeout http-keep-alive 1h
  http-reuse always
cache kept
  total-max-size 64
  max-object-size 1000000
  max-age 3600
frontend in
  bind 127.0.0.1:{port} backlog 4096
{rates}  default_backend up
backend routes
  stick-table type string len 64 size 10k expire 30s store http_req_rate(1s)
backend up
{cached}  http-request set-header Authorization \"Bearer {TOKEN}\"
  server up 127.0.0.1:{upstream}
"
    );
    let path = write(folder.path(), "haproxy.cfg", &text);
    let process = Process::on_own_core(&["haproxy", "-db", "-f", &path], folder.path());
    started("haproxy", port, process, folder)
}

/// One of this bench's own: `forwarder`, raw bytes from one socket to another, which no gateway can do
/// without, or `bare`, hyper on both sides with nothing between.
fn own(name: &'static str, upstream: u16) -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let own = std::env::current_exe().unwrap();
    let (listen, to) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{upstream}"));
    let words = [own.to_str().unwrap(), name, &listen, &to];
    let process = Process::on_own_core(&words, folder.path());
    started(name, port, process, folder)
}
