//! Processes on their cores, what they use, and single requests to them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LOAD_CORE: &str = "0";
const OWN_CORE: &str = "1";
const TICKS_A_SECOND: f64 = 100.0;

/// A process with its children; ended when it is dropped.
pub(crate) struct Process {
    child: Child,
    log: std::path::PathBuf,
}

impl Process {
    pub(crate) fn on_own_core(words: &[&str], folder: &Path) -> Self {
        Self::start(OWN_CORE, words, folder)
    }

    pub(crate) fn on_load_core(words: &[&str], folder: &Path) -> Self {
        Self::start(LOAD_CORE, words, folder)
    }

    pub(crate) fn on_both_cores(words: &[&str], folder: &Path) -> Self {
        Self::start(&[LOAD_CORE, OWN_CORE].join(","), words, folder)
    }

    fn start(core: &str, words: &[&str], folder: &Path) -> Self {
        let log = folder.join("log");
        let file = std::fs::File::create(&log).unwrap();
        let child = Command::new("taskset")
            .args(["-c", core])
            .args(words)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("taskset cannot be run ({error})"));
        Self { child, log }
    }

    /// CPU seconds of the process and its children so far.
    pub(crate) fn cpu_s(&self) -> f64 {
        let ticks = self.tree().into_iter().filter_map(ticks);
        ticks.sum::<f64>() / TICKS_A_SECOND
    }

    /// The memory of the process and its children, what is shared in parts (PSS), in KiB.
    pub(crate) fn memory_kib(&self) -> f64 {
        let of = |pid: u32| {
            let told = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = told.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.trim().trim_end_matches(" kB").parse::<f64>().ok()
        };
        self.tree().into_iter().filter_map(of).sum()
    }

    /// The one of the process and its children that did most.
    pub(crate) fn busiest(&self) -> u32 {
        let ticks = |pid: &u32| ticks(*pid).unwrap_or_default();
        let mut tree = self.tree();
        tree.sort_by(|one, two| ticks(two).total_cmp(&ticks(one)));
        // Where nobody did anything yet, the work is the last child's.
        if ticks(&tree[0]) > 0.0 {
            tree[0]
        } else {
            *tree.iter().max().unwrap()
        }
    }

    fn tree(&self) -> Vec<u32> {
        let mut tree = vec![self.child.id()];
        let mut at = 0;
        let all = processes();
        while at < tree.len() {
            let parent = tree[at];
            tree.extend(
                all.iter()
                    .filter(|(_, of)| *of == parent)
                    .map(|(pid, _)| pid),
            );
            at += 1;
        }
        tree
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        // Asked, so that it ends its children too.
        drop(Command::new("kill").args(["-s", "TERM", &pid]).status());
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Every process with its parent.
fn processes() -> Vec<(u32, u32)> {
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let parent = fields(pid)?.get(1)?.parse().ok()?;
        Some((pid, parent))
    });
    pids.collect()
}

fn ticks(pid: u32) -> Option<f64> {
    let fields = fields(pid)?;
    let of = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some(of(11)? + of(12)?)
}

/// `/proc/PID/stat` from the state on.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

/// CPU seconds of everything on the machine so far.
pub(crate) fn machine_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let line = stat.lines().next().unwrap();
    let numbers = line.split_whitespace().skip(1);
    let numbers: Vec<f64> = numbers.map(|number| number.parse().unwrap()).collect();
    // User, nice, system; interrupts, in which the sockets of the loopback are served.
    let busy = [0, 1, 2, 5, 6].iter().map(|at| numbers[*at]);
    busy.sum::<f64>() / TICKS_A_SECOND
}

/// CPU seconds of the children of this process that have ended.
pub(crate) fn ended_children_s() -> f64 {
    let own = fields(std::process::id()).unwrap();
    let of = |at: usize| own[at].parse::<f64>().unwrap();
    (of(11) + of(12) + of(13) + of(14)) / TICKS_A_SECOND
}

pub(crate) fn pin_to_load_core() {
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset")
        .args(["-cp", LOAD_CORE, &pid])
        .output();
    let pinned = pinned.unwrap_or_else(|error| panic!("taskset cannot be run ({error})"));
    assert!(pinned.status.success(), "{pinned:?}");
}

/// A tool that makes load, on its core.
pub(crate) fn load_tool(name: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", LOAD_CORE, name]);
    command
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn until_up(process: &mut Process, name: &str, port: u16) {
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let has_ended = process.child.try_wait().unwrap().is_some();
        if has_ended || Instant::now() > end {
            let log = std::fs::read_to_string(&process.log).unwrap_or_default();
            panic!(
                "{name} does not come up; is it installed? (apt-get install nginx haproxy wrk)\n{log}"
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One request on a connection of its own: status and body.
pub(crate) fn fetch(port: u16, path: &str, sent: Option<&[u8]>) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let method = if sent.is_some() { "POST" } else { "GET" };
    let body = sent.unwrap_or_default();
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n");
    if sent.is_some() {
        request += "content-type: application/json\r\nx-api-key: k\r\n";
        request += &["content-length: ", &body.len().to_string(), "\r\n"].concat();
    }
    request += "\r\n";
    stream
        .write_all(&[request.as_bytes(), body].concat())
        .unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let head = reply
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap()
        + 4;
    let status = std::str::from_utf8(&reply[9..12]).unwrap().parse().unwrap();
    let body = reply.split_off(head);
    let head = String::from_utf8_lossy(&reply).to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        (status, joined(&body))
    } else {
        (status, body)
    }
}

/// The bytes of a chunked body.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|part| part == b"\r\n").unwrap();
        let size = std::str::from_utf8(&chunks[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        let data = end + 2;
        body.extend_from_slice(&chunks[data..data + size]);
        chunks = &chunks[data + size + 2..];
    }
}
