//! The log on its way to standard error: lines are gathered, and a thread writes them in large pieces,
//! so that a call does not wait for whoever reads the log, and costs no system call for its line.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where lines are gathered.
#[derive(Clone)]
pub struct LogWriter(Arc<Shared>);

/// Writes what is gathered when it is dropped, and ends the thread.
pub struct LogGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    gathered: Mutex<Gathered>,
    changed: Condvar,
}

#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    /// Lines that found no room.
    lost: u64,
    is_closed: bool,
}

impl LogWriter {
    /// A writer, and what ends it.
    pub fn start(to: impl Write + Send + 'static) -> io::Result<(Self, LogGuard)> {
        let shared = Arc::new(Shared::default());
        let writing = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writing.write_all(to))?;
        let guard = LogGuard {
            shared: Arc::clone(&shared),
            thread: Some(thread),
        };
        Ok((Self(shared), guard))
    }
}

impl Shared {
    fn write_all(&self, mut to: impl Write) {
        let mut piece = Vec::new();
        loop {
            let mut gathered = self.lock();
            while gathered.bytes.is_empty() && !gathered.is_closed {
                gathered = self.wait(gathered, None);
            }
            if !gathered.is_closed {
                // More lines come within a moment, mostly.
                gathered = self.wait(gathered, Some(GATHERED_FOR));
            }
            mem::swap(&mut piece, &mut gathered.bytes);
            let (lost, is_closed) = (mem::take(&mut gathered.lost), gathered.is_closed);
            drop(gathered);
            if lost > 0 {
                let told =
                    format!("{lost} lines of the log are lost: nobody reads it fast enough\n");
                piece.extend_from_slice(told.as_bytes());
            }
            // Nobody is left to be told that the log cannot be written.
            let _unread = to.write_all(&piece).and_then(|()| to.flush());
            piece.clear();
            if piece.capacity() > KEPT_BYTES {
                piece.shrink_to(PIECE_BYTES);
            }
            if is_closed {
                return;
            }
        }
    }

    fn wait<'g>(
        &self,
        gathered: MutexGuard<'g, Gathered>,
        at_most: Option<Duration>,
    ) -> MutexGuard<'g, Gathered> {
        match at_most {
            None => self
                .changed
                .wait(gathered)
                .unwrap_or_else(PoisonError::into_inner),
            Some(time) => {
                let is_small = |gathered: &mut Gathered| {
                    gathered.bytes.len() < PIECE_BYTES && !gathered.is_closed
                };
                let waited = self.changed.wait_timeout_while(gathered, time, is_small);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut gathered = self.0.lock();
        let before = gathered.bytes.len();
        if before + line.len() > GATHERED_MAX {
            gathered.lost += 1;
            return Ok(line.len());
        }
        gathered.bytes.extend_from_slice(line);
        let is_news = before == 0 || before < PIECE_BYTES && gathered.bytes.len() >= PIECE_BYTES;
        drop(gathered);
        if is_news {
            self.0.changed.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// How long a line waits for others at most.
const GATHERED_FOR: Duration = Duration::from_millis(5);
/// A piece of this size is written at once.
const PIECE_BYTES: usize = 64 * 1024;
/// A buffer that grew past that is given back.
const KEPT_BYTES: usize = 1 << 20;
/// Lines past that are lost, and counted: a log that nobody reads must not take the memory.
const GATHERED_MAX: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut sink = self.0.lock().unwrap();
            sink.0.extend_from_slice(bytes);
            sink.1 += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_its_order_and_few_times() {
        let sink = Sink::default();
        let (mut writer, guard) = LogWriter::start(sink.clone()).unwrap();
        for number in 0..1000 {
            writeln!(writer, "line {number}").unwrap();
        }
        drop(guard);
        let (bytes, writes) = sink.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
        assert!(writes < 100, "{writes}");
    }

    /// A reader that takes nothing before it is let.
    struct Stuck(std::sync::mpsc::Receiver<()>, Sink);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _let = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_log_that_nobody_reads_loses_lines_and_says_so() {
        let (release, held) = std::sync::mpsc::channel();
        let sink = Sink::default();
        let (mut writer, guard) = LogWriter::start(Stuck(held, sink.clone())).unwrap();
        let line = "x".repeat(1023) + "\n";
        for _ in 0..20_000 {
            writer.write_all(line.as_bytes()).unwrap();
        }
        drop(release);
        drop(guard);
        let bytes = sink.0.lock().unwrap().0.clone();
        assert!(
            bytes.len() < 2 * GATHERED_MAX + PIECE_BYTES,
            "{}",
            bytes.len()
        );
        let told = String::from_utf8(bytes).unwrap();
        assert!(told.contains("lines of the log are lost"));
    }
}
