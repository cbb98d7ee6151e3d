//! The engines that answer what only the graph can tell, made once for all subjects, and their answers in the form of
//! the document.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use crate::inventory::kubernetes::Cluster;
use crate::inventory::security::{Access as RuleAccess, Direction, Side};
use crate::inventory::{Code, Inventory, Known, Reason, ResourceId};

use super::access::{self, Access};
use super::declared::Declared;
use super::document::{Fact, FlowAnswer, Right, StoppingRule};
use super::exposure::{
    Answer, Decider, Exposure, Flow, FlowQuestion, FlowQuestions, Parameters, Place, PortRange,
    SHIPPED_FLOWS, Term, Verdict, Witness,
};
use super::unknown::AllUnknown;

/// The numbers of a group's own rules end here; those of the default rules begin at 65000.
const LAST_OWN_PRIORITY: i64 = 4096;

/// Everything that answers questions about one inventory.
pub(super) struct Engines<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) exposure: Exposure<'a>,
    pub(super) access: Access<'a>,
    questions: FlowQuestions,
    /// What was asked already, by place and question.
    asked: RefCell<HashMap<String, Answer>>,
}

impl<'a> Engines<'a> {
    /// Looks up what every question needs.
    pub(super) fn of(inventory: &'a Inventory) -> Self {
        Self {
            inventory,
            exposure: Exposure::of(inventory),
            access: Access::index(inventory),
            // A test holds that the shipped text reads; without a question its answer is missing, which proves nothing.
            questions: FlowQuestions::read(SHIPPED_FLOWS).unwrap_or_default(),
            asked: RefCell::default(),
        }
    }

    /// The places of a cluster's nodes in a subnet.
    pub(super) fn node_places(&self, cluster: &Cluster, subnet: &ResourceId) -> Known<Vec<Place>> {
        let mut pools = Vec::new();
        for pool in cluster.pools.as_ref().map_err(Clone::clone)? {
            // A pool that names no subnet may be in any, so its scale set must be there for all of them. Machines
            // outside a scale set are told apart by nothing, and are looked for by their subnet alone.
            let here = pool.node_subnet.clone()?.is_none_or(|own| own == *subnet);
            if here && pool.scale_set.clone()? {
                pools.push(pool.name.clone()?);
            }
        }
        self.exposure.node_places(&cluster.node_resource_group.clone()?, subnet, &pools)
    }

    /// The shipped question of this name.
    pub(super) fn question_named(&self, name: &str) -> Option<&FlowQuestion> {
        self.questions.find(name)
    }

    /// The shipped question of this name, answered at every one of the places.
    pub(super) fn named(
        &self,
        name: &str,
        parameters: &Parameters,
        places: &Known<Vec<Place>>,
        declared: &Declared<'_>,
    ) -> FlowAnswer {
        match self.questions.find(name) {
            Some(question) => self.question(question, parameters, places, declared),
            None => FlowAnswer::all_unknown(&Reason::new(
                Code::Undecidable,
                format!("no question about flows is named `{name}`"),
            )),
        }
    }

    /// Every shipped question.
    pub(super) fn every(
        &self,
        parameters: &Parameters,
        places: &Known<Vec<Place>>,
        declared: &Declared<'_>,
    ) -> BTreeMap<String, FlowAnswer> {
        let answer = |question: &FlowQuestion| {
            (question.name.clone(), self.question(question, parameters, places, declared))
        };
        self.questions.iter().map(answer).collect()
    }

    fn question(
        &self,
        question: &FlowQuestion,
        parameters: &Parameters,
        places: &Known<Vec<Place>>,
        declared: &Declared<'_>,
    ) -> FlowAnswer {
        match question.flow(parameters) {
            Ok(flow) => self.flow(&flow, places, declared),
            Err(reason) => FlowAnswer::all_unknown(&reason),
        }
    }

    /// TCP 443 to these prefixes, from every one of the places.
    pub(super) fn to_addresses(
        &self,
        prefixes: &Known<Vec<String>>,
        places: &Known<Vec<Place>>,
        declared: &Declared<'_>,
    ) -> FlowAnswer {
        let remote = prefixes.clone().and_then(|texts| {
            let read = |text: &String| {
                text.parse()
                    .map_err(|error| Reason::new(Code::Malformed, format!("`{text}` is no prefix: {error}")))
            };
            texts.iter().map(read).collect::<Known<Vec<Term>>>()
        });
        match remote {
            Ok(remote) if remote.is_empty() => {
                FlowAnswer::all_unknown(&Reason::new(Code::NotFound, "no private endpoint lies in reach"))
            }
            Ok(remote) => {
                let https = PortRange { first: 443, last: 443 };
                self.flow(&Flow::tcp(Direction::Outbound, remote, vec![https]), places, declared)
            }
            Err(reason) => FlowAnswer::all_unknown(&reason),
        }
    }

