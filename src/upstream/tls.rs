//! The TLS client: webpki roots, an extra CA, a client certificate. The provider is passed
//! explicitly, so that no feature of another crate decides it.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use crate::secret::Secret;
use crate::upstream::Protocol;

/// What is put into a TLS client, as PEM.
#[derive(Debug, PartialEq, Eq)]
pub struct Material {
    /// Certificates to trust besides the webpki roots.
    pub extra_ca: Option<Vec<u8>>,
    /// The client's certificate chain, and its key.
    pub client: Option<(Vec<u8>, Secret)>,
}

/// A TLS client. Two are equal when they were made from the same material.
#[derive(Debug, Clone)]
pub struct Client {
    material: Arc<Material>,
    config: Arc<ClientConfig>,
}

impl Client {
    /// Makes a TLS client, for an HTTP or, where there is none, for what is no HTTP.
    pub fn new(material: Material, protocol: Option<Protocol>) -> Result<Self, TlsFault> {
        let config = Arc::new(client(&material, protocol)?);
        Ok(Self {
            material: Arc::new(material),
            config,
        })
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.material == other.material && self.config.alpn_protocols == other.config.alpn_protocols
    }
}

impl Eq for Client {}

/// Why no TLS client or server can be made.
#[derive(Debug, Error)]
pub enum TlsFault {
    /// No certificate in the PEM text.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// No private key in the PEM text.
    #[error("there is no private key in it")]
    NoKey,
    /// A certificate that cannot be trusted as a root.
    #[error("a certificate in it cannot be used as a root")]
    Root(#[source] rustls::Error),
    /// Certificate and key do not belong together, or cannot be used.
    #[error("certificate and key cannot be used together")]
    Pair(#[source] rustls::Error),
    /// No key for session tickets could be made.
    #[error("the TLS provider makes no key for session tickets")]
    Tickets(#[source] rustls::Error),
    /// The provider has no protocol version in common with us.
    #[error("the TLS provider lacks a protocol version")]
    Provider(#[source] rustls::Error),
}

/// The crypto provider of every TLS connection of the process.
pub fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn client(material: &Material, protocol: Option<Protocol>) -> Result<ClientConfig, TlsFault> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = &material.extra_ca {
        for certificate in certificates(pem)? {
            roots.add(certificate).map_err(TlsFault::Root)?;
        }
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsFault::Provider)?
        .with_root_certificates(roots);
    let mut config = match &material.client {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(certificates(chain)?, private_key(key.expose().as_bytes())?)
            .map_err(TlsFault::Pair)?,
    };
    config.alpn_protocols = match protocol {
        None => Vec::new(),
        Some(Protocol::Auto) => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Some(Protocol::Http1) => vec![b"http/1.1".to_vec()],
        Some(Protocol::Http2) => vec![b"h2".to_vec()],
    };
    Ok(config)
}

/// The certificates in a PEM text.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.ok()
        .filter(|all| !all.is_empty())
        .ok_or(TlsFault::NoCertificate)
}

/// The private key in a PEM text.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsFault> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| TlsFault::NoKey)
}
