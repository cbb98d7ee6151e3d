//! `mlfence health`: asks the local daemon, for container health checks.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::audit::config_text;
use crate::cli::{CLEAN, HealthArguments};
use crate::config::Config;

use super::{Failure, print, runtime};

/// Runs the command: 0 if the daemon answers that it is well, else 3.
pub fn run(arguments: &HealthArguments) -> Result<u8, Failure> {
    let (mut address, tls) = match &arguments.config {
        None => (Config::default().http.listen, false),
        Some(path) => Config::listen_of(&config_text(path).map_err(Failure::usage)?),
    };
    // A daemon that listens everywhere listens here too.
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let path = if arguments.ready { "readyz" } else { "healthz" };
    let url = format!("{}://{address}/{path}", if tls { "https" } else { "http" });
    let answer = runtime()?.block_on(async {
        tokio::time::timeout(Duration::from_secs(3), ask(address, path, tls))
            .await
            .unwrap_or_else(|_| Err("no answer within 3 s".to_owned()))
    });
    match answer {
        Ok((200, body)) => {
            print(&body)?;
            Ok(CLEAN)
        }
        Ok((status, body)) => Err(Failure::incomplete(format!("{url} answered {status}: {}", body.trim()))),
        Err(error) => Err(Failure::incomplete(format!(
            "{url}: {error}; is `mlfence serve` running, and does --config name its configuration?"
        ))),
    }
}

/// One plain HTTP/1.0 request: a health check needs no client of an HTTP stack.
async fn ask(address: std::net::SocketAddr, path: &str, tls: bool) -> Result<(u16, String), String> {
    let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    if !tls {
        return converse(stream, address, path).await;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(address.ip().into(), stream).await.map_err(|error| error.to_string())?;
    converse(stream, address, path).await
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    address: std::net::SocketAddr,
    path: &str,
) -> Result<(u16, String), String> {
    let words = |error: std::io::Error| error.to_string();
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(words)?;
    let mut answer = Vec::new();
    stream.take(64 << 10).read_to_end(&mut answer).await.map_err(words)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("not an HTTP answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("not an HTTP answer")?;
    Ok((status, body.to_owned()))
}

/// Takes any certificate. It is for the name by which others know this machine, not for its loopback address; and nothing
/// secret is sent: all that is asked is whether somebody is there.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
