//! Azure by its own names: the HTTPS proxy, its certificates, and links that lead back to where the client asked.

mod support;

use armsim::{Options, company};
use std::sync::Arc;
use support::{Answer, Azure, parse, serve, subscription};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// A GET of `https://{host}{path}` by a client that trusts that authority and has us as its proxy.
async fn get(azure: &Azure, authority_pem: &str, host: &str, path: &str) -> std::io::Result<Answer> {
    let mut stream = connect(azure, &format!("{host}:443")).await.expect("the proxy leads there");
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority_pem.as_bytes()).expect("the authority is PEM");
    roots.add(root).expect("the authority is a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).expect("the host is a name");
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, &mut stream).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        azure.token
    );
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(parse(&response))
}

/// The stream behind a CONNECT, or the status that refused it.
async fn connect(azure: &Azure, target: &str) -> Result<TcpStream, u16> {
    let base = azure.server.base_url().strip_prefix("http://").expect("the server is plain http");
    let mut stream = TcpStream::connect(base).await.expect("the server listens");
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("the server answers"));
    }
    let head = String::from_utf8(head).expect("the head is text");
    match head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("there is a status") {
        200 => Ok(stream),
        refused => Err(refused),
    }
}

#[tokio::test]
async fn a_client_that_trusts_our_authority_takes_us_for_azure() {
    let estate = company::healthy();
    let prod = subscription(&estate, "ml-prod");
    let azure = serve(estate, Options { page_size: 1, ..Options::default() }).await;
    let path = "providers/Microsoft.MachineLearningServices/workspaces?api-version=2024-10-01";
    let path = format!("/subscriptions/{prod}/{path}");
    for host in ["management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn"] {
        let answer = get(&azure, azure.server.authority_pem(), host, &path).await.expect("TLS succeeds");
        assert_eq!((answer.status, answer.ids().len()), (200, 1));
        let link = answer.body["nextLink"].as_str().expect("there is a second page");
        assert!(link.starts_with(&format!("https://{host}/subscriptions/")), "{link}");
    }
    assert_eq!(azure.server.stats().of("workspaces"), 3);
}

#[tokio::test]
async fn another_run_s_authority_is_not_ours() {
    let azure = serve(company::healthy(), Options::default()).await;
    let other = serve(company::healthy(), Options::default()).await;
    let refused = get(&azure, other.server.authority_pem(), "management.azure.com", "/").await;
    assert!(refused.is_err_and(|error| error.to_string().contains("certificate")));
}

#[tokio::test]
async fn the_proxy_leads_nowhere_but_to_azure() {
    let azure = serve(company::healthy(), Options::default()).await;
    for target in ["example.com:443", "management.azure.com.example.com:443", "management.azure.com:22"] {
        assert_eq!(connect(&azure, target).await.err(), Some(502), "{target}");
    }
    let plain = azure.send("GET", "http://169.254.169.254/metadata/instance", &[], "").await;
    assert_eq!(plain.status, 502);
    let listed = azure.get("http://management.azure.com/subscriptions?api-version=2022-12-01").await;
    assert_eq!(listed.status, 200);
}

#[tokio::test]
async fn a_tunnel_that_is_not_spoken_in_does_not_hold_up_the_end() {
    let azure = serve(company::healthy(), Options::default()).await;
    let open = connect(&azure, "login.microsoftonline.com:443").await.expect("the proxy leads there");
    azure.server.shutdown().await.expect("the server ends");
    drop(open);
}

#[tokio::test]
async fn the_directory_s_graph_is_there_but_tells_nothing() {
    let azure = serve(company::healthy(), Options::default()).await;
    let answer = azure.get("http://graph.microsoft.com/v1.0/servicePrincipals").await;
    assert_eq!((answer.status, answer.code()), (403, "Authorization_RequestDenied"));
}
