//! What `ask` answers and what policies read are the same answer: one engine, asked the same question.

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use armsim::company;
use mlfence::expectations::Declarations;
use mlfence::facts::document::{FlowAnswer, Right};
use mlfence::facts::{Document, Fact, derive};
use mlfence::inventory::Inventory;
use serde_json::{Value, json};

struct Desk {
    folder: tempfile::TempDir,
    documents: Vec<Document>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let estate = company::demo().0;
        estate.save(folder.path().join("demo.jsonl")).expect("saved");
        let inventory = Inventory::build(&support::snapshot(&estate));
        let documents = derive(&inventory, &Declarations::default()).documents;
        Self { folder, documents }
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_mlfence"))
            .current_dir(self.folder.path())
            .arg("ask")
            .args(arguments)
            .args(["--snapshot", "demo.jsonl", "--format", "json"])
            .output()
            .expect("mlfence runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

fn flow_as_asked(answer: &FlowAnswer) -> Value {
    let verdict = match &answer.verdict {
        Fact::Known { value } => json!(value.name()),
        Fact::Unknown { .. } => json!("unknown"),
    };
    json!([verdict, answer.decided_by])
}

/// The questions of `policies/flows.yaml` that need nothing but the subnet, in the words of the command line.
const QUESTIONS: &[(&str, &[&str])] = &[
    ("default_internet_outbound", &["--remote", "Internet", "--port", "*", "--protocol", "any"]),
    ("default_vnet_outbound", &["--remote", "VirtualNetwork", "--port", "*", "--protocol", "any"]),
    ("internet_https_outbound", &["--remote", "Internet", "--port", "443"]),
    ("vnet_https_outbound", &["--remote", "VirtualNetwork", "--port", "443"]),
    ("registry_outbound", &["--remote", "AzureContainerRegistry.westeurope", "--port", "443"]),
];

/// Container groups have no interface of their own, so that the subnet's groups are all that is on the way.
#[test]
fn a_flow_at_a_subnet_is_answered_as_the_facts_say() {
    let desk = Desk::new();
    let mut asked = 0;
    for document in desk.documents.iter().filter(|document| document.subject.name == "snet-aci") {
        let flows = document.flows.as_ref().expect("a subnet has answers");
        for (name, words) in QUESTIONS {
            let mut arguments = vec!["flow", "--at", document.subject.id.key(), "--direction", "outbound"];
            arguments.extend(*words);
            let answer = desk.ask(&arguments);
            let told = flow_as_asked(&flows[*name]);
            assert_eq!(
                json!([answer["verdict"], answer["decided_by"]]),
                told,
                "{name} at {}",
                document.subject.id
            );
            asked += 1;
        }
    }
    assert!(asked >= 2 * QUESTIONS.len(), "only {asked} questions were asked");
}

fn right_as_asked(right: &Right) -> Value {
    let verdict = match &right.held {
        Fact::Known { value: true } => "yes",
        Fact::Known { value: false } => "no",
        Fact::Unknown { .. } => "unknown",
    };
    let by: Vec<&str> = right.given_by.iter().map(|grant| grant.assignment.key()).collect();
    json!([verdict, by])
}

#[test]
fn rights_of_a_cluster_are_answered_as_the_facts_say() {
    let desk = Desk::new();
    let mut verdicts = BTreeSet::new();
    for access in desk.documents.iter().filter_map(|document| document.access.as_ref()) {
        let subnets = access.subnets.value().into_iter().flatten();
        let of_subnets = subnets.flat_map(|rights| {
            [
                (
                    rights.principal.as_str(),
                    "Microsoft.Network/virtualNetworks/subnets/join/action",
                    &rights.id,
                    &rights.join,
                ),
                (
                    rights.principal.as_str(),
                    "Microsoft.Network/virtualNetworks/subnets/read",
                    &rights.id,
                    &rights.read,
                ),
            ]
        });
        for (principal, action, scope, right) in of_subnets {
            let answer =
                desk.ask(&["access", "--principal", principal, "--action", action, "--scope", scope.key()]);
            assert_eq!(
                json!([answer["verdict"], answer["decided_by"]]),
                right_as_asked(right),
                "{principal} {scope}"
            );
            verdicts.insert(answer["verdict"].to_string());
        }
        for rights in access.groups.value().into_iter().flatten() {
            let (principal, scope) = (rights.principal.as_str(), rights.id.key());
            let answer = desk.ask(&[
                "access",
                "--principal",
                principal,
                "--role",
                "Network Contributor",
                "--scope",
                scope,
            ]);
            let told = right_as_asked(&rights.network_contributor);
            assert_eq!(json!([answer["verdict"], answer["decided_by"]]), told, "{principal} {scope}");
            verdicts.insert(answer["verdict"].to_string());
        }
    }
    assert!(verdicts.contains("\"yes\""), "{verdicts:?}");
}
