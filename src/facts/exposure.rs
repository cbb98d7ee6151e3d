//! Effective exposure: which packets may be opened to and from a place in the estate, and which rules decide.
//!
//! [`Exposure`] answers a [`Flow`] at a [`Place`]. Words become sets of addresses with a lower and an upper bound
//! (`operand`, `tags`, `members`, `vnet`), a group's rules become products of five sets in the order of their
//! numbers (`rules`), and `decision` sends the question through them (`regions`, `walk`). Roles, and who asks, are not known here.

mod bounds;
mod decision;
mod defaults;
mod family;
mod flow;
mod intervals;
mod members;
mod operand;
mod packets;
mod place;
mod protocol;
mod question;
mod regions;
mod rules;
mod shadow;
mod tags;
mod term;
mod vnet;
mod walk;

use crate::expectations::NoSecurityAdminRules;
use crate::inventory::graph::vnet_of;
use crate::inventory::security::{Access, Direction, Rule, SecurityGroup};
use crate::inventory::state::unsettled;
use crate::inventory::{Code, Inventory, Kind, Known, Reason, ResourceId, SettleBy};

use self::bounds::Bounds;
use self::decision::{Outcome, Packet, Question};
use self::family::{Family, addresses};
use self::members::Members;
use self::operand::{Operand, Resolver};
use self::regions::Piece;
use self::rules::Outcomes;
use self::walk::Stage;

pub use self::flow::{Answer, Attachment, Decider, Flow, Verdict, Witness, Witnesses};
pub use self::place::Place;
pub use self::protocol::Protocols;
pub use self::question::{FlowQuestion, FlowQuestions, Parameters, SHIPPED_FLOWS};
pub use self::shadow::{Hidden, Reachable, Shadow};
pub use self::tags::Tags;
pub use self::term::{NoPorts, NoTerm, PortRange, Term};
pub use self::vnet::LEARNS_ROUTES;

/// What flows are judged on: the graph, with its tags and group members looked up once.
pub struct Exposure<'a> {
    inventory: &'a Inventory,
    tags: Tags,
    members: Members,
}

/// The groups that a place's packets pass in one direction, in order.
struct Path<'a> {
    attached: Vec<(Attachment, Known<&'a SecurityGroup>)>,
    /// Security admin rules whose content is known.
    admin: Option<&'a [Rule]>,
    /// Why security admin rules of unknown content decide first.
    unread_admin: Option<Reason>,
    reservations: Vec<Reason>,
    unsettled: Vec<Reason>,
}

impl<'a> Exposure<'a> {
    /// Looks up what every question needs.
    pub fn of(inventory: &'a Inventory) -> Self {
        Self { inventory, tags: Tags::of(inventory), members: Members::of(inventory) }
    }

    /// The service tags.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Answers a question at a place. `admin_rules` is what the operator declared of security admin rules.
    pub fn ask(&self, place: &Place, flow: &Flow, admin_rules: Option<NoSecurityAdminRules>) -> Answer {
        let path = self.path(place, flow.direction, admin_rules);
        self.answer(place, flow, &path)
    }

    /// Answers a question at a subnet or a network interface.
    pub fn ask_flow(
        &self,
        at: &ResourceId,
        flow: &Flow,
        admin_rules: Option<NoSecurityAdminRules>,
    ) -> Answer {
        match self.place(at) {
            Ok(place) => self.ask(&place, flow, admin_rules),
            Err(reason) => Answer::unknown(reason),
        }
    }

    /// Answers a question with security admin rules that are known, which Resource Graph's rows are not yet.
    pub fn ask_with_admin_rules(&self, place: &Place, flow: &Flow, rules: &[Rule]) -> Answer {
        let declared = Some(NoSecurityAdminRules::None);
        let path = Path { admin: Some(rules), ..self.path(place, flow.direction, declared) };
        self.answer(place, flow, &path)
    }

