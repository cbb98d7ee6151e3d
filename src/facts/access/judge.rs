//! The decision: gather the assignments that may concern the question, weigh them, then the denials.

use std::collections::BTreeMap;
use std::rc::Rc;

use time::{Duration, OffsetDateTime};

use super::ancestry::Ancestry;
use super::answer::{Answer, Grant, Note, NoteCode, Verdict};
use super::grant::{Demand, Gives};
use super::index::Place;
use super::{Access, Question, SUBNET_JOIN, SUBNET_JOIN_MISSPELT, Wanted, deny, miss};
use crate::inventory::authorization::{Pattern, Principal, RoleAssignment};
use crate::inventory::kubernetes::Cluster;
use crate::inventory::{Code, Kind, Known, ObjectId, Reason, ResourceId, RoleId, Truth};

/// How long a new grant may take to work.
const PROPAGATION: Duration = Duration::HOUR;

/// An assignment that gives some of what is wanted, or may.
pub(super) struct Candidate<'a> {
    pub(super) assignment: &'a RoleAssignment,
    /// Whether it reaches the principal at the scope.
    applies: Truth,
    gives: Rc<Gives>,
    /// Why it may not reach it.
    doubts: Vec<Reason>,
    via: Option<&'a ObjectId>,
}

/// What was found for one principal.
#[derive(Default)]
pub(super) struct Gathered<'a> {
    /// The nearest first.
    pub(super) candidates: Vec<Candidate<'a>>,
    /// Assignments that would give it to a group that the principal is not in.
    pub(super) strangers: Vec<&'a RoleAssignment>,
    /// Whether anything reaches the principal here, useful or not; and what Azure named without telling more.
    reached: bool,
    unread: Vec<Reason>,
}

/// How the candidates weigh together.
struct Weight {
    documented: Truth,
    enough: Truth,
}

impl Weight {
    fn granted(&self) -> Truth {
        self.documented.or(self.enough)
    }
}

impl<'a> Access<'a> {
    /// Answers a question.
    pub fn ask(&self, question: &Question) -> Answer {
        if question.principal.is_everyone() {
            let message = format!("{} stands for everyone and is no principal", question.principal);
            return Answer::unknown(Reason::new(Code::Malformed, message));
        }
        let asked = Asked::of(self, question);
        let gathered = asked.gather(&question.principal);
        asked.judge(&gathered)
    }

    /// Answers for each identity that a cluster's control plane may use, or why it is not known who they are. What is
    /// asked of the cluster holds if it holds for all ([`Verdict::all`]).
    pub fn ask_cluster(
        &self,
        cluster: &Cluster,
        wanted: &Wanted,
        scope: &ResourceId,
        now: Option<OffsetDateTime>,
    ) -> Known<Vec<(Principal, Answer)>> {
        let kubelet = cluster.kubelet_principal().ok().flatten();
        let ask = |principal: Principal| {
            let question = Question {
                principal: principal.object_id.clone(),
                wanted: wanted.clone(),
                scope: scope.clone(),
                kubelet: kubelet.clone(),
                now,
            };
            (principal, self.ask(&question))
        };
        Ok(cluster.control_plane_principals()?.into_iter().map(ask).collect())
    }
}

/// A question, prepared.
pub(super) struct Asked<'q> {
    pub(super) access: &'q Access<'q>,
    pub(super) question: &'q Question,
    pub(super) ancestry: Ancestry<'q>,
    pub(super) demand: Demand<'q>,
}

impl<'q> Asked<'q> {
    pub(super) fn of(access: &'q Access<'q>, question: &'q Question) -> Self {
        Self {
            access,
            question,
            ancestry: Ancestry::of(access.rights(), access.coverage(), &question.scope),
            demand: Demand::of(access, &question.wanted, &question.scope),
        }
    }

    /// Everything at or above the scope that may give the principal some of what is wanted.
    pub(super) fn gather<'g>(&'g self, principal: &'g ObjectId) -> Gathered<'g> {
        let mut gathering =
            Gathering { asked: self, principal, gives: BTreeMap::new(), found: Gathered::default() };
        for place in self.ancestry.places().filter_map(|scope| self.access.place(scope)) {
            gathering.at(place, None);
        }
        if let Some(doubt) = self.ancestry.doubt() {
            let beside = |group: &ResourceId| self.ancestry.is_below(group) == Truth::Maybe;
            for (_, place) in self.access.group_places().filter(|(group, _)| beside(group)) {
                gathering.at(place, Some(doubt));
            }
        }
        gathering.at(self.access.adrift(), None);
        if let Some(membership) = self.access.membership(principal) {
            gathering.found.unread = membership
                .unread()
                .iter()
                .map(|id| {
                    let message = format!(
                        "Azure names {id} among the assignments of {principal}, but it is not among the \
                         role_assignments that were read"
                    );
                    Reason::new(Code::NotFound, message)
                })
                .collect();
        }
        gathering.found
    }

