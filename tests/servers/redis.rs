//! A `redis-server` as a child process, and a client that knows what the tests need.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A Redis of its own, which keeps what it is given in a folder of its own.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    options: Vec<String>,
    pub(crate) port: u16,
}

impl Server {
    /// Starts one that keeps every write.
    pub(crate) fn start() -> Self {
        Self::with(&["--appendonly", "yes"])
    }

    /// Starts one with options of its own.
    pub(crate) fn with(options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let folder = TempDir::new().unwrap();
        // The port may be taken by another test in between.
        for _ in 0..20 {
            let port = free_port();
            let mut child = spawn(port, folder.path(), &options);
            if is_up(port, &mut child) {
                return Self {
                    child,
                    folder,
                    options,
                    port,
                };
            }
            drop(child.kill());
            drop(child.wait());
        }
        panic!("redis-server does not start with {options:?}")
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The folder of the files that keep every write.
    pub(crate) fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("appendonlydir")
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.child.wait().unwrap()
    }

    /// Starts it again where it was, with what it kept.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, self.folder.path(), &self.options);
        assert!(is_up(self.port, &mut self.child), "it does not come back");
    }

    /// Sends a signal by its name: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(port: u16, folder: &std::path::Path, options: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--loglevel", "warning", "--logfile", "log"])
        .args(options)
        .arg("--dir")
        .arg(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("redis-server cannot be run ({error}): sudo apt-get install redis-server")
        })
}

/// A port that nobody listens on at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn is_up(port: u16, child: &mut Child) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if let Ok(mut client) = Client::try_connect(port) {
            let answer = client.try_ask(&["PING"]);
            // One that wants a password is up, too.
            if answer.is_ok_and(|answer| answer == "PONG" || answer.starts_with("-NOAUTH")) {
                return true;
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Speaks to a Redis by hand.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        Self::try_connect(port).unwrap()
    }

    fn try_connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let stream = BufReader::new(stream);
        Ok(Self { stream })
    }

    /// The answer as text: arrays as their parts, a line each; errors with their `-`.
    pub(crate) fn ask(&mut self, words: &[&str]) -> String {
        self.try_ask(words).unwrap()
    }

    fn try_ask(&mut self, words: &[&str]) -> std::io::Result<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            write!(request, "${}\r\n{word}\r\n", word.len()).unwrap();
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at(1);
        match kind {
            "$" if rest == "-1" => Ok(String::new()),
            "$" => {
                let mut bytes = vec![0; rest.parse::<usize>().unwrap() + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            "*" => {
                let parts = (0..rest.parse::<i64>().unwrap()).map(|_| self.answer());
                let parts: std::io::Result<Vec<String>> = parts.collect();
                Ok(parts?.join("\n"))
            }
            "-" => Ok(line.to_owned()),
            _ => Ok(rest.to_owned()),
        }
    }

    /// A field of `INFO`.
    pub(crate) fn info(&mut self, field: &str) -> String {
        let told = self.ask(&["INFO", "everything"]);
        let line = told.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == field).then(|| value.trim().to_owned())
        });
        line.unwrap_or_else(|| panic!("INFO has no {field}"))
    }
}
