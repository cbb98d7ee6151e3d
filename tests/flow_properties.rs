//! The engine against a packet-by-packet reference that tries every world, and what must hold of any answer.

#[path = "flow/estate.rs"]
#[allow(dead_code)]
mod estate;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use estate::{Estate, id, interface, resource};
use mlfence::facts::exposure::{Answer, Exposure, Flow, PortRange, Protocols, Term, Verdict, Witness};
use mlfence::inventory::Kind;
use mlfence::inventory::security::Direction;
use proptest::prelude::*;
use serde_json::{Value, json};

const LOCAL: [&str; 2] = ["10.1.0.4", "10.1.0.9"];
const REMOTE: [&str; 6] = ["10.1.0.9", "10.2.0.1", "20.0.0.1", "20.0.1.1", "8.8.8.8", "192.168.0.1"];
const PORTS: [u16; 2] = [80, 443];
const SPOKEN: [(&str, Protocols); 3] =
    [("Tcp", Protocols::TCP), ("Udp", Protocols::UDP), ("Icmp", Protocols::ICMP)];
const SOURCE_PORT: u16 = 1000;
const TAG: [&str; 2] = ["20.0.0.1/32", "20.0.1.0/24"];

#[derive(Clone, Debug)]
struct Rule {
    number: i64,
    deny: bool,
    other_way: bool,
    protocol: &'static str,
    from: Word,
    to: Word,
    ports: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Any,
    Vnet,
    Internet,
    Tag,
    UnreadTag,
    Group,
    Broken,
    Prefix(&'static str),
}

/// What of the surroundings is known.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Space {
    Plain,
    RoutesUnread,
    DefaultRoute,
    PrivateRoute,
    PublicRoute,
    Peer,
    HalfPeer,
    PeerUnread,
}

#[derive(Clone, Debug)]
struct Scene {
    space: Space,
    members_known: bool,
    outbound: bool,
    subnet: Option<Vec<Rule>>,
    interface: Option<Vec<Rule>>,
    remote: Vec<usize>,
    spoken: Vec<usize>,
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        3 => Just(Word::Any),
        2 => Just(Word::Vnet),
        2 => Just(Word::Internet),
        2 => Just(Word::Tag),
        1 => Just(Word::UnreadTag),
        1 => Just(Word::Group),
        1 => Just(Word::Broken),
        3 => prop::sample::select(vec!["10.1.0.0/24", "10.0.0.0/8", "20.0.0.0/16", "8.8.8.8", "10.1.0.4", "0.0.0.0/0"])
            .prop_map(Word::Prefix),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let number = prop_oneof![9 => 101..=106i64, 1 => Just(7i64)];
    let protocol = prop_oneof![
        4 => Just("*"), 4 => Just("Tcp"), 2 => Just("udp"), 2 => Just("Icmp"), 1 => Just("Icmpv6")
    ];
    let ports = prop_oneof![4 => Just("*"), 3 => Just("443"), 2 => Just("0-100"), 1 => Just("100-90")];
    (number, any::<bool>(), prop::bool::weighted(0.1), protocol, word(), word(), ports).prop_map(
        |(number, deny, other_way, protocol, from, to, ports)| Rule {
            number,
            deny,
            other_way,
            protocol,
            from,
            to,
            ports,
        },
    )
}

fn scene() -> impl Strategy<Value = Scene> {
    let space = prop::sample::select(vec![
        Space::Plain,
        Space::Plain,
        Space::RoutesUnread,
        Space::DefaultRoute,
        Space::PrivateRoute,
        Space::PublicRoute,
        Space::Peer,
        Space::HalfPeer,
        Space::PeerUnread,
    ]);
    let rules = || prop::option::weighted(0.7, prop::collection::vec(rule(), 0..4));
    let some = |n: usize| prop::sample::subsequence((0..n).collect::<Vec<_>>(), 1..=n);
    (space, any::<bool>(), any::<bool>(), rules(), rules(), some(REMOTE.len()), some(SPOKEN.len())).prop_map(
        |(space, members_known, outbound, subnet, interface, remote, spoken)| Scene {
            space,
            members_known,
            outbound,
            subnet,
            interface,
            remote,
            spoken,
        },
    )
}

