//! What is drawn: boxes in frames, and lanes between them.

use crate::inventory::ResourceId;

pub(super) use super::verdicts::{Mark, Stands};

/// A picture, before anything has a place on it.
#[derive(Debug, Default)]
pub(super) struct Picture {
    /// The workspace.
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// Verdicts on the workspace itself that are no relation.
    pub(super) marks: Vec<Mark>,
    /// What may be there that nobody could see.
    pub(super) doubts: Vec<String>,
    pub(super) groups: Vec<Group>,
}

/// A VNet with what lives in it, or what lives in none.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) title: String,
    /// The VNet; none where nobody told one.
    pub(super) vnet: Option<ResourceId>,
    pub(super) frames: Vec<Frame>,
}

/// A subnet with what lives in it; without a title what lives in none that was told.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) title: Option<String>,
    /// The subnets that it stands for.
    pub(super) subnets: Vec<ResourceId>,
    pub(super) marks: Vec<Mark>,
    pub(super) nodes: Vec<Node>,
}

/// A box inside a frame.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// Verdicts that are no relation and no pass.
    pub(super) marks: Vec<Mark>,
    /// How many further policies pass.
    pub(super) passes: usize,
    /// Whether what it stands for is not known.
    pub(super) unknown: bool,
    /// Relations with what stands at its left, and at its right.
    pub(super) left: Vec<Lane>,
    pub(super) right: Vec<Lane>,
    /// The relation with the box below.
    pub(super) down: Option<Lane>,
}

/// A relation.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// What stands at the other end.
    pub(super) far: String,
    /// Its name, and what else there is to say of it.
    pub(super) notes: Vec<String>,
    /// Whether the other end lies in the same VNet.
    pub(super) inside: bool,
    /// Whether the facts say that nothing gets through. Verdicts alone never do: one may pass for another reason.
    pub(super) kept_out: bool,
    /// What is required.
    pub(super) what: String,
    pub(super) marks: Vec<Mark>,
    /// The rule or assignment that decides.
    pub(super) by: String,
}

impl Lane {
    /// What the arrow is drawn as: the worst of its verdicts.
    pub(super) fn stands(&self) -> Stands {
        self.marks.iter().map(|mark| mark.stands).min().unwrap_or(Stands::Untold)
    }
}
