//! Grants to groups, from the question to the verdict, against a simulated Azure that knows who is in which group.

mod support;

use std::collections::BTreeSet;

use armsim::company::{Resource, Role, RoleAssignment};
use armsim::{Estate, Fault, Options, RunningServer, Server, company};
use mlfence::azure::{Client, Collected};
use mlfence::expectations::Declarations;
use mlfence::facts::access::{Access, Answer, Question, SUBNET_JOIN, VNET_JOIN, Verdict, Wanted};
use mlfence::inventory::{Inventory, ObjectId, ResourceId, Snapshot};
use mlfence::{snapshot_file, sweep};
use time::macros::datetime;

const DEPLOYER: &str = "aaaaaaaa-0000-0000-0000-000000000001";
const NETWORKERS: &str = "bbbbbbbb-0000-0000-0000-000000000001";
const PLATFORM: &str = "/providers/Microsoft.Management/managementGroups/mg-contoso";

/// The healthy company, in which all network rights of people go through one group above all subscriptions.
fn estate() -> Estate {
    let mut estate = company::healthy();
    estate.records.retain(|record| record["properties"]["principalType"] != "Group");
    let grant = RoleAssignment {
        guid: "networkers".to_owned(),
        scope: PLATFORM.to_owned(),
        asked: estate.header.subscriptions[0].id.clone(),
        role: Role::NetworkContributor,
        principal: NETWORKERS.to_owned(),
        principal_type: "Group".to_owned(),
    };
    estate.records.extend(grant.records());
    estate
}

fn with_member() -> Estate {
    let mut estate = estate();
    estate.member(NETWORKERS, DEPLOYER);
    estate
}

fn subnet(estate: &Estate) -> String {
    let vnets = estate.records.iter().filter(|record| record["name"] == "vnet-mlw-fraud");
    let vnet = vnets.filter_map(|record| record["id"].as_str()).next().expect("a network");
    format!("{vnet}/subnets/snet-aks")
}

/// Sweeps as whoever wants a live snapshot does.
async fn collect(server: &RunningServer, deployers: &[&str]) -> Collected {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = support::config_for(server, folder.path());
    config.expectations.default.deployers = Some(deployers.iter().map(|id| (*id).to_owned()).collect());
    let client = Client::new(&config).expect("a client").at_speed(100.0);
    let now = datetime!(2026-11-25 12:00 UTC);
    sweep::run(&client, &config.expectations, &BTreeSet::new(), now, &|_| {}).await.expect("a sweep")
}

/// As fast as the clients of these tests.
async fn serve(estate: Estate, options: Options) -> RunningServer {
    let options = Options { time_scale: 100.0, ..options };
    Server::start(estate, options).await.expect("armsim starts")
}

fn may_join(snapshot: &Snapshot, principal: &str, subnet: &str) -> Answer {
    let inventory = Inventory::build(snapshot);
    let principal = ObjectId::parse(principal).expect("an id");
    let scope = ResourceId::parse(subnet).expect("an id");
    let wanted = Wanted::action(SUBNET_JOIN).expect("an action");
    Access::index(&inventory).ask(&Question::new(principal, wanted, scope))
}

fn bytes(snapshot: &Snapshot) -> String {
    let mut out = Vec::new();
    snapshot.write(&mut out).expect("written");
    String::from_utf8(out).expect("text")
}

