//! The binary itself, as a process of its own: signals, memory, log.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Client, settings_of_account};

/// `pintle serve` as a child process. Killed when dropped.
pub struct Process {
    child: Child,
    log: Receiver<Value>,
    /// The lines that [`Process::logged`] passed over, and those that it found.
    heard: RefCell<Vec<Value>>,
    pub folder: TempDir,
    pub local: String,
    pub admin: String,
    pub public: Option<String>,
}

impl Process {
    /// Starts the gateway in front of `url` and waits until it serves.
    pub fn start(url: &str, more: &str) -> Self {
        Self::start_account(url, "", more)
    }

    /// The same, with keys of the account besides.
    pub fn start_account(url: &str, of_account: &str, more: &str) -> Self {
        let more = format!("log: {{ format: json, level: debug }}\n{more}");
        let settings = settings_of_account(url, of_account, &more);
        Self::start_in(TempDir::new().unwrap(), &settings)
    }

    /// Starts the gateway with whole settings, in a folder that may hold what the last one left.
    pub fn start_in(folder: TempDir, settings: &str) -> Self {
        let path = folder.path().join("pintle.yaml");
        let log = if settings.contains("log:") {
            ""
        } else {
            "log: { format: json }\n"
        };
        std::fs::write(&path, format!("{settings}\n{log}")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_pintle"))
            .args(["serve", "--config"])
            .arg(&path)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let record = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if lines.send(record).is_err() {
                    return;
                }
            }
        });
        let mut process = Self {
            child,
            log,
            heard: RefCell::default(),
            folder,
            local: String::new(),
            admin: String::new(),
            public: None,
        };
        let serving = process.logged("serving");
        let address = |key: &str| format!("http://{}", serving[key].as_str().unwrap());
        process.local = address("local");
        process.admin = address("admin");
        process.public = serving["public"]
            .as_str()
            .map(|public| format!("http://{public}"));
        process
    }

    /// Waits for a line of the log with this message.
    pub fn logged(&self, message: &str) -> Value {
        loop {
            match self.log.recv_timeout(Duration::from_secs(20)) {
                Ok(record) => {
                    self.heard.borrow_mut().push(record.clone());
                    if record["message"] == message {
                        return record;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("the log never said: {message}")
                }
            }
        }
    }

    /// Ends the process and gives every line that it ever wrote.
    pub fn end(mut self) -> Vec<Value> {
        self.signal("TERM");
        assert!(self.wait().success());
        let mut lines = self.heard.take();
        lines.extend(self.log.iter());
        lines
    }

    pub fn client(&self) -> Client {
        Client::new(&self.local)
    }

    /// Kills the process at once, and gives back the folder with what it left.
    pub fn kill(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.wait();
        std::mem::replace(&mut self.folder, TempDir::new().unwrap())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// The most memory that the process ever had, in bytes (`VmHWM`).
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
