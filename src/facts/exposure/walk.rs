//! The walk of packets through the groups on their way, in one pair of worlds.
//!
//! Each rule cuts what is still open into what it certainly decides, what it possibly decides (that stays open, with
//! one outcome more), and the rest.

use std::collections::BTreeSet;

use super::operand::Given;
use super::packets::Packets;
use super::rules::{Entry, Outcomes, Resolved, steps};
use crate::inventory::{Code, Reason};

/// More pieces than this are not looked through: rules that cut one question into so many are no real ones.
const MOST_PIECES: usize = 20_000;

/// What packets pass on their way, in order.
pub(super) enum Stage {
    /// Rules; what they leave undecided passes only after security admin rules.
    Rules(Vec<Resolved>),
    /// Security admin rules: `Allow`, and what no rule is about, is handed on.
    AdminRules(Vec<Resolved>),
    /// A group that was not read, or rules of which only their existence is known: anything may happen.
    Unread { reason: Reason, may_pass_through: bool },
}

/// The final fates of a packet.
pub(super) const ARRIVES: Outcomes = Outcomes::PASS;
pub(super) const STOPPED: Outcomes = Outcomes::STOP;

/// Packets, and what may become of them.
pub(super) struct Fate {
    pub(super) packets: Packets,
    pub(super) outcomes: Outcomes,
    pub(super) doubts: Vec<Doubt>,
    pub(super) of_worlds: bool,
}

impl Fate {
    pub(super) fn unseen(packets: Packets) -> Self {
        Self { packets, outcomes: Outcomes::NONE, doubts: Vec::new(), of_worlds: false }
    }
}

/// What makes a fate uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    Rule(usize, usize),
    Unread(usize),
    TooMany,
}

impl Doubt {
    pub(super) fn reasons(self, stages: &[Stage]) -> Vec<Reason> {
        match self {
            Doubt::Rule(stage, rule) => match stages.get(stage) {
                Some(Stage::Rules(rules) | Stage::AdminRules(rules)) => {
                    rules.get(rule).map(|rule| rule.doubts.clone()).unwrap_or_default()
                }
                _ => Vec::new(),
            },
            Doubt::Unread(stage) => match stages.get(stage) {
                Some(Stage::Unread { reason, .. }) => vec![reason.clone()],
                _ => Vec::new(),
            },
            Doubt::TooMany => {
                let message = format!("the rules cut the question into more than {MOST_PIECES} pieces");
                vec![Reason::new(Code::Undecidable, message)]
            }
        }
    }
}

/// What the rules of each stage are about, in one pair of worlds.
pub(super) struct Entries(Vec<Vec<Vec<Entry>>>);

impl Entries {
    pub(super) fn of(stages: &[Stage], (source, destination): (Given<'_>, Given<'_>)) -> Self {
        let of_stage = |stage: &Stage| match stage {
            Stage::Rules(rules) | Stage::AdminRules(rules) => {
                rules.iter().map(|rule| rule.entries(source, destination)).collect()
            }
            Stage::Unread { .. } => Vec::new(),
        };
        Self(stages.iter().map(of_stage).collect())
    }
}

/// One walk through the stages, in one pair of worlds.
pub(super) struct Walk<'a> {
    pub(super) stages: &'a [Stage],
    pub(super) entries: &'a Entries,
    pub(super) deciders: &'a mut BTreeSet<(usize, usize)>,
    pub(super) fates: Vec<Fate>,
}

/// Packets that a stage has not decided yet.
struct Open {
    packets: Packets,
    outcomes: Outcomes,
    doubts: Vec<Doubt>,
}