    fn answer(&self, place: &Place, flow: &Flow, path: &Path<'_>) -> Answer {
        let subnet = match &place.subnet {
            Ok(subnet) => subnet,
            Err(reason) => return Answer::unknown(reason.clone()),
        };
        let mut outcome = Outcome::default();
        let mut labels = Vec::new();
        let mut nothing = None;
        for family in Family::BOTH {
            let vnet = vnet::bounds(self.inventory, &self.tags, family, subnet);
            let local = self.local(family, place, flow, &vnet);
            let remote = self.pieces(family, &flow.remote, &vnet, flow.direction);
            if empty(&local) || empty(&remote) {
                nothing.get_or_insert(if empty(&local) { "near" } else { "far" });
                continue;
            }
            let resolver =
                Resolver { inventory: self.inventory, tags: &self.tags, members: &self.members, family };
            let stages = self.stages(resolver, path, flow.direction);
            let outbound = flow.direction == Direction::Outbound;
            let (source, destination) = if outbound { (&local, &remote) } else { (&remote, &local) };
            outcome.note(
                &stages,
                &Question {
                    family,
                    outbound,
                    source,
                    destination,
                    source_ports: PortRange::ports(&flow.source_ports),
                    ports: PortRange::ports(&flow.ports),
                    protocols: flow.protocols,
                    vnet: &vnet,
                    platform_named: platform_named(path, flow.direction),
                },
            );
            // Both families have the same rules in the same order.
            labels = labelled(path, &stages);
        }
        let mut answer = conclude(outcome, &labels, nothing);
        answer.reservations.clone_from(&path.reservations);
        answer.unsettled.clone_from(&path.unsettled);
        answer
    }

