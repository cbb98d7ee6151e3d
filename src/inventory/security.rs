//! Network security groups and their rules, and security admin rules.
//!
//! Texts stay texts: what a prefix, a tag or a port stands for is `facts`' affair.

use super::field::{self, Field, Part};
use super::state::State;
use super::{Code, Known, Reason, Record, ResourceId};

/// A network security group.
#[derive(Clone, Debug)]
pub struct SecurityGroup {
    /// Its id.
    pub id: ResourceId,
    /// Where it stands in its life; a group that does not say is taken as settled.
    pub state: Known<State>,
    /// Its own rules, in no particular order.
    pub rules: Known<Vec<Rule>>,
    /// The default rules, as far as Azure told them.
    pub default_rules: Known<Vec<Rule>>,
}

/// A rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name; "unnamed" if it tells none.
    pub name: String,
    /// Its number.
    pub priority: Known<i64>,
    /// Which way the packets go that it is about.
    pub direction: Known<Direction>,
    /// What it does with them.
    pub access: Known<Access>,
    /// The protocol, as Azure told it.
    pub protocol: Known<String>,
    /// Where the packets come from.
    pub source: Side,
    /// Where they go to.
    pub destination: Side,
}

/// Which way a flow is opened, seen from the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Towards it.
    Inbound,
    /// Away from it.
    Outbound,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Lets pass; of a security admin rule: hands over to the groups.
    Allow,
    /// Stops.
    Deny,
    /// Lets pass whatever the groups say. Only security admin rules can.
    AlwaysAllow,
}

/// One side of a rule: the union of what its fields hold.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Prefixes, addresses and tags, each with the field that told it.
    pub prefixes: Vec<Told>,
    /// Application security groups.
    pub groups: Vec<ResourceId>,
    /// Ports, each with the field that told it.
    pub ports: Vec<Told>,
    /// Why its addresses are not told completely.
    pub hidden_addresses: Option<Reason>,
    /// Why its ports are not told completely.
    pub hidden_ports: Option<Reason>,
}

/// A text and the field that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The last key of the field's path.
    pub field: &'static str,
    /// The text.
    pub text: String,
}

/// A security admin rule in effect. What a row holds is not documented, so only its reach is read.
#[derive(Clone, Debug)]
pub struct AdminRule {
    /// Its id.
    pub id: ResourceId,
    /// The VNets that the row names; if it names none, it may concern any.
    pub vnets: Vec<ResourceId>,
}

/// The fields of one side.
struct SideFields {
    prefix: &'static Field,
    prefixes: &'static Field,
    groups: &'static Field,
    group: &'static Field,
    port: &'static Field,
    ports: &'static Field,
}

const SOURCE: SideFields = SideFields {
    prefix: &field::RULE_SOURCE,
    prefixes: &field::RULE_SOURCES,
    groups: &field::RULE_SOURCE_GROUPS,
    group: &field::RULE_SOURCE_GROUP,
    port: &field::RULE_SOURCE_PORT,
    ports: &field::RULE_SOURCE_PORTS,
};
const DESTINATION: SideFields = SideFields {
    prefix: &field::RULE_DESTINATION,
    prefixes: &field::RULE_DESTINATIONS,
    groups: &field::RULE_DESTINATION_GROUPS,
    group: &field::RULE_DESTINATION_GROUP,
    port: &field::RULE_DESTINATION_PORT,
    ports: &field::RULE_DESTINATION_PORTS,
};

impl SecurityGroup {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let rules = |list: &Field| Ok(list.list(part)?.into_iter().map(Rule::read).collect());
        let state = match field::NSG_STATE.text(part) {
            Ok(None) => Ok(State::Settled),
            _ => State::read(&field::NSG_STATE, part),
        };
        Self {
            id: record.id().clone(),
            state,
            rules: rules(&field::NSG_RULES),
            default_rules: rules(&field::NSG_DEFAULT_RULES),
        }
    }
}