#[tokio::test]
async fn a_right_through_a_group_is_unknown_without_asking_and_known_with() {
    let estate = with_member();
    let at = subnet(&estate);
    let server = serve(estate, Options::default()).await;
    let undeclared = collect(&server, &[]).await;
    assert_eq!(may_join(&undeclared.snapshot, DEPLOYER, &at).verdict, Verdict::Unknown);
    assert_eq!((undeclared.snapshot.answers.len(), server.stats().of("assigned_to")), (0, 0));

    let declared = collect(&server, &[DEPLOYER]).await;
    let answer = may_join(&declared.snapshot, DEPLOYER, &at);
    assert_eq!(answer.verdict, Verdict::Yes, "{answer:#?}");
    assert_eq!(answer.decided_by[0].via, ObjectId::parse(NETWORKERS));
    // One request told of every subnet in every subscription.
    assert_eq!((declared.numbers.requests["assigned_to"], server.stats().of("assigned_to")), (1, 1));
    assert_eq!(
        declared.numbers.requests["role_assignments"],
        undeclared.numbers.requests["role_assignments"]
    );
    let vnet = at.rsplit_once("/subnets/").expect("a subnet").0;
    let inventory = Inventory::build(&declared.snapshot);
    let join = Question::new(
        ObjectId::parse(DEPLOYER).expect("an id"),
        Wanted::action(VNET_JOIN).expect("an action"),
        ResourceId::parse(vnet).expect("an id"),
    );
    assert_eq!(Access::index(&inventory).ask(&join).verdict, Verdict::Yes);
}

#[tokio::test]
async fn who_is_in_no_group_is_proven_to_lack_the_right() {
    let estate = estate();
    let at = subnet(&estate);
    let server = serve(estate, Options::default()).await;
    let collected = collect(&server, &[DEPLOYER]).await;
    let answer = may_join(&collected.snapshot, DEPLOYER, &at);
    assert_eq!(answer.verdict, Verdict::No, "{answer:#?}");
}

#[tokio::test]
async fn nothing_is_asked_where_nothing_is_open_and_never_about_a_group() {
    let mut direct = with_member();
    let mut grant = direct.records.last().expect("the grant").clone();
    grant["id"] = format!("{PLATFORM}/providers/Microsoft.Authorization/roleAssignments/own").into();
    grant["properties"]["principalId"] = DEPLOYER.into();
    grant["properties"]["principalType"] = "User".into();
    direct.records.push(grant);
    let mut without = with_member();
    without.records.retain(|record| record["properties"]["principalId"] != NETWORKERS);
    for (name, estate, deployer) in [
        ("direct", direct, DEPLOYER),
        ("no group", without, DEPLOYER),
        ("a group", with_member(), NETWORKERS),
    ] {
        let server = serve(estate, Options::default()).await;
        let collected = collect(&server, &[deployer]).await;
        assert_eq!(server.stats().of("assigned_to"), 0, "{name}");
        assert!(!collected.numbers.requests.contains_key("assigned_to"), "{name}");
        assert_eq!(collected.snapshot.answers, [], "{name}");
    }
}

/// Three networks, each with a team that may hold the right: of whoever has it from high above, the first answer tells
/// all; of whoever has it from a team, and of a stranger, each network's is needed.
#[tokio::test]
async fn what_the_first_answer_settles_is_not_asked_further() {
    let stranger = company::healthy();
    let at = subnet(&stranger);
    let principal =
        |grant: &serde_json::Value| grant["properties"]["principalId"].as_str().map(str::to_owned);
    let group = |scope: &dyn Fn(&str) -> bool| {
        let grants =
            stranger.records.iter().filter(|record| record["properties"]["principalType"] == "Group");
        let here = |record: &&serde_json::Value| record["properties"]["scope"].as_str().is_some_and(scope);
        grants.filter(here).find_map(principal).expect("a group")
    };
    let mut admin = stranger.clone();
    admin.member(&group(&|scope| scope == PLATFORM), DEPLOYER);
    let mut team = stranger.clone();
    team.member(&group(&|scope| scope.ends_with("rg-ml-fraud")), DEPLOYER);
    for (name, estate, questions, verdict) in [
        ("admin", &admin, 1, Verdict::Yes),
        ("team", &team, 3, Verdict::Yes),
        ("stranger", &stranger, 3, Verdict::No),
    ] {
        let server = serve(estate.clone(), Options::default()).await;
        let collected = collect(&server, &[DEPLOYER]).await;
        assert_eq!(server.stats().of("assigned_to"), questions, "{name}");
        assert_eq!(collected.numbers.requests["assigned_to"], questions, "{name}");
        assert_eq!(may_join(&collected.snapshot, DEPLOYER, &at).verdict, verdict, "{name}");
        assert!(collected.snapshot.answers.is_sorted_by_key(|answer| answer.scope.clone()), "{name}");
    }
}