    fn path(
        &self,
        place: &Place,
        direction: Direction,
        admin_rules: Option<NoSecurityAdminRules>,
    ) -> Path<'a> {
        let mut attached = Vec::new();
        let mut changing = place.unsettled.clone();
        let groups = [
            (Attachment::Subnet, &place.subnet_group),
            (Attachment::NetworkInterface, &place.interface_group),
        ];
        for (attachment, id) in groups {
            let group = match id {
                Ok(None) => continue,
                Ok(Some(id)) => self.inventory.security_group(id),
                Err(reason) => Err(reason.clone()),
            };
            if let Ok(group) = group {
                changing.extend(unsettled(&group.state, &group.id));
            }
            attached.push((attachment, group));
        }
        if direction == Direction::Outbound {
            attached.reverse();
        }
        let mut path =
            Path { attached, admin: None, unread_admin: None, reservations: Vec::new(), unsettled: changing };
        if admin_rules.is_none() {
            self.add_admin_rules(place, &mut path);
        }
        path
    }

    /// Security admin rules come before every group. Azure does not document what their rows hold, so a row that may
    /// concern the VNet leaves everything open; a list that was not read is a reservation.
    fn add_admin_rules(&self, place: &Place, path: &mut Path<'_>) {
        let vnet = match place.subnet.as_ref().map(vnet_of) {
            Ok(Ok(vnet)) => vnet,
            // Then there is no answer anyhow.
            _ => return,
        };
        let declare = |reason: Reason| {
            reason.settled_by(SettleBy::Declaration, "expectations.security_admin_rules", &vnet)
        };
        let concerns = |rule: &&crate::inventory::security::AdminRule| {
            rule.vnets.is_empty() || rule.vnets.contains(&vnet)
        };
        if let Some(rule) = self.inventory.admin_rules.values().find(concerns) {
            let message =
                format!("security admin rule {} may concern {vnet}, and comes before every group", rule.id);
            path.unread_admin = Some(declare(Reason::new(Code::Undecidable, message)));
        } else if let Some(reason) = self.inventory.coverage.incomplete_anywhere(Kind::SecurityAdminRules) {
            let message = format!(
                "security admin rules of a network manager would come before every group, and may stand where nobody \
                 could read ({}): declare `security_admin_rules: none` under `expectations.default` if there are none",
                reason.message
            );
            path.reservations.push(declare(Reason { message, ..reason }));
        }
    }

    fn stages(&self, resolver: Resolver<'_>, path: &Path<'_>, direction: Direction) -> Vec<Stage> {
        let mut stages = Vec::new();
        if let Some(reason) = &path.unread_admin {
            stages.push(Stage::Unread { reason: reason.clone(), may_pass_through: true });
        }
        if let Some(rules) = path.admin {
            let of = ResourceId::root().child("networkManager");
            stages.push(Stage::AdminRules(rules::resolve_admin(resolver, &of, rules, direction)));
        }
        for (_, group) in &path.attached {
            let stage =
                group.clone().and_then(|group| Ok((group, group.rules.as_ref().map_err(Clone::clone)?)));
            stages.push(match stage {
                Ok((group, own)) => {
                    // Default rules cannot be taken away, so a list that was not told is the documented one.
                    let default = group.default_rules.as_deref().unwrap_or_default();
                    Stage::Rules(rules::resolve(resolver, &group.id, own, default, direction))
                }
                Err(reason) => Stage::Unread { reason, may_pass_through: false },
            });
        }
        stages
    }

    fn local(&self, family: Family, place: &Place, flow: &Flow, vnet: &Bounds) -> Vec<Piece> {
        match (&flow.local, &place.addresses) {
            (Some(terms), _) => self.pieces(family, terms, vnet, Direction::Inbound),
            (None, Ok(nets)) => vec![Piece::sure(addresses(family, nets))],
            // A question about IPv4 is asked of a place whose addresses are not known.
            (None, Err(reason)) if family == Family::V4 => {
                vec![Piece { doubt: Some(reason.clone()), ..Piece::sure(family.everything()) }]
            }
            (None, Err(_)) => Vec::new(),
        }
    }

    /// What the words of a question stand for. Outbound, tags mean services other than the platform's own, which are
    /// asked by their addresses.
    fn pieces(&self, family: Family, terms: &[Term], vnet: &Bounds, direction: Direction) -> Vec<Piece> {
        let platform = if direction == Direction::Outbound { family.platform() } else { family.nothing() };
        let mut sure = family.nothing();
        let mut pieces = Vec::new();
        for term in terms {
            match term {
                Term::Any => sure = sure.union(&family.everything().difference(&platform)),
                Term::Prefix(net) if net.prefix_len() == 0 && Family::of(net) == family => {
                    sure = sure.union(&family.everything().difference(&platform));
                }
                Term::Prefix(net) => sure = sure.union(&addresses(family, [net])),
                Term::AzureLoadBalancer => sure = sure.union(&operand::platform(family)),
                Term::Internet => {
                    sure = sure.union(&family.public().difference(&vnet.lower).difference(&platform));
                }
                Term::VirtualNetwork => {
                    let space = vnet.upper.difference(&platform);
                    pieces.push(Piece { in_vnet: true, ..Piece::sure(space) });
                }
                Term::Tag(name) => match self.tags.find(family, name) {
                    Some(set) => {
                        sure = sure.union(&set.lower.difference(&platform));
                        let more = set.upper.difference(&set.lower).difference(&platform);
                        if !more.is_empty() {
                            let doubt = set.doubts.first().cloned();
                            pieces.push(Piece { doubt, ..Piece::sure(more) });
                        }
                    }
                    None => pieces.push(Piece {
                        tag: Some(name.clone()),
                        doubt: Some(self.tags.missing(name)),
                        ..Piece::sure(family.everything().difference(&platform))
                    }),
                },
            }
        }
        pieces.push(Piece::sure(sure));
        pieces.retain(|piece| !piece.addresses.is_empty());
        pieces
    }
}

fn empty(pieces: &[Piece]) -> bool {
    pieces.iter().all(|piece| piece.addresses.is_empty())
}

/// Whether a rule of the direction names one of the tags that switch off the platform's exemption.
fn platform_named(path: &Path<'_>, direction: Direction) -> bool {
    let groups = path.attached.iter().filter_map(|(_, group)| group.as_ref().ok());
    let rules = groups.filter_map(|group| group.rules.as_ref().ok()).flatten();
    rules
        .chain(path.admin.into_iter().flatten())
        .filter(|rule| {
            rule.direction.as_ref().is_ok_and(|told| *told == direction) || rule.direction.is_err()
        })
        .any(|rule| Operand::names_platform(&rule.source) || Operand::names_platform(&rule.destination))
}

