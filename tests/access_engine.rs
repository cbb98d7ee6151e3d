//! Edges of the access engine that the worked cases leave out.

mod access_support;

use access_support::*;
use mlfence::facts::access::{Access, MissKind, NoteCode, Question, RoleError, Verdict};
use mlfence::inventory::{Code, Kind, SettleBy};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

fn check(estate: &Estate, expected: Verdict) {
    let answer = estate.ask(&action(JOIN), &subnet());
    assert_eq!(answer.verdict, expected, "{answer:#?}");
}

#[test]
fn a_group_is_settled_by_what_azure_answers() {
    let mut estate = Estate::with_groups();
    estate.grant_with("g1", OWNER, TEAM, &subscription(), json!({"principalType": "Group"}));
    check(&estate, Verdict::Unknown);
    let mut member = estate.clone();
    member.answer(CLUSTER, &group(), vec![assignment(&subscription(), "g1")]);
    let answer = member.ask(&action(JOIN), &subnet());
    assert_eq!(answer.verdict, Verdict::Yes);
    assert_eq!(answer.decided_by[0].via, Some(object(TEAM)));
    let mut stranger = estate.clone();
    stranger.answer(CLUSTER, &group(), vec![]);
    check(&stranger, Verdict::No);
    // An answer about somebody else, and one at a place from which the grant is not seen, tell nothing.
    let mut other = estate.clone();
    other.answer(KUBELET, &group(), vec![]);
    other.answer(CLUSTER, &management_group("mg-platform"), vec![]);
    check(&other, Verdict::Unknown);
}

#[test]
fn an_answer_about_one_grant_tells_of_the_group_elsewhere() {
    let mut estate = Estate::with_groups();
    estate.grant_with("g1", READER, TEAM, &subscription(), json!({"principalType": "Group"}));
    estate.grant("g2", OWNER, CLUSTER, &group());
    estate.deny("d1", &group(), json!({"principals": [{"id": TEAM, "type": "Group"}]}));
    check(&estate, Verdict::Unknown);
    let mut member = estate.clone();
    member.answer(CLUSTER, &subscription(), vec![assignment(&subscription(), "g1")]);
    check(&member, Verdict::No);
    let mut stranger = estate;
    stranger.answer(CLUSTER, &subscription(), vec![]);
    check(&stranger, Verdict::Yes);
}

#[test]
fn answers_that_contradict_the_lists_prove_nothing() {
    let mut unlisted = Estate::with_groups();
    unlisted.grant("g1", OWNER, CLUSTER, &group()).answer(CLUSTER, &subnet(), vec![]);
    let answer = unlisted.ask(&action(JOIN), &subnet());
    assert_eq!((answer.verdict, answer.reasons[0].code), (Verdict::Unknown, Code::Contradiction));
    let mut unread = Estate::with_groups();
    unread.answer(CLUSTER, &subnet(), vec![assignment(&group(), "gone")]);
    let answer = unread.ask(&action(JOIN), &subnet());
    assert_eq!((answer.verdict, answer.reasons[0].code), (Verdict::Unknown, Code::NotFound));
}

/// Where somebody else's own assignment is named, the question was not heeded, and the groups named beside it prove
/// nothing.
#[test]
fn an_answer_that_names_somebody_elses_assignment_is_none() {
    let mut estate = Estate::with_groups();
    estate.grant_with("g1", OWNER, TEAM, &subscription(), json!({"principalType": "Group"}));
    estate.grant("g2", READER, KUBELET, &subscription());
    let named = ["g1", "g2"].map(|name| assignment(&subscription(), name)).to_vec();
    estate.answer(CLUSTER, &subnet(), named);
    check(&estate, Verdict::Unknown);
    // A sound answer beside it counts.
    estate.answer(CLUSTER, &group(), vec![assignment(&subscription(), "g1")]);
    check(&estate, Verdict::Yes);
}

/// Azure resolves the groups of users and service principals only.
#[test]
fn an_answer_about_a_group_tells_nothing() {
    let mut estate = Estate::with_groups();
    let parents = "bbbbbbbb-0000-0000-0000-000000000002";
    let group_type = json!({"principalType": "Group"});
    estate.grant_with("g1", OWNER, parents, &subscription(), group_type.clone());
    estate.grant_with("g2", READER, TEAM, &subscription(), group_type);
    estate.answer(TEAM, &subnet(), vec![assignment(&subscription(), "g2")]);
    assert_eq!(estate.ask_for(TEAM, &action(JOIN), &subnet()).verdict, Verdict::Unknown);
}

