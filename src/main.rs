//! The `mlfence` program. Everything is in the library.

use std::process::ExitCode;

use clap::Parser;

// Measured for this project: evaluation threads contend on the system allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mlfence::cli::Cli::parse().run()
}