    /// Whether what was gathered suffices, denials left aside.
    pub(super) fn granted(&self, gathered: &Gathered<'_>) -> Truth {
        self.weigh(&gathered.candidates.iter().collect::<Vec<_>>(), gathered).granted()
    }

    fn judge(&self, gathered: &Gathered<'_>) -> Answer {
        let all: Vec<&Candidate<'_>> = gathered.candidates.iter().collect();
        let weight = self.weigh(&all, gathered);
        let granted = weight.granted();
        let mut answer = Answer {
            verdict: granted.into(),
            documented: self.demand.role.map(|_| weight.documented.into()),
            granted: granted.into(),
            decided_by: Vec::new(),
            undecided: Vec::new(),
            denied_by: Vec::new(),
            misses: Vec::new(),
            reasons: Vec::new(),
            notes: Vec::new(),
        };
        match granted {
            Truth::Yes => answer.decided_by = self.deciding(&all, &weight),
            Truth::Maybe => {
                self.explain_doubt(&mut answer, &all, gathered);
                // Beside the doubts about what was read: what was not may decide as well.
                let access = self.access;
                let hidden = self.ancestry.hidden(access.rights(), access.coverage(), Kind::RoleAssignments);
                answer.reasons.extend(hidden);
            }
            Truth::No => self.settle_no(&mut answer, gathered),
        }
        if granted != Truth::No {
            self.deny(&mut answer);
            self.remark(&mut answer, &all, gathered, &weight);
        }
        answer.reasons.sort();
        answer.reasons.dedup();
        answer.notes.sort();
        answer
    }