impl Word {
    fn fill(self, properties: &mut Value, side: &str) {
        let text = match self {
            Word::Any => "*",
            Word::Vnet => "VirtualNetwork",
            Word::Internet => "internet",
            Word::Tag => "SomeTag",
            Word::UnreadTag => "NewTag.Somewhere",
            Word::Broken => "10.0.0.0/99",
            Word::Prefix(text) => text,
            Word::Group => {
                properties[format!("{side}ApplicationSecurityGroups")] =
                    json!([{"id": id("applicationSecurityGroups", "asg")}]);
                return;
            }
        };
        properties[format!("{side}AddressPrefix")] = json!(text);
    }
}

impl Scene {
    fn records(&self, rules: &[Rule]) -> Vec<Value> {
        let record = |(at, rule): (usize, &Rule)| {
            let inbound = self.outbound == rule.other_way;
            let mut properties = json!({
                "priority": rule.number, "direction": if inbound { "Inbound" } else { "Outbound" },
                "access": if rule.deny { "Deny" } else { "Allow" }, "protocol": rule.protocol,
                "sourcePortRange": "*", "destinationPortRange": rule.ports,
            });
            rule.from.fill(&mut properties, "source");
            rule.to.fill(&mut properties, "destination");
            json!({"name": format!("r{at}"), "properties": properties})
        };
        rules.iter().enumerate().map(record).collect()
    }

    fn estate(&self) -> Estate {
        let mut estate = Estate::new().with_tags(&json!({"SomeTag": TAG}));
        estate.interface["properties"]["ipConfigurations"][0]["properties"]["applicationSecurityGroups"] =
            json!([{"id": id("applicationSecurityGroups", "asg")}]);
        if let Some(rules) = &self.subnet {
            estate = estate.on_subnet(self.records(rules));
        }
        if let Some(rules) = &self.interface {
            estate = estate.on_interface(self.records(rules));
        }
        if !self.members_known {
            estate.hide(Kind::ScaleSets);
        }
        match self.space {
            Space::Plain => {}
            Space::RoutesUnread => estate = estate.with_routes(None),
            Space::DefaultRoute => estate = estate.with_routes(Some(&["0.0.0.0/0"])),
            Space::PrivateRoute => estate = estate.with_routes(Some(&["192.168.0.0/16"])),
            Space::PublicRoute => estate = estate.with_routes(Some(&["20.0.0.0/24", "10.1.7.0/24"])),
            Space::Peer | Space::HalfPeer | Space::PeerUnread => {
                let (own, other) = (id("virtualNetworks", "vnet"), id("virtualNetworks", "hub"));
                let peering = |remote: &str, open: bool| {
                    json!([{"name": "p", "properties": {
                        "remoteVirtualNetwork": {"id": remote}, "peeringState": "Connected",
                        "allowVirtualNetworkAccess": open, "useRemoteGateways": false,
                    }}])
                };
                estate.vnet["properties"]["virtualNetworkPeerings"] = peering(&other, true);
                if self.space == Space::PeerUnread {
                    estate.hide(Kind::VirtualNetworks);
                } else {
                    estate.records.push(json!({
                        "id": other, "type": "Microsoft.Network/virtualNetworks",
                        "properties": {
                            "provisioningState": "Succeeded", "addressSpace": {"addressPrefixes": ["10.2.0.0/16"]}, "subnets": [],
                            "virtualNetworkPeerings": peering(&own, self.space == Space::Peer),
                        },
                    }));
                }
            }
        }
        estate
    }

    fn flow(&self) -> Flow {
        let terms = |texts: Vec<&str>| texts.iter().map(|text| text.parse().expect("a term")).collect();
        Flow {
            direction: if self.outbound { Direction::Outbound } else { Direction::Inbound },
            remote: terms(self.remote.iter().map(|at| REMOTE[*at]).collect()),
            local: Some(terms(LOCAL.to_vec())),
            source_ports: vec![PortRange { first: SOURCE_PORT, last: SOURCE_PORT }],
            ports: PORTS.iter().map(|port| PortRange { first: *port, last: *port }).collect(),
            protocols: self.spoken.iter().fold(Protocols::NONE, |all, at| all.union(SPOKEN[*at].1)),
        }
    }

