//! A snapshot that was captured from armsim, served again, answers the same.

mod support;

use armsim::kinds::{KINDS, Kind};
use armsim::{Estate, Options, company};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{Azure, serve, subscription};

const WORKSPACES: &str = "Microsoft.MachineLearningServices/workspaces";
const CHILDREN: &[(&str, &str)] =
    &[("computes", "computes"), ("services", "services"), ("outbound_rules", "outboundRules")];

fn table_query(kind: &Kind) -> Option<String> {
    let types: Vec<String> = kind.types.iter().map(|of| format!("'{of}'")).collect();
    let table = kind.table?;
    Some(format!(
        "{table} | where type in~ ({}) \
         | project id, name, type, kind, location, tags, sku, identity, managedBy, properties | order by id asc",
        types.join(",")
    ))
}

async fn rows(azure: &Azure, kind: &Kind) -> Vec<Value> {
    let Some(query) = table_query(kind) else {
        return Vec::new();
    };
    let answer =
        azure.query(&query, json!({"$top": 1000, "authorizationScopeFilter": "AtScopeAboveAndBelow"})).await;
    answer.body["data"].as_array().cloned().unwrap_or_default()
}

/// What a sweep would write down: records, and a gap for each right that is missing.
async fn capture(azure: &Azure, of: &Estate) -> Estate {
    let mut estate = Estate::new(of.header.clone());
    let listed = azure.get("/subscriptions?api-version=2022-12-01").await.ids();
    let seen = |id: &str| listed.iter().any(|listed| listed.ends_with(id));
    estate.header.subscriptions.retain(|subscription| seen(&subscription.id));
    for kind in KINDS {
        estate.records.extend(rows(azure, kind).await);
    }
    let mut gap = |kind: &str, scope: &str, reason: &str| {
        estate.gaps.push(json!({"source": kind, "scope": scope, "reason": reason}));
    };
    let mut read = Vec::new();
    for scope in &listed {
        let permissions =
            format!("{scope}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01");
        let permissions = azure.get(&permissions).await;
        let granted = &permissions.body["value"][0];
        for kind in KINDS {
            match permissions.status {
                200 if granted.is_null() => gap(kind.name, scope, "partial_rights"),
                200 if granted["notActions"].as_array().is_some_and(|n| n.contains(&json!(kind.action))) => {
                    let reason = if kind.table.is_some() { "partial_rights" } else { "denied" };
                    gap(kind.name, scope, reason);
                }
                200 => {}
                _ => gap(kind.name, scope, "denied"),
            }
        }
        // Kind, the scope of a gap, and the list.
        let mut lists: Vec<(&str, String, String)> = Vec::new();
        for (kind, of) in [("deny_assignments", "denyAssignments"), ("role_assignments", "roleAssignments")] {
            let list = format!("{scope}/providers/Microsoft.Authorization/{of}");
            lists.push((kind, scope.clone(), list));
        }
        let workspaces = format!("{scope}/providers/{WORKSPACES}?api-version=2021-04-01");
        for workspace in azure.get(&workspaces).await.ids() {
            for (kind, child) in CHILDREN {
                lists.push((kind, workspace.clone(), format!("{workspace}/{child}")));
            }
        }
        for (kind, scope, list) in lists {
            let page = azure.get(&format!("{list}?api-version=2021-04-01")).await;
            match page.status {
                200 => read.extend(page.body["value"].as_array().cloned().unwrap_or_default()),
                _ => gap(kind, &scope, "denied"),
            }
        }
        let tags = azure
            .get(&format!(
                "{scope}/providers/Microsoft.Network/locations/westeurope/serviceTags?api-version=2023-09-01"
            ))
            .await;
        match tags.status {
            200 => read.push(tags.body),
            _ => gap("service_tags", scope, "denied"),
        }
    }
    estate.records.extend(read);
    Estate::from_jsonl(&estate.to_jsonl()).expect("the capture is well formed")
}

