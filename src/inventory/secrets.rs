//! The one list of fields that can carry secrets, or personal keys, in answers to plain GETs.

use serde_json::{Map, Value};

use super::Kind;

/// Paths by kind; `[]` stands for every element of a list. A whole block goes where a secret may hide at
/// several depths of it (a v1 service's `environmentImageRequest` holds a registry password, its `models`
/// SAS URLs).
const SECRETS: &[(Kind, &[&str])] = &[
    (Kind::Workspaces, &["properties.sdkTelemetryAppInsightsKey"]),
    (
        Kind::Services,
        &[
            "properties.sslKey",
            "properties.sslCertificate",
            "properties.keys",
            "properties.environmentImageRequest",
            "properties.models",
        ],
    ),
    (
        Kind::Computes,
        &[
            "properties.properties.sslConfiguration.key",
            "properties.properties.sslConfiguration.cert",
            "properties.properties.relayConnectionString",
            "properties.properties.serviceBusConnectionString",
            "properties.properties.adminAccount",
            "properties.properties.administratorAccount",
            "properties.properties.databricksAccessToken",
        ],
    ),
    (Kind::OnlineEndpoints, &["properties.keys"]),
    (
        Kind::ContainerGroups,
        &[
            "properties.containers[].properties.environmentVariables[].value",
            "properties.containers[].properties.environmentVariables[].secureValue",
            "properties.initContainers[].properties.environmentVariables[].value",
            "properties.initContainers[].properties.environmentVariables[].secureValue",
            "properties.containers[].properties.livenessProbe",
            "properties.containers[].properties.readinessProbe",
            "properties.containers[].properties.command",
            "properties.initContainers[].properties.command",
            "properties.imageRegistryCredentials",
            "properties.diagnostics.logAnalytics.workspaceKey",
            "properties.volumes[].azureFile.storageAccountKey",
            "properties.volumes[].secret",
            "properties.volumes[].gitRepo",
        ],
    ),
    (
        Kind::AksClusters,
        &[
            "properties.httpProxyConfig",
            "properties.linuxProfile",
            "properties.windowsProfile",
            "properties.servicePrincipalProfile.secret",
        ],
    ),
    (
        Kind::ScaleSets,
        &[
            "properties.virtualMachineProfile.osProfile",
            "properties.virtualMachineProfile.extensionProfile",
            "properties.virtualMachineProfile.userData",
        ],
    ),
    (Kind::Extensions, &["properties.configurationProtectedSettings"]),
];

/// Drops every listed field, whatever the case of its name.
pub(super) fn drop_from(kind: Kind, body: &mut Map<String, Value>) {
    for (of, paths) in SECRETS {
        if kind == *of {
            for path in *paths {
                drop_path(body, path);
            }
        }
    }
}

fn drop_path(object: &mut Map<String, Value>, path: &str) {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let (name, each) = head.strip_suffix("[]").map_or((head, false), |name| (name, true));
    let Some(rest) = rest else {
        object.retain(|key, _| !key.eq_ignore_ascii_case(name));
        return;
    };
    for (key, value) in object.iter_mut() {
        if !key.eq_ignore_ascii_case(name) {
            continue;
        }
        match value {
            Value::Object(inner) if !each => drop_path(inner, rest),
            Value::Array(items) if each => {
                items.iter_mut().filter_map(Value::as_object_mut).for_each(|inner| drop_path(inner, rest));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Record;
    use serde_json::json;

    /// A body with a canary at the end of a path, and the same body as it must look afterwards.
    fn planted(path: &str) -> Value {
        path.rsplit('.').fold(json!("CANARY"), |inner, segment| match segment.strip_suffix("[]") {
            Some(name) => json!({ name: [inner, {"kept": 1}] }),
            None => json!({ segment: inner, "kept": 1 }),
        })
    }

    #[test]
    fn every_listed_field_is_dropped_in_any_case() {
        for (kind, paths) in SECRETS {
            for path in *paths {
                for path in [path.to_string(), path.to_uppercase()] {
                    let mut body = planted(&path);
                    body["id"] = json!("/subscriptions/s/resourceGroups/g/providers/x/y/z");
                    body["type"] = json!(kind.arm_types()[0]);
                    let record = Record::from_body(body).expect("a record");
                    let text = serde_json::to_string(&record).expect("json");
                    assert!(!text.contains("CANARY"), "{kind} {path}: {text}");
                    assert!(text.contains("kept"), "{kind} {path} took too much: {text}");
                }
            }
        }
    }
}