#[test]
fn audit_denials_only_record() {
    let mut estate = Estate::with_groups();
    estate.grant("g1", OWNER, CLUSTER, &group());
    estate.deny("d1", &subscription(), json!({"denyAssignmentEffect": "Audit"}));
    check(&estate, Verdict::Yes);
    estate.deny("d2", &management_group("mg-platform"), json!({"denyAssignmentEffect": "Enforced"}));
    let answer = estate.ask(&action(JOIN), &subnet());
    assert_eq!((answer.verdict, answer.granted), (Verdict::No, Verdict::Yes));
    assert_eq!(answer.notes[0].code, NoteCode::GrantDenied);
    assert_eq!((answer.decided_by.len(), answer.denied_by.len()), (1, 1));
}

#[test]
fn a_denial_that_stops_at_its_scope_holds_there() {
    let mut estate = Estate::with_groups();
    estate.grant("g1", OWNER, CLUSTER, &subscription());
    estate.deny("d1", &group(), json!({"doNotApplyToChildScopes": true}));
    check(&estate, Verdict::Yes);
    assert_eq!(estate.ask(&action(JOIN), &group()).verdict, Verdict::No);
}

#[test]
fn a_role_by_itself_and_by_another_that_gives_as_much() {
    let mut estate = Estate::with_groups();
    estate.grant("g1", CONTRIBUTOR, CLUSTER, &subscription());
    let other = estate.ask(&role(NETWORK_CONTRIBUTOR), &group());
    assert_eq!((other.verdict, other.documented), (Verdict::Yes, Some(Verdict::No)));
    assert_eq!(other.notes[0].code, NoteCode::OtherRoleSuffices);
    assert!(other.decided_by[0].inherited);
    assert_eq!(other.decided_by[0].role_name.as_deref(), Some("Contributor"));
    // Contributor covers itself, its own exclusions notwithstanding; Owner covers it as well.
    assert_eq!(estate.ask(&role(CONTRIBUTOR), &group()).documented, Some(Verdict::Yes));
    estate.grant("g2", OWNER, KUBELET, &group());
    assert_eq!(estate.ask_for(KUBELET, &role(CONTRIBUTOR), &group()).verdict, Verdict::Yes);
    assert_eq!(estate.ask(&role(OWNER), &group()).verdict, Verdict::No);
    // The role itself needs no definition, another one does.
    estate.grant("g3", NETWORK_CONTRIBUTOR, CLUSTER, &group()).hide(Kind::RoleDefinitions);
    let exact = estate.ask(&role(NETWORK_CONTRIBUTOR), &group());
    assert_eq!((exact.verdict, exact.documented), (Verdict::Yes, Some(Verdict::Yes)));
    let hidden = estate.ask_for(KUBELET, &role(NETWORK_CONTRIBUTOR), &group());
    assert_eq!(hidden.verdict, Verdict::Unknown);
    let settle =
        hidden.reasons.iter().find_map(|reason| reason.settle.clone()).expect("a permission settles it");
    assert_eq!(
        (settle.by, settle.what.as_str()),
        (SettleBy::Permission, "Microsoft.Authorization/roleDefinitions/read")
    );
}

#[test]
fn several_grants_cover_a_role_together() {
    let mut estate = Estate::with_groups();
    estate.role("r1", "one", true, &json!([[["*/read"], []], [["Microsoft.Network/*"], []]]));
    estate.role(
        "r2",
        "two",
        true,
        &json!([[["Microsoft.Insights/*", "Microsoft.Resources/*", "Microsoft.Support/*"], []]]),
    );
    estate.grant("g1", "r1", CLUSTER, &group());
    assert_eq!(estate.ask(&role(NETWORK_CONTRIBUTOR), &group()).verdict, Verdict::No);
    estate.grant("g2", "r2", CLUSTER, &subscription());
    let answer = estate.ask(&role(NETWORK_CONTRIBUTOR), &group());
    assert_eq!((answer.verdict, answer.decided_by.len()), (Verdict::Yes, 2));
}