    fn ask(&self) -> Answer {
        self.estate().ask(&self.flow())
    }
}

// ---- The reference: one packet, one world at a time.

#[derive(Clone, Copy, Debug, PartialEq)]
struct Packet {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    port: u16,
    protocol: &'static str,
}

/// `true` certainly, `false` certainly not, none: either.
type Maybe = Option<bool>;

#[derive(Clone, Copy)]
struct World {
    vnet: bool,
    internet: bool,
}

fn within(address: Ipv4Addr, prefix: &str) -> bool {
    let Ok(Term::Prefix(net)) = prefix.parse() else { panic!("{prefix} is no prefix") };
    net.contains(&std::net::IpAddr::from(address))
}

impl Scene {
    fn packets(&self) -> Vec<Packet> {
        let parse = |text: &str| text.parse::<Ipv4Addr>().expect("an address");
        let mut packets = Vec::new();
        for local in LOCAL {
            for remote in &self.remote {
                let (local, remote) = (parse(local), parse(REMOTE[*remote]));
                let (source, destination) = if self.outbound { (local, remote) } else { (remote, local) };
                for spoken in &self.spoken {
                    for port in PORTS {
                        packets.push(Packet { source, destination, port, protocol: SPOKEN[*spoken].0 });
                    }
                }
            }
        }
        packets
    }

    fn worlds(&self, address: Ipv4Addr) -> Vec<World> {
        let public = !within(address, "10.0.0.0/8") && !within(address, "192.168.0.0/16");
        let own = within(address, "10.1.0.0/16");
        let (certain, possible) = match self.space {
            Space::Plain => (own, own),
            Space::RoutesUnread | Space::DefaultRoute | Space::PeerUnread => (own, true),
            Space::PrivateRoute => {
                let member = own || within(address, "192.168.0.0/16");
                (member, member)
            }
            Space::PublicRoute => (own, own || within(address, "20.0.0.0/24")),
            Space::Peer => {
                let member = own || within(address, "10.2.0.0/16");
                (member, member)
            }
            Space::HalfPeer => (own, own || within(address, "10.2.0.0/16")),
        };
        let mut worlds = Vec::new();
        for (vnet, internet) in [(true, false), (false, true), (true, true), (false, false)] {
            let fits = if certain {
                vnet && !internet
            } else {
                (possible || !vnet) && (vnet || internet || !public)
            };
            if fits {
                worlds.push(World { vnet, internet });
            }
        }
        worlds
    }

    fn holds(&self, word: Word, address: Ipv4Addr, world: World) -> Maybe {
        match word {
            Word::Any => Some(true),
            Word::Vnet => Some(world.vnet),
            Word::Internet => Some(world.internet),
            Word::Tag => Some(TAG.iter().any(|prefix| within(address, prefix))),
            Word::UnreadTag | Word::Broken => None,
            Word::Group if within(address, "10.1.0.4/32") => Some(true),
            Word::Group if !self.members_known && world.vnet => None,
            Word::Group => Some(false),
            Word::Prefix(prefix) => Some(within(address, prefix)),
        }
    }

    fn matches(&self, rule: &Rule, packet: Packet, source: World, destination: World) -> Maybe {
        if rule.other_way {
            return Some(false);
        }
        let protocol = match rule.protocol {
            "*" => Some(true),
            "Icmpv6" => None,
            named => Some(named.eq_ignore_ascii_case(packet.protocol)),
        };
        let ports = match rule.ports {
            "*" => Some(true),
            _ if packet.protocol == "Icmp" => None,
            "100-90" => None,
            "443" => Some(packet.port == 443),
            _ => Some(packet.port <= 100),
        };
        let parts = [
            protocol,
            ports,
            self.holds(rule.from, packet.source, source),
            self.holds(rule.to, packet.destination, destination),
        ];
        if parts.contains(&Some(false)) {
            Some(false)
        } else if parts.contains(&None) || rule.number < 100 {
            // A rule with a number that Azure refuses may not be in effect at all.
            None
        } else {
            Some(true)
        }
    }

