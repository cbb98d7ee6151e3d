//! `mlfence serve`: the daemon, its signals and its listener.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::audit::{PolicyArguments, Setup, Sources};
use crate::cli::{CLEAN, LogFormat, ServeArguments};
use crate::config::Http;
use crate::config::http::Scope;
use crate::daemon::{self, History, Options};
use crate::outlets::http::{Certificate, Limits, Listeners};
use crate::telemetry;

use super::{Failure, runtime};

/// Runs the command until SIGTERM or SIGINT.
pub fn run(arguments: ServeArguments) -> Result<u8, Failure> {
    telemetry::start("info", arguments.log_format == LogFormat::Json);
    let policies = PolicyArguments {
        directories: arguments.policies,
        allow_replace: arguments.allow_replace,
        whole_gate: false,
        waivers: Vec::new(),
    };
    // Before the files are read for use: what changes in between is seen as a change.
    let sources = Sources::read(&arguments.config, &policies);
    let setup = Setup::load(Some(&arguments.config), &policies)?;
    let options = Options { config: arguments.config, policies, sources };
    let runtime = runtime()?;
    runtime.block_on(serve(setup, options))?;
    // A blocking evaluation under way has nothing to lose; the process does not wait for it.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(CLEAN)
}

async fn serve(setup: Setup, options: Options) -> Result<(), Failure> {
    // Before the listener: a daemon whose ledger is refused must not look alive for a moment.
    let history = History::open(&setup.config.ledger).await.map_err(Failure::usage)?;
    let listeners = listen(&setup.config.http).await?;
    let broken = |error| Failure::incomplete(format!("cannot wait for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(broken)?;
    let (ask, reload) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // A full channel means that a reload is already waiting.
            let _ = ask.try_send(());
        }
    });
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    announce(&setup.config.http, &listeners);
    daemon::run(setup, options, history, listeners, reload, shutdown).await.map_err(Failure::incomplete)
}

async fn listen(http: &Http) -> Result<Listeners, Failure> {
    let certificate = http.tls.as_ref().map(Certificate::read).transpose();
    let certificate = certificate.map_err(|error| Failure::usage(format!("`http.tls`: {error}")))?;
    let bind = async |address: SocketAddr, key: &str| {
        TcpListener::bind(address)
            .await
            .map_err(|error| Failure::incomplete(format!("cannot listen on {address} (`{key}`): {error}")))
    };
    let main = bind(http.listen, "http.listen").await?;
    let metrics = match http.metrics {
        Some(address) => Some(bind(address, "http.metrics.listen").await?),
        None => None,
    };
    Ok(Listeners { main, metrics, certificate, limits: Limits::default() })
}

/// Says where it listens, for whom, and what its operator may not have meant.
fn announce(http: &Http, listeners: &Listeners) {
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    let address = |listener: &TcpListener, asked| listener.local_addr().unwrap_or(asked);
    if let (Some(metrics), Some(asked)) = (&listeners.metrics, http.metrics) {
        info!("metrics are at {scheme}://{}/metrics", address(metrics, asked));
    }
    let anonymous = http.anonymous();
    let elsewhere = !http.listen.ip().is_loopback();
    if elsewhere && http.tokens.is_empty() && !Scope::Read.is_in(&anonymous) {
        info!("without `http.tokens` only metrics and health are served, and no finding");
    }
    if elsewhere && Scope::Read.is_in(&anonymous) {
        warn!("everybody who reaches the address may read every finding (`http.anonymous`)");
    }
    if elsewhere && !http.tokens.is_empty() && http.tls.is_none() {
        warn!("tokens travel in the clear unless something before this address speaks TLS (`http.tls`)");
    }
    info!(
        "mlfence {} listens on {scheme}://{}",
        env!("CARGO_PKG_VERSION"),
        address(&listeners.main, http.listen)
    );
}
