//! Provisioning states, folded into what a verdict has to know of them.

use super::field::{Field, Part};
use super::{Code, Known, Reason, ResourceId};

/// Where a resource stands in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The stored configuration is the effective one.
    Settled,
    /// A change is under way.
    Changing(String),
    /// The last change failed: what is stored may not be what is in effect.
    Failed(String),
    /// On its way out; neither a subject nor a witness.
    Deleting,
}

impl State {
    /// Whether the last change failed; one that was canceled did not.
    pub fn has_failed(&self) -> bool {
        matches!(self, State::Failed(word) if word.eq_ignore_ascii_case("failed"))
    }

    /// Reads a state; a word that is not known counts as a change under way, because it proves nothing.
    pub(super) fn read(field: &Field, part: Part<'_>) -> Known<Self> {
        let text = field.told_text(part)?;
        Ok(match text.to_ascii_lowercase().as_str() {
            "succeeded" | "healthy" | "unhealthy" | "running" | "stopped" => State::Settled,
            "failed" | "canceled" | "cancelled" | "unschedulable" => State::Failed(text.to_owned()),
            "deleting" | "deleted" => State::Deleting,
            _ => State::Changing(text.to_owned()),
        })
    }
}

/// Why a pass that rests on a resource in this state may not be claimed; none if it is settled.
pub fn unsettled(state: &Known<State>, id: &ResourceId) -> Option<Reason> {
    match state {
        Ok(State::Settled) => None,
        Ok(State::Changing(word)) => {
            Some(Reason::new(Code::Transitional, format!("{id} is `{word}`; judged again at the next sweep")))
        }
        Ok(State::Deleting) => Some(Reason::new(Code::Transitional, format!("{id} is being deleted"))),
        Ok(State::Failed(word)) => Some(Reason::new(
            Code::ProvisioningFailed,
            format!("{id} is `{word}`, so its stored configuration may not be the effective one"),
        )),
        Err(reason) => Some(reason.clone()),
    }
}
