//! Why something is not known: the third value and its reason.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GapReason, ResourceId};

/// A value that was told or proven, or the reason why it is not known.
pub type Known<T> = Result<T, Reason>;

/// Why a fact is not known or a verdict could not be reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// What kind of ignorance it is; a label of metrics, so a small set.
    pub code: Code,
    /// What is missing where, in words.
    pub message: String,
    /// What would settle it, where somebody can do something about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Settle>,
}

/// What would turn an unknown into a verdict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// The kind of deed.
    pub by: SettleBy,
    /// What exactly: an ARM action to be granted, a key to be declared, a subscription to be included.
    pub what: String,
    /// Where.
    pub at: ResourceId,
}

/// The kind of deed that settles an unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettleBy {
    /// Grant mlfence a permission.
    Permission,
    /// Declare something in the configuration.
    Declaration,
    /// Include a subscription, or take a newer snapshot.
    Scope,
    /// Read again: the fault may pass.
    Retry,
}

impl Reason {
    /// A reason in words.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), settle: None }
    }

    /// This reason, with what would settle it.
    pub fn settled_by(self, by: SettleBy, what: impl Into<String>, at: &ResourceId) -> Self {
        Self { settle: Some(Settle { by, what: what.into(), at: at.clone() }), ..self }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident $name:literal,)+) => {
        /// The code of a [`Reason`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Code { $($(#[$doc])+ #[serde(rename = $name)] $variant,)+ }

        impl Code {
            /// The code as it stands in reports and metrics.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }
        }
    };
}

codes! {
    /// Azure refused the read.
    Denied "denied",
    /// The caller's rights do not prove that everything was shown.
    PartialRights "partial_rights",
    /// Azure kept throttling until the sweep's patience ended.
    Throttled "throttled",
    /// No answer in time.
    Timeout "timeout",
    /// Azure or the snapshot lost rows.
    Truncated "truncated",
    /// An answer or a field could not be understood.
    Malformed "malformed",
    /// Azure does not offer this list here.
    Unsupported "unsupported",
    /// Nobody asked: the kind or the subscription is outside this sweep.
    NotAsked "not_asked",
    /// A resource that something refers to was not found in a complete list.
    NotFound "not_found",
    /// The record was read, but this API version does not tell the field.
    NotTold "not_told",
    /// More than one answer fits.
    Ambiguous "ambiguous",
    /// Two sources contradict each other.
    Contradiction "contradiction",
    /// It is not proven which workspace a container group belongs to.
    OwnershipUnproven "ownership_unproven",
    /// It is not proven which network the service lives in.
    PlacementUnproven "placement_unproven",
    /// The resource is being changed right now.
    Transitional "transitional",
    /// The last change failed, so the stored configuration may not be the effective one.
    ProvisioningFailed "provisioning_failed",
    /// The data is there, yet it does not prove the requirement either way.
    Unproven "unproven",
    /// The operator has not declared what only they can know.
    Undeclared "undeclared",
    /// A requirement that the documents leave open, or mark as to be verified.
    Undecidable "undecidable",
    /// The policy left `applies` undefined or proved nothing.
    NoProof "no_proof",
    /// The policy broke its contract or failed to evaluate.
    PolicyError "policy_error",
}

impl From<GapReason> for Code {
    fn from(reason: GapReason) -> Self {
        match reason {
            GapReason::Denied => Code::Denied,
            GapReason::PartialRights => Code::PartialRights,
            GapReason::Throttled => Code::Throttled,
            GapReason::Timeout => Code::Timeout,
            GapReason::Truncated => Code::Truncated,
            GapReason::Malformed => Code::Malformed,
            GapReason::Unsupported => Code::Unsupported,
            GapReason::NotAsked => Code::NotAsked,
            GapReason::NotFound => Code::NotFound,
        }
    }
}
