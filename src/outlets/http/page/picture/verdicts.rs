//! The report's verdicts, laid on the picture: which relation or box shows which, and what no arrow shows.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::facts::SubjectKind;
use crate::findings::judge::Violation;
use crate::findings::{PolicyResult, Status};
use crate::inventory::ResourceId;

/// How a relation stands, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stands {
    /// Violated.
    Fail,
    /// Not known.
    Unknown,
    /// Violated or unknown, and accepted.
    Waived,
    /// Nothing was said of this very relation.
    Untold,
    /// Proven.
    Pass,
    /// Proven not to matter.
    NotApplicable,
}

impl Stands {
    /// The class that the style knows it by.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Waived => "waived",
            Self::Untold => "untold",
            Self::Pass => "pass",
            Self::NotApplicable => "na",
        }
    }

    /// The sign before its name.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Fail => "✗",
            Self::Unknown => "?",
            Self::Waived => "~",
            Self::Untold => "·",
            Self::Pass => "✓",
            Self::NotApplicable => "–",
        }
    }

    /// In words.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Waived => "waived",
            Self::Untold => "not judged here",
            Self::Pass => "pass",
            Self::NotApplicable => "not applicable",
        }
    }
}

impl From<Status> for Stands {
    fn from(status: Status) -> Self {
        match status {
            Status::Fail => Self::Fail,
            Status::Unknown => Self::Unknown,
            Status::Waived => Self::Waived,
            Status::Pass => Self::Pass,
            Status::NotApplicable => Self::NotApplicable,
        }
    }
}

/// A policy's verdict at a place of the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) policy: String,
    pub(super) stands: Stands,
    /// The finding behind it.
    pub(super) finding: Option<String>,
}

/// The verdicts that concern a workspace, and which of them are on the picture already.
pub(super) struct Verdicts<'a> {
    results: &'a [&'a PolicyResult],
    shown: RefCell<BTreeSet<(&'a str, &'a ResourceId, Stands)>>,
}

impl<'a> Verdicts<'a> {
    pub(super) fn of(results: &'a [&'a PolicyResult]) -> Self {
        Self { results, shown: RefCell::default() }
    }

    /// The verdicts of these policies on a subject, as marks.
    pub(super) fn marks(&self, policies: &[&str], subject: &ResourceId) -> Vec<Mark> {
        self.at(policies, subject, None)
    }

    /// The same, as far as they concern one of the subject's networks, registries or groups.
    pub(super) fn marks_at(&self, policies: &[&str], subject: &ResourceId, target: &ResourceId) -> Vec<Mark> {
        self.at(policies, subject, Some(target))
    }

    fn at(&self, policies: &[&str], subject: &ResourceId, target: Option<&ResourceId>) -> Vec<Mark> {
        let mine = |policy: &&str| {
            let result =
                self.visible().find(|result| result.policy == **policy && result.subject.id == *subject)?;
            let mark = mark(result, target);
            self.shown.borrow_mut().insert((&result.policy, &result.subject.id, mark.stands));
            Some(mark)
        };
        policies.iter().filter_map(mine).collect()
    }

    fn visible(&self) -> impl Iterator<Item = &'a PolicyResult> + use<'a> {
        self.results.iter().copied().filter(|result| !result.subject.hidden)
    }

    /// What no arrow shows of a subject's verdicts: marks for what is no pass, and how many passes.
    pub(super) fn rest(&self, kind: SubjectKind, subject: &ResourceId) -> (Vec<Mark>, usize) {
        let own =
            || self.visible().filter(|result| result.subject.kind == kind && result.subject.id == *subject);
        let shown = self.shown.borrow();
        let left = |result: &&PolicyResult| {
            let stands = Stands::from(result.status);
            !shown
                .iter()
                .any(|(policy, id, seen)| *policy == result.policy && *id == subject && *seen == stands)
        };
        let told = own()
            .filter(left)
            .filter(|result| !matches!(result.status, Status::Pass | Status::NotApplicable));
        let marks = told.map(|result| mark(result, None)).collect();
        (marks, own().filter(left).filter(|result| result.status == Status::Pass).count())
    }

    /// Why subjects may be hidden that would belong on the picture.
    pub(super) fn hidden(&self) -> Vec<String> {
        let mut told = BTreeSet::new();
        for result in self.results.iter().filter(|result| result.subject.hidden) {
            if let Some(reason) = result.reasons.first() {
                told.insert(format!("more may be there that nobody could see: {reason}"));
            }
        }
        told.into_iter().collect()
    }
}

