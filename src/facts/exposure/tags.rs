//! Service tags as sets of addresses, and the little that holds of a tag whose list was not read.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::bounds::Bounds;
use super::family::{Family, addresses, net};
use super::packets::Addresses;
use crate::inventory::tags::ServiceTag;
use crate::inventory::{Code, Inventory, Kind, Reason};

/// The tags of the tenant's own list.
#[derive(Clone, Debug)]
pub struct Tags {
    sets: BTreeMap<String, [Bounds; 2]>,
    /// Why a tag that is not listed may exist all the same.
    unlisted: Option<Reason>,
    /// The edition of the list, where told.
    pub edition: Option<i64>,
}

/// `AzureCloud` spells these regions in its own way; whether Azure also takes the usual spelling is not documented,
/// so both are read as the same set.
const AZURE_CLOUD_SPELLINGS: &[(&str, &str)] = &[
    ("brazilsoutheast", "brazilse"),
    ("francecentral", "centralfrance"),
    ("chilecentral", "chilec"),
    ("germanynorth", "germanyn"),
    ("germanywestcentral", "germanywc"),
    ("norwayeast", "norwaye"),
    ("norwaywest", "norwayw"),
    ("francesouth", "southfrance"),
    ("switzerlandnorth", "switzerlandn"),
    ("switzerlandwest", "switzerlandw"),
    ("southcentralusstg", "usstagec"),
    ("eastusstg", "usstagee"),
];

/// Families of tags with regional forms that a security group takes; a dot elsewhere is not always a region.
const REGIONAL: &[&str] = &[
    "apimanagement",
    "appservice",
    "appservicemanagement",
    "azurecloud",
    "azureconnectors",
    "azurecontainerregistry",
    "azurecosmosdb",
    "azurekeyvault",
    "azuremonitor",
    "batchnodemanagement",
    "datafactory",
    "eventhub",
    "gatewaymanager",
    "hdinsight",
    "microsoftcontainerregistry",
    "powerbi",
    "powerplatforminfra",
    "powerplatformplex",
    "servicebus",
    "sql",
    "storage",
];
const NO_REGIONS: &[&str] =
    &["core", "frontend", "backend", "firstparty", "microsoftsecurity", "serviceendpoint"];

impl Tags {
    /// The tags of an estate. Of several lists the latest edition counts.
    pub fn of(inventory: &Inventory) -> Self {
        let list = inventory.service_tags.values().max_by_key(|list| list.edition);
        let mut unlisted = inventory.coverage.incomplete_anywhere(Kind::ServiceTags);
        let mut sets = BTreeMap::new();
        match list.map(|list| (list, &list.tags)) {
            Some((_, Ok(tags))) => {
                for tag in tags {
                    match &tag.name {
                        Ok(name) => drop(sets.insert(name.to_ascii_lowercase(), bounds(name, tag))),
                        Err(reason) => drop(unlisted.get_or_insert_with(|| reason.clone())),
                    }
                }
            }
            Some((_, Err(reason))) => drop(unlisted.get_or_insert_with(|| reason.clone())),
            None => {
                let none = || Reason::new(Code::NotFound, "no list of service tags was read");
                unlisted.get_or_insert_with(none);
            }
        }
        Self { sets, unlisted, edition: list.and_then(|list| list.edition) }
    }

    /// The addresses of a tag, by its folded name; none if it is not in the list.
    pub(super) fn find(&self, family: Family, name: &str) -> Option<&Bounds> {
        let sets = self.sets.get(name).or_else(|| self.sets.get(&other_spelling(name)?))?;
        Some(match family {
            Family::V4 => &sets[0],
            Family::V6 => &sets[1],
        })
    }

    /// Why a tag that [`Tags::find`] does not find may hold anything.
    pub(super) fn missing(&self, name: &str) -> Reason {
        match &self.unlisted {
            Some(reason) => {
                let message =
                    format!("the addresses of service tag `{name}` are not known: {}", reason.message);
                Reason { message, ..reason.clone() }
            }
            None => {
                let message = format!("service tag `{name}` is not in the list that was read");
                Reason::new(Code::NotFound, message)
            }
        }
    }
}

/// Whether every address of tag `part` is in tag `whole`, by their folded names alone.
pub(super) fn contains(whole: &str, part: &str) -> bool {
    if whole == part || other_spelling(part).as_deref() == Some(whole) {
        return true;
    }
    part.strip_prefix(whole).and_then(|rest| rest.strip_prefix('.')).is_some_and(|region| {
        REGIONAL.contains(&whole) && !region.contains('.') && !NO_REGIONS.contains(&region)
    })
}

/// The other spelling of a regional `AzureCloud` tag.
fn other_spelling(name: &str) -> Option<String> {
    let region = name.strip_prefix("azurecloud.")?;
    let other = AZURE_CLOUD_SPELLINGS.iter().find_map(|(usual, own)| {
        (*usual == region).then_some(own).or_else(|| (*own == region).then_some(usual))
    })?;
    Some(format!("azurecloud.{other}"))
}

fn bounds(name: &str, tag: &ServiceTag) -> [Bounds; 2] {
    let texts = match &tag.prefixes {
        Ok(texts) => texts,
        Err(reason) => return Family::BOTH.map(|family| Bounds::unknown(family, reason.clone())),
    };
    let mut broken = None;
    let mut nets: Vec<IpNet> = Vec::with_capacity(texts.len());
    for text in texts {
        match net(text) {
            Some(net) => nets.push(net),
            None => broken = broken.or(Some(text)),
        }
    }
    Family::BOTH.map(|family| {
        let mut set = Bounds::known(addresses(family, &nets));
        if let Some(text) = broken {
            let message = format!("`{text}` of service tag `{name}` is no prefix");
            set.add_possible(&family.everything(), Reason::new(Code::Malformed, message));
        }
        let lower_name = name.to_ascii_lowercase();
        let cloud = lower_name == "azurecloud" || lower_name.starts_with("azurecloud.");
        if cloud && family == Family::V6 && !set.upper.is_empty() {
            let message = format!(
                "the list holds IPv6 prefixes for service tag `{name}`, but the documentation says that rules ignore them"
            );
            set.lower = Addresses::none();
            set.doubts.push(Reason::new(Code::Undecidable, message));
        }
        set
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_alone_tell_little() {
        for (whole, part, expected) in [
            ("storage", "storage", true),
            ("storage", "storage.westus2", true),
            ("storage.westus2", "storage", false),
            ("azuremonitor", "azuremonitor.core", false),
            ("azureactivedirectory", "azureactivedirectory.serviceendpoint", false),
            ("azurecloud", "storage.westus2", false),
            ("azurecloud.francecentral", "azurecloud.centralfrance", true),
            ("azurecloud.centralfrance", "azurecloud.francecentral", true),
            ("storage", "storagesync", false),
        ] {
            assert_eq!(contains(whole, part), expected, "{whole} {part}");
        }
    }
}
