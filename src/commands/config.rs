//! `mlfence config check`: every problem of a configuration and its policies, before anything runs.

use std::path::Path;

use crate::audit::{PolicyArguments, Setup};
use crate::cli::CLEAN;

use super::{Failure, print};

/// Runs `config check`.
pub fn check(path: &Path) -> Result<u8, Failure> {
    let setup = Setup::load(Some(path), &PolicyArguments::default())?;
    print(&format!("{}: valid, with {} policies\n", path.display(), setup.bundle.policies().len()))?;
    Ok(CLEAN)
}
