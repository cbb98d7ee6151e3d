//! `mlfence health`: asks the local daemon, for container health checks.

use std::time::Duration;

use crate::audit::config_text;
use crate::cli::{CLEAN, HealthArguments};
use crate::config::Config;

use super::{Failure, print, runtime};

/// Runs the command: 0 if the daemon answers that it is well, else 3.
pub fn run(arguments: &HealthArguments) -> Result<u8, Failure> {
    let mut address = match &arguments.config {
        None => Config::default().listen,
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
    let url = format!("http://{address}/{path}");
    let answer = runtime()?.block_on(async {
        tokio::time::timeout(Duration::from_secs(3), ask(address, path))
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

/// One plain HTTP/1.0 request: a health check must not need a TLS stack, and the daemon is on this machine.
async fn ask(address: std::net::SocketAddr, path: &str) -> Result<(u16, String), String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let words = |error: std::io::Error| error.to_string();
    let mut stream = tokio::net::TcpStream::connect(address).await.map_err(words)?;
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(words)?;
    let mut answer = Vec::new();
    stream.take(64 << 10).read_to_end(&mut answer).await.map_err(words)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("not an HTTP answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("not an HTTP answer")?;
    Ok((status, body.to_owned()))
}