/// A first question that failed is not put again in the same sweep; the others are.
#[tokio::test]
async fn what_failed_is_left_to_the_next_sweep() {
    let server = serve(company::healthy(), Options::default()).await;
    let fault = Fault { path: "assignedto(".to_owned(), status: 403, retry_after: None, times: 1 };
    server.fail_next(fault);
    let collected = collect(&server, &[DEPLOYER]).await;
    assert_eq!((server.stats().of("assigned_to"), collected.snapshot.answers.len()), (3, 2));
    let collected = collect(&server, &[DEPLOYER]).await;
    assert_eq!(collected.snapshot.answers.len(), 3);
}

/// The command writes what was answered, counts it, and says what was not.
#[tokio::test(flavor = "multi_thread")]
async fn the_snapshot_command_keeps_answers_and_tells_of_missing_ones() {
    let server = serve(with_member(), Options::default()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (config, output) = (folder.path().join("mlfence.yaml"), folder.path().join("capture.jsonl"));
    let url = server.base_url();
    let text = format!(
        "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\ncredential: {{ type: managed_identity }}\n\
         expectations: {{ default: {{ deployers: ['{DEPLOYER}'] }} }}\n"
    );
    std::fs::write(&config, text).expect("written");
    let run = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mlfence"));
        command.arg("snapshot").arg("-o").arg(&output).arg("--config").arg(&config);
        command.env("IDENTITY_ENDPOINT", server.identity_endpoint());
        command.env("IDENTITY_HEADER", armsim::server::SECRET).env_remove("MLFENCE_LOG");
        let told = command.output().expect("mlfence runs");
        assert_eq!(told.status.code(), Some(0), "{told:?}");
        [told.stdout, told.stderr].map(|text| String::from_utf8(text).expect("text"))
    };
    let [out, log] = run();
    assert!(out.contains(" 1 answers, 0 gaps") && log.is_empty(), "{out}{log}");
    assert_eq!(snapshot_file::read(&output).expect("read").answers.len(), 1);
    server.fail_next(Fault { path: "assignedto(".to_owned(), status: 403, retry_after: None, times: 1 });
    let [out, log] = run();
    assert!(out.contains(" 0 answers, 0 gaps"), "{out}");
    assert!(log.contains("stays unknown") && log.contains("unanswered=1"), "{log}");
    assert_eq!(snapshot_file::read(&output).expect("read").answers.len(), 0);
}

