//! Where results belong: a workspace, a resource that several share, or a scope of which something is hidden.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::facts::SubjectKind;
use crate::findings::Status;
use crate::findings::judge::Subject;
use crate::inventory::ResourceId;
use crate::severity::Severity;

use super::Moment;
use super::text::called;

/// What results are gathered under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A workspace.
    Workspace(ResourceId),
    /// What several workspaces share, or nobody is known to use.
    Shared(SubjectKind, ResourceId),
    /// Subjects that may be in a scope that could not be read.
    Hidden(ResourceId),
}

impl Place {
    /// Where a subject belongs.
    pub(super) fn of(subject: &Subject) -> Self {
        match &subject.workspace {
            _ if subject.hidden => Self::Hidden(subject.id.clone()),
            Some(workspace) => Self::Workspace(workspace.clone()),
            None => Self::Shared(subject.kind, subject.id.clone()),
        }
    }

    /// The resource or scope.
    pub(super) fn id(&self) -> &ResourceId {
        match self {
            Self::Workspace(id) | Self::Shared(_, id) | Self::Hidden(id) => id,
        }
    }

    /// The address of its page: a digest of the id, for an id holds slashes and may be of any length.
    pub(super) fn link(&self) -> String {
        format!("/workspaces/{}", self.key())
    }

    /// The part of the address that names it.
    pub(super) fn key(&self) -> String {
        let id = self.id().key();
        let text = match self {
            Self::Workspace(_) => Sha256::digest(id),
            Self::Shared(kind, _) => Sha256::digest(format!("{} {id}", kind.name())),
            Self::Hidden(_) => Sha256::digest(format!("hidden {id}")),
        };
        text.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What it is, in words, without its name.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Workspace(_) => "Workspace".to_owned(),
            Self::Shared(kind, _) => format!("{}, of several workspaces or none", words(*kind)),
            Self::Hidden(_) => "Not visible in".to_owned(),
        }
    }

    /// Its name; of a subscription the one that people know it by.
    pub(super) fn name<'a>(&'a self, moment: &'a Moment) -> &'a str {
        let id = self.id();
        let whole = id.subscription().filter(|_| id.subscription_id().as_ref() == Some(id));
        whole.and_then(|guid| moment.subscription(guid)).unwrap_or_else(|| called(id))
    }
}

/// A kind of subject, in words.
pub(super) fn words(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Workspace => "workspace",
        SubjectKind::AksCompute => "AKS compute",
        SubjectKind::AksCluster => "AKS cluster",
        SubjectKind::AciService => "web service on Container Instances",
        SubjectKind::Subnet => "subnet",
        SubjectKind::OnlineEndpoint => "online endpoint",
    }
}

/// How a place stands: how many results have each status and severity, worst first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Posture {
    pub(super) counts: [[usize; 4]; 5],
    /// Open findings that could not be checked, by severity.
    pub(super) stale: [usize; 4],
}

impl Posture {
    fn count(&mut self, status: Status, severity: Severity) {
        if let Some(counts) = self.counts.get_mut(position(&Status::ALL, status)) {
            add(counts, severity);
        }
    }

    /// Whether the last sweep has any result of it.
    pub(super) fn is_judged(&self) -> bool {
        self.counts.iter().flatten().any(|n| *n > 0)
    }

    /// How many there are of a status, by severity.
    pub(super) fn of(&self, status: Status) -> [usize; 4] {
        self.counts.get(position(&Status::ALL, status)).copied().unwrap_or_default()
    }

    /// What decides which is worse: what fails or did when it was last checked, the severest first; then what surely
    /// fails, then what is not known.
    fn badness(&self) -> ([usize; 4], [usize; 4], [usize; 4]) {
        let (mut open, fails) = (self.stale, self.of(Status::Fail));
        for (all, n) in open.iter_mut().zip(fails) {
            *all += n;
        }
        (open, fails, self.of(Status::Unknown))
    }
}

fn add(counts: &mut [usize; 4], severity: Severity) {
    if let Some(count) = counts.get_mut(position(&Severity::WORST_FIRST, severity)) {
        *count += 1;
    }
}

fn position<T: PartialEq>(all: &[T], wanted: T) -> usize {
    all.iter().position(|one| *one == wanted).unwrap_or(usize::MAX)
}

/// Every place with its posture, the worst first. Before the first sweep there is only what the ledger kept.
pub(super) fn postures(moment: &Moment) -> Vec<(Place, Posture)> {
    let mut all: BTreeMap<Place, Posture> = BTreeMap::new();
    let ledger = &moment.view().kept.ledger;
    if let Some(swept) = moment.swept() {
        for id in swept.inventory.workspaces.keys() {
            all.entry(Place::Workspace(id.clone())).or_default();
        }
        for result in &swept.report.results {
            all.entry(Place::of(&result.subject)).or_default().count(result.status, result.worst());
        }
    } else {
        for (policy, subject) in ledger.unknowns.keys() {
            let known = moment.view().policies.iter().find(|listed| listed.id == *policy);
            let severity = known.map_or(Severity::Critical, |listed| listed.severity);
            all.entry(Place::of(subject)).or_default().count(Status::Unknown, severity);
        }
    }
    let unchecked = ledger.open.values().filter(|finding| moment.swept().is_none() || finding.is_stale());
    for finding in unchecked {
        add(&mut all.entry(Place::of(&finding.subject)).or_default().stale, finding.severity);
    }
    let mut all: Vec<(Place, Posture)> = all.into_iter().collect();
    all.sort_by(|(a, x), (b, y)| y.badness().cmp(&x.badness()).then_with(|| a.cmp(b)));
    all
}
