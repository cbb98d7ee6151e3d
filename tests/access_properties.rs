//! What must hold of the access engine on any estate.

mod access_support;

use access_support::*;
use mlfence::facts::access::{Verdict, Wanted};
use mlfence::inventory::Kind;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};

const NARROW: &str = "ffffffff-0000-0000-0000-000000000001";
const HOLED: &str = "ffffffff-0000-0000-0000-000000000002";
const LOOSE: &str = "ffffffff-0000-0000-0000-000000000003";
const UNREAD: &str = "ffffffff-0000-0000-0000-000000000099";

#[derive(Clone, Debug)]
struct Given {
    role: &'static str,
    to: &'static str,
    kind: Option<&'static str>,
    at: usize,
    condition: bool,
}

#[derive(Clone, Debug)]
struct Denied {
    at: usize,
    not_children: bool,
    takes: &'static str,
    spares: Option<&'static str>,
    from: (&'static str, &'static str),
    except: Option<(&'static str, &'static str)>,
    effect: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct World {
    grants: Vec<Given>,
    denies: Vec<Denied>,
    chain: bool,
}

/// From the root down to the subnet, then places beside that path.
fn places() -> Vec<String> {
    vec![
        "/".to_owned(),
        management_group("tenant-root"),
        management_group("mg-platform"),
        subscription(),
        group(),
        vnet(),
        subnet(),
        format!("{}-prod", group()),
        format!("/subscriptions/{OTHER_SUBSCRIPTION}"),
        management_group("elsewhere"),
    ]
}

/// How many of the places lie on the path.
const PATH: usize = 7;

fn given() -> impl Strategy<Value = Given> {
    (
        prop::sample::select(vec![
            OWNER,
            CONTRIBUTOR,
            READER,
            NETWORK_CONTRIBUTOR,
            NARROW,
            HOLED,
            LOOSE,
            UNREAD,
        ]),
        prop::sample::select(vec![
            (CLUSTER, Some("ServicePrincipal")),
            (CLUSTER, Some("ServicePrincipal")),
            (CLUSTER, Some("ServicePrincipal")),
            (CLUSTER, None),
            (TEAM, Some("Group")),
            (KUBELET, Some("ServicePrincipal")),
            (TEAM, None),
        ]),
        0..places().len(),
        prop::bool::weighted(0.15),
    )
        .prop_map(|(role, (to, kind), at, condition)| Given { role, to, kind, at, condition })
}

fn denied() -> impl Strategy<Value = Denied> {
    (
        (0..places().len(), any::<bool>()),
        prop::sample::select(vec![
            "*",
            "*",
            "Microsoft.Network/*",
            "Microsoft.Network/virtualNetworks/subnets/write",
            "*/join/action",
            "Microsoft.Compute/*",
            "a/*/b",
        ]),
        prop::sample::select(vec![None, None, None, Some("*/read"), Some("Microsoft.Network/*"), Some("*")]),
        prop::sample::select(vec![
            (EVERYONE, "SystemDefined"),
            (EVERYONE, "SystemDefined"),
            (EVERYONE, "SystemDefined"),
            (TEAM, "Group"),
            (CLUSTER, "ServicePrincipal"),
            (KUBELET, "ServicePrincipal"),
        ]),
        prop::sample::select(vec![
            None,
            None,
            None,
            Some((CLUSTER, "ServicePrincipal")),
            Some((TEAM, "Group")),
        ]),
        prop::sample::select(vec![None, None, Some("enforced"), Some("audit"), Some("surprise")]),
    )
        .prop_map(|((at, not_children), takes, spares, from, except, effect)| Denied {
            at,
            not_children,
            takes,
            spares,
            from,
            except,
            effect,
        })
}

fn worlds() -> impl Strategy<Value = World> {
    (prop::collection::vec(given(), 0..6), prop::collection::vec(denied(), 0..4), prop::bool::weighted(0.8))
        .prop_map(|(grants, denies, chain)| World { grants, denies, chain })
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop::sample::select(vec![
        action(JOIN),
        action(JOIN),
        role(NETWORK_CONTRIBUTOR),
        action("Microsoft.Network/virtualNetworks/subnets/read"),
        action("Microsoft.Network/routeTables/join/action"),
        action("a/b"),
        role(NETWORK_CONTRIBUTOR),
        role(READER),
        role(NARROW),
        role(UNREAD),
    ])
}

fn add_grant(estate: &mut Estate, n: usize, given: &Given) {
    let condition = given.condition.then_some("@Resource[x] StringEquals 'y'");
    let more = json!({"principalType": given.kind, "condition": condition});
    estate.grant_with(&format!("g{n}"), given.role, given.to, &places()[given.at], more);
}

fn add_deny(estate: &mut Estate, n: usize, denied: &Denied) {
    let party = |(id, kind): (&str, &str)| json!({"id": id, "type": kind});
    let spares: Vec<&str> = denied.spares.into_iter().collect();
    let except: Vec<Value> = denied.except.into_iter().map(party).collect();
    let more = json!({
        "doNotApplyToChildScopes": denied.not_children,
        "permissions": [{"actions": [denied.takes], "notActions": spares}],
        "principals": [party(denied.from)], "excludePrincipals": except, "denyAssignmentEffect": denied.effect,
    });
    estate.deny(&format!("d{n}"), &places()[denied.at], more);
}

fn build(world: &World) -> Estate {
    let mut estate = if world.chain { Estate::with_groups() } else { Estate::new() };
    estate.role(
        NARROW,
        "narrow",
        true,
        &json!([[[JOIN, "Microsoft.Network/virtualNetworks/subnets/read"], []]]),
    );
    estate.role(HOLED, "holed", true, &json!([[["Microsoft.Network/*"], ["*/join/action"]]]));
    estate.role(
        LOOSE,
        "loose",
        true,
        &json!([[["a/*/b", "*/join/action"], ["Microsoft.Network/*/subnets/join/action"]]]),
    );
    world.grants.iter().enumerate().for_each(|(n, grant)| add_grant(&mut estate, n, grant));
    world.denies.iter().enumerate().for_each(|(n, deny)| add_deny(&mut estate, n, deny));
    estate
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// A grant moved up the path still gives what it gave; a question further down the path as well, denials aside.
    #[test]
    fn enlarging_a_scope_never_loses_a_yes(
        world in worlds(), wanted in wanted(), at in 3..PATH, which in 0..5_usize, up in 0..PATH, down in 0..PATH,
    ) {
        let before = build(&world).ask(&wanted, &places()[at]);
        if before.verdict != Verdict::Yes {
            return Ok(());
        }
        let mut larger = world.clone();
        if let Some(grant) = larger.grants.get_mut(which)
            && grant.at < PATH
            // Without the chain, what a management group is above of is not known.
            && (world.chain || up == 0 || up >= 3)
        {
            grant.at = grant.at.min(up);
        }
        prop_assert_eq!(build(&larger).ask(&wanted, &places()[at]).verdict, Verdict::Yes);
        let mut undenied = world.clone();
        undenied.denies.clear();
        let lower = build(&undenied).ask(&wanted, &places()[down.max(at)]);
        prop_assert_eq!(lower.verdict, Verdict::Yes);
    }

    #[test]
    fn shuffling_changes_nothing(world in worlds(), wanted in wanted(), at in 0..PATH, seed in any::<u64>()) {
        let estate = build(&world);
        let mut shuffled = estate.clone();
        let mut records: Vec<_> = shuffled.snapshot.records.values().cloned().collect();
        let mut state = seed;
        for n in (1..records.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            records.swap(n, (state >> 33) as usize % (n + 1));
        }
        shuffled.snapshot.records.clear();
        for record in records {
            // Patterns, entries and parties come in any order, and ids in any case.
            let mut body = Value::Object(record.body().clone());
            reverse(&mut body);
            shuffled.add(body);
        }
        prop_assert_eq!(estate.ask(&wanted, &places()[at]), shuffled.ask(&wanted, &places()[at]));
    }

    #[test]
    fn hiding_a_list_never_helps(world in worlds(), wanted in wanted(), at in 3..PATH) {
        let estate = build(&world);
        let before = estate.ask(&wanted, &places()[at]).verdict;
        let without = |kind| {
            let mut less = estate.clone();
            less.hide(kind);
            less.ask(&wanted, &places()[at]).verdict
        };
        prop_assert_eq!(without(Kind::RoleAssignments), Verdict::Unknown);
        let denies = without(Kind::DenyAssignments);
        prop_assert!(denies == Verdict::Unknown || denies == Verdict::No && before == Verdict::No);
        // A no of somebody whom nothing reaches, and a yes by the role itself, need no definitions.
        let definitions = without(Kind::RoleDefinitions);
        prop_assert!(definitions == Verdict::Unknown || definitions == before, "{before:?} {definitions:?}");
        let subscriptions = without(Kind::Subscriptions);
        prop_assert!(subscriptions == Verdict::Unknown || subscriptions == before);
    }

    #[test]
    fn a_denial_never_helps(world in worlds(), wanted in wanted(), at in 0..PATH, more in denied()) {
        let estate = build(&world);
        let mut denied = estate.clone();
        add_deny(&mut denied, 9, &more);
        let (before, after) = (estate.ask(&wanted, &places()[at]), denied.ask(&wanted, &places()[at]));
        prop_assert!(after.verdict != Verdict::Yes || before.verdict == Verdict::Yes);
        prop_assert!(before.verdict != Verdict::No || after.verdict == Verdict::No);
    }

    #[test]
    fn a_grant_never_hurts(world in worlds(), wanted in wanted(), at in 3..PATH, more in given()) {
        let estate = build(&world);
        let mut granted = estate.clone();
        add_grant(&mut granted, 9, &more);
        let (before, after) = (estate.ask(&wanted, &places()[at]), granted.ask(&wanted, &places()[at]));
        prop_assert!(before.verdict != Verdict::Yes || after.verdict == Verdict::Yes);
        prop_assert!(after.verdict != Verdict::No || before.verdict == Verdict::No);
    }

    /// Reasons stand beside an unknown and nowhere else, and a yes has its witness.
    #[test]
    fn an_answer_explains_itself(world in worlds(), wanted in wanted(), at in 0..PATH) {
        let answer = build(&world).ask(&wanted, &places()[at]);
        prop_assert_eq!(answer.reasons.is_empty(), answer.verdict != Verdict::Unknown);
        if answer.verdict == Verdict::Yes {
            prop_assert!(!answer.decided_by.is_empty());
        }
        prop_assert_eq!(answer.known().is_err(), answer.verdict == Verdict::Unknown);
    }
}

/// The properties above would hold of an engine that knows nothing, and of worlds in which nothing happens.
#[test]
fn worlds_hold_every_verdict() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..1000 {
        let draw = (worlds(), wanted(), 3..PATH).new_tree(&mut runner).expect("a world").current();
        let answer = build(&draw.0).ask(&draw.1, &places()[draw.2]);
        *seen.entry(format!("{:?} {}", answer.verdict, !answer.denied_by.is_empty())).or_insert(0) += 1;
    }
    assert!(seen.len() == 5 && seen.values().all(|count| *count > 20), "{seen:?}");
}

/// Reverses every list and shouts every id of a role or scope.
fn reverse(value: &mut Value) {
    match value {
        Value::Array(items) => {
            // The order of management groups tells which is nearest.
            if !items.iter().any(|item| item.get("displayName").is_some()) {
                items.reverse();
            }
            items.iter_mut().for_each(reverse);
        }
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), &mut *value) {
                    ("roleDefinitionId" | "scope" | "principalId", Value::String(text)) => {
                        *text = text.to_ascii_uppercase()
                    }
                    _ => reverse(value),
                }
            }
        }
        _ => {}
    }
}
