//! A digest over every file that a setup is read from, to see that one changed. Reading them for use is the parent's.
//!
//! Contents rather than time stamps: Kubernetes exchanges a ConfigMap by turning a link, which leaves the time of every
//! file that has the same text, and an editor may save twice within a tick.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{LARGEST_CONFIG, PolicyArguments, beside, collect_rego, read_bytes};
use crate::config::Config;
use crate::findings::waivers::read::LARGEST_FILE;

/// A digest of a setup's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources([u8; 32]);

impl Sources {
    /// Reads the files as they are now. What cannot be read counts by its error, so that its return is a change.
    pub fn read(path: &Path, arguments: &PolicyArguments) -> Self {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        let text = read_bytes(path, LARGEST_CONFIG);
        match &text {
            Ok(text) => add(text),
            Err(error) => add(error.to_string().as_bytes()),
        }
        // Where the text is wrong elsewhere, its folders count all the same.
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
        let (mut config, _) = Config::read(&text);
        beside(path, &mut config);
        for folder in config.policies.directories.iter().chain(&arguments.directories) {
            let mut files = Vec::new();
            if let Err(error) = collect_rego(folder, &mut files) {
                add(error.to_string().as_bytes());
            }
            for file in files {
                add(file.path.as_bytes());
                add(file.text.as_bytes());
            }
        }
        for file in &config.waivers.files {
            match read_bytes(file, LARGEST_FILE) {
                Ok(text) => add(&text),
                Err(error) => add(error.to_string().as_bytes()),
            }
        }
        Self(hash.finalize().into())
    }
}
