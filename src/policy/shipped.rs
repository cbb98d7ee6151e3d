//! The texts that are compiled in.
//!
//! A plain list rather than a build script: a test compares it with the folder, so a forgotten file is noticed,
//! and nothing has to run before the compiler.

use super::source::{Origin, SourceFile};

macro_rules! shipped {
    ($($path:literal),+ $(,)?) => {
        /// Path and text of every shipped file, below `policies/`.
        pub const SHIPPED: &[(&str, &str)] =
            &[$((concat!("policies/", $path), include_str!(concat!("../../policies/", $path)))),+];
    };
}

shipped! {
    "azure/aks/region_matches_workspace.rego",
    "azure/aks/region_matches_workspace_test.rego",
    "testing/documents.rego",
}

/// The shipped files as a bundle's files.
pub fn shipped_files() -> Vec<SourceFile> {
    let file = |(path, text): &(&str, &str)| SourceFile {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
        origin: Origin::Shipped,
    };
    SHIPPED.iter().map(file).collect()
}
