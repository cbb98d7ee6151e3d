//! The decision: what happens to every packet of a question on its way through the groups.
//!
//! A packet's fate is the set of outcomes that are possible for it. Each rule cuts the packets that are still
//! open into those that it certainly decides, those that it possibly decides (they stay open, with one outcome
//! more), and the rest. An address whose membership in `VirtualNetwork` and `Internet` is not known is tried in
//! every [`World`] that it may live in, and the outcomes are united. A public address lives in at least one of the
//! two, so there is no world in which it is in neither.

use std::collections::BTreeSet;

use super::bounds::Bounds;
use super::family::{Family, METADATA, PLATFORM, number};
use super::operand::{Given, World};
use super::packets::{Addresses, Packets, Ports, every_port};
use super::protocol::Protocols;
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

/// One end of the question's packets: a part of it, and what is given of it.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) addresses: Addresses,
    /// The piece is about addresses in `VirtualNetwork`, wherever that is.
    pub(super) in_vnet: bool,
    /// The piece is about the addresses of this unread tag.
    pub(super) tag: Option<String>,
    /// Why these packets may not be part of the question; none if they certainly are.
    pub(super) doubt: Option<Reason>,
}

impl Piece {
    /// A part that is certainly asked about.
    pub(super) fn sure(addresses: Addresses) -> Self {
        Self { addresses, in_vnet: false, tag: None, doubt: None }
    }
}

/// A question for one family.
pub(super) struct Question<'a> {
    pub(super) family: Family,
    pub(super) outbound: bool,
    pub(super) source: &'a [Piece],
    pub(super) destination: &'a [Piece],
    pub(super) source_ports: Ports,
    pub(super) ports: Ports,
    pub(super) protocols: Protocols,
    pub(super) vnet: &'a Bounds,
    /// Whether a rule on the way switches off the platform's exemption.
    pub(super) platform_named: bool,
}

/// A packet, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) family: Family,
    pub(super) source: u128,
    pub(super) destination: u128,
    pub(super) source_port: u16,
    pub(super) port: u16,
    pub(super) protocol: Protocols,
}

/// What became of the packets of a question.
#[derive(Default)]
pub(super) struct Outcome {
    /// A packet that certainly arrives.
    pub(super) arrives: Option<Packet>,
    /// A packet that is certainly stopped.
    pub(super) stopped: Option<Packet>,
    /// A packet of which that is not known.
    pub(super) undecided: Option<Packet>,
    /// Whether packets that may not be part of the question certainly arrive.
    pub(super) more_arrive: bool,
    /// Whether such packets are certainly stopped.
    pub(super) more_stopped: bool,
    /// Why it is not known of packets whether they arrive.
    pub(super) doubts: BTreeSet<Reason>,
    /// Why it is not known of packets whether they are part of the question.
    pub(super) more_doubts: BTreeSet<Reason>,
    /// Stage and place of every rule that decides, or may decide, a packet.
    pub(super) deciders: BTreeSet<(usize, usize)>,
    /// Whether the platform's exemption lets packets pass.
    pub(super) exempt: bool,
}

/// A part of an end, with the worlds that its addresses may live in.
struct Region<'a> {
    addresses: Addresses,
    worlds: Vec<World>,
    piece: &'a Piece,
    doubts: Vec<Reason>,
    /// Whether the piece's condition may not hold here.
    conditional: bool,
}

const VNET: World = World { vnet: true, internet: false };
const INTERNET: World = World { vnet: false, internet: true };
const BOTH: World = World { vnet: true, internet: true };
const NEITHER: World = World { vnet: false, internet: false };

impl Outcome {
    /// Sends the packets of a question through the stages, and notes what becomes of them.
    pub(super) fn note(&mut self, stages: &[Stage], question: &Question<'_>) {
        let sources = regions(question.source, question);
        let destinations = regions(question.destination, question);
        for source in &sources {
            for destination in &destinations {
                for packets in packets(question, source, destination) {
                    self.note_regions(stages, question, source, destination, packets);
                }
            }
        }
    }

