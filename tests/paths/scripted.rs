//! A platform that does with each connection what a test says.

use std::future::Future;
use std::net::SocketAddr;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::support::free;

/// Goes to an upstream without a login, so that nothing but the call itself is seen there.
pub const PROCESS: &str = "/api/v1/process/queryTaskQian";
pub const YES: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{\"retcode\":0}";

/// A platform that does with each connection, counted from 0, what a test says.
pub struct Scripted {
    pub address: SocketAddr,
    accepting: AbortHandle,
}

impl Scripted {
    pub async fn start<F>(serve: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(free()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            for serial in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(serial, stream));
            }
        });
        Self {
            address,
            accepting: accepting.abort_handle(),
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads until the text has come; returns how much came.
pub async fn read_past(stream: &mut TcpStream, text: &str) -> usize {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(1) => read.extend_from_slice(&byte),
            _ => return read.len(),
        }
    }
    read.len()
}
