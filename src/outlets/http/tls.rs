//! The listeners' certificate, read again when its files change. One that is no good leaves the one before in place.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::Doors;
use crate::config::http::Tls;

/// How often the files are read, as those of the configuration are.
const EVERY: Duration = Duration::from_secs(2);

/// The certificate in use.
pub struct Certificate {
    resolver: Arc<Resolver>,
    acceptor: TlsAcceptor,
    /// The files, and what they held when they were last tried.
    tried: (Tls, Contents),
    trouble: watch::Sender<Option<String>>,
}

/// A digest of both files; what cannot be read counts by its error.
type Contents = [u8; 32];

impl Certificate {
    /// Reads the files for the first time.
    pub fn read(tls: &Tls) -> Result<Self, String> {
        let contents = contents(tls);
        let resolver = Arc::new(Resolver { key: RwLock::new(Arc::new(read(tls)?)) });
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&resolver) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            resolver,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            tried: (tls.clone(), contents),
            trouble: watch::Sender::new(None),
        })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Why the certificate in use is not the one in the files; none if it is.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    /// Follows the files, and the configuration that names them, for ever.
    pub(super) async fn follow(mut self, mut doors: Doors) {
        let mut seen = self.tried.clone();
        loop {
            // Another configuration is looked at at once; that is what a reload promises.
            let at_once = tokio::select! {
                changed = doors.http.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    true
                }
                () = tokio::time::sleep(EVERY) => false,
            };
            let Some(tls) = doors.http.borrow_and_update().tls.clone() else { continue };
            let looking = tokio::task::spawn_blocking(move || (contents(&tls), read(&tls), tls));
            let Ok((contents, found, tls)) = looking.await else { continue };
            let now = (tls, contents);
            // Two looks alike: certificate and key are two files, and one of them may be new before the other.
            let settled = at_once || now == seen;
            if now != self.tried && settled {
                self.take(found, &now.0);
                self.tried = now.clone();
            }
            seen = now;
        }
    }

    fn take(&self, found: Result<CertifiedKey, String>, tls: &Tls) {
        match found {
            Ok(key) => {
                *self.resolver.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                self.trouble.send_replace(None);
                info!("the certificate {} was read anew", tls.certificate.display());
            }
            Err(error) => {
                warn!("the new certificate was refused, the one before stays: {error}");
                self.trouble.send_replace(Some(format!(
                    "the new certificate was refused, the one before stays: {error}"
                )));
            }
        }
    }
}

struct Resolver {
    key: RwLock<Arc<CertifiedKey>>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the certificate in use")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.key.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn contents(tls: &Tls) -> Contents {
    let mut hash = Sha256::new();
    for path in [&tls.certificate, &tls.key] {
        let read = std::fs::read(path).unwrap_or_else(|error| error.to_string().into_bytes());
        hash.update(Sha256::digest(read));
    }
    hash.finalize().into()
}

fn read(tls: &Tls) -> Result<CertifiedKey, String> {
    let wrong = |path: &Path, error: &dyn fmt::Display| format!("{}: {error}", path.display());
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&tls.certificate, &error))?;
    if chain.is_empty() {
        return Err(wrong(&tls.certificate, &"holds no certificate in PEM"));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| wrong(&tls.key, &error))?;
    let key = ring::default_provider()
        .key_provider
        .load_private_key(key)
        .map_err(|error| wrong(&tls.key, &error))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(wrong(&tls.key, &format!("is not the key of {}", tls.certificate.display())))
        }
        Err(error) => Err(wrong(&tls.certificate, &error)),
    }
}
