//! `mlfence token`: makes a token for the daemon's page and API, and the line of configuration that knows it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::cli::{CLEAN, TokenArguments};

use super::{Failure, print};

/// Runs the command. The token is printed once and kept nowhere.
pub fn run(arguments: &TokenArguments) -> Result<u8, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::incomplete(format!("the system gives no randomness: {error}")))?;
    // The prefix tells people, and scanners for secrets, what it is.
    let token = format!("mlfence_{}", URL_SAFE_NO_PAD.encode(bytes));
    let digest: String = Sha256::digest(&token).iter().map(|byte| format!("{byte:02x}")).collect();
    let scopes: Vec<&str> = arguments.scope.iter().map(|scope| scope.name()).collect();
    print(&format!(
        "The token, for whoever uses it; it is shown only now:\n\n    {token}\n\n\
         For the configuration, which knows it by its hash:\n\n    http:\n      tokens:\n      \
         - {{ name: {}, sha256: {digest}, scopes: [{}] }}\n",
        arguments.name,
        scopes.join(", ")
    ))?;
    Ok(CLEAN)
}
