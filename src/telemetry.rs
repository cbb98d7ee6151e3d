//! How logs are set up: to stderr, human or JSON, filtered by `MLFENCE_LOG`.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging. `default` is the filter when `MLFENCE_LOG` is not set, such as `warn` or `mlfence=info`.
pub fn start(default: &str, json: bool) {
    let filter = EnvFilter::try_from_env("MLFENCE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // A log that cannot be written must not end the process, as complaining of it on the same stderr would.
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .log_internal_errors(false);
    // A second start in one process (tests) keeps the first.
    let _ = if json { logs.json().try_init() } else { logs.with_ansi(io::stderr().is_terminal()).try_init() };
}