/// The rules of the stages, as they are told in answers.
fn labelled(path: &Path<'_>, stages: &[Stage]) -> Vec<Vec<Decider>> {
    let admin = stages.len() - path.attached.len();
    let label = |(at, stage): (usize, &Stage)| {
        let attached = at.checked_sub(admin).and_then(|at| path.attached.get(at));
        let (attachment, group) = match attached {
            Some((attachment, group)) => (*attachment, group.as_ref().ok().map(|group| group.id.clone())),
            None => (Attachment::Admin, None),
        };
        let rules = match stage {
            Stage::Rules(rules) | Stage::AdminRules(rules) => rules.as_slice(),
            Stage::Unread { .. } => &[],
        };
        let rule = |rule: &rules::Resolved| Decider::Rule {
            attachment,
            group: group.clone(),
            rule: rule.name.clone(),
            priority: rule.priority,
            access: match rule.outcomes {
                Outcomes::PASS => Some(Access::Allow),
                Outcomes::STOP => Some(Access::Deny),
                Outcomes::THROUGH => Some(Access::AlwaysAllow),
                _ => None,
            },
        };
        rules.iter().map(rule).collect()
    };
    stages.iter().enumerate().map(label).collect()
}

fn conclude(outcome: Outcome, labels: &[Vec<Decider>], nothing: Option<&str>) -> Answer {
    let arrives = outcome.arrives.is_some();
    let stopped = outcome.stopped.is_some();
    let any_arrive = arrives || outcome.more_arrive;
    let any_stopped = stopped || outcome.more_stopped;
    let verdict = match (outcome.undecided.is_some(), any_arrive, any_stopped) {
        _ if arrives && stopped => Verdict::Partial,
        (false, true, false) => Verdict::Allow,
        (false, false, true) => Verdict::Deny,
        _ => Verdict::Unknown,
    };
    let mut decided_by: Vec<Decider> = Vec::new();
    if outcome.exempt {
        decided_by.push(Decider::PlatformExempt);
    }
    let rules = outcome.deciders.iter().filter_map(|(stage, rule)| labels.get(*stage)?.get(*rule));
    decided_by.extend(rules.cloned());
    if labels.is_empty() && verdict == Verdict::Allow {
        decided_by.push(Decider::NoGroup);
    }
    let mut reasons = Vec::new();
    if verdict == Verdict::Unknown {
        reasons.extend(outcome.doubts);
        reasons.extend(outcome.more_doubts);
        // First what nobody can settle: as long as it stands, settling the others would promise too much.
        reasons.sort_by_key(|reason: &Reason| reason.settle.is_some());
        if !any_arrive && !any_stopped && outcome.undecided.is_none() {
            let end = nothing.unwrap_or("far");
            let message = format!("the question holds no packet: there is no address on its {end} side");
            reasons.push(Reason::new(Code::Undecidable, message));
        }
    }
    Answer {
        verdict,
        decided_by,
        witness: Witnesses {
            allowed: outcome.arrives.as_ref().and_then(witness),
            denied: outcome.stopped.as_ref().and_then(witness),
            undecided: outcome.undecided.as_ref().and_then(witness),
        },
        reasons,
        reservations: Vec::new(),
        unsettled: Vec::new(),
    }
}

fn witness(packet: &Packet) -> Option<Witness> {
    let ports = packet.protocol.intersection(Protocols::WITH_PORTS);
    let spoken = if ports.is_empty() { packet.protocol } else { ports };
    Some(Witness {
        protocol: spoken.first_name()?.to_owned(),
        source: packet.family.address(packet.source).to_string(),
        source_port: (!ports.is_empty()).then_some(packet.source_port),
        destination: packet.family.address(packet.destination).to_string(),
        port: (!ports.is_empty()).then_some(packet.port),
    })
}
