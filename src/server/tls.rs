//! The TLS server of a listener.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::message::Certificate;
use crate::secret::Secret;
use crate::upstream::tls::{TlsFault, certificates, private_key, provider};

/// A TLS server. Two are equal when they were made from the same certificate and key.
#[derive(Debug, Clone)]
pub struct Server {
    certificate: Vec<u8>,
    key: Arc<Secret>,
    clients: Option<Clients>,
    config: Arc<ServerConfig>,
}

/// Which certificates clients show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// Who may have issued them, as PEM.
    pub ca: Vec<u8>,
    /// A connection without one is refused.
    pub are_required: bool,
}

impl Server {
    /// Makes a TLS server from PEM texts; ALPN offers HTTP/2 and HTTP/1.1.
    pub fn new(
        certificate: Vec<u8>,
        key: Secret,
        clients: Option<Clients>,
    ) -> Result<Self, TlsFault> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsFault::Provider)?;
        let builder = match &clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(clients.verifier()?),
        };
        let mut config = builder
            .with_single_cert(
                certificates(&certificate)?,
                private_key(key.expose().as_bytes())?,
            )
            .map_err(TlsFault::Pair)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if clients.is_none() {
            // Sealed, sessions are the clients' to keep: however many there are, each can resume. A
            // certificate that a client showed must not be good for half a day more that way.
            config.ticketer = Ticketer::new().map_err(TlsFault::Tickets)?;
        }
        Ok(Self {
            certificate,
            key: Arc::new(key),
            clients,
            config: Arc::new(config),
        })
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

/// What a client's certificate says, once its chain was checked.
pub(super) fn certificate(leaf: &CertificateDer<'_>) -> Certificate {
    let names = webpki::EndEntityCert::try_from(leaf)
        .map(|leaf| leaf.valid_dns_names().map(str::to_owned).collect());
    Certificate {
        der: leaf.to_vec(),
        names: names.unwrap_or_default(),
    }
}

impl Clients {
    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca)? {
            roots.add(certificate).map_err(TlsFault::Root)?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let builder = if self.are_required {
            builder
        } else {
            builder.allow_unauthenticated()
        };
        // No root at all is the one thing that can be wrong here.
        builder.build().map_err(|_| TlsFault::NoCertificate)
    }
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        self.certificate == other.certificate
            && self.key == other.key
            && self.clients == other.clients
    }
}

impl Eq for Server {}
