//! The worked cases of RBAC, each through a cluster's record and the engine that feeds the policies.

mod access_support;

use std::collections::BTreeMap;

use access_support::{Estate, action, assignment, cluster, id, role};
use mlfence::facts::access::{Access, Answer, Grant, Verdict, Wanted};
use mlfence::inventory::{Inventory, Kind};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    places: BTreeMap<String, String>,
    people: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    story: String,
    /// None: known by its application only.
    principal: Option<String>,
    application: Option<String>,
    /// None: not read.
    groups: Option<Vec<String>>,
    /// None: not read.
    above: Option<Vec<String>>,
    grants: Vec<Given>,
    #[serde(default)]
    denies: Vec<Denied>,
    #[serde(default)]
    custom: BTreeMap<String, Value>,
    #[serde(default)]
    unread: Vec<Kind>,
    ask: Ask,
    answer: Verdict,
    /// The assignments that decide.
    #[serde(default)]
    by: Vec<String>,
    /// Those that would, if more were known.
    #[serde(default)]
    open: Vec<String>,
    #[serde(default)]
    denied: Vec<String>,
    #[serde(default)]
    near: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    id: String,
    role: String,
    to: String,
    #[serde(rename = "as")]
    kind: String,
    at: String,
    condition: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    id: String,
    at: String,
    below: bool,
    takes: Vec<String>,
    spares: Vec<String>,
    from: Vec<(String, String)>,
    except: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    role: Option<String>,
    action: Option<String>,
    at: String,
}

impl File {
    fn read() -> Self {
        serde_json::from_str(include_str!("fixtures/access/cases.json")).expect("the cases parse")
    }

    fn parties(&self, named: &[(String, String)]) -> Value {
        named.iter().map(|(who, kind)| json!({"id": self.people[who], "type": kind})).collect()
    }

    fn estate(&self, case: &Case) -> Estate {
        let mut estate = Estate::new();
        if let Some(above) = &case.above {
            estate.above(&above.iter().map(String::as_str).collect::<Vec<_>>());
        }
        for (guid, custom) in &case.custom {
            estate.role(guid, custom["name"].as_str().expect("a name"), true, &custom["permissions"]);
        }
        for grant in &case.grants {
            let more = json!({"principalType": grant.kind, "condition": grant.condition});
            let (to, at) = (&self.people[&grant.to], &self.places[&grant.at]);
            estate.grant_with(&grant.id, &guid(&grant.role), to, at, more);
        }
        for deny in &case.denies {
            let more = json!({
                "doNotApplyToChildScopes": !deny.below,
                "permissions": [{"actions": deny.takes, "notActions": deny.spares}],
                "principals": self.parties(&deny.from), "excludePrincipals": self.parties(&deny.except),
            });
            estate.deny(&deny.id, &self.places[&deny.at], more);
        }
        for kind in &case.unread {
            estate.hide(*kind);
        }
        let identity = match (&case.principal, &case.application) {
            (Some(who), None) => {
                cluster(json!("msi"), json!({"type": "SystemAssigned", "principalId": self.people[who]}))
            }
            (_, application) => cluster(json!(application), Value::Null),
        };
        estate.add(identity);
        // What a directory would tell of groups, Azure tells by resolving assignments.
        let shared = case.grants.iter().any(|grant| grant.kind == "Group");
        if let (Some(groups), Some(who), true) = (&case.groups, &case.principal, shared) {
            let reaches = |grant: &&Given| grant.to == *who || groups.contains(&grant.to);
            let named = case.grants.iter().filter(reaches);
            let named = named.map(|grant| assignment(&self.places[&grant.at], &grant.id)).collect();
            estate.answer(&self.people[who], &self.places[&case.ask.at], named);
        }
        estate
    }

    fn answer(&self, case: &Case, inventory: &Inventory) -> Answer {
        let wanted = match (&case.ask.role, &case.ask.action) {
            (Some(name), None) => role(&guid(name)),
            (None, Some(text)) => action(text),
            _ => panic!("{}: one question, please", case.case),
        };
        answer(inventory, &wanted, &self.places[&case.ask.at])
    }
}

fn answer(inventory: &Inventory, wanted: &Wanted, at: &str) -> Answer {
    let access = Access::index(inventory);
    let cluster = inventory.clusters.values().next().expect("a cluster");
    match access.ask_cluster(cluster, wanted, &id(at), None) {
        Ok(answers) => answers.into_iter().next().expect("an identity").1,
        Err(reason) => Answer::unknown(reason),
    }
}

/// The guid of a built-in role of the fixtures; custom roles go by their guid.
fn guid(role: &str) -> String {
    let roles: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("fixtures/access/roles.json")).expect("the roles parse");
    let found = roles.iter().find(|(_, told)| told["name"] == role);
    found.map_or_else(|| role.to_owned(), |(guid, _)| guid.clone())
}

fn names(grants: &[Grant]) -> Vec<String> {
    grants.iter().map(|grant| grant.assignment.name().to_owned()).collect()
}

#[test]
fn every_case() {
    let file = File::read();
    assert_eq!(file.cases.len(), 36);
    for case in &file.cases {
        let inventory = file.estate(case).inventory();
        let got = file.answer(case, &inventory);
        let at = format!("{} ({}): {got:#?}", case.case, case.story);
        assert_eq!(got.verdict, case.answer, "{at}");
        assert_eq!(names(&got.decided_by), case.by, "{at}");
        assert_eq!(names(&got.undecided), case.open, "{at}");
        let denied: Vec<_> = got.denied_by.iter().map(|denial| denial.assignment.name()).collect();
        assert_eq!(denied, case.denied, "{at}");
        let near = got.misses.iter().map(|miss| {
            let kind = serde_json::to_value(miss.kind).expect("a word");
            (miss.grant.assignment.name().to_owned(), kind)
        });
        assert_eq!(near.collect::<BTreeMap<_, _>>(), case.near, "{at}");
        assert_eq!(got.reasons.is_empty(), case.answer != Verdict::Unknown, "{at}");
    }
}

/// Whatever the list, a no needs it whole, and a yes the denials.
#[test]
fn hiding_a_list_turns_every_case_to_unknown_or_leaves_it() {
    let file = File::read();
    for case in &file.cases {
        for (kind, left) in [
            (Kind::RoleAssignments, Verdict::Unknown),
            (Kind::DenyAssignments, if case.denied.is_empty() { case.answer } else { Verdict::Unknown }),
            (Kind::RoleDefinitions, case.answer),
        ] {
            let mut estate = file.estate(case);
            estate.hide(kind);
            let got = file.answer(case, &estate.inventory());
            let expected: &[Verdict] = match (kind, left) {
                (Kind::DenyAssignments, Verdict::Yes) => &[Verdict::Unknown],
                // The role itself needs no definition, nor does somebody whom nothing reaches.
                (Kind::RoleDefinitions, verdict) => &[verdict, Verdict::Unknown],
                (_, verdict) => &[verdict],
            };
            assert!(expected.contains(&got.verdict), "{} without {kind}: {got:#?}", case.case);
            assert!(got.verdict != Verdict::Yes || case.answer == Verdict::Yes);
        }
    }
}
