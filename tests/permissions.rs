//! `mlfence permissions` as a person or a script meets it, against a simulated Azure that grants what it is told to.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use armsim::{Estate, Fault, Options, RunningServer, Server, company};
use mlfence::permissions::Check;
use serde_json::{Value, json};
use tempfile::TempDir;

const OWN: &str = "Microsoft.Authorization/permissions/read";
const SERVICE_TAGS: &str = "Microsoft.Network/locations/serviceTags/read";
const SUBSCRIPTIONS: &str = "Microsoft.Resources/subscriptions/read";
const COMPUTES: &str = "Microsoft.MachineLearningServices/workspaces/computes/read";

/// What a sweep needs, written down from Microsoft's list of operations: one line per kind that is asked for.
const ACTIONS: &[&str] = &[
    "Microsoft.Authorization/denyAssignments/read",
    OWN,
    "Microsoft.Authorization/roleAssignments/read",
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.Compute/virtualMachineScaleSets/read",
    "Microsoft.ContainerInstance/containerGroups/read",
    "Microsoft.ContainerRegistry/registries/read",
    "Microsoft.ContainerService/managedClusters/read",
    "Microsoft.KubernetesConfiguration/extensions/read",
    COMPUTES,
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/read",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read",
    "Microsoft.MachineLearningServices/workspaces/read",
    "Microsoft.MachineLearningServices/workspaces/serverlessEndpoints/read",
    "Microsoft.MachineLearningServices/workspaces/services/read",
    "Microsoft.Network/loadBalancers/read",
    SERVICE_TAGS,
    "Microsoft.Network/natGateways/read",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/networkManagers/read",
    "Microsoft.Network/networkProfiles/read",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/privateEndpoints/read",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/routeTables/read",
    "Microsoft.Network/virtualNetworks/read",
    SUBSCRIPTIONS,
];

/// A folder with a configuration, and a simulated Azure that it points at.
struct Desk {
    folder: TempDir,
    server: RunningServer,
    // Last, so that the server ends before what it runs on.
    runtime: tokio::runtime::Runtime,
}

impl Desk {
    fn new(estate: Estate, options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let server = runtime.block_on(Server::start(estate.clone(), options)).expect("armsim starts");
        let url = server.base_url();
        fs::write(folder.path().join("secret"), armsim::server::SECRET).expect("written");
        let text = format!(
            "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\n\
             credential: {{ type: client_secret, tenant_id: 11111111-1111-1111-1111-111111111111, client_id: 22222222-2222-2222-2222-222222222222, secret_file: '{}' }}\n{}",
            folder.path().join("secret").display(),
            company::declarations(&estate)
        );
        fs::write(folder.path().join("mlfence.yaml"), text).expect("written");
        Self { folder, server, runtime }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        command(arguments).current_dir(self.folder.path()).output().expect("mlfence runs")
    }

    /// The exit code and the JSON of a live check.
    fn check(&self, more: &[&str]) -> (i32, Value) {
        let mut arguments = vec!["permissions", "--check", "--config", "mlfence.yaml", "--format", "json"];
        arguments.extend(more);
        read(&self.run(&arguments))
    }