    /// A flow at every one of the places, each of which counts.
    pub(super) fn flow(
        &self,
        flow: &Flow,
        places: &Known<Vec<Place>>,
        declared: &Declared<'_>,
    ) -> FlowAnswer {
        let places = match places {
            Ok(places) => places,
            Err(reason) => return FlowAnswer::all_unknown(reason),
        };
        let answers: Vec<Answer> = places.iter().map(|place| self.at(place, flow, declared)).collect();
        let stopped = answers.iter().any(|answer| answer.proven() == Ok(Verdict::Deny));
        match Answer::together(answers) {
            Some(answer) => FlowAnswer { stopped_at_some_place: stopped, ..self.told(&answer, declared) },
            None => FlowAnswer::all_unknown(&Reason::new(Code::NotFound, "there is no place to ask at")),
        }
    }

    /// A flow at one place. Subnet, cluster and compute ask much the same at the same nodes.
    fn at(&self, place: &Place, flow: &Flow, declared: &Declared<'_>) -> Answer {
        let admin_rules = declared.security_admin_rules();
        let key =
            format!("{} {:?} {:?} {:?} {flow:?}", place.id, place.subnet, place.interface_group, admin_rules);
        if let Some(known) = self.asked.borrow().get(&key) {
            return known.clone();
        }
        let answer = self.exposure.ask(place, flow, admin_rules);
        self.asked.borrow_mut().insert(key, answer.clone());
        answer
    }

    fn told(&self, answer: &Answer, declared: &Declared<'_>) -> FlowAnswer {
        let text = |witness: &Option<Witness>| witness.as_ref().map(ToString::to_string);
        let mut groups: Vec<ResourceId> = answer
            .decided_by
            .iter()
            .filter_map(|decider| match decider {
                Decider::Rule { group, .. } => group.clone(),
                _ => None,
            })
            .collect();
        groups.sort();
        groups.dedup();
        let stopping = answer.decided_by.iter().filter_map(|decider| match decider {
            Decider::Rule { group: Some(group), rule, access: Some(RuleAccess::Deny), priority, .. } => {
                Some(StoppingRule {
                    security_group: group.clone(),
                    name: rule.clone(),
                    default: priority.is_none_or(|priority| priority > LAST_OWN_PRIORITY),
                })
            }
            _ => None,
        });
        let verdict = answer.proven();
        let reasons = match &verdict {
            Ok(_) => Vec::new(),
            Err(_) => answer.open().map(|reason| declared.rehomed(reason.clone())).collect(),
        };
        FlowAnswer {
            stopped_at_some_place: false,
            stopped_by: stopping.collect(),
            verdict: verdict.map_err(|reason| declared.rehomed(reason)).into(),
            reasons,
            decided_by: answer.deciders(),
            security_groups: groups,
            by_any_to_any: answer.verdict == Verdict::Allow && self.by_any_to_any(answer),
            arrives: text(&answer.witness.allowed),
            stopped: text(&answer.witness.denied),
        }
    }

    /// Whether all that lets packets through are rules from anywhere to anything.
    fn by_any_to_any(&self, answer: &Answer) -> bool {
        let mut allowing = answer.decided_by.iter().filter_map(|decider| match decider {
            Decider::Rule { group: Some(group), rule, access: Some(RuleAccess::Allow), .. } => {
                Some((group, rule))
            }
            _ => None,
        });
        let any = |side: &Side| {
            let everything =
                |text: &str| matches!(text, "*" | "0.0.0.0/0") || text.eq_ignore_ascii_case("any");
            side.groups.is_empty()
                && !side.prefixes.is_empty()
                && side.prefixes.iter().all(|told| everything(told.text.trim()))
        };
        let broad = |(group, name): (&ResourceId, &String)| {
            let rules = self.inventory.security_group(group).ok().and_then(|group| group.rules.as_ref().ok());
            let rule = rules.and_then(|rules| rules.iter().find(|rule| rule.name == *name));
            rule.is_some_and(|rule| any(&rule.source) && any(&rule.destination))
        };
        match allowing.next() {
            Some(first) => broad(first) && allowing.all(broad),
            None => false,
        }
    }
}

/// An answer of the access engine in the form of the document.
pub(super) fn right(answer: access::Answer) -> Right {
    Right {
        held: answer.known().into(),
        reasons: answer.reasons,
        given_by: answer.decided_by,
        denied_by: answer.denied_by,
        misses: answer.misses,
        notes: answer.notes,
    }
}

/// A right of which nothing is known.
pub(super) fn open_right(reason: &Reason) -> Right {
    Right {
        held: Fact::Unknown { unknown: reason.clone() },
        ..right(access::Answer::unknown(reason.clone()))
    }
}