    fn note_regions(
        &mut self,
        stages: &[Stage],
        question: &Question<'_>,
        source: &Region<'_>,
        destination: &Region<'_>,
        packets: Packets,
    ) {
        let (mut open, exempt) = self.split_platform(stages, question, packets);
        for part in exempt {
            self.tally(question, source, destination, &part.packets, part.outcomes, part.doubts);
        }
        let worlds: Vec<(World, World)> = source
            .worlds
            .iter()
            .flat_map(|one| destination.worlds.iter().map(move |other| (*one, *other)))
            .collect();
        let mut fates: Vec<Fate> = open.drain(..).map(Fate::unseen).collect();
        for (source_world, destination_world) in worlds {
            let given = (
                Given { world: source_world, tag: source.piece.tag.as_deref() },
                Given { world: destination_world, tag: destination.piece.tag.as_deref() },
            );
            let entries = Entries::of(stages, given);
            let mut next = Vec::new();
            for fate in fates {
                let mut walk =
                    Walk { stages, entries: &entries, deciders: &mut self.deciders, fates: Vec::new() };
                walk.go(0, fate.packets.clone(), Outcomes::NONE, Vec::new());
                for here in walk.fates {
                    let disagree = fate.outcomes != Outcomes::NONE && fate.outcomes != here.outcomes;
                    let mut doubts = fate.doubts.clone();
                    doubts.extend(here.doubts);
                    next.push(Fate {
                        packets: here.packets,
                        outcomes: fate.outcomes | here.outcomes,
                        doubts,
                        of_worlds: fate.of_worlds || disagree,
                    });
                }
            }
            fates = next;
        }
        for fate in fates {
            let mut doubts = Vec::new();
            if fate.outcomes == ARRIVES | STOPPED {
                doubts.extend(fate.doubts.iter().flat_map(|doubt| doubt.reasons(stages)));
                if fate.of_worlds {
                    doubts.extend(source.doubts.iter().chain(&destination.doubts).cloned());
                }
            }
            self.tally(question, source, destination, &fate.packets, fate.outcomes, doubts);
        }
    }

    /// Cuts off what goes to the platform's own addresses: their services are exempt, and of their other ports
    /// nothing is documented.
    fn split_platform(
        &mut self,
        stages: &[Stage],
        question: &Question<'_>,
        packets: Packets,
    ) -> (Vec<Packets>, Vec<OfPlatform>) {
        let platform = question.family.platform();
        if !question.outbound || stages.is_empty() || !packets.destination.meets(&platform) {
            return (vec![packets], Vec::new());
        }
        let one = |number: u128| Addresses::between(number, number);
        let service = |address: std::net::Ipv4Addr, port: u16, protocols| Packets {
            source: question.family.everything(),
            destination: one(number(address.into())),
            source_ports: every_port(),
            ports: Ports::between(port, port),
            protocols,
        };
        let mut decided = Vec::new();
        let mut open = vec![packets];
        for service in [service(PLATFORM, 53, Protocols::WITH_PORTS), service(METADATA, 80, Protocols::TCP)] {
            open = cut(open, &service, |inside| {
                let (outcomes, doubts) = if question.platform_named {
                    let message =
                        "a rule names an `AzurePlatform` tag, so the platform's services may be filtered";
                    (ARRIVES | STOPPED, vec![Reason::new(Code::Undecidable, message)])
                } else {
                    self.exempt = true;
                    (ARRIVES, Vec::new())
                };
                decided.push(OfPlatform { packets: inside, outcomes, doubts });
            });
        }
        let rest = Packets {
            source: question.family.everything(),
            destination: platform,
            source_ports: every_port(),
            ports: every_port(),
            protocols: Protocols::ANY,
        };
        open = cut(open, &rest, |inside| {
            let message = format!(
                "{PLATFORM} and {METADATA} belong to the platform, and whether groups filter their other ports is not documented"
            );
            let doubts = vec![Reason::new(Code::Undecidable, message)];
            decided.push(OfPlatform { packets: inside, outcomes: ARRIVES | STOPPED, doubts });
        });
        (open, decided)
    }

    fn tally(
        &mut self,
        question: &Question<'_>,
        source: &Region<'_>,
        destination: &Region<'_>,
        packets: &Packets,
        fate: Outcomes,
        doubts: Vec<Reason>,
    ) {
        let sure = [source, destination].iter().all(|end| end.piece.doubt.is_none() && !end.conditional);
        let kind = match fate {
            ARRIVES if sure => &mut self.arrives,
            STOPPED if sure => &mut self.stopped,
            ARRIVES => {
                self.more_arrive = true;
                self.doubts_of(source, destination);
                return;
            }
            STOPPED => {
                self.more_stopped = true;
                self.doubts_of(source, destination);
                return;
            }
            _ => {
                self.doubts.extend(doubts);
                &mut self.undecided
            }
        };
        if kind.is_none() {
            *kind = packet(question.family, packets);
        }
    }

    /// Why it is not known whether these packets are asked about.
    fn doubts_of(&mut self, source: &Region<'_>, destination: &Region<'_>) {
        for end in [source, destination] {
            self.more_doubts.extend(end.piece.doubt.clone());
            if end.conditional {
                self.more_doubts.extend(end.doubts.iter().cloned());
            }
        }
    }
}

/// The final fates of a packet.
const ARRIVES: Outcomes = Outcomes::PASS;
const STOPPED: Outcomes = Outcomes::STOP;

/// Packets, and what may become of them.
struct Fate {
    packets: Packets,
    outcomes: Outcomes,
    doubts: Vec<Doubt>,
    of_worlds: bool,
}

