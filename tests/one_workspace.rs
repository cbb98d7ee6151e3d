//! The facts of one workspace alone are those that the whole derivation gives: nothing is missing, nothing is otherwise, and
//! nothing of others is among them.

mod support;

use std::collections::BTreeSet;

use armsim::{Estate, company};
use mlfence::expectations::Declarations;
use mlfence::facts::{Document, SubjectKind, derive, derive_workspace};
use mlfence::inventory::{Inventory, ResourceId};
use serde_json::json;

/// Whether a document is about something that the workspace uses, told from the documents alone.
fn uses(workspace: &ResourceId, document: &Document, all: &[Document]) -> bool {
    let attached = |document: &Document| {
        document.attachments.iter().flatten().any(|attachment| attachment.workspace == *workspace)
    };
    document.subject.workspace.as_ref() == Some(workspace)
        || attached(document)
        || document.subnet.as_ref().is_some_and(|subnet| {
            let own = |document: &&Document| {
                attached(document) || document.subject.workspace.as_ref() == Some(workspace)
            };
            all.iter().filter(own).any(|other| {
                let group = other.service.as_ref().and_then(|service| service.container_group.as_ref());
                let cluster = (other.subject.kind == SubjectKind::AksCluster).then_some(&other.subject.id);
                group.into_iter().chain(cluster).any(|id| subnet.used_by.contains(id))
            })
        })
}

fn check(estate: &Estate, declarations: &Declarations) {
    let inventory = Inventory::build(&support::snapshot(estate));
    let all = derive(&inventory, declarations).documents;
    let mut seen = BTreeSet::new();
    for workspace in inventory.workspaces.keys() {
        let own = derive_workspace(&inventory, declarations, workspace);
        let expected: Vec<Document> =
            all.iter().filter(|document| uses(workspace, document, &all)).cloned().collect();
        assert_eq!(own, expected, "{workspace}");
        seen.extend(own.into_iter().map(|document| document.subject));
    }
    let missing: Vec<_> = all
        .iter()
        .filter(|document| !seen.contains(&document.subject) && document.subject.workspace.is_some())
        .map(|document| &document.subject)
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn one_workspace_has_the_facts_that_all_of_them_have() {
    for estate in [company::healthy(), company::demo().0] {
        check(&estate, &support::declarations(&estate));
        check(&estate, &Declarations::default());
    }
    let (estate, _) = company::generate(&company::Size { workspaces: 12, seed: 7, subscriptions: 2 });
    check(&estate, &support::declarations(&estate));
}

#[test]
fn a_cluster_that_two_workspaces_share_is_among_the_facts_of_both() {
    let mut estate = company::demo().0;
    let attached: Vec<usize> = (0..estate.records.len())
        .filter(|at| estate.records[*at]["properties"]["computeType"] == "Kubernetes")
        .filter(|at| estate.records[*at]["id"].as_str().is_some_and(|id| id.contains("-prod")))
        .collect();
    assert_eq!(attached.len(), 2, "fraud and telematics");
    let target = estate.records[attached[0]]["properties"]["resourceId"].clone();
    assert!(target.is_string());
    estate.records[attached[1]]["properties"]["resourceId"] = target;
    check(&estate, &support::declarations(&estate));
}

#[test]
fn what_is_not_known_is_the_same_too() {
    let mut estate = company::demo().0;
    for record in &mut estate.records {
        if record["type"].as_str().is_some_and(|kind| kind.contains("loadBalancers")) {
            record["properties"]["provisioningState"] = json!("Updating");
        }
    }
    estate.records.retain(|record| {
        let kind = record["type"].as_str().unwrap_or_default().to_ascii_lowercase();
        kind != "microsoft.network/virtualnetworks"
            || !record["name"].as_str().is_some_and(|name| name.contains("warranty"))
    });
    check(&estate, &support::declarations(&estate));
}
