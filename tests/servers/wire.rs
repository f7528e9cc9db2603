//! A proxy between two that speak TCP, which makes the trouble that a network makes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The proxy; what passes through it is forwarded to one port of the loopback.
pub(crate) struct Wire {
    pub(crate) port: u16,
    trouble: Arc<Trouble>,
}

#[derive(Default)]
struct Trouble {
    /// Nothing passes, in either direction, and nothing is closed.
    is_cut: AtomicBool,
    /// How much later everything comes, in milliseconds.
    delay_ms: AtomicU64,
    /// How many bytes are written at once; 0 for all.
    piece: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Wire {
    pub(crate) fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let trouble = Arc::new(Trouble::default());
        let shared = Arc::clone(&trouble);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else {
                    continue;
                };
                let mut open = shared.open.lock().unwrap();
                open.push(near.try_clone().unwrap());
                open.push(far.try_clone().unwrap());
                drop(open);
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let trouble = Arc::clone(&shared);
                    std::thread::spawn(move || carry(from, to, &trouble));
                }
            }
        });
        Self { port, trouble }
    }

    /// Cuts it, or mends it: what is under way comes when it is mended.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.trouble.is_cut.store(is_cut, Ordering::SeqCst);
    }

    /// From now on everything comes so much later.
    pub(crate) fn delay(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap();
        self.trouble.delay_ms.store(ms, Ordering::SeqCst);
    }

    /// From now on everything comes in pieces of so many bytes.
    pub(crate) fn pieces(&self, bytes: usize) {
        self.trouble.piece.store(bytes, Ordering::SeqCst);
    }

    /// Closes every connection that is open now.
    pub(crate) fn reset(&self) {
        for stream in self.trouble.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, trouble: &Trouble) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        while trouble.is_cut.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let delay_ms = trouble.delay_ms.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(delay_ms));
        let piece = match trouble.piece.load(Ordering::SeqCst) {
            0 => count,
            piece => piece,
        };
        for part in buffer[..count].chunks(piece) {
            if to.write_all(part).is_err() {
                return;
            }
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
