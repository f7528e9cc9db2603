//! The TLS server of a listener.

use std::sync::Arc;

use rustls::ServerConfig;

use crate::secret::Secret;
use crate::upstream::tls::{TlsFault, certificates, private_key, provider};

/// A TLS server. Two are equal when they were made from the same certificate and key.
#[derive(Debug, Clone)]
pub struct Server {
    certificate: Vec<u8>,
    key: Arc<Secret>,
    config: Arc<ServerConfig>,
}

impl Server {
    /// Makes a TLS server from PEM texts; ALPN offers HTTP/2 and HTTP/1.1.
    pub fn new(certificate: Vec<u8>, key: Secret) -> Result<Self, TlsFault> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsFault::Provider)?
            .with_no_client_auth()
            .with_single_cert(
                certificates(&certificate)?,
                private_key(key.expose().as_bytes())?,
            )
            .map_err(TlsFault::Pair)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            certificate,
            key: Arc::new(key),
            config: Arc::new(config),
        })
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        self.certificate == other.certificate && self.key == other.key
    }
}

impl Eq for Server {}
