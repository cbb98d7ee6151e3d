//! A second reader of rules, for single packets: it knows few forms, and whatever has another is uncertain.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

/// The one service tag that was read.
pub(super) const TAG: [&str; 2] = ["20.0.0.1/32", "20.0.1.0/24"];
pub(super) const SOURCE_PORT: u16 = 1000;

#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) port: u16,
    pub(super) protocol: &'static str,
}

/// The rules of a group; none if they are no list of rules.
pub(super) struct Group(Option<Vec<Value>>);

/// `true` certainly, `false` certainly not, none: either.
type Maybe = Option<bool>;

impl Group {
    pub(super) fn read(rules: &Value) -> Self {
        let list = rules.as_array().filter(|rules| rules.iter().all(Value::is_object));
        Self(list.map(|rules| rules.iter().map(|rule| rule["properties"].clone()).collect()))
    }
}

/// Whether a packet arrives, if that is certain. The address outside may be one of the internet or not, where it is private.
pub(super) fn fate(groups: &[Group], packet: &Packet, outbound: bool) -> Maybe {
    let remote = if outbound { packet.destination } else { packet.source };
    let mut fates = Vec::new();
    for internet in [true, false] {
        if remote.is_private() && !own(remote) || internet != own(remote) {
            fates.push(passes_all(groups, packet, outbound, internet));
        }
    }
    fates.iter().all(|fate| *fate == fates[0]).then_some(fates[0]).flatten()
}

fn passes_all(groups: &[Group], packet: &Packet, outbound: bool, internet: bool) -> Maybe {
    let each: Vec<Maybe> = groups.iter().map(|group| passes(group, packet, outbound, internet)).collect();
    if each.contains(&Some(false)) {
        Some(false)
    } else if each.contains(&None) {
        None
    } else {
        Some(true)
    }
}

fn passes(group: &Group, packet: &Packet, outbound: bool, internet: bool) -> Maybe {
    let rules = group.0.as_ref()?;
    let mut numbered = Vec::new();
    let mut possible = Vec::new();
    for rule in rules {
        let (matched, access) = (matches(rule, packet, outbound, internet), access(rule));
        match number(&rule["priority"]).filter(|number| (100..=4096).contains(number)) {
            _ if matched == Some(false) => {}
            Some(number) => numbered.push((number, matched, access)),
            // It may come first, last or never.
            None => possible.push(access),
        }
    }
    numbered.sort_by_key(|(number, ..)| *number);
    let mut decided = false;
    for same in numbered.chunk_by(|one, other| one.0 == other.0) {
        possible.extend(same.iter().map(|(.., access)| *access));
        if same.iter().any(|(_, matched, _)| *matched == Some(true)) {
            decided = true;
            break;
        }
    }
    if !decided {
        let within = own(packet.source) && own(packet.destination);
        possible.push(Some(within || outbound && internet && !own(packet.destination)));
    }
    possible.iter().all(|fate| *fate == possible[0]).then_some(possible[0]).flatten()
}

fn own(address: Ipv4Addr) -> bool {
    address.octets()[..2] == [10, 1]
}

/// The text of a field that holds one.
fn told(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim().to_ascii_lowercase();
    (!text.is_empty()).then_some(text)
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| told(value)?.parse().ok())
}

fn access(rule: &Value) -> Maybe {
    match told(&rule["access"])?.as_str() {
        "allow" => Some(true),
        "deny" => Some(false),
        _ => None,
    }
}

fn matches(rule: &Value, packet: &Packet, outbound: bool, internet: bool) -> Maybe {
    let direction = match told(&rule["direction"]).as_deref() {
        Some("inbound") => Some(!outbound),
        Some("outbound") => Some(outbound),
        _ => None,
    };
    let protocol = match told(&rule["protocol"]).as_deref() {
        Some("*" | "any" | "all") => Some(true),
        Some(named @ ("tcp" | "udp" | "icmp" | "esp" | "ah")) => {
            Some(named.eq_ignore_ascii_case(packet.protocol))
        }
        _ => None,
    };
    let mut ports = [("source", SOURCE_PORT), ("destination", packet.port)]
        .map(|(side, port)| any(texts(rule, &format!("{side}PortRange")), |text| in_range(text, port)));
    if packet.protocol == "Icmp" {
        // Ports mean nothing here, so only a rule that names every one of them is certain.
        ports = ["source", "destination"].map(|side| {
            any(texts(rule, &format!("{side}PortRange")), |text| in_range(text, 0).map(|_| text == "*"))
                .filter(|every| *every)
        });
    }
    let addresses = [("source", packet.source), ("destination", packet.destination)]
        .map(|(side, address)| holds(rule, side, address, internet));
    let parts = [direction, protocol, ports[0], ports[1], addresses[0], addresses[1]];
    if parts.contains(&Some(false)) {
        Some(false)
    } else if parts.contains(&None) {
        None
    } else {
        Some(true)
    }
}