#[test]
fn exclusions_of_one_role_do_not_take_from_another() {
    let mut estate = Estate::with_groups();
    estate.role("r1", "all but join", true, &json!([[["Microsoft.Network/*"], ["*/join/action"]]]));
    estate.role("r2", "join", true, &json!([[["*/join/action"], []]]));
    estate.grant("g1", "r1", CLUSTER, &group());
    check(&estate, Verdict::No);
    estate.grant("g2", "r2", CLUSTER, &vnet());
    check(&estate, Verdict::Yes);
}

#[test]
fn a_role_of_data_actions_is_proven_by_itself_only() {
    let reader = "b93aa761-3e63-49ed-ac28-beffa264f7ac";
    let mut estate = Estate::with_groups();
    assert_eq!(estate.ask(&role(reader), &group()).verdict, Verdict::No);
    estate.grant("g1", OWNER, CLUSTER, &group());
    let answer = estate.ask(&role(reader), &group());
    assert_eq!((answer.verdict, answer.reasons[0].code), (Verdict::Unknown, Code::Undecidable));
    estate.grant("g2", reader, CLUSTER, &group());
    assert_eq!(estate.ask(&role(reader), &group()).verdict, Verdict::Yes);
}

#[test]
fn a_slash_for_a_segment_is_open() {
    let mut estate = Estate::with_groups();
    let identity = "Microsoft.ManagedIdentity/userAssignedIdentities";
    estate.role("mio", "operator", false, &json!([[[format!("{identity}/*/assign/action")], []]]));
    estate.grant("g1", "mio", CLUSTER, &group());
    let ask = |estate: &Estate, text: &str| estate.ask(&action(&format!("{identity}/{text}")), &group());
    assert_eq!(ask(&estate, "assign/action").reasons[0].code, Code::Undecidable);
    assert_eq!(ask(&estate, "x/assign/action").verdict, Verdict::Yes);
    assert_eq!(ask(&estate, "read").verdict, Verdict::No);
}

#[test]
fn conditions_that_cannot_touch_an_action_are_dropped_for_it() {
    let mut estate = Estate::with_groups();
    let condition =
        "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[x] Exists))";
    estate.grant_with("g1", OWNER, CLUSTER, &group(), json!({"condition": condition}));
    check(&estate, Verdict::Yes);
    let write = estate.ask(&action("Microsoft.Authorization/roleAssignments/write"), &group());
    assert_eq!(write.verdict, Verdict::Unknown);
    assert!(write.reasons[0].message.contains("roleassignments/g1"));
}

#[test]
fn an_old_listing_hides_conditions() {
    let mut estate = Estate::with_groups();
    estate.grant("g1", OWNER, CLUSTER, &group());
    let kinds = &mut estate.snapshot.header.kinds;
    kinds.get_mut(&Kind::RoleAssignments).expect("asked").api_version = Some("2018-01-01-preview".to_owned());
    let answer = estate.ask(&action(JOIN), &subnet());
    assert_eq!((answer.verdict, answer.reasons[0].code), (Verdict::Unknown, Code::NotTold));
}

#[test]
fn gaps_count_where_they_could_hide_the_answer() {
    let mut estate = Estate::with_groups();
    estate.gap(Kind::RoleAssignments, &format!("/subscriptions/{OTHER_SUBSCRIPTION}"));
    estate.gap(Kind::RoleAssignments, &format!("{}/resourceGroups/rg-app", subscription()));
    check(&estate, Verdict::No);
    // Which subscriptions lie below a management group is itself something that was read, or not.
    for place in [management_group("tenant-root"), management_group("other"), "/".to_owned(), group(), vnet()]
    {
        let mut less = estate.clone();
        less.gap(Kind::RoleAssignments, &place);
        check(&less, Verdict::Unknown);
    }
    let outside = "/subscriptions/33333333-3333-3333-3333-333333333333/resourceGroups/g";
    let answer = estate.ask(&action(JOIN), outside);
    assert_eq!((answer.verdict, answer.reasons[0].code), (Verdict::Unknown, Code::NotAsked));
}

