//! What is left open for want of the directory: on which groups an answer hangs, and which of them Azure would tell.

use std::collections::BTreeSet;

use super::ancestry::Ancestry;
use super::answer::Verdict;
use super::judge::Asked;
use super::membership::{Membership, group_of};
use super::{Access, Question, deny};
use crate::inventory::{ObjectId, ResourceId, Truth};

impl Access<'_> {
    /// Whether Azure may be asked for the groups of this principal, and could tell anything: it resolves those of users
    /// and service principals, never those of a group.
    pub(in crate::facts) fn may_ask_about(&self, principal: &ObjectId) -> bool {
        self.has_shared() && principal.is_guid() && !principal.is_everyone() && !self.is_group(principal)
    }

    /// The groups on which an unknown answer hangs. None if the answer is known, or if no membership could make it a
    /// yes: beside a condition, say, or a denial of everyone.
    pub(in crate::facts) fn open_groups(&mut self, question: &Question) -> BTreeSet<ObjectId> {
        let now = self.ask(question);
        if now.verdict != Verdict::Unknown {
            return BTreeSet::new();
        }
        let principal = &question.principal;
        let (mut groups, spared) = self.supposing(principal, Membership::supposed(true), |access| {
            let asked = Asked::of(access, question);
            let gathered = asked.gather(principal);
            let groups: BTreeSet<ObjectId> = match asked.granted(&gathered) {
                Truth::Yes => gathered.candidates.iter().filter_map(|one| one.group().cloned()).collect(),
                _ => BTreeSet::new(),
            };
            (groups, deny::denied(&asked).truth == Truth::No)
        });
        if now.granted == Verdict::Yes {
            // Nothing more needs to be given; a denial is what is open.
            groups.clear();
        } else if groups.is_empty() {
            return groups;
        }
        let spared = spared
            || self.supposing(principal, Membership::supposed(false), |access| {
                deny::denied(&Asked::of(access, question)).truth == Truth::No
            });
        if !spared {
            return BTreeSet::new();
        }
        let asked = Asked::of(self, question);
        groups.extend(deny::named_where_open(&asked).filter(|id| *id != principal).cloned());
        let known = self.membership(principal);
        groups.retain(|group| known.is_none_or(|answers| answers.in_group(group.as_str()) == Truth::Maybe));
        groups
    }

    /// The groups of which Azure's answer about a principal at a scope would tell whether the principal is in them:
    /// those to which anything is granted at or above it.
    pub(in crate::facts) fn told_groups(&self, principal: &ObjectId, scope: &ResourceId) -> BTreeSet<&str> {
        let ancestry = Ancestry::of(self.rights(), self.coverage(), scope);
        let places = ancestry.places().filter_map(|scope| self.place(scope));
        let shared = places.flat_map(|place| place.shared()).flatten();
        shared.filter_map(|assignment| group_of(assignment, principal)).collect()
    }
}