    /// The gaps' lack in this process, which is faster than one program after the other.
    fn lacks(&self) -> Check {
        let config = support::config_for(&self.server, self.folder.path());
        let client = mlfence::azure::Client::new(&config).expect("a client");
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let collected = self.runtime.block_on(client.sweep(&BTreeSet::new(), now, &|_| {})).expect("a sweep");
        Check::of(&collected.snapshot, &[])
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlfence"));
    command.args(arguments).env_remove("IDENTITY_ENDPOINT").env_remove("IDENTITY_HEADER");
    command
}

fn mlfence(arguments: &[&str]) -> Output {
    command(arguments).output().expect("mlfence runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("ended by a signal: {output:?}"))
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

fn read(output: &Output) -> (i32, Value) {
    let value = serde_json::from_slice(&output.stdout);
    (code(output), value.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

/// The demo estate with everything readable, so that what is missing is missing by the scenario.
fn readable() -> Estate {
    let mut estate = company::demo().0;
    estate.gaps.clear();
    estate
}

fn subscription(name: &str) -> String {
    let estate = readable();
    let found = estate.header.subscriptions.iter().find(|subscription| subscription.name == name);
    found.expect("it is there").id.clone()
}

/// Action and scope of what is missing.
fn missing(check: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let rows = check["missing"].as_array().expect("a list");
    let set: BTreeSet<_> = rows.iter().map(|row| (text(&row["action"]), text(&row["scope"]))).collect();
    assert_eq!(set.len(), rows.len(), "a row for each: {check}");
    set
}

/// The actions that could not be checked, by scope.
fn open(check: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in check["open"].as_array().expect("a list") {
        let actions = row["actions"].as_array().expect("a list").iter();
        let actions = actions.map(|action| action.as_str().expect("text").to_owned());
        all.entry(row["scope"].as_str().expect("text").to_owned()).or_default().extend(actions);
    }
    all
}

fn at(scope: &str, actions: &[&str]) -> BTreeSet<(String, String)> {
    actions.iter().map(|action| ((*action).to_owned(), scope.to_owned())).collect()
}

fn all_but(but: &[&str]) -> Vec<&'static str> {
    ACTIONS.iter().copied().filter(|action| !but.contains(action)).collect()
}

fn strings(actions: &[&str]) -> BTreeSet<String> {
    actions.iter().map(|action| (*action).to_owned()).collect()
}

// ---- The role.

fn role(scopes: &[&str]) -> Value {
    json!({
        "Name": "mlfence reader",
        "IsCustom": true,
        "Description": "Reads what mlfence judges: the network around Azure Machine Learning inferencing. No action but read.",
        "Actions": ACTIONS,
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": scopes,
    })
}

#[test]
fn the_role_is_what_az_takes_and_names_no_action_but_read() {
    let output = mlfence(&["permissions"]);
    let (code, printed) = read(&output);
    assert_eq!((code, stderr(&output)), (0, ""));
    assert_eq!(printed, role(&["/providers/Microsoft.Management/managementGroups/<management-group>"]));
    let mut sorted = ACTIONS.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, ACTIONS, "sorted, each once");
    assert!(ACTIONS.iter().all(|action| action.ends_with("/read") && !action.contains('*')));
    assert_eq!(mlfence(&["permissions", "--format", "json"]).stdout, output.stdout);
}

#[test]
fn the_role_is_assignable_where_the_scope_says() {
    let (a, b) = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222");
    let group = "/providers/Microsoft.Management/managementGroups/mg-ml";
    let (in_a, in_b) = (format!("/subscriptions/{a}"), format!("/subscriptions/{b}"));
    let printed = |arguments: &[&str]| read(&mlfence(&[&["permissions"], arguments].concat())).1;
    assert_eq!(printed(&["--management-group", "mg-ml"]), role(&[group]));
    assert_eq!(printed(&["--subscription", b, "--subscription", a]), role(&[&in_a, &in_b]));
    assert_eq!(printed(&["--subscription", a, "--management-group", "mg-ml"]), role(&[group, &in_a]));
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("mlfence.yaml");
    fs::write(&config, "scope: { include: { management_groups: [mg-ml] } }\n").expect("written");
    let config = config.to_str().expect("text");
    assert_eq!(printed(&["--config", config]), role(&[group]));
    assert_eq!(printed(&["--config", config, "--subscription", b]), role(&[&in_b]));
}

/// What Azure or a shell would stumble over is refused before.
#[test]
fn what_cannot_be_is_a_usage_error() {
    for (arguments, says) in [
        (
            &["--management-group", "a", "--management-group", "b"][..],
            "assignable in one management group only, not in a, b",
        ),
        (&["--management-group", "it's"], "`it's` is no name of a management group"),
        (&["--subscription", "ml-prod"], "`ml-prod` is none"),
        (&["--format", "table"], "--format table needs --check or --snapshot"),
        (&["--check", "--format", "bicep"], "--format bicep is for the role"),
        (&["--check", "--snapshot", "x"], "cannot be used with"),
        (&["--snapshot", "missing.jsonl"], "missing.jsonl"),
        (&["--config", "missing.yaml"], "missing.yaml"),
    ] {
        let output = mlfence(&[&["permissions"], arguments].concat());
        assert_eq!((code(&output), stdout(&output)), (2, ""), "{arguments:?}");
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
}

/// Bicep as the documentation of `Microsoft.Authorization/roleDefinitions` writes it.
fn bicep(target: &str, here: &str, scopes: &[&str]) -> String {
    let actions: String = ACTIONS.iter().map(|action| format!("          '{action}'\n")).collect();
    let scopes: String = scopes.iter().map(|scope| format!("  {scope}\n")).collect();
    format!(
        "\
targetScope = '{target}'

@description('Where the role may be assigned: ids of subscriptions, and of one management group at most.')
param assignableScopes array = [
{scopes}]

resource reader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {{
  name: guid({here}, 'mlfence reader')
  properties: {{
    roleName: 'mlfence reader'
    type: 'CustomRole'
    description: 'Reads what mlfence judges: the network around Azure Machine Learning inferencing. No action but read.'
    assignableScopes: assignableScopes
    permissions: [
      {{
        actions: [
{actions}        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }}
    ]
  }}
}}

output roleDefinitionId string = reader.id
"
    )
}

#[test]
fn the_role_in_bicep_is_deployed_where_it_is_assignable() {
    let guid = "11111111-1111-1111-1111-111111111111";
    let id = format!("'/subscriptions/{guid}'");
    let group = "'/providers/Microsoft.Management/managementGroups/mg-ml'";
    let at_group = ("managementGroup", "managementGroup().id");
    let at_subscription = ("subscription", "subscription().id");
    for (arguments, (target, here), scopes) in [
        (&[][..], at_group, vec!["managementGroup().id"]),
        (&["--management-group", "mg-ml"], at_group, vec!["managementGroup().id"]),
        (&["--subscription", guid], at_subscription, vec!["subscription().id"]),
        (&["--management-group", "mg-ml", "--subscription", guid], at_group, vec![group, id.as_str()]),
    ] {
        let output = mlfence(&[&["permissions", "--format", "bicep"], arguments].concat());
        assert_eq!((code(&output), stderr(&output)), (0, ""));
        assert_eq!(stdout(&output), bicep(target, here, &scopes), "{arguments:?}");
    }
}

#[test]
fn the_shipped_role_is_the_printed_one() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/azure/mlfence-reader.json");
    let printed = mlfence(&["permissions"]).stdout;
    if std::env::var_os("MLFENCE_REGENERATE").is_some() {
        fs::write(&path, &printed).expect("written");
    }
    let shipped = fs::read(&path).unwrap_or_default();
    assert!(shipped == printed, "{}: run this test with MLFENCE_REGENERATE=1", path.display());
}

#[test]
fn a_reader_that_went_away_is_no_failure_and_a_full_disk_is() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let closed = command(&["permissions"]).stdout(writer).stderr(Stdio::piped()).output().expect("it runs");
    assert_eq!((code(&closed), stderr(&closed)), (0, ""));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let full = command(&["permissions"]).stdout(full).stderr(Stdio::piped()).output().expect("it runs");
    assert_eq!(code(&full), 3);
    assert!(stderr(&full).contains("cannot write to stdout"), "{}", stderr(&full));
}

// ---- The role's actions are enough, and each is needed.

#[test]
fn whoever_holds_the_role_gets_the_report_that_reader_gets() {
    let desk = Desk::new(readable(), Options::default());
    let report = || {
        let output = desk.run(&["audit", "--config", "mlfence.yaml", "--format", "json"]);
        assert_eq!(code(&output), 1, "{}", stderr(&output));
        let mut report = read(&output).1;
        report["taken_at"] = Value::Null;
        report
    };
    let by_reader = report();
    let granted: Vec<String> = ACTIONS.iter().map(|action| (*action).to_owned()).collect();
    desk.server.replace_options(Options { grant_only: granted, ..Options::default() });
    let by_role = report();
    // What no single action is known to show is told, and declared by the demo's operator: it moves no verdict.
    let gaps = by_role["gaps"].as_array().expect("a list");
    assert!(gaps.iter().all(|gap| gap["source"] == "security_admin_rules"), "{gaps:?}");
    assert_eq!(gaps.len(), 4, "one a subscription");
    assert_eq!(by_reader["gaps"], json!([]));
    assert_eq!(by_role["results"], by_reader["results"]);
    let (code, check) = desk.check(&[]);
    assert_eq!((code, &check["missing"], &check["open"]), (0, &json!([]), &json!([])));
    let [unprovable] = check["unprovable"].as_array().expect("a list").as_slice() else { panic!("{check}") };
    let scopes: BTreeSet<String> =
        readable().header.subscriptions.iter().map(|one| format!("/subscriptions/{}", one.id)).collect();
    assert_eq!(
        (&unprovable["kind"], &unprovable["scopes"]),
        (&json!("security_admin_rules"), &json!(scopes))
    );
    let detail = unprovable["detail"].as_str().expect("text");
    assert!(detail.contains("Reader shows them, or declare `security_admin_rules: none`"), "{detail}");
    let output = desk.run(&["permissions", "--check", "--config", "mlfence.yaml"]);
    let told = format!("not proven by single actions\n  security_admin_rules, 4 scopes: {detail}\n");
    assert!(stdout(&output).contains(&told), "{}", stdout(&output));
    assert!(stdout(&output).contains("nothing is missing"), "{}", stdout(&output));
}

#[test]
fn without_any_one_of_the_actions_something_is_hidden() {
    let desk = Desk::new(readable(), Options::default());
    for without in ACTIONS {
        let granted = all_but(&[without]).into_iter().map(str::to_owned).collect();
        desk.server.replace_options(Options { grant_only: granted, ..Options::default() });
        let check = desk.lacks();
        let actions: BTreeSet<&str> = check.missing.iter().map(|missing| missing.action.as_str()).collect();
        assert_eq!(actions, BTreeSet::from([*without]));
    }
}

// ---- What is missing of it.

#[test]
fn a_reader_misses_nothing() {
    let desk = Desk::new(readable(), Options::default());
    let (code, check) = desk.check(&[]);
    assert_eq!((code, &check["missing"], &check["open"]), (0, &json!([]), &json!([])));
    assert_eq!(check["unprovable"], json!([]));
    assert_eq!(check["schema"], "mlfence.permissions/1");
    assert_eq!(check["needed"], json!(ACTIONS));
    let subscriptions: BTreeMap<String, String> =
        readable().header.subscriptions.into_iter().map(|s| (s.id, s.name)).collect();
    assert_eq!(check["subscriptions"], json!(subscriptions));
    let output = desk.run(&["permissions", "--check", "--config", "mlfence.yaml"]);
    assert_eq!((self::code(&output), stderr(&output)), (0, ""));
    let words = format!("nothing is missing: {} needed actions, 4 subscriptions\n", ACTIONS.len());
    assert_eq!(stdout(&output), words);
}

#[test]
fn an_action_that_is_denied_in_one_subscription_is_named_there_and_nowhere_else() {
    let prod = subscription("ml-prod");
    let scope = format!("/subscriptions/{prod}");
    let desk = Desk::new(readable(), Options::default());
    for action in ACTIONS {
        let options =
            Options { deny_actions: vec![(prod.clone(), (*action).to_owned())], ..Options::default() };
        desk.server.replace_options(options);
        let (code, check) = desk.check(&[]);
        if *action == SERVICE_TAGS {
            assert_eq!((code, missing(&check)), (0, BTreeSet::new()), "any one subscription will do");
            continue;
        }
        assert_eq!((code, missing(&check)), (1, at(&scope, &[action])), "{action}");
        let expected = match *action {
            // What is held where one may not ask what one holds, nobody knows.
            OWN => BTreeMap::from([(scope.clone(), strings(&all_but(&[OWN, SERVICE_TAGS])))]),
            _ => BTreeMap::new(),
        };
        let mut open = open(&check);
        if *action == SUBSCRIPTIONS {
            // Resource Graph leaves the subscription out, so that none of its rows are proven to be there.
            assert_eq!(open.keys().collect::<Vec<_>>(), [&scope]);
            open.clear();
        }
        assert_eq!(open, expected, "{action}");
    }
}

#[test]
fn service_tags_are_missing_only_where_no_subscription_shows_them() {
    let everywhere = readable().header.subscriptions.into_iter();
    let denied = everywhere.map(|subscription| (subscription.id, SERVICE_TAGS.to_owned())).collect();
    let desk = Desk::new(readable(), Options { deny_actions: denied, ..Options::default() });
    let (code, check) = desk.check(&[]);
    assert_eq!((code, missing(&check)), (1, at("/", &[SERVICE_TAGS])));
    assert_eq!(open(&check), BTreeMap::new());
    let output = desk.run(&["permissions", "--check", "--config", "mlfence.yaml"]);
    assert!(stdout(&output).contains("any one subscription"), "{}", stdout(&output));
    assert!(stdout(&output).contains("--scope /subscriptions/<subscription>"), "{}", stdout(&output));
}

#[test]
fn several_actions_of_one_kind_are_each_named() {
    let prod = subscription("ml-prod");
    let both = [
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/read",
        "Microsoft.MachineLearningServices/workspaces/serverlessEndpoints/read",
    ];
    let denied = both.iter().map(|action| (prod.clone(), (*action).to_owned())).collect();
    let desk = Desk::new(readable(), Options { deny_actions: denied, ..Options::default() });
    let (code, check) = desk.check(&[]);
    assert_eq!((code, missing(&check)), (1, at(&format!("/subscriptions/{prod}"), &both)));
    assert_eq!(check["missing"][0]["hides"], json!(["online_endpoints"]));
}

#[test]
fn whoever_reads_one_resource_group_lacks_the_role_on_the_subscription() {
    let prod = subscription("ml-prod");
    let scope = format!("/subscriptions/{prod}");
    let group = format!("{scope}/resourceGroups/rg-churn-prod");
    let desk = Desk::new(readable(), Options { readable_only: vec![group], ..Options::default() });
    let (code, check) = desk.check(&[]);
    // Azure answers what the caller may do there (nothing), and another subscription shows the service tags.
    assert_eq!((code, missing(&check)), (1, at(&scope, &all_but(&[OWN, SERVICE_TAGS]))));
    assert_eq!(open(&check), BTreeMap::new());
}

#[test]
fn a_subscription_that_answers_403_lacks_the_first_right_and_leaves_the_others_open() {
    let prod = subscription("ml-prod");
    let scope = format!("/subscriptions/{prod}");
    let desk = Desk::new(readable(), Options { deny: vec![scope.clone()], ..Options::default() });
    let (code, check) = desk.check(&[]);
    assert_eq!((code, missing(&check)), (1, at(&scope, &[OWN])));
    assert_eq!(open(&check), BTreeMap::from([(scope.clone(), strings(&all_but(&[OWN, SERVICE_TAGS])))]));
    let output = desk.run(&["permissions", "--check", "--config", "mlfence.yaml"]);
    let table = stdout(&output);
    for words in [
        "could not be checked\n",
        &format!("{scope} (ml-prod)"),
        &format!("  mlfence permissions --subscription {prod} > mlfence-reader.json\n"),
        &format!(
            "  az role assignment create --role 'mlfence reader' --assignee-object-id <object-id> --assignee-principal-type ServicePrincipal --scope {scope}\n"
        ),
    ] {
        assert!(table.contains(words), "`{words}` is missing in\n{table}");
    }
}

#[test]
fn a_subscription_out_of_sight_lacks_the_right_to_be_seen() {
    let (prod, dev) = (subscription("ml-prod"), subscription("ml-dev"));
    let scope = format!("/subscriptions/{prod}");
    let desk = Desk::new(readable(), Options { hide: vec![prod.clone()], ..Options::default() });
    let (code, check) = desk.check(&["--subscription", &prod, "--subscription", &dev]);
    assert_eq!((code, missing(&check)), (1, at(&scope, &[SUBSCRIPTIONS])));
    let others = strings(&all_but(&[OWN, SUBSCRIPTIONS, SERVICE_TAGS]));
    assert_eq!(open(&check), BTreeMap::from([(scope, others)]));
    // Nobody asked for it, so nobody knows of it.
    assert_eq!(desk.check(&[]).0, 0);
}

#[test]
fn a_snapshot_tells_what_the_live_check_told() {
    let prod = subscription("ml-prod");
    let options = Options { deny_actions: vec![(prod, COMPUTES.to_owned())], ..Options::default() };
    let desk = Desk::new(readable(), options);
    let output = desk.run(&["snapshot", "-o", "kept.jsonl", "--config", "mlfence.yaml"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let (code, mut live) = desk.check(&[]);
    let arguments =
        ["permissions", "--snapshot", "kept.jsonl", "--config", "mlfence.yaml", "--format", "json"];
    let (same, mut kept) = read(&desk.run(&arguments));
    assert_eq!((code, same), (1, 1));
    (live["taken_at"], kept["taken_at"]) = (Value::Null, Value::Null);
    assert_eq!(live, kept);
}

#[test]
fn permissions_that_could_not_be_asked_leave_the_question_open() {
    let prod = subscription("ml-prod");
    let desk = Desk::new(readable(), Options::default());
    let path = format!("{prod}/providers/Microsoft.Authorization/permissions");
    for status in [400, 404] {
        let fault: Fault = format!("path={path},status={status}").parse().expect("a fault");
        desk.server.fail_next(fault);
        let (code, check) = desk.check(&[]);
        assert_eq!((code, missing(&check)), (3, BTreeSet::new()), "{status}");
        let expected = strings(&all_but(&[OWN, SERVICE_TAGS]));
        assert_eq!(open(&check), BTreeMap::from([(format!("/subscriptions/{prod}"), expected)]));
    }
}

// ---- Snapshots with gaps written by hand.

/// Checks the demo with these gaps only.
fn with_gaps(gaps: &[Value]) -> (Output, Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gaps.jsonl");
    let mut estate = readable();
    estate.gaps = gaps.to_vec();
    estate.save(&path).expect("saved");
    let path = path.to_str().expect("text");
    let output = mlfence(&["permissions", "--snapshot", path]);
    let (same, check) = read(&mlfence(&["permissions", "--snapshot", path, "--format", "json"]));
    assert_eq!(same, code(&output));
    (output, check)
}

fn gap(source: &str, scope: &str, reason: &str, detail: &str) -> Value {
    json!({"source": source, "scope": scope, "reason": reason, "detail": detail})
}

#[test]
fn what_is_not_about_rights_is_said_to_be_open() {
    let scope = format!("/subscriptions/{}", subscription("ml-prod"));
    for reason in ["throttled", "timeout", "truncated", "malformed", "not_asked", "not_found"] {
        let (output, check) = with_gaps(&[gap("computes", &scope, reason, "")]);
        assert_eq!((code(&output), missing(&check)), (3, BTreeSet::new()), "{reason}");
        assert_eq!(open(&check), BTreeMap::from([(scope.clone(), strings(&[COMPUTES]))]));
        assert!(stdout(&output).contains("could not be checked\n"), "{}", stdout(&output));
        assert_eq!(stderr(&output), "mlfence: not every needed action could be checked\n");
    }
    // Missing is missing, whatever else went wrong below.
    let workspace =
        format!("{scope}/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w");
    let gaps = [gap("computes", &scope, "partial_rights", ""), gap("computes", &workspace, "timeout", "")];
    let (output, check) = with_gaps(&gaps);
    assert_eq!((code(&output), missing(&check)), (1, at(&scope, &[COMPUTES])));
    assert_eq!(open(&check), BTreeMap::new());
}

#[test]
fn a_list_that_azure_does_not_offer_lacks_no_right() {
    let scope = format!("/subscriptions/{}", subscription("ml-prod"));
    let words = "The resource type could not be found in the namespace";
    for told in ["InvalidResourceType".to_owned(), format!("InvalidResourceType: {words}")] {
        let (output, _) = with_gaps(&[gap("services", &scope, "unsupported", &told)]);
        assert_eq!(code(&output), 0, "{told}");
    }
    // A list that Azure has, and a request for it that it did not take, tell nothing of rights.
    let detail = "BadRequest: the request was not understood";
    let (output, check) = with_gaps(&[gap("virtual_networks", &scope, "unsupported", detail)]);
    assert_eq!((code(&output), missing(&check)), (3, BTreeSet::new()));
    let action = strings(&["Microsoft.Network/virtualNetworks/read"]);
    assert_eq!(open(&check), BTreeMap::from([(scope.clone(), action)]));
    // Several kinds at once may be the account of the permissions itself.
    let gaps =
        ["services", "computes"].map(|source| gap(source, &scope, "unsupported", "InvalidResourceType"));
    assert_eq!(code(&with_gaps(&gaps).0), 3);
}

#[test]
fn what_a_deny_assignment_takes_away_is_missing_and_no_role_is_promised_to_help() {
    let scope = format!("/subscriptions/{}", subscription("ml-prod"));
    let detail = format!(
        "DenyAssignmentAuthorizationFailed: The client … has permission to perform action '{COMPUTES}' on scope '{scope}'; however, the access is denied because of the deny assignment"
    );
    let (output, check) = with_gaps(&[gap("computes", &scope, "denied", &detail)]);
    assert_eq!((code(&output), missing(&check)), (1, at(&scope, &[COMPUTES])));
    assert!(stdout(&output).contains("no role helps against a deny assignment"), "{}", stdout(&output));
}

#[test]
fn a_snapshot_that_did_not_ask_for_a_kind_proves_nothing_of_its_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("older.jsonl");
    readable().save(&path).expect("saved");
    let text = fs::read_to_string(&path).expect("readable");
    let (header, rest) = text.split_once('\n').expect("lines");
    let mut header: Value = serde_json::from_str(header).expect("JSON");
    header["kinds"].as_object_mut().expect("an object").remove("computes").expect("it was asked for");
    fs::write(&path, format!("{header}\n{rest}")).expect("written");
    let arguments = ["permissions", "--snapshot", path.to_str().expect("text"), "--format", "json"];
    let (code, check) = read(&mlfence(&arguments));
    assert_eq!((code, missing(&check)), (3, BTreeSet::new()));
    assert_eq!(open(&check), BTreeMap::from([("/".to_owned(), strings(&[COMPUTES]))]));
}

/// The demo's `finance-ml` hides one possible subject of every policy.
#[test]
fn a_missing_action_tells_what_it_hides_and_whose_unknowns_wait_for_it() {
    let scope = format!("/subscriptions/{}", subscription("finance-ml"));
    let (_, check) = with_gaps(&company::demo().0.gaps);
    let row = &check["missing"][0];
    assert_eq!((&row["action"], &row["scope"]), (&json!(OWN), &json!(scope)));
    let list = read(&mlfence(&["policy", "list", "--format", "json"])).1;
    let policies: Vec<&str> =
        list.as_array().expect("a list").iter().filter_map(|policy| policy["id"].as_str()).collect();
    assert_eq!(row["policies"], json!(policies));
    assert_eq!(row["unknowns"], policies.len());
    assert!(row["hides"].as_array().expect("a list").contains(&json!("network_security_groups")));
}

/// Names from a file that anybody may have written reach neither the shell nor the terminal.
#[test]
fn hostile_scopes_are_not_put_into_commands() {
    let scope = "/subscriptions/x;touch\u{1b}[2J";
    let (output, _) = with_gaps(&[gap("computes", scope, "denied", "")]);
    let table = stdout(&output);
    assert!(!table.contains('\u{1b}'), "{table}");
    let commands: Vec<&str> =
        table.lines().filter(|line| line.starts_with("  az ") || line.starts_with("  mlfence ")).collect();
    assert_eq!(commands.len(), 3, "{table}");
    assert!(commands.iter().all(|line| !line.contains(';')), "{table}");
}