impl Rule {
    fn read(part: Part<'_>) -> Self {
        let direction = field::RULE_DIRECTION.told_text(part).and_then(|text| {
            let words = [("inbound", Direction::Inbound), ("outbound", Direction::Outbound)];
            word(&field::RULE_DIRECTION, text, &words)
        });
        let access = field::RULE_ACCESS.told_text(part).and_then(|text| {
            let words =
                [("allow", Access::Allow), ("deny", Access::Deny), ("alwaysallow", Access::AlwaysAllow)];
            word(&field::RULE_ACCESS, text, &words)
        });
        let priority = field::RULE_PRIORITY
            .number(part)
            .and_then(|number| number.ok_or_else(|| Reason::new(Code::NotTold, "`priority` is not told")));
        Self {
            name: field::RULE_NAME.told_text(part).unwrap_or("unnamed").to_owned(),
            priority,
            direction,
            access,
            protocol: field::RULE_PROTOCOL.told_text(part).map(str::to_owned),
            source: Side::read(&SOURCE, part),
            destination: Side::read(&DESTINATION, part),
        }
    }
}

impl Side {
    fn read(fields: &SideFields, part: Part<'_>) -> Self {
        let (prefixes, mut hidden_addresses) = told(fields.prefix, fields.prefixes, part);
        let (ports, hidden_ports) = told(fields.port, fields.ports, part);
        let mut groups = Vec::new();
        match fields.groups.list(part) {
            Ok(list) => {
                for part in list {
                    match fields.group.told_id(part) {
                        Ok(id) => groups.push(id),
                        Err(reason) => drop(hidden_addresses.get_or_insert(reason)),
                    }
                }
            }
            Err(reason) if reason.code == Code::NotTold => {}
            Err(reason) => drop(hidden_addresses.get_or_insert(reason)),
        }
        Self { prefixes, groups, ports, hidden_addresses, hidden_ports }
    }
}

impl AdminRule {
    pub(super) fn read(record: &Record) -> Self {
        let mut vnets: Vec<ResourceId> =
            record.id().ancestor("microsoft.network/virtualnetworks").into_iter().collect();
        let mut texts = Vec::new();
        for value in record.body().values() {
            collect_texts(value, &mut texts);
        }
        vnets.extend(texts.into_iter().filter_map(vnet_in));
        vnets.sort();
        vnets.dedup();
        Self { id: record.id().clone(), vnets }
    }
}

/// The VNet that a text lies in, if it is an ARM id with a VNet in it.
fn vnet_in(text: &str) -> Option<ResourceId> {
    const MARK: &str = "/providers/microsoft.network/virtualnetworks/";
    let id = ResourceId::parse(text)?;
    let name_at = id.key().find(MARK)? + MARK.len();
    let name = id.key().get(name_at..)?.split('/').next().filter(|name| !name.is_empty())?;
    ResourceId::parse(id.key().get(..name_at + name.len())?)
}

fn collect_texts<'a>(value: &'a serde_json::Value, into: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::String(text) => into.push(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_texts(item, into)),
        serde_json::Value::Object(object) => object.values().for_each(|item| collect_texts(item, into)),
        _ => {}
    }
}

/// The texts of a singular and a plural field, and why they may not be all.
fn told(singular: &'static Field, plural: &'static Field, part: Part<'_>) -> (Vec<Told>, Option<Reason>) {
    let mut texts = Vec::new();
    let mut hidden = None;
    match singular.text(part) {
        Ok(text) => texts.extend(text.map(|text| Told { field: last_key(singular), text: text.to_owned() })),
        Err(reason) if reason.code == Code::NotTold => {}
        Err(reason) => hidden = Some(reason),
    }
    match plural.texts(part) {
        Ok(many) => {
            // A blank in the singular field means that the plural tells; in the plural it may stand for anything.
            if many.iter().any(String::is_empty) {
                let message = format!("`{}` holds a blank text", last_key(plural));
                hidden.get_or_insert(Reason::new(Code::Malformed, message));
            }
            texts.extend(many.into_iter().map(|text| Told { field: last_key(plural), text }));
        }
        Err(reason) if reason.code == Code::NotTold => {}
        Err(reason) => drop(hidden.get_or_insert(reason)),
    }
    (texts, hidden)
}

fn last_key(field: &Field) -> &'static str {
    field.path.rsplit('.').next().unwrap_or(field.path)
}

fn word<T: Copy>(field: &Field, text: &str, words: &[(&str, T)]) -> Known<T> {
    let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    let unknown = || Reason::new(Code::Malformed, format!("`{}` is `{text}`", last_key(field)));
    known.map(|(_, value)| *value).ok_or_else(unknown)
}
