//! A small service tag list, in the form of "Service Tags - List": a few real prefixes of each tag,
//! not the whole. A tag without region holds the prefixes of its regional forms.

use serde_json::{Value, json};

/// (tag, service, prefixes of no region in particular, West Europe, North Europe)
type Row =
    (&'static str, &'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const TAGS: &[Row] = &[
    (
        "AzureActiveDirectory",
        "AzureAD",
        &["20.190.128.0/18", "40.126.0.0/18", "2603:1006:2000::/48"],
        &[],
        &[],
    ),
    ("AzureArcInfrastructure", "AzureArcInfrastructure", &["4.145.72.0/29", "4.150.233.30/31"], &[], &[]),
    (
        "AzureContainerRegistry",
        "AzureContainerRegistry",
        &["4.145.75.128/25"],
        &["13.69.64.88/29", "13.69.106.80/29", "13.69.110.0/24", "2603:1020:206:b::400/122"],
        &["4.207.245.0/24", "13.69.227.88/29", "13.69.236.0/23"],
    ),
    (
        "AzureFrontDoor.FirstParty",
        "AzureFrontDoor",
        &["13.107.3.0/24", "13.107.4.0/22", "13.107.9.0/24"],
        &[],
        &[],
    ),
    ("AzureFrontDoor.Frontend", "AzureFrontDoor", &["4.232.98.112/29", "13.73.248.8/29"], &[], &[]),
    (
        "AzureKeyVault",
        "AzureKeyVault",
        &["4.190.147.140/30"],
        &["13.69.64.72/30", "13.69.111.192/30"],
        &["13.69.227.72/30", "13.74.111.148/30"],
    ),
    (
        "AzureMachineLearning",
        "AzureMachineLearning",
        &["4.171.27.64/27", "4.199.83.64/27"],
        &["13.69.64.192/28", "13.69.106.192/28", "20.86.88.160/28", "2603:1020:206:1::2c0/122"],
        &["13.69.227.192/28", "13.74.107.160/28", "20.38.80.96/28"],
    ),
    ("AzureMachineLearningInference", "AzureMachineLearningInference", &["4.150.232.224/27"], &[], &[]),
    ("AzureMonitor", "AzureMonitor", &["4.144.10.32/27", "4.144.10.64/26"], &[], &[]),
    ("AzureResourceManager", "AzureResourceManager", &["4.150.240.0/23", "4.232.96.0/23"], &[], &[]),
    ("AzureTrafficManager", "AzureTrafficManager", &["4.150.57.203/32", "4.150.59.66/32"], &[], &[]),
    (
        "BatchNodeManagement",
        "BatchNodeManagement",
        &["4.232.25.64/27"],
        &["13.69.65.64/26", "13.69.106.128/26"],
        &["13.69.229.32/27", "13.74.107.128/27"],
    ),
    (
        "MicrosoftContainerRegistry",
        "MicrosoftContainerRegistry",
        &["4.190.144.0/29"],
        &["13.69.64.80/29", "13.69.106.72/29"],
        &["13.69.227.80/29", "13.74.107.72/29"],
    ),
    (
        "Storage",
        "AzureStorage",
        &["13.65.107.32/28"],
        &["13.69.40.16/28", "13.95.96.176/28", "2603:1020:207::/48"],
        &["13.70.208.16/28", "13.74.208.64/28"],
    ),
];

const CLOUD_WEST: &[&str] =
    &["4.175.0.0/16", "13.69.0.0/17", "13.95.0.0/16", "20.86.0.0/16", "2603:1020:200::/46"];
const CLOUD_NORTH: &[&str] =
    &["4.207.0.0/16", "13.69.128.0/17", "13.70.192.0/18", "13.74.0.0/16", "20.38.64.0/18"];

/// The record, as the call answers it in that subscription.
pub fn service_tags(subscription: &str) -> Value {
    let mut values = Vec::new();
    let mut cloud: Vec<&str> = Vec::new();
    for (name, service, anywhere, west, north) in TAGS {
        let all: Vec<&str> = [*anywhere, *west, *north].concat();
        cloud.extend(&all);
        values.push(value(name, "", service, &all));
        for (suffix, region, prefixes) in
            [("WestEurope", "westeurope", west), ("NorthEurope", "northeurope", north)]
        {
            if !prefixes.is_empty() {
                values.push(value(&format!("{name}.{suffix}"), region, service, prefixes));
            }
        }
    }
    cloud.extend(CLOUD_WEST.iter().chain(CLOUD_NORTH));
    values.push(value("AzureCloud", "", "", &cloud));
    values.push(value("AzureCloud.westeurope", "westeurope", "", CLOUD_WEST));
    values.push(value("AzureCloud.northeurope", "northeurope", "", CLOUD_NORTH));
    json!({
        "id": format!("/subscriptions/{subscription}/providers/Microsoft.Network/serviceTags/Public"),
        "name": "Public", "type": "Microsoft.Network/serviceTags", "changeNumber": "376", "cloud": "Public",
        "values": values,
    })
}

fn value(name: &str, region: &str, service: &str, prefixes: &[&str]) -> Value {
    json!({"name": name, "id": name, "properties": {"changeNumber": "26", "region": region, "state": "GA",
        "systemService": service, "addressPrefixes": prefixes, "networkFeatures": ["API", "NSG", "UDR", "FW"]}})
}
