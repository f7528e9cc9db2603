//! Listeners: bound first, serving later, drained last.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::{Door, Inner};
use super::{Options, SharedTls, connection, tls};
use crate::message::Peer;

/// A listener that cannot be bound.
#[derive(Debug, Error)]
pub enum BindFailure {
    /// Someone else listens there.
    #[error("the {name} listener cannot use {place}: it is taken")]
    Taken {
        /// The listener.
        name: &'static str,
        /// The address or path.
        place: String,
    },
    /// Anything else.
    #[error("the {name} listener cannot use {place}")]
    Other {
        /// The listener.
        name: &'static str,
        /// The address or path.
        place: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A bound listener, which does not accept yet.
pub struct Bound {
    tcp: Option<TcpListener>,
    unix: Option<(UnixListener, PathBuf)>,
    tls: SharedTls,
}

/// Binds a listener.
pub async fn bind(options: &Options) -> Result<Bound, BindFailure> {
    let tcp = match options.address {
        None => None,
        Some(address) => {
            let failed = |source| failure(options.name, address.to_string(), source);
            Some(TcpListener::bind(address).await.map_err(failed)?)
        }
    };
    let unix = match &options.unix {
        None => None,
        Some(path) => {
            let failed = |source| failure(options.name, path.display().to_string(), source);
            Some((bind_unix(path).map_err(failed)?, path.clone()))
        }
    };
    Ok(Bound {
        tcp,
        unix,
        tls: options
            .tls
            .as_ref()
            .map(|tls| Arc::new(ArcSwap::new(tls.config()))),
    })
}

fn failure(name: &'static str, place: String, source: io::Error) -> BindFailure {
    if source.kind() == io::ErrorKind::AddrInUse {
        BindFailure::Taken { name, place }
    } else {
        BindFailure::Other {
            name,
            place,
            source,
        }
    }
}

/// Binds a unix socket for its owner and group; a socket left behind by a dead process is replaced.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    if let Ok(metadata) = std::fs::symlink_metadata(path)
        && metadata.file_type().is_socket()
    {
        match std::os::unix::net::UnixStream::connect(path) {
            // Nobody listens any more.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)?;
            }
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

impl Bound {
    /// The address, with the port that the system chose.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Its TLS, to exchange the certificate while it serves.
    pub fn tls(&self) -> SharedTls {
        self.tls.clone()
    }
}

/// Accepts until `drain`, then stops; each connection is a task of `tasks`.
pub async fn serve<I: Inner>(
    bound: Bound,
    door: Door<I>,
    tasks: TaskTracker,
    drain: CancellationToken,
) {
    let Bound { tcp, unix, tls } = bound;
    let places = Arc::new(Semaphore::new(door.limits().connections_max));
    let over_tcp = async {
        if let Some(listener) = tcp {
            accept_tcp(&listener, tls, &places, (&door, &tasks, &drain)).await;
        }
    };
    let over_unix = async {
        if let Some((listener, path)) = unix {
            accept_unix(&listener, &places, (&door, &tasks, &drain)).await;
            drop(std::fs::remove_file(path));
        }
    };
    tokio::join!(over_tcp, over_unix);
}

type Shared<'s, I> = (&'s Door<I>, &'s TaskTracker, &'s CancellationToken);

async fn accept_tcp<I: Inner>(
    listener: &TcpListener,
    shared: SharedTls,
    places: &Arc<Semaphore>,
    (door, tasks, drain): Shared<'_, I>,
) {
    while let Some(place) = place(places, drain).await {
        let Some(accepted) = unless(drain, listener.accept()).await else {
            return;
        };
        let Some((stream, address)) = taken(accepted).await else {
            continue;
        };
        drop(stream.set_nodelay(true));
        let peer = Peer::at(address.ip().to_canonical());
        let acceptor = shared
            .as_ref()
            .map(|tls| TlsAcceptor::from(tls.load_full()));
        let (door, drain) = (door.clone(), drain.clone());
        // Two tasks, since a kept connection without TLS should not have the size of one with it.
        match acceptor {
            None => tasks.spawn(async move {
                let _place = place;
                connection::serve(stream, door, peer, drain).await;
            }),
            Some(acceptor) => tasks.spawn(async move {
                let _place = place;
                shake(acceptor, stream, (door, peer, drain)).await;
            }),
        };
    }
}

/// Serves a connection after its TLS handshake.
async fn shake<I: Inner>(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    (door, mut peer, drain): (Door<I>, Peer, CancellationToken),
) {
    let head = door.limits().head;
    let handshake = timeout(head, acceptor.accept(stream));
    match unless(&drain, Box::pin(handshake)).await {
        Some(Ok(Ok(stream))) => {
            let shown = stream.get_ref().1.peer_certificates();
            let leaf = shown.and_then(|chain| chain.first());
            peer.certificate = leaf.map(|leaf| Arc::new(tls::certificate(leaf)));
            connection::serve(Box::new(stream), door, peer, drain).await;
        }
        Some(Ok(Err(error))) => tracing::debug!(%error, "a TLS handshake failed"),
        Some(Err(_)) => tracing::debug!("a TLS handshake took too long"),
        None => {}
    }
}

async fn accept_unix<I: Inner>(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
    (door, tasks, drain): Shared<'_, I>,
) {
    while let Some(place) = place(places, drain).await {
        let Some(accepted) = unless(drain, listener.accept()).await else {
            return;
        };
        let Some((stream, _)) = taken(accepted).await else {
            continue;
        };
        let (door, drain) = (door.clone(), drain.clone());
        tasks.spawn(async move {
            let _place = place;
            connection::serve(stream, door, Peer::default(), drain).await;
        });
    }
}

/// A place for one more connection; `None` when the listener drains.
async fn place(places: &Arc<Semaphore>, drain: &CancellationToken) -> Option<OwnedSemaphorePermit> {
    unless(drain, Arc::clone(places).acquire_owned())
        .await?
        .ok()
}

async fn unless<T>(drain: &CancellationToken, wanted: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = drain.cancelled() => None,
        value = wanted => Some(value),
    }
}

/// A failed accept is the peer's doing, or a lack of file descriptors that passes.
async fn taken<T>(accepted: io::Result<T>) -> Option<T> {
    match accepted {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
