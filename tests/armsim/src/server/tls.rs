//! A certificate authority of our own, and Azure's names under it.
//!
//! Made anew at every start and never written with its key, so that a client who trusts it trusts one
//! run of this program only. Who may open a connection is left to `connection`.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// The hosts of the public, US Government and China clouds that are answered for: Resource Manager, sign-in with its
/// aliases, and the directory's graphs. Their names stand in one certificate.
pub(super) const HOSTS: &[&str] = &[
    "management.azure.com",
    "login.microsoftonline.com",
    "login.windows.net",
    "login.microsoft.com",
    "sts.windows.net",
    "graph.microsoft.com",
    "graph.windows.net",
    "management.usgovcloudapi.net",
    "login.microsoftonline.us",
    "login.usgovcloudapi.net",
    "graph.microsoft.us",
    "management.chinacloudapi.cn",
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
    "microsoftgraph.chinacloudapi.cn",
    "graph.chinacloudapi.cn",
];

/// What a TLS server needs, and what its clients must trust.
pub(super) struct Tls {
    pub(super) authority_pem: String,
    pub(super) acceptor: TlsAcceptor,
}

impl Tls {
    pub(super) fn new() -> io::Result<Self> {
        let (authority_pem, chain, key) = certificates().map_err(io::Error::other)?;
        // Told here, because a process that links two providers has no default one.
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(io::Error::other)?;
        Ok(Self { authority_pem, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

type Chain = Vec<rustls::pki_types::CertificateDer<'static>>;

fn certificates() -> Result<(String, Chain, PrivateKeyDer<'static>), rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "armsim, a simulated Azure");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let root = authority.self_signed(&authority_key)?;

    let mut leaf = CertificateParams::new(HOSTS.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())?;
    leaf.distinguished_name.push(DnType::CommonName, HOSTS[0]);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Strict verifiers (Python's from 3.13 on) want the issuer's key named.
    leaf.use_authority_key_identifier_extension = true;
    let leaf_key = KeyPair::generate()?;
    let signed = leaf.signed_by(&leaf_key, &Issuer::new(authority, authority_key))?;
    let key = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
    Ok((root.pem(), vec![signed.der().clone()], key.into()))
}