    /// Whether the packet passes a group, in each order of its rules and for each answer to what is not known.
    fn passes(&self, rules: &[Rule], packet: Packet, source: World, destination: World) -> BTreeSet<bool> {
        let mut fates = BTreeSet::new();
        for order in orders(rules) {
            let mut ended = false;
            for at in order {
                let matched = self.matches(&rules[at], packet, source, destination);
                if matched != Some(false) {
                    fates.insert(!rules[at].deny);
                }
                if matched == Some(true) {
                    ended = true;
                    break;
                }
            }
            if !ended {
                let passes = if self.outbound {
                    source.vnet && destination.vnet || destination.internet
                } else {
                    source.vnet && destination.vnet
                };
                fates.insert(passes);
            }
        }
        fates
    }

    fn fates(&self, packet: Packet) -> BTreeSet<bool> {
        let mut fates = BTreeSet::new();
        for source in self.worlds(packet.source) {
            for destination in self.worlds(packet.destination) {
                let of = |rules: &Option<Vec<Rule>>| match rules {
                    Some(rules) => self.passes(rules, packet, source, destination),
                    None => BTreeSet::from([true]),
                };
                for one in of(&self.subnet) {
                    fates.extend(of(&self.interface).into_iter().map(|other| one && other));
                }
            }
        }
        fates
    }

    fn expected(&self) -> Verdict {
        let fates: Vec<BTreeSet<bool>> =
            self.packets().into_iter().map(|packet| self.fates(packet)).collect();
        let all = |fate: bool| fates.iter().all(|fates| *fates == BTreeSet::from([fate]));
        let any = |fate: bool| fates.contains(&BTreeSet::from([fate]));
        match (all(true), all(false), any(true) && any(false)) {
            (true, _, _) => Verdict::Allow,
            (_, true, _) => Verdict::Deny,
            (_, _, true) => Verdict::Partial,
            _ => Verdict::Unknown,
        }
    }
}

/// Every order of the rules that their numbers leave open. A rule whose number is out of range may stand anywhere.
fn orders(rules: &[Rule]) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for at in 0..rules.len() {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut longer = order.clone();
                    longer.insert(place, at);
                    longer
                })
            })
            .collect();
    }
    let in_range = |at: usize| rules[at].number >= 100;
    orders.retain(|order| {
        (0..order.len()).all(|i| {
            (i + 1..order.len()).all(|j| {
                let (one, other) = (order[i], order[j]);
                !(in_range(one) && in_range(other)) || rules[one].number <= rules[other].number
            })
        })
    });
    orders
}

