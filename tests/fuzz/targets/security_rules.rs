//! Rules of network security groups as JSON: a list for the subnet, or `{"subnet": …, "interface": …}`. An answer that says
//! allow or deny is what a strict reader finds packet by packet; so are the packets that it shows.

#![cfg_attr(fuzzing, no_main)]

// The estate serves other tests too.
#[allow(dead_code)]
#[path = "../../flow/estate.rs"]
mod estate;
#[path = "../strict_rules.rs"]
mod strict;

use mlfence::facts::exposure::{Answer, Flow, PortRange, Protocols, Verdict, Witness};
use mlfence::inventory::security::Direction;
use serde_json::{Value, json};

use estate::Estate;
use strict::{Group, Packet, TAG};

const LOCAL: &str = "10.1.0.4";
const REMOTE: [&str; 5] = ["10.1.0.9", "10.2.0.1", "20.0.0.1", "8.8.8.8", "192.168.0.1"];
const PORTS: [u16; 2] = [80, 443];
const SPOKEN: [&str; 3] = ["Tcp", "Udp", "Icmp"];

/// What must hold of any rules.
pub(crate) fn check(input: &[u8]) {
    let Ok(given) = serde_json::from_slice::<Value>(input) else { return };
    let (subnet, interface) = match &given {
        Value::Object(both) => (both.get("subnet"), both.get("interface")),
        rules => (Some(rules), None),
    };
    let mut estate = Estate::new().with_tags(&json!({"SomeTag": TAG}));
    let mut groups = Vec::new();
    for (rules, on) in [(subnet, "subnet"), (interface, "interface")] {
        let Some(rules) = rules else { continue };
        groups.push(Group::read(rules));
        estate = if on == "subnet" { estate.on_subnet(Vec::new()) } else { estate.on_interface(Vec::new()) };
        let group = estate.records.last_mut().expect("the group just put there");
        group["properties"]["securityRules"] = rules.clone();
    }
    for outbound in [false, true] {
        let packets = packets(outbound);
        let fates: Vec<Option<bool>> =
            packets.iter().map(|packet| strict::fate(&groups, packet, outbound)).collect();
        let answer = estate.ask(&flow(outbound));
        let all = |fate: bool| fates.iter().all(|told| *told == Some(fate));
        let any = |fate: bool| fates.contains(&Some(fate));
        let agrees = match answer.verdict {
            Verdict::Allow => all(true),
            Verdict::Deny => all(false),
            Verdict::Partial => any(true) && any(false),
            Verdict::Unknown => !answer.reasons.is_empty() && answer.proven().is_err(),
        };
        assert!(agrees, "outbound {outbound}: {answer:?}\n{packets:?}\n{fates:?}");
        shown(&answer, &packets, &fates);
    }
}

/// A packet that an answer shows was asked about, and fares as the answer says.
fn shown(answer: &Answer, packets: &[Packet], fates: &[Option<bool>]) {
    let is = |witness: &Witness, packet: &Packet| {
        witness.source == packet.source.to_string()
            && witness.destination == packet.destination.to_string()
            && witness.protocol == packet.protocol
            && witness.port.is_none_or(|port| port == packet.port)
    };
    for (witness, fate) in [(&answer.witness.allowed, true), (&answer.witness.denied, false)] {
        let Some(witness) = witness else { continue };
        let at = packets.iter().position(|packet| is(witness, packet)).expect("a packet asked about");
        assert_eq!(fates[at], Some(fate), "{witness}");
    }
    let (allowed, denied) = (&answer.witness.allowed, &answer.witness.denied);
    match answer.verdict {
        Verdict::Allow => assert!(allowed.is_some() && denied.is_none()),
        Verdict::Deny => assert!(allowed.is_none() && denied.is_some()),
        Verdict::Partial => assert!(allowed.is_some() && denied.is_some()),
        Verdict::Unknown => {}
    }
}

fn packets(outbound: bool) -> Vec<Packet> {
    let address = |text: &str| text.parse().expect("an address");
    let mut packets = Vec::new();
    for remote in REMOTE {
        let (source, destination) = if outbound { (LOCAL, remote) } else { (remote, LOCAL) };
        let (source, destination) = (address(source), address(destination));
        for protocol in SPOKEN {
            packets.extend(PORTS.map(|port| Packet { source, destination, port, protocol }));
        }
    }
    packets
}

fn flow(outbound: bool) -> Flow {
    let one = |port: u16| PortRange { first: port, last: port };
    Flow {
        direction: if outbound { Direction::Outbound } else { Direction::Inbound },
        remote: REMOTE.iter().map(|text| text.parse().expect("an address")).collect(),
        local: Some(vec![LOCAL.parse().expect("an address")]),
        source_ports: vec![one(strict::SOURCE_PORT)],
        ports: PORTS.map(one).to_vec(),
        protocols: Protocols::TCP.union(Protocols::UDP).union(Protocols::ICMP),
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));
