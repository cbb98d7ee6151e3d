//! One step of the life cycle: old ledger and sweep in, new ledger and changes out.

use time::{Date, OffsetDateTime};

use super::resolution::Told;
use super::{Changes, Finding, Ledger, Resolution, Resolved, Sweep, Terms, unknowns};
use crate::findings::PolicyResult;
use crate::findings::judge::Violation;

impl Ledger {
    /// The ledger after a sweep. A finding is resolved only by proof or by a person's decision; what a gap hides stays, stale.
    /// Proof lasts until it is seen again; a decision lasts as long as somebody stands by it, whatever can be seen.
    pub fn advance(&self, sweep: &Sweep<'_>, terms: &Terms, now: i64) -> (Ledger, Changes) {
        let told = Told::by(sweep);
        let unknowns = unknowns::advance(&self.unknowns, sweep, &told, now);
        let mut step = Step {
            before: self,
            told: &told,
            terms,
            now,
            after: Ledger { unknowns, ..Ledger::default() },
            changes: Changes::default(),
        };
        // By fingerprint, so that the order of the results never matters.
        for (id, (result, violation)) in &told.violations {
            step.sighted(id, result, violation);
        }
        for (id, (result, violation)) in &told.waived {
            step.accepted(id, result, violation);
        }
        let seen = |id: &str| told.violations.contains_key(id) || told.waived.contains_key(id);
        let unseen = |id: &String| !seen(id);
        for (id, finding) in self.open.iter().filter(|(id, _)| unseen(id)) {
            step.open_unseen(id, finding);
        }
        for (id, finding) in self.pending.iter().filter(|(id, _)| unseen(id)) {
            step.pending_unseen(id, finding);
        }
        for (id, resolved) in self.resolved.iter().filter(|(id, _)| unseen(id)) {
            step.resolved_unseen(id, resolved);
        }
        // Who is seen comes before who is not.
        step.changes.in_order();
        (step.after, step.changes)
    }

    /// What is known of a fingerprint, whatever state it is in.
    pub fn finding(&self, id: &str) -> Option<&Finding> {
        let resolved = || self.resolved.get(id).map(|resolved| &resolved.finding);
        self.open.get(id).or_else(|| self.pending.get(id)).or_else(resolved)
    }
}

struct Step<'a> {
    before: &'a Ledger,
    told: &'a Told<'a>,
    terms: &'a Terms,
    now: i64,
    after: Ledger,
    changes: Changes,
}

impl Step<'_> {
    fn sighted(&mut self, id: &str, result: &PolicyResult, violation: &Violation) {
        let known = self.before.finding(id);
        let mut finding = Finding::sighted(result, violation, known, self.now);
        if let Some(was) = self.before.open.get(id) {
            if finding.moved(was) {
                self.changes.changed.push(id.to_owned());
            }
            self.after.open.insert(id.to_owned(), finding);
            return;
        }
        let resolved = self.before.resolved.get(id);
        let streak = known.map_or(0, |known| known.streak).saturating_add(1);
        // It was taken away by a decision, at once, and nobody stands by that any more.
        let decided = resolved.is_some_and(|resolved| resolved.resolution.is_decision());
        if decided || streak >= self.terms.open_after {
            finding.opened_at = self.now;
            if resolved.is_some() {
                finding.reopened = finding.reopened.saturating_add(1);
                self.changes.reopened.push(id.to_owned());
            } else {
                self.changes.opened.push(id.to_owned());
            }
            self.after.open.insert(id.to_owned(), finding);
        } else if let Some(resolved) = resolved {
            // It stays what it was until it is seen often enough.
            let finding = Finding { streak, ..resolved.finding.clone() };
            self.after.resolved.insert(id.to_owned(), Resolved { finding, ..*resolved });
        } else {
            self.after.pending.insert(id.to_owned(), Finding { streak, ..finding });
        }
    }

    /// It is kept as it is seen: what a waiver was given for is compared with that once it can no longer be seen.
    fn accepted(&mut self, id: &str, result: &PolicyResult, violation: &Violation) {
        let finding = Finding::sighted(result, violation, self.before.finding(id), self.now);
        if self.before.open.contains_key(id) {
            self.changes.resolved.push((id.to_owned(), Resolution::Waived));
        }
        let mut resolved = match self.before.resolved.get(id) {
            Some(resolved) => Resolved { finding, ..*resolved },
            None => Resolved { finding, at: self.now, resolution: Resolution::Waived },
        };
        resolved.turn(Resolution::Waived, self.now);
        self.after.resolved.insert(id.to_owned(), resolved);
    }

    fn open_unseen(&mut self, id: &str, finding: &Finding) {
        let mut finding = finding.clone();
        let Some(resolution) = self.told.resolution(&finding.policy, &finding.subject) else {
            finding.stale_since = finding.stale_since.or(Some(self.now));
            self.after.open.insert(id.to_owned(), finding);
            return;
        };
        finding.stale_since = None;
        finding.streak = finding.streak.saturating_add(1);
        if resolution.is_decision() || finding.streak >= self.terms.resolve_after {
            finding.streak = 0;
            self.changes.resolved.push((id.to_owned(), resolution));
            self.after.resolved.insert(id.to_owned(), Resolved { finding, at: self.now, resolution });
        } else {
            self.after.open.insert(id.to_owned(), finding);
        }
    }

    /// A gap neither counts for it nor against it.
    fn pending_unseen(&mut self, id: &str, finding: &Finding) {
        if self.told.resolution(&finding.policy, &finding.subject).is_none() {
            self.after.pending.insert(id.to_owned(), finding.clone());
        }
    }

    fn resolved_unseen(&mut self, id: &str, resolved: &Resolved) {
        let mut resolved = resolved.clone();
        let finding = &mut resolved.finding;
        let told = self.told.resolution(&finding.policy, &finding.subject);
        let accepted = self.told.is_accepted(finding, self.today());
        if !resolved.resolution.is_decision() {
            if told.is_some() {
                finding.streak = 0;
            }
        } else if let Some(proof) = told.filter(|told| !told.is_decision()) {
            finding.streak = finding.streak.saturating_add(1);
            if finding.streak >= self.terms.resolve_after {
                finding.streak = 0;
                resolved.turn(proof, self.now);
            }
        } else if let Some(decision) = told.or(accepted.then_some(Resolution::Waived)) {
            resolved.turn(decision, self.now);
        } else {
            // Nobody stands by what was decided, and nobody can see that it is gone.
            finding.opened_at = self.now;
            finding.stale_since = Some(self.now);
            finding.reopened = finding.reopened.saturating_add(1);
            self.changes.reopened.push(id.to_owned());
            self.after.open.insert(id.to_owned(), resolved.finding);
            return;
        }
        let old = resolved.at.saturating_add(self.terms.retention_seconds) <= self.now;
        // A decision that got here stands, or is not disproved often enough: whoever takes it back must find what it was about.
        if !old || resolved.resolution.is_decision() {
            self.after.resolved.insert(id.to_owned(), resolved);
        }
    }

    fn today(&self) -> Date {
        OffsetDateTime::from_unix_timestamp(self.now).map_or(Date::MAX, OffsetDateTime::date)
    }
}