fn mark(result: &PolicyResult, target: Option<&ResourceId>) -> Mark {
    let violations = || {
        result.violations.iter().filter(|violation| target.is_none_or(|target| concerns(violation, target)))
    };
    let standing = violations().find(|violation| violation.waiver.is_none());
    let finding = standing.or_else(|| violations().next());
    let stands = match (result.status, standing, finding) {
        (Status::Fail, Some(_), _) => Stands::Fail,
        (Status::Fail, None, Some(_)) => Stands::Waived,
        // It fails, but of this very relation nothing is said: neither that it fails nor that it holds.
        (Status::Fail, None, None) => Stands::Untold,
        (Status::Waived, None, None) if !result.violations.is_empty() => Stands::Untold,
        (status, ..) => status.into(),
    };
    Mark { policy: result.policy.clone(), stands, finding: finding.map(|violation| violation.id.clone()) }
}

/// Whether a violation is about a resource: as the one to look at, or by its key.
fn concerns(violation: &Violation, target: &ResourceId) -> bool {
    let is = |text: &str| ResourceId::parse(text).is_some_and(|id| id == *target);
    violation.resource.as_deref().is_some_and(is) || violation.key.split(' ').any(is)
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use time::macros::date;

    use super::*;
    use crate::findings::Waiver;
    use crate::findings::judge::{Origin, Subject};
    use crate::findings::waivers::Accepts;
    use crate::severity::Severity;

    fn id(name: &str) -> ResourceId {
        ResourceId::parse(&format!("/subscriptions/s/{name}")).expect("an id")
    }

    fn waiver() -> Waiver {
        Waiver {
            id: None,
            policy: "X-001".to_owned(),
            scope: id("a"),
            key: None,
            accepts: Accepts::Fail,
            reason: String::new(),
            owner: String::new(),
            expires: date!(2027 - 01 - 01),
            evidence: None,
            allow_broad: false,
            at: String::new(),
        }
    }

    /// A verdict with violations, each at a resource or with it in its key, and waived or not.
    fn result(status: Status, violations: &[(Option<&str>, &str, bool)]) -> PolicyResult {
        let violation = |(resource, key, waived): &(Option<&str>, &str, bool)| Violation {
            id: format!("{resource:?} {key}"),
            key: (*key).to_owned(),
            message: String::new(),
            severity: Severity::High,
            resource: resource.map(|name| id(name).to_string()),
            evidence: Map::new(),
            remediation: String::new(),
            evidence_digest: String::new(),
            waiver: waived.then(waiver),
        };
        PolicyResult {
            policy: "X-001".to_owned(),
            title: String::new(),
            severity: Severity::High,
            status,
            subject: Subject { kind: SubjectKind::Subnet, id: id("subject"), workspace: None, hidden: false },
            labels: std::collections::BTreeMap::new(),
            reason: None,
            reasons: Vec::new(),
            waiver: None,
            would_be: None,
            violations: violations.iter().map(violation).collect(),
            complete: true,
            doubts: Vec::new(),
            notes: Vec::new(),
            documents: Vec::new(),
            origin: Origin { bundle: "shipped".to_owned(), digest: String::new() },
        }
    }

    #[test]
    fn a_relation_shows_its_own_violation_and_never_passes_where_another_fails() {
        let two = &[(Some("a"), "k", false), (None, "someone /SUBSCRIPTIONS/s/b", true)][..];
        let waived = &[(None, "someone /SUBSCRIPTIONS/s/b", true)][..];
        let cases = [
            (Status::Fail, two, None, Stands::Fail),
            (Status::Fail, two, Some("a"), Stands::Fail),
            (Status::Fail, two, Some("b"), Stands::Waived),
            (Status::Fail, two, Some("c"), Stands::Untold),
            (Status::Waived, waived, Some("b"), Stands::Waived),
            (Status::Waived, waived, Some("c"), Stands::Untold),
            // An accepted unknown.
            (Status::Waived, &[], Some("c"), Stands::Waived),
            (Status::Unknown, &[], Some("a"), Stands::Unknown),
            (Status::Pass, &[], Some("a"), Stands::Pass),
            (Status::NotApplicable, &[], None, Stands::NotApplicable),
        ];
        for (status, violations, target, expected) in cases {
            let target = target.map(id);
            let shown = mark(&result(status, violations), target.as_ref());
            assert_eq!(shown.stands, expected, "{status:?} at {target:?}");
        }
    }

    #[test]
    fn what_no_arrow_shows_is_left_for_the_box() {
        let failing = result(Status::Fail, &[(Some("a"), "k", false)]);
        let results = [&failing];
        let verdicts = Verdicts::of(&results);
        // The relation with another resource does not show the failure.
        verdicts.marks_at(&["X-001"], &id("subject"), &id("c"));
        let (rest, passes) = verdicts.rest(SubjectKind::Subnet, &id("subject"));
        assert_eq!((rest.len(), passes), (1, 0));
        verdicts.marks_at(&["X-001"], &id("subject"), &id("a"));
        assert_eq!(verdicts.rest(SubjectKind::Subnet, &id("subject")).0, []);
    }
}