    fn weigh(&self, candidates: &[&Candidate<'_>], gathered: &Gathered<'_>) -> Weight {
        let unread = if gathered.unread.is_empty() { Truth::No } else { Truth::Maybe };
        let documented = candidates.iter().map(|one| one.applies.and(one.gives.exact));
        let documented = match self.demand.role {
            Some(_) => Truth::any(documented).or(unread),
            None => Truth::No,
        };
        let each = (0..self.demand.items.len()).map(|item| self.item(candidates, item).or(unread));
        let mut enough = each.fold(Truth::Yes, Truth::and);
        if self.demand.more.is_some() || self.demand.items.is_empty() {
            enough = enough.and(Truth::Maybe);
        }
        if self.demand.open.is_some() {
            // What is wanted is not known, but somebody whom nothing reaches has nothing of it.
            enough = if gathered.reached { Truth::Maybe } else { unread };
        }
        if self.demand.more.is_some() && !gathered.reached {
            enough = unread;
        }
        Weight { documented, enough }
    }

    /// Whether some candidate gives one item.
    fn item(&self, candidates: &[&Candidate<'_>], item: usize) -> Truth {
        let given = |one: &&Candidate<'_>| one.gives.items.get(item).copied().unwrap_or(Truth::No);
        Truth::any(candidates.iter().map(|one| one.applies.and(given(one))))
    }

    /// The assignments behind a yes: of the role itself, where it is assigned, else all that give a part.
    fn deciding(&self, candidates: &[&Candidate<'_>], weight: &Weight) -> Vec<Grant> {
        let gives = |one: &&&Candidate<'_>| match weight.documented {
            Truth::Yes => one.gives.exact == Truth::Yes,
            _ => one.gives.items.contains(&Truth::Yes),
        };
        let sure = candidates.iter().filter(|one| one.applies == Truth::Yes);
        sure.filter(gives).map(|one| self.grant(one.assignment, one.via)).collect()
    }

    fn explain_doubt(&self, answer: &mut Answer, candidates: &[&Candidate<'_>], gathered: &Gathered<'_>) {
        let open: Vec<usize> = (0..self.demand.items.len())
            .filter(|item| self.item(candidates, *item) == Truth::Maybe)
            .collect();
        for one in candidates {
            let item_open =
                |item: &usize| one.gives.items.get(*item).is_some_and(|given| *given != Truth::No);
            let concerned = one.applies != Truth::No
                && (one.gives.exact != Truth::No && one.applies.and(one.gives.exact) == Truth::Maybe
                    || open.iter().any(item_open));
            if concerned {
                answer.undecided.push(self.grant(one.assignment, one.via));
                answer.reasons.extend(one.doubts.iter().chain(&one.gives.reasons).cloned());
            }
        }
        answer.reasons.extend(gathered.unread.iter().cloned());
        answer.reasons.extend(self.demand.open.iter().cloned());
        if answer.reasons.is_empty() {
            answer.reasons.extend(self.demand.more.iter().cloned());
        }
    }

    /// A no stands only where every assignment was read.
    fn settle_no(&self, answer: &mut Answer, gathered: &Gathered<'_>) {
        let access = self.access;
        match self.ancestry.hidden(access.rights(), access.coverage(), Kind::RoleAssignments) {
            Some(reason) => {
                answer.verdict = Verdict::Unknown;
                answer.granted = Verdict::Unknown;
                answer.documented = answer.documented.map(|_| Verdict::Unknown);
                answer.reasons.push(reason);
            }
            None => {
                answer.misses = miss::near(self, gathered);
                answer.notes.extend(self.misspelt());
            }
        }
    }

    /// Denials go before any grant.
    fn deny(&self, answer: &mut Answer) {
        let denied = deny::denied(self);
        answer.denied_by = denied.denials;
        match denied.truth {
            Truth::Yes => {
                answer.verdict = Verdict::No;
                answer.reasons.clear();
                if answer.granted == Verdict::Yes {
                    let message = "it is granted, and a deny assignment takes it".to_owned();
                    answer.notes.push(Note { code: NoteCode::GrantDenied, message });
                }
            }
            Truth::Maybe => {
                answer.verdict = Verdict::Unknown;
                answer.reasons.extend(denied.reasons);
            }
            Truth::No => {}
        }
    }

    fn remark(&self, answer: &mut Answer, all: &[&Candidate<'_>], gathered: &Gathered<'_>, weight: &Weight) {
        if answer.verdict == Verdict::Yes && self.demand.role.is_some() && weight.documented != Truth::Yes {
            let message = "the role itself is not proven to be assigned, but what it gives is".to_owned();
            answer.notes.push(Note { code: NoteCode::OtherRoleSuffices, message });
        }
        let Some(now) = self.question.now.filter(|_| answer.verdict == Verdict::Yes) else { return };
        let old: Vec<&Candidate<'_>> =
            all.iter().filter(|one| !recent(one.assignment, now)).copied().collect();
        let without = self.weigh(&old, gathered);
        if without.granted() != Truth::Yes {
            let message = "granted less than an hour ago; Azure may need that long to heed it".to_owned();
            answer.notes.push(Note { code: NoteCode::RecentGrant, message });
        }
    }

    /// A role that copied the action's old spelling gives nothing, which is hard to see.
    fn misspelt(&self) -> Option<Note> {
        let wanted = Pattern::parse(SUBNET_JOIN);
        if self.demand.action != Some(&wanted) {
            return None;
        }
        let misspelt = Pattern::parse(SUBNET_JOIN_MISSPELT);
        let places = self.ancestry.places().filter_map(|scope| self.access.place(scope));
        let mut roles = places
            .flat_map(|place| place.direct(&self.question.principal))
            .filter_map(|assignment| self.access.rights().definitions.get(assignment.role.as_ref().ok()?));
        let copied = roles.find(|role| {
            let entries = role.permissions.iter().flatten();
            entries.flat_map(|entry| entry.actions.iter().flatten()).any(|pattern| *pattern == misspelt)
        })?;
        let message = format!(
            "role {} gives {SUBNET_JOIN_MISSPELT}, an old article's spelling of {SUBNET_JOIN}; there is no such operation",
            copied.label()
        );
        Some(Note { code: NoteCode::MisspeltAction, message })
    }

    /// An assignment as a witness.
    pub(super) fn grant(&self, assignment: &RoleAssignment, via: Option<&ObjectId>) -> Grant {
        let role = assignment.role.clone().ok();
        let definition = role.as_ref().and_then(|role| self.access.rights().definitions.get(role));
        let scope = assignment.scope.clone().ok();
        Grant {
            assignment: assignment.id.clone(),
            role_name: definition.and_then(|definition| definition.name.clone().ok()),
            role,
            inherited: scope.as_ref().is_some_and(|scope| scope != self.ancestry.scope()),
            scope,
            via: via.cloned(),
        }
    }
}

/// The walk over the places above a scope.
struct Gathering<'g> {
    asked: &'g Asked<'g>,
    principal: &'g ObjectId,
    gives: BTreeMap<&'g RoleId, Rc<Gives>>,
    found: Gathered<'g>,
}

impl<'g> Gathering<'g> {
    /// Takes what stands at one place; `doubt` says why the place may not be above the scope.
    fn at(&mut self, place: &'g Place<'g>, doubt: Option<&Reason>) {
        let membership = self.asked.access.membership(self.principal);
        for assignment in place.direct(self.principal) {
            self.found.reached = true;
            let gives = self.gives(&assignment.role);
            let left_out = membership.is_some_and(|answers| answers.leaves_out(&assignment.id));
            let unclear = left_out.then(|| {
                let message = format!(
                    "{} names {}, but Azure leaves it out of that principal's assignments",
                    assignment.id, self.principal
                );
                Reason::new(Code::Contradiction, message)
            });
            self.take(assignment, gives, None, unclear, doubt);
        }
        for same_role in place.shared() {
            self.shared(same_role, doubt);
        }
    }

    /// Assignments of one role at one place that may reach the principal through a group.
    fn shared(&mut self, same_role: &'g [&'g RoleAssignment], doubt: Option<&Reason>) {
        let Some(first) = same_role.first() else { return };
        let gives = self.gives(&first.role);
        let membership = self.asked.access.membership(self.principal);
        let mut open = false;
        for assignment in same_role {
            let named = assignment.principal.as_ref();
            let reaches = match (named, membership) {
                (Ok(named), _) if named == self.principal => continue,
                // One of each role and place is enough to leave it open.
                (_, None) if open => break,
                (Ok(_), Some(answers)) if answers.names(&assignment.id) => Truth::Yes,
                (Ok(group), Some(answers)) => answers.in_group(group.as_str()),
                _ => Truth::Maybe,
            };
            match reaches {
                Truth::Yes => {
                    self.found.reached = true;
                    self.take(assignment, gives.clone(), named.ok(), None, doubt);
                }
                Truth::Maybe if open => {}
                Truth::Maybe => {
                    open = true;
                    self.found.reached = true;
                    let unclear = gives.useful().then(|| unclear(assignment, self.principal));
                    self.take(assignment, gives.clone(), named.ok(), unclear, doubt);
                }
                Truth::No if gives.useful() => self.found.strangers.push(assignment),
                Truth::No => {}
            }
        }
    }

    /// Takes an assignment whose principal is right, or may be: then `unclear` says why not.
    fn take(
        &mut self,
        assignment: &'g RoleAssignment,
        gives: Rc<Gives>,
        via: Option<&'g ObjectId>,
        unclear: Option<Reason>,
        doubt: Option<&Reason>,
    ) {
        if !gives.useful() {
            return;
        }
        let mut doubts: Vec<Reason> = unclear.into_iter().chain(doubt.cloned()).collect();
        doubts.extend(assignment.scope.as_ref().err().cloned());
        doubts.extend(self.asked.demand.doubted(&assignment.condition, || assignment.id.to_string()));
        if assignment.condition == Ok(None) {
            doubts.extend(self.asked.access.rights().conditions_hidden.clone());
        }
        let applies = if doubts.is_empty() { Truth::Yes } else { Truth::Maybe };
        self.found.candidates.push(Candidate { assignment, applies, gives, doubts, via });
    }

    /// What a role gives, worked out once per question.
    fn gives(&mut self, role: &'g Known<RoleId>) -> Rc<Gives> {
        let asked = self.asked;
        let met = || Rc::new(asked.demand.met_by(asked.access, role, asked.ancestry.scope()));
        match role {
            Ok(guid) => self.gives.entry(guid).or_insert_with(met).clone(),
            Err(_) => met(),
        }
    }
}

/// Why it is not known whether an assignment reaches a principal that it does not name.
fn unclear(assignment: &RoleAssignment, principal: &ObjectId) -> Reason {
    match &assignment.principal {
        Err(reason) => reason.clone(),
        Ok(named) => {
            let what = match &assignment.principal_type {
                Err(reason) => {
                    return Reason::new(
                        reason.code,
                        format!("{}, so that {named} may be a group that {principal} is in", reason.message),
                    );
                }
                Ok(_) => format!("{} is granted to the group {named}", assignment.id),
            };
            Reason::new(
                Code::NotAsked,
                format!("{what}; whether {principal} is in it, the directory would have to tell"),
            )
        }
    }
}

fn recent(assignment: &RoleAssignment, now: OffsetDateTime) -> bool {
    assignment.created_on.is_some_and(|created| now - created < PROPAGATION)
}

impl Candidate<'_> {
    /// The group through which it surely reaches the principal.
    pub(super) fn group(&self) -> Option<&ObjectId> {
        self.via.filter(|_| self.applies == Truth::Yes)
    }

    /// Whether it surely gives everything.
    pub(super) fn suffices(&self) -> bool {
        self.applies == Truth::Yes && self.gives.suffices()
    }
}