fn told(witness: &Witness, packets: &[Packet]) -> Packet {
    *packets
        .iter()
        .find(|packet| {
            witness.source == packet.source.to_string()
                && witness.destination == packet.destination.to_string()
                && witness.protocol == packet.protocol
                && witness.port.is_none_or(|port| port == packet.port)
        })
        .expect("a witness is one of the packets asked about")
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn answers_are_what_every_world_says(scene in scene()) {
        let answer = scene.ask();
        prop_assert_eq!(answer.verdict, scene.expected(), "{:?}", answer);
        let packets = scene.packets();
        for (witness, fate) in [(&answer.witness.allowed, true), (&answer.witness.denied, false)] {
            if let Some(witness) = witness {
                prop_assert_eq!(scene.fates(told(witness, &packets)), BTreeSet::from([fate]), "{}", witness);
            }
        }
        if let Some(witness) = &answer.witness.undecided {
            prop_assert_eq!(scene.fates(told(witness, &packets)).len(), 2, "{}", witness);
        }
        if answer.verdict == Verdict::Unknown {
            prop_assert!(!answer.reasons.is_empty());
            prop_assert!(answer.proven().is_err());
        }
    }

    #[test]
    fn an_allow_before_everything_never_stops_anything(scene in scene(), first in rule()) {
        if scene.ask().verdict != Verdict::Allow {
            return Ok(());
        }
        let first = Rule { number: 100, deny: false, ..first };
        let mut more = scene.clone();
        more.subnet.iter_mut().chain(&mut more.interface).for_each(|rules| rules.push(first.clone()));
        prop_assert_eq!(more.ask().verdict, Verdict::Allow);
    }

    #[test]
    fn the_order_in_the_file_never_matters(scene in scene(), seed in any::<u64>()) {
        let flow = scene.flow();
        let mut estate = scene.estate();
        let before = estate.ask(&flow);
        for record in &mut estate.records {
            if let Some(rules) = record["properties"]["securityRules"].as_array_mut() {
                let by = usize::try_from(seed % 7).expect("small");
                rules.reverse();
                if !rules.is_empty() {
                    let by = by % rules.len();
                    rules.rotate_left(by);
                }
            }
        }
        estate.records.reverse();
        prop_assert_eq!(estate.ask(&flow), before);
    }

    #[test]
    fn less_knowledge_only_makes_answers_unknown(scene in scene(), about_tag in any::<bool>()) {
        let mut flow = scene.flow();
        if about_tag {
            flow.remote = vec![Term::Tag("sometag".to_owned())];
        }
        let estate = scene.estate();
        let before = estate.ask(&flow).verdict;
        let tags = |estate: &Estate| {
            let mut less = estate.clone();
            less.records.retain(|record| record["type"] != "Microsoft.Network/serviceTags");
            less.hide(Kind::ServiceTags);
            less
        };
        let kind = |estate: &Estate, kind: Kind, arm_type: &str| {
            let mut less = estate.clone();
            less.records.retain(|record| record["type"] != arm_type);
            less.hide(kind);
            less
        };
        let members = {
            let mut less = estate.clone();
            less.interface["properties"]["ipConfigurations"][0]["properties"]["applicationSecurityGroups"] = json!(null);
            less.hide(Kind::NetworkInterfaces);
            less
        };
        for (what, less) in [
            ("tags", tags(&estate)),
            ("routes", kind(&estate, Kind::RouteTables, "Microsoft.Network/routeTables")),
            ("peers", kind(&estate, Kind::VirtualNetworks, "Microsoft.Network/virtualNetworks")),
            ("groups", kind(&estate, Kind::NetworkSecurityGroups, "Microsoft.Network/networkSecurityGroups")),
            ("members", members),
        ] {
            let after = less.ask(&flow).verdict;
            prop_assert!(after == before || after == Verdict::Unknown, "without {what}: {before} became {after}");
        }
    }

    #[test]
    fn a_question_is_the_union_of_its_parts(scene in scene(), cut in 0..REMOTE.len()) {
        let part = |remote: Vec<usize>| Scene { remote, ..scene.clone() };
        let (one, other): (Vec<usize>, Vec<usize>) = scene.remote.iter().partition(|at| **at <= cut);
        if one.is_empty() || other.is_empty() {
            return Ok(());
        }
        let (one, other, whole) = (part(one).ask(), part(other).ask(), scene.ask());
        let exact = match (one.verdict, other.verdict) {
            (Verdict::Allow, Verdict::Allow) => Some(Verdict::Allow),
            (Verdict::Deny, Verdict::Deny) => Some(Verdict::Deny),
            (Verdict::Allow, Verdict::Deny) | (Verdict::Deny, Verdict::Allow) => Some(Verdict::Partial),
            (Verdict::Partial, _) | (_, Verdict::Partial) => Some(Verdict::Partial),
            _ => None,
        };
        match exact {
            Some(verdict) => prop_assert_eq!(whole.verdict, verdict),
            None => prop_assert!(matches!(whole.verdict, Verdict::Unknown | Verdict::Partial)),
        }
        let together = Answer::together([one, other]).expect("two");
        prop_assert_eq!(together.verdict, whole.verdict);
        let ask = |scene: &Scene| {
            let inventory = scene.estate().inventory();
            Exposure::of(&inventory).ask_flow(&resource(&interface()), &scene.flow(), None).verdict
        };
        prop_assert_eq!(ask(&scene), whole.verdict);
    }
}