/// The texts of a singular field and of its plural; none if either has another form, or neither tells any.
fn texts(rule: &Value, singular: &str) -> Option<Vec<String>> {
    let plural = match singular.strip_suffix("Prefix") {
        Some(_) => format!("{singular}es"),
        None => format!("{singular}s"),
    };
    let mut texts = Vec::new();
    match &rule[singular] {
        Value::Null => {}
        Value::String(text) if text.trim().is_empty() => {}
        one => texts.push(told(one)?),
    }
    match &rule[&plural] {
        Value::Null => {}
        Value::Array(many) => texts.extend(many.iter().map(told).collect::<Option<Vec<_>>>()?),
        _ => return None,
    }
    (!texts.is_empty()).then_some(texts)
}

fn any(texts: Option<Vec<String>>, is: impl Fn(&str) -> Maybe) -> Maybe {
    let each: Vec<bool> = texts?.iter().map(|text| is(text)).collect::<Option<_>>()?;
    Some(each.contains(&true))
}

fn in_range(text: &str, port: u16) -> Maybe {
    if text == "*" {
        return Some(true);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let digits = |text: &str| text.trim().bytes().all(|byte| byte.is_ascii_digit());
    let (first, last) = (first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?);
    let sound = text.split('-').all(digits) && first <= last;
    sound.then_some(first <= port && port <= last)
}

fn holds(rule: &Value, side: &str, address: Ipv4Addr, internet: bool) -> Maybe {
    // Nobody is a member of any group here.
    let groups = match &rule[format!("{side}ApplicationSecurityGroups")] {
        Value::Null => 0,
        Value::Array(groups) => {
            groups.iter().map(|group| told(&group["id"])).collect::<Option<Vec<_>>>()?.len()
        }
        _ => return None,
    };
    let texts = match texts(rule, &format!("{side}AddressPrefix")) {
        Some(texts) => texts,
        None if groups > 0 && !names_prefixes(rule, side) => return Some(false),
        None => return None,
    };
    let mut families = Vec::new();
    let mut words = Vec::new();
    for text in &texts {
        words.push(match text.as_str() {
            "*" | "any" => true,
            "virtualnetwork" => own(address),
            "internet" => internet && !own(address),
            "azureloadbalancer" => false,
            "sometag" => TAG.iter().any(|prefix| in_prefix(prefix, address) == Some(true)),
            _ => {
                families.push(text.contains(':'));
                in_prefix(text, address)?
            }
        });
    }
    // Azure refuses a list of both families.
    families.dedup();
    (families.len() < 2).then(|| words.contains(&true))
}

fn names_prefixes(rule: &Value, side: &str) -> bool {
    let blank =
        |value: &Value| value.is_null() || *value == "" || value.as_array().is_some_and(Vec::is_empty);
    let keys = [format!("{side}AddressPrefix"), format!("{side}AddressPrefixes")];
    keys.iter().any(|key| !blank(&rule[key]))
}

fn in_prefix(text: &str, address: Ipv4Addr) -> Maybe {
    let (start, length) = text.split_once('/').map_or((text, None), |(start, length)| (start, Some(length)));
    let start: IpAddr = start.parse().ok()?;
    let longest = if start.is_ipv4() { 32 } else { 128 };
    let digits = length.is_none_or(|length| length.bytes().all(|byte| byte.is_ascii_digit()));
    let length: u32 = length.map_or(Some(longest), |length| length.parse().ok())?;
    if !digits || length > longest {
        return None;
    }
    match start {
        IpAddr::V4(start) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            Some(u32::from(start) & mask == u32::from(address) & mask)
        }
        // A mapped address is one of either family.
        IpAddr::V6(start) => start.to_ipv4_mapped().is_none().then_some(false),
    }
}
