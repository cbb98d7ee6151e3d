//! The answer to a question, with what decided it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::{Code, Known, ObjectId, Reason, ResourceId, RoleId, Truth};

/// Yes, no or unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Proven to hold.
    Yes,
    /// Proven not to hold.
    No,
    /// Neither is proven.
    Unknown,
}

impl Verdict {
    /// Whether all hold; of none, nothing is proven.
    pub fn all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = None;
        for verdict in verdicts {
            all = Some(match (all, verdict) {
                (Some(Self::No), _) | (_, Self::No) => Self::No,
                (Some(Self::Unknown), _) | (_, Self::Unknown) => Self::Unknown,
                _ => Self::Yes,
            });
        }
        all.unwrap_or(Self::Unknown)
    }
}

impl From<Truth> for Verdict {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::Yes => Self::Yes,
            Truth::No => Self::No,
            Truth::Maybe => Self::Unknown,
        }
    }
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The answer, denials included.
    pub verdict: Verdict,
    /// Whether the role itself is assigned, denials left aside; none where an action was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documented: Option<Verdict>,
    /// Whether grants suffice, denials left aside; for a role, whether they give at least what it gives.
    pub granted: Verdict,
    /// The assignments that give what is wanted, the role itself first, then the nearest to the scope. They may be
    /// there beside a no, if a denial decides.
    pub decided_by: Vec<Grant>,
    /// The assignments that would decide if what `reasons` say were known.
    pub undecided: Vec<Grant>,
    /// The deny assignments that decide a no, or may.
    pub denied_by: Vec<Denial>,
    /// Beside a no: what came near.
    pub misses: Vec<Miss>,
    /// Why the answer is not known, sorted; empty beside yes and no.
    pub reasons: Vec<Reason>,
    /// Remarks.
    pub notes: Vec<Note>,
}

impl Answer {
    /// Nothing is known, for this reason.
    pub fn unknown(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Unknown,
            documented: None,
            granted: Verdict::Unknown,
            decided_by: Vec::new(),
            undecided: Vec::new(),
            denied_by: Vec::new(),
            misses: Vec::new(),
            reasons: vec![reason],
            notes: Vec::new(),
        }
    }

    /// The verdict as a fact.
    pub fn known(&self) -> Known<bool> {
        match self.verdict {
            Verdict::Yes => Ok(true),
            Verdict::No => Ok(false),
            Verdict::Unknown => Err(self.reasons.first().cloned().unwrap_or_else(|| {
                Reason::new(Code::Unproven, "the access question was left open without a reason")
            })),
        }
    }
}

/// A role assignment as a witness.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its id.
    pub assignment: ResourceId,
    /// The role's guid.
    pub role: Option<RoleId>,
    /// The role's name, where its definition was read.
    pub role_name: Option<String>,
    /// Where it was granted.
    pub scope: Option<ResourceId>,
    /// Whether it was granted above the scope that was asked about.
    pub inherited: bool,
    /// To whom, if not to the principal itself: a group.
    pub via: Option<ObjectId>,
}

/// A deny assignment as a witness.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// Its id.
    pub assignment: ResourceId,
    /// Where it applies.
    pub scope: Option<ResourceId>,
    /// Whether it surely takes what is wanted.
    pub certain: bool,
}

/// A grant that came near.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Miss {
    /// How it misses.
    pub kind: MissKind,
    /// The grant.
    pub grant: Grant,
}

/// How a grant misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissKind {
    /// The right role for the right principal, below the scope.
    NarrowerScope,
    /// The right role for the right principal, at a scope beside this one.
    OtherScope,
    /// The right role for the nodes' identity instead of the control plane's.
    Kubelet,
    /// The right role for a group that the principal is not in.
    Group,
    /// A role at this scope that does not give what is wanted.
    OtherRole,
}

/// A remark on an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Which.
    pub code: NoteCode,
    /// In words.
    pub message: String,
}

/// The kind of a [`Note`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteCode {
    /// Every deciding grant is less than an hour old and may not work yet.
    RecentGrant,
    /// A role copied the singular `subnet/join/action` from an article; there is no such operation.
    MisspeltAction,
    /// The role itself is not assigned, but everything that it gives is.
    OtherRoleSuffices,
    /// The grant exists, and a denial takes it.
    GrantDenied,
}