impl Walk<'_> {
    /// Sends packets through the stages from `at` on; `so_far` may already have become of them.
    pub(super) fn go(&mut self, at: usize, packets: Packets, so_far: Outcomes, doubts: Vec<Doubt>) {
        let Some(stage) = self.stages.get(at) else {
            return self.fates.push(Fate { packets, outcomes: so_far | ARRIVES, doubts, of_worlds: false });
        };
        let left = match stage {
            Stage::Unread { may_pass_through, .. } => {
                let mut outcomes = Outcomes::PASS | Outcomes::STOP;
                if *may_pass_through {
                    outcomes = outcomes | Outcomes::THROUGH;
                }
                vec![Open { packets, outcomes, doubts: vec![Doubt::Unread(at)] }]
            }
            Stage::Rules(rules) => {
                let (mut done, open) = self.through(at, rules, packets);
                // Every group ends with a rule for everything, so this is a group with a broken last rule.
                done.extend(
                    open.into_iter().map(|open| Open { outcomes: Outcomes::PASS | Outcomes::STOP, ..open }),
                );
                done
            }
            Stage::AdminRules(rules) => {
                let (mut done, open) = self.through(at, rules, packets);
                done.extend(
                    open.into_iter().map(|open| Open { outcomes: open.outcomes | Outcomes::PASS, ..open }),
                );
                done
            }
        };
        for part in left {
            let mut fate = so_far;
            if part.outcomes.has(Outcomes::STOP) {
                fate = fate | STOPPED;
            }
            if part.outcomes.has(Outcomes::THROUGH) {
                fate = fate | ARRIVES;
            }
            let doubts = [doubts.as_slice(), &part.doubts].concat();
            if part.outcomes.has(Outcomes::PASS) {
                self.go(at + 1, part.packets, fate, doubts);
            } else {
                self.fates.push(Fate { packets: part.packets, outcomes: fate, doubts, of_worlds: false });
            }
        }
    }

    /// What the rules of a stage decide, and what they leave.
    fn through(&mut self, at: usize, rules: &[Resolved], packets: Packets) -> (Vec<Open>, Vec<Open>) {
        let mut done = Vec::new();
        let mut open = vec![Open { packets, outcomes: Outcomes::NONE, doubts: Vec::new() }];
        let Some(entries) = self.entries.0.get(at) else { return (done, open) };
        for step in steps(rules) {
            if open.is_empty() {
                break;
            }
            if done.len() + open.len() > MOST_PIECES {
                for part in &mut open {
                    part.outcomes = Outcomes::PASS | Outcomes::STOP | Outcomes::THROUGH;
                    part.doubts.push(Doubt::TooMany);
                }
                done.append(&mut open);
                break;
            }
            // Rules of one number: whichever of them comes first may decide, and one that certainly matches ends it.
            let alone = step.rules.len() == 1;
            for place in step.rules.clone() {
                let Some((rule, entries)) = rules.get(place).zip(entries.get(place)) else { continue };
                for entry in entries {
                    if open.iter().any(|part| part.packets.meets(&entry.upper)) {
                        self.deciders.insert((at, place));
                    } else {
                        continue;
                    }
                    if let (true, Some(lower)) = (alone, &entry.lower) {
                        open = split(open, lower, |mut inside| {
                            inside.outcomes = inside.outcomes | rule.outcomes;
                            if rule.outcomes == Outcomes::PASS | Outcomes::STOP {
                                inside.doubts.push(Doubt::Rule(at, place));
                            }
                            done.push(inside);
                            None
                        });
                    }
                    // What may already become of a part needs no further cut.
                    let (known, new) = open.into_iter().partition(|part| part.outcomes.has(rule.outcomes));
                    open = known;
                    open.extend(split(new, &entry.upper, |mut inside| {
                        inside.outcomes = inside.outcomes | rule.outcomes;
                        inside.doubts.push(Doubt::Rule(at, place));
                        Some(inside)
                    }));
                }
            }
            if !alone {
                for entry in step.rules.clone().filter_map(|place| entries.get(place)).flatten() {
                    if let Some(lower) = &entry.lower {
                        open = split(open, lower, |inside| {
                            done.push(inside);
                            None
                        });
                    }
                }
            }
        }
        (done, open)
    }
}

/// Cuts what is open; `inside` says what stays open of the part that lies in `by`.
fn split(open: Vec<Open>, by: &Packets, mut inside: impl FnMut(Open) -> Option<Open>) -> Vec<Open> {
    let mut left = Vec::with_capacity(open.len());
    for part in open {
        match part.packets.cut(by) {
            None => left.push(part),
            Some((within, outside)) => {
                for packets in outside {
                    left.push(Open { packets, outcomes: part.outcomes, doubts: part.doubts.clone() });
                }
                left.extend(inside(Open { packets: within, ..part }));
            }
        }
    }
    left
}