impl Fate {
    fn unseen(packets: Packets) -> Self {
        Self { packets, outcomes: Outcomes::NONE, doubts: Vec::new(), of_worlds: false }
    }
}

/// Packets to the platform's addresses, which no rule decides.
struct OfPlatform {
    packets: Packets,
    outcomes: Outcomes,
    doubts: Vec<Reason>,
}

/// What makes a fate uncertain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    Rule(usize, usize),
    Unread(usize),
    TooMany,
}

impl Doubt {
    fn reasons(self, stages: &[Stage]) -> Vec<Reason> {
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
struct Entries(Vec<Vec<Vec<Entry>>>);

impl Entries {
    fn of(stages: &[Stage], (source, destination): (Given<'_>, Given<'_>)) -> Self {
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
struct Walk<'a> {
    stages: &'a [Stage],
    entries: &'a Entries,
    deciders: &'a mut BTreeSet<(usize, usize)>,
    fates: Vec<Fate>,
}

/// Packets that a stage has not decided yet.
struct Open {
    packets: Packets,
    outcomes: Outcomes,
    doubts: Vec<Doubt>,
}

impl Walk<'_> {
    /// Sends packets through the stages from `at` on; `so_far` may already have become of them.
    fn go(&mut self, at: usize, packets: Packets, so_far: Outcomes, doubts: Vec<Doubt>) {
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

/// Cuts sets of packets; gives what lies outside, and what lies inside to `inside`.
fn cut(open: Vec<Packets>, by: &Packets, mut inside: impl FnMut(Packets)) -> Vec<Packets> {
    let mut left = Vec::new();
    for packets in open {
        match packets.cut(by) {
            None => left.push(packets),
            Some((within, outside)) => {
                left.extend(outside);
                inside(within);
            }
        }
    }
    left
}

/// Cuts an end by where its addresses may live.
fn regions<'a>(pieces: &'a [Piece], question: &Question<'_>) -> Vec<Region<'a>> {
    let public = question.family.public();
    let mut regions = Vec::new();
    for piece in pieces {
        let inside = piece.addresses.intersection(&question.vnet.lower);
        let rest = piece.addresses.difference(&question.vnet.lower);
        let perhaps = rest.intersection(&question.vnet.upper);
        let outside = rest.difference(&question.vnet.upper);
        let of_vnet = &question.vnet.doubts;
        let reserved = vec![Reason::new(
            Code::Undecidable,
            "whether `Internet` holds private and reserved addresses outside the VNet is not documented",
        )];
        let mut add = |addresses: Addresses, worlds: &[World], doubts: Vec<Reason>, perhaps: bool| {
            let worlds: Vec<World> =
                worlds.iter().copied().filter(|world| world.vnet || !piece.in_vnet).collect();
            if !addresses.is_empty() && !worlds.is_empty() {
                let conditional = piece.in_vnet && perhaps;
                regions.push(Region { addresses, worlds, piece, doubts, conditional });
            }
        };
        add(inside, &[VNET], Vec::new(), false);
        add(perhaps.intersection(&public), &[VNET, INTERNET, BOTH], of_vnet.clone(), true);
        let either = [of_vnet.as_slice(), &reserved].concat();
        add(perhaps.difference(&public), &[VNET, INTERNET, BOTH, NEITHER], either, true);
        add(outside.intersection(&public), &[INTERNET], Vec::new(), false);
        add(outside.difference(&public), &[INTERNET, NEITHER], reserved, false);
    }
    regions
}

/// The packets between two regions. Ports mean nothing for some protocols, so those have every port.
fn packets(question: &Question<'_>, source: &Region<'_>, destination: &Region<'_>) -> Vec<Packets> {
    let all = every_port();
    let with_ports = question.protocols.intersection(Protocols::WITH_PORTS);
    let without = question.protocols.difference(Protocols::WITH_PORTS);
    [(with_ports, &question.source_ports, &question.ports), (without, &all, &all)]
        .into_iter()
        .map(|(protocols, source_ports, ports)| Packets {
            source: source.addresses.clone(),
            destination: destination.addresses.clone(),
            source_ports: source_ports.clone(),
            ports: ports.clone(),
            protocols,
        })
        .filter(|packets| !packets.is_empty())
        .collect()
}

/// One packet of a set. A client's port is taken from the usual range where that is possible.
fn packet(family: Family, packets: &Packets) -> Option<Packet> {
    const CLIENT: u16 = 50_000;
    let source_port =
        if packets.source_ports.contains(CLIENT) { CLIENT } else { packets.source_ports.first()? };
    Some(Packet {
        family,
        source: packets.source.first()?,
        destination: packets.destination.first()?,
        source_port,
        port: packets.ports.first()?,
        protocol: packets.protocols,
    })
}
