//! The decision: what happens to every packet of a question on its way through the groups.
//!
//! A packet's fate is the set of outcomes that are possible for it (`walk`). An address whose membership in
//! `VirtualNetwork` and `Internet` is not known is tried in every [`World`] that it may live in (`regions`), and the
//! outcomes are united. A public address lives in at least one of the two: it has no world in which it is in neither.

use std::collections::BTreeSet;

use super::bounds::Bounds;
use super::family::{Family, METADATA, PLATFORM, number};
use super::operand::{Given, World};
use super::packets::{Addresses, Packets, Ports, every_port};
use super::protocol::Protocols;
use super::regions::{Piece, Region, regions};
use super::rules::Outcomes;
use super::walk::{ARRIVES, Entries, Fate, STOPPED, Stage, Walk};
use crate::inventory::{Code, Reason};

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

impl Outcome {
    /// Sends the packets of a question through the stages, and notes what becomes of them.
    pub(super) fn note(&mut self, stages: &[Stage], question: &Question<'_>) {
        let sources = regions(question.family, question.vnet, question.source);
        let destinations = regions(question.family, question.vnet, question.destination);
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
        let sure = [source, destination]
            .iter()
            .all(|end| end.piece.doubt.is_none() && end.condition_doubts.is_empty());
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
            self.more_doubts.extend(end.condition_doubts.iter().cloned());
        }
    }
}

/// Packets to the platform's addresses, which no rule decides.
struct OfPlatform {
    packets: Packets,
    outcomes: Outcomes,
    doubts: Vec<Reason>,
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
