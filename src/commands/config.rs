//! `mlfence config check`: every problem of a configuration, its policies and its waivers, before anything runs.

use std::path::Path;

use time::OffsetDateTime;

use crate::audit::{PolicyArguments, Setup};
use crate::cli::CLEAN;

use super::{Failure, print};

/// Runs `config check`.
pub fn check(path: &Path) -> Result<u8, Failure> {
    let setup = Setup::load(Some(path), &PolicyArguments::default())?;
    let waivers = match setup.waivers.len() {
        0 => String::new(),
        1 => " and 1 waiver".to_owned(),
        n => format!(" and {n} waivers"),
    };
    print(&format!("{}: valid, with {} policies{waivers}\n", path.display(), setup.bundle.policies().len()))?;
    // Not wrong, and of no use: what it accepted fails again.
    let today = OffsetDateTime::now_utc().date();
    for waiver in setup.waivers.iter().filter(|waiver| waiver.expires < today) {
        print(&format!("{}: remark: the waiver ended on {} and does nothing\n", waiver.at, waiver.expires))?;
    }
    Ok(CLEAN)
}