/// Half an answer is none, and no answer ends no sweep.
#[tokio::test]
async fn a_question_that_fails_leaves_no_answer() {
    let lost_page = format!("assignedto('{DEPLOYER}')&$skiptoken");
    let cases = [
        ("denied", "assignedto(", 403, 1),
        ("throttled", "assignedto(", 429, 100),
        ("unavailable", "assignedto(", 503, 100),
        ("not found", "assignedto(", 404, 1),
        ("malformed", "assignedto(", 200, 5),
        ("a page lost", lost_page.as_str(), 403, 1),
        ("a page malformed", lost_page.as_str(), 200, 5),
    ];
    // Two more grants that reach the deployer make pages of one row each.
    let mut estate = with_member();
    for name in ["second", "third"] {
        let mut grant = estate.records.last().expect("the grant").clone();
        grant["id"] = format!("/providers/Microsoft.Authorization/roleAssignments/{name}").into();
        grant["properties"]["scope"] = "/".into();
        estate.records.push(grant);
    }
    let at = subnet(&estate);
    for (name, path, status, times) in cases {
        let options = Options { page_size: 1, ..Options::default() };
        let server = serve(estate.clone(), options).await;
        server.fail_next(Fault { path: path.to_owned(), status, retry_after: Some(0), times });
        let failed = collect(&server, &[DEPLOYER]).await;
        assert!(server.stats().of("assigned_to") > 0, "{name}");
        assert_eq!(failed.snapshot.answers, [], "{name}");
        assert_eq!(failed.snapshot.gaps, [], "{name}: the lists themselves were read");
        assert_eq!(may_join(&failed.snapshot, DEPLOYER, &at).verdict, Verdict::Unknown, "{name}");
    }
    let server = serve(estate, Options { page_size: 1, ..Options::default() }).await;
    let whole = collect(&server, &[DEPLOYER]).await;
    assert_eq!(whole.snapshot.answers[0].assignments.len(), 3);
    assert_eq!((server.stats().of("assigned_to"), whole.numbers.requests["assigned_to"]), (3, 3));
    assert_eq!(may_join(&whole.snapshot, DEPLOYER, &at).verdict, Verdict::Yes);
}

/// One that fails takes no other with it.
#[tokio::test]
async fn the_questions_beside_a_failed_one_are_answered() {
    let (mut estate, other) = (with_member(), "aaaaaaaa-0000-0000-0000-000000000002");
    estate.member(NETWORKERS, other);
    let at = subnet(&estate);
    let server = serve(estate, Options::default()).await;
    let path = format!("assignedto('{DEPLOYER}')");
    server.fail_next(Fault { path, status: 403, retry_after: None, times: 1 });
    let collected = collect(&server, &[DEPLOYER, other]).await;
    assert_eq!(may_join(&collected.snapshot, DEPLOYER, &at).verdict, Verdict::Unknown);
    assert_eq!(may_join(&collected.snapshot, other, &at).verdict, Verdict::Yes);
    assert_eq!(collected.numbers.failures["denied"], 1);
}

/// The file holds the answers, and as Azure it gives them again; also where one failed.
#[tokio::test]
async fn a_capture_holds_the_answers_and_gives_them_again() {
    let mut estate = with_member();
    let other = "aaaaaaaa-0000-0000-0000-000000000002";
    estate.member(NETWORKERS, other);
    let at = subnet(&estate);
    let server = serve(estate, Options::default()).await;
    let path = format!("assignedto('{other}')");
    server.fail_next(Fault { path, status: 403, retry_after: None, times: 1 });
    let live = collect(&server, &[DEPLOYER, other]).await.snapshot;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("capture.jsonl");
    snapshot_file::write(&path, &live).expect("written");
    let text = std::fs::read_to_string(&path).expect("text");
    assert!(text.lines().last().is_some_and(|end| end.contains("\"answers\":1")), "{text}");
    let captured = snapshot_file::read(&path).expect("read");
    assert_eq!(captured.answers, live.answers);
    for (principal, verdict) in [(DEPLOYER, Verdict::Yes), (other, Verdict::Unknown)] {
        assert_eq!(may_join(&captured, principal, &at).verdict, verdict);
    }
    let mut again = text;
    for _ in 0..2 {
        let estate = Estate::from_jsonl(&again).expect("armsim reads what mlfence writes");
        let server = serve(estate, Options::default()).await;
        again = bytes(&collect(&server, &[DEPLOYER, other]).await.snapshot);
        assert_eq!(again, bytes(&live));
    }
}

/// The declarations decide what is asked: without any, of a healthy company nothing.
#[test]
fn a_healthy_company_leaves_nothing_to_ask() {
    let inventory = Inventory::build(&support::snapshot(&estate()));
    let worth = mlfence::facts::worth_asking(&inventory, &Declarations::default());
    assert_eq!(worth, mlfence::facts::WorthAsking::default());
}