#[test]
fn questions_above_subscriptions() {
    let mut estate = Estate::with_groups();
    estate.grant("g1", OWNER, CLUSTER, &management_group("tenant-root"));
    let ask = |estate: &Estate, at: &str| estate.ask(&action(JOIN), at).verdict;
    assert_eq!(ask(&estate, &management_group("mg-platform")), Verdict::Yes);
    assert_eq!(ask(&estate, &management_group("Tenant-Root")), Verdict::Yes);
    assert_eq!(ask(&estate, &management_group("elsewhere")), Verdict::Unknown);
    assert_eq!(ask(&estate, "/"), Verdict::No);
    estate.grant("g2", OWNER, CLUSTER, "/");
    assert_eq!(ask(&estate, "/"), Verdict::Yes);
}

#[test]
fn a_copied_misspelling_is_told() {
    let mut estate = Estate::with_groups();
    let singular = "Microsoft.Network/virtualNetworks/subnet/join/action";
    estate.role("typo", "joiner", true, &json!([[[singular], []]])).grant("g1", "typo", CLUSTER, &subnet());
    let answer = estate.ask(&action(JOIN), &subnet());
    assert_eq!((answer.verdict, answer.notes[0].code), (Verdict::No, NoteCode::MisspeltAction));
    assert!(answer.notes[0].message.contains("joiner"));
}

#[test]
fn fresh_grants_are_remarked_unless_an_older_one_does() {
    let mut estate = Estate::with_groups();
    estate.grant_with("g1", OWNER, CLUSTER, &group(), json!({"createdOn": "2026-11-23T04:30:00.1234567Z"}));
    let notes = |estate: &Estate, now: &str| {
        let inventory = estate.inventory();
        let mut question = Question::new(object(CLUSTER), action(JOIN), id(&subnet()));
        question.now = Some(time::OffsetDateTime::parse(now, &Rfc3339).expect("a time"));
        let answer = Access::index(&inventory).ask(&question);
        answer.notes.into_iter().map(|note| note.code).collect::<Vec<_>>()
    };
    assert_eq!(notes(&estate, "2026-11-23T05:00:00Z"), [NoteCode::RecentGrant]);
    assert_eq!(notes(&estate, "2026-11-23T05:31:00Z"), []);
    estate.grant("g2", NETWORK_CONTRIBUTOR, CLUSTER, &vnet());
    assert_eq!(notes(&estate, "2026-11-23T05:00:00Z"), []);
}

#[test]
fn near_misses() {
    let mut estate = Estate::with_groups();
    let node_group = format!("{}/resourceGroups/MC_rg", subscription());
    estate.grant("narrow", NETWORK_CONTRIBUTOR, CLUSTER, &vnet());
    estate.grant("beside", NETWORK_CONTRIBUTOR, CLUSTER, &node_group);
    estate.grant("weak", READER, CLUSTER, &subscription());
    estate.grant("nodes", CONTRIBUTOR, KUBELET, &subscription());
    estate.add(cluster(json!("msi"), json!({"type": "SystemAssigned", "principalId": CLUSTER})));
    let inventory = estate.inventory();
    let node = inventory.clusters.values().next().expect("a cluster");
    let answers = Access::index(&inventory)
        .ask_cluster(node, &role(NETWORK_CONTRIBUTOR), &id(&group()), None)
        .expect("an identity");
    let misses: Vec<_> =
        answers[0].1.misses.iter().map(|miss| (miss.kind, miss.grant.assignment.name())).collect();
    assert_eq!(answers[0].1.verdict, Verdict::No);
    assert_eq!(
        misses,
        [
            (MissKind::NarrowerScope, "narrow"),
            (MissKind::OtherScope, "beside"),
            (MissKind::Kubelet, "nodes"),
            (MissKind::OtherRole, "weak"),
        ]
    );
}

#[test]
fn roles_by_guid_id_and_name() {
    let mut estate = Estate::new();
    estate.role("ffffffff-0000-0000-0000-000000000001", "Joiner", true, &json!([[[JOIN], []]]));
    estate.role("ffffffff-0000-0000-0000-000000000002", "reader", true, &json!([[["*/read"], []]]));
    let inventory = estate.inventory();
    let access = Access::index(&inventory);
    let guid = |text: &str| access.role(text).map(|role| role.to_string());
    assert_eq!(guid("joiner"), Ok("ffffffff-0000-0000-0000-000000000001".to_owned()));
    assert_eq!(guid(&OWNER.to_uppercase()), Ok(OWNER.to_owned()));
    assert_eq!(
        guid(&format!("/providers/Microsoft.Authorization/roleDefinitions/{OWNER}")),
        Ok(OWNER.to_owned())
    );
    let unread = "12345678-0000-0000-0000-00000000000a";
    assert_eq!(guid(unread), Ok(unread.to_owned()));
    assert_eq!(guid("nobody"), Err(RoleError::NotFound { name: "nobody".to_owned() }));
    assert!(matches!(guid("Reader"), Err(RoleError::Ambiguous { guids, .. }) if guids.len() == 2));
}

