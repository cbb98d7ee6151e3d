//! The `armsim` program: serve a snapshot, or write an estate.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("armsim: {error}");
            ExitCode::FAILURE
        }
    }
}