/// Status and ids of everything that a client would ask for.
async fn answers(azure: &Azure) -> BTreeMap<String, (u16, Vec<String>)> {
    let mut paths = vec!["/subscriptions".to_owned()];
    for scope in azure.get("/subscriptions?api-version=2022-12-01").await.ids() {
        paths.push(format!("{scope}/resourcegroups"));
        paths.push(format!("{scope}/providers/Microsoft.Network/locations/westeurope/serviceTags"));
        for of in ["roleAssignments", "denyAssignments", "roleDefinitions"] {
            paths.push(format!("{scope}/providers/Microsoft.Authorization/{of}"));
        }
        // Children of resources have no list at the subscription.
        let types = KINDS.iter().filter(|kind| kind.table == Some("resources")).map(|kind| kind.types[0]);
        for of in types.filter(|of| of.matches('/').count() == 1) {
            paths.push(format!("{scope}/providers/{of}"));
        }
        let workspaces = azure.get(&format!("{scope}/providers/{WORKSPACES}?api-version=2021-04-01")).await;
        for workspace in workspaces.ids() {
            paths.extend(CHILDREN.iter().map(|(_, child)| format!("{workspace}/{child}")));
        }
    }
    let mut found = BTreeMap::new();
    for path in paths {
        let answer = azure.get(&format!("{path}?api-version=2021-04-01")).await;
        let mut ids = answer.ids();
        ids.sort();
        found.insert(path, (answer.status, ids));
    }
    for scope in azure.get("/subscriptions?api-version=2022-12-01").await.ids() {
        let path = format!("{scope}/providers/Microsoft.Authorization/permissions");
        let answer = azure.get(&format!("{path}?api-version=2022-04-01")).await;
        found.insert(path, (answer.status, vec![answer.body["value"].to_string()]));
    }
    for kind in KINDS {
        let rows = rows(azure, kind).await;
        let rows = rows.iter().map(|row| format!("{} {}", row["id"], row["properties"])).collect();
        found.insert(format!("graph {}", kind.name), (200, rows));
    }
    found
}

async fn check(name: &str, options: impl Fn(&Estate) -> Options) {
    let (estate, _) = company::demo();
    let options = Options { page_size: 1000, rate_limits: false, ..options(&estate) };
    let azure = serve(estate.clone(), options).await;
    let captured = capture(&azure, &estate).await;
    let again = serve(captured, Options { page_size: 1000, rate_limits: false, ..Options::default() }).await;
    let (first, second) = (answers(&azure).await, answers(&again).await);
    for (question, answer) in &first {
        assert_eq!(second.get(question), Some(answer), "{name}: {question}");
    }
    assert_eq!(first.len(), second.len(), "{name}");
}

fn prod(estate: &Estate) -> String {
    format!("/subscriptions/{}", subscription(estate, "ml-prod"))
}

#[tokio::test]
async fn with_full_rights() {
    check("full rights", |_| Options::default()).await;
}

#[tokio::test]
async fn with_a_denied_subscription() {
    check("denied", |estate| Options { deny: vec![prod(estate)], ..Options::default() }).await;
}

#[tokio::test]
async fn with_a_hidden_subscription() {
    check("hidden", |estate| Options { hide: vec![prod(estate)], ..Options::default() }).await;
}

#[tokio::test]
async fn with_rights_on_one_group() {
    check("one group", |estate| Options {
        readable_only: vec![format!("{}/resourceGroups/rg-fraud-prod", prod(estate))],
        ..Options::default()
    })
    .await;
}

#[tokio::test]
async fn with_denied_kinds() {
    for action in [
        "Microsoft.Network/networkSecurityGroups/read",
        "Microsoft.MachineLearningServices/workspaces/computes/read",
        "Microsoft.Network/locations/serviceTags/read",
        "Microsoft.Authorization/denyAssignments/read",
    ] {
        check(action, |estate| Options {
            deny_actions: vec![(prod(estate), action.to_owned())],
            ..Options::default()
        })
        .await;
    }
}
