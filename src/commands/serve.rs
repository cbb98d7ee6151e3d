//! `mlfence serve`: the daemon, its signals and its listener.

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::info;

use crate::audit::{PolicyArguments, Setup, Sources};
use crate::cli::{CLEAN, LogFormat, ServeArguments};
use crate::daemon::{self, History, Options};
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
    let address = setup.config.listen;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::incomplete(format!("cannot listen on {address} (`http.listen`): {error}"))
    })?;
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
    let bound = listener.local_addr().unwrap_or(address);
    info!("mlfence {} listens on http://{bound}", env!("CARGO_PKG_VERSION"));
    daemon::run(setup, options, history, listener, reload, shutdown).await.map_err(Failure::incomplete)
}