#[test]
fn identities_of_a_cluster() {
    let user = |principal: Value| json!({"clientId": "cccccccc-0000-0000-0000-000000000001", "principalId": principal});
    let two = json!({"/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a": user(json!(CLUSTER)),
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/b": user(json!(TEAM))});
    let one = json!({"x": user(json!(CLUSTER.to_uppercase()))});
    let cases = [
        (json!("msi"), json!({"type": "SystemAssigned", "principalId": CLUSTER}), Ok(vec![CLUSTER])),
        (
            json!("MSI"),
            json!({"type": "UserAssigned", "principalId": null, "userAssignedIdentities": one}),
            Ok(vec![CLUSTER]),
        ),
        (
            json!("msi"),
            json!({"type": "userassigned", "userAssignedIdentities": two}),
            Ok(vec![CLUSTER, TEAM]),
        ),
        (Value::Null, json!({"type": "SystemAssigned", "principalId": CLUSTER}), Ok(vec![CLUSTER])),
        (json!("cccccccc-0000-0000-0000-000000000002"), Value::Null, Err(Code::NotAsked)),
        (json!("cccccccc-0000-0000-0000-000000000002"), json!({"type": "None"}), Err(Code::NotAsked)),
        (
            json!("cccccccc-0000-0000-0000-000000000002"),
            json!({"type": "SystemAssigned", "principalId": CLUSTER}),
            Err(Code::Contradiction),
        ),
        (json!("msi"), Value::Null, Err(Code::NotTold)),
        (Value::Null, Value::Null, Err(Code::NotTold)),
        (json!("msi"), json!({"type": "SystemAssigned", "principalId": null}), Err(Code::NotTold)),
        (json!("msi"), json!({"type": "SystemAssigned", "principalId": EVERYONE}), Err(Code::Malformed)),
        (
            json!("msi"),
            json!({"type": "UserAssigned", "principalId": CLUSTER, "userAssignedIdentities": {}}),
            Err(Code::NotTold),
        ),
        (
            json!("msi"),
            json!({"type": "UserAssigned", "userAssignedIdentities": {"x": user(Value::Null)}}),
            Err(Code::NotTold),
        ),
        (
            json!("msi"),
            json!({"type": "UserAssigned", "userAssignedIdentities": {"x": null}}),
            Err(Code::Malformed),
        ),
        (json!("msi"), json!({"type": "Quantum"}), Err(Code::Malformed)),
        (json!(7), json!({"type": "SystemAssigned", "principalId": CLUSTER}), Err(Code::Malformed)),
    ];
    for (client, identity, expected) in cases {
        let case = format!("{client} {identity}");
        let mut estate = Estate::new();
        estate.add(cluster(client, identity));
        let inventory = estate.inventory();
        let node = inventory.clusters.values().next().expect("a cluster");
        let got = node.control_plane_principals();
        let ids = got.as_ref().map(|all| all.iter().map(|one| one.object_id.as_str()).collect::<Vec<_>>());
        assert_eq!(ids.map_err(|reason| reason.code), expected, "{case}: {got:?}");
        assert_eq!(node.kubelet_principal(), Ok(Some(object(KUBELET))));
    }
}

#[test]
fn all_of_none_is_not_proven() {
    use Verdict::{No, Unknown, Yes};
    for (verdicts, expected) in
        [(vec![], Unknown), (vec![Yes, Yes], Yes), (vec![Yes, Unknown], Unknown), (vec![Unknown, No], No)]
    {
        assert_eq!(Verdict::all(verdicts), expected);
    }
}

#[test]
fn an_answer_survives_json() {
    let mut estate = Estate::with_groups();
    estate.grant("g1", OWNER, CLUSTER, &group());
    let answer = estate.ask(&role(NETWORK_CONTRIBUTOR), &group());
    let text = serde_json::to_string(&answer).expect("JSON");
    assert_eq!(serde_json::from_str::<mlfence::facts::access::Answer>(&text).ok(), Some(answer));
}
