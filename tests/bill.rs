//! The bill of a sweep: how many calls it makes, counted by the server, against a formula over the estate. docs/costs.md
//! states the formula; a call more or less is a change to both.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use armsim::{Estate, Options, Server, company};
use mlfence::azure::Client;
use mlfence::inventory::Depth;
use mlfence::sweep;
use serde_json::Value;
use time::OffsetDateTime;

type Bill = BTreeMap<String, u64>;

/// What is asked of Resource Graph: the types that share a query, and its rows on a page.
const OF_RULES: &[(&[&str], usize)] = &[
    (&["microsoft.resources/subscriptions"], 1000),
    (
        &[
            "microsoft.machinelearningservices/workspaces",
            "microsoft.machinelearningservices/workspaces/onlineendpoints",
            "microsoft.machinelearningservices/workspaces/onlineendpoints/deployments",
            "microsoft.machinelearningservices/workspaces/serverlessendpoints",
        ],
        1000,
    ),
    (&["microsoft.containerservice/managedclusters", "microsoft.compute/virtualmachinescalesets"], 250),
    (&["microsoft.containerinstance/containergroups", "microsoft.containerregistry/registries"], 1000),
    (&["microsoft.network/virtualnetworks"], 250),
    (&["microsoft.network/networksecuritygroups"], 250),
    (&["microsoft.network/privateendpoints", "microsoft.network/networkinterfaces"], 1000),
    (
        &[
            "microsoft.network/loadbalancers",
            "microsoft.network/publicipaddresses",
            "microsoft.network/routetables",
            "microsoft.network/natgateways",
            "microsoft.network/networkprofiles",
        ],
        1000,
    ),
    (&["microsoft.kubernetesconfiguration/extensions"], 1000),
    (&["microsoft.network/effectivesecurityadminrules"], 1000),
    (&["microsoft.authorization/roledefinitions"], 250),
];
const OF_NO_RULE: &[(&[&str], usize)] = &[
    (&["microsoft.resources/subscriptions/resourcegroups", "microsoft.resources/resourcegroups"], 1000),
    (
        &[
            "microsoft.kubernetes/connectedclusters",
            "microsoft.network/applicationsecuritygroups",
            "microsoft.network/privatednszones",
            "microsoft.network/privatednszones/virtualnetworklinks",
        ],
        1000,
    ),
];

/// An empty list has one page.
fn pages(rows: usize, size: usize) -> u64 {
    rows.div_ceil(size).max(1) as u64
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

/// The ids of an estate's records of a type, folded.
fn ids(estate: &Estate, of: &str) -> Vec<String> {
    let records = estate.records.iter().filter(|record| text(record, "type").eq_ignore_ascii_case(of));
    records.map(|record| text(record, "id").to_ascii_lowercase()).collect()
}

/// How many records of a type a subscription's list shows: those of scopes at, below and above it.
fn shown_at(estate: &Estate, of: &str, subscription: &str) -> usize {
    let scope = format!("/subscriptions/{subscription}");
    let record = estate.records.iter().find(|record| text(record, "id").eq_ignore_ascii_case(&scope));
    let chain = &record.expect("the subscription's record")["properties"]["managementGroupAncestorsChain"];
    let above: BTreeSet<String> = chain
        .as_array()
        .into_iter()
        .flatten()
        .map(|group| {
            format!("/providers/microsoft.management/managementgroups/{}", text(group, "name"))
                .to_ascii_lowercase()
        })
        .collect();
    let shown = |record: &&Value| {
        let at = text(&record["properties"], "scope").to_ascii_lowercase();
        at == "/" || above.contains(&at) || at == scope || at.starts_with(&format!("{scope}/"))
    };
    estate.records.iter().filter(|record| text(record, "type").eq_ignore_ascii_case(of)).filter(shown).count()
}

/// The formula.
fn bill(estate: &Estate, options: &Options, depth: Depth) -> Bill {
    let subscriptions: Vec<&str> = estate.header.subscriptions.iter().map(|one| one.id.as_str()).collect();
    let mut bill = Bill::from([
        ("token".to_owned(), 1),
        ("subscriptions".to_owned(), pages(subscriptions.len(), options.page_size)),
        ("permissions".to_owned(), 2 * subscriptions.len() as u64),
        ("service_tags".to_owned(), 1),
    ]);
    for (name, of) in [
        ("role_assignments", "Microsoft.Authorization/roleAssignments"),
        ("deny_assignments", "Microsoft.Authorization/denyAssignments"),
    ] {
        let of_each = subscriptions.iter().map(|id| pages(shown_at(estate, of, id), options.page_size));
        bill.insert(name.to_owned(), of_each.sum());
    }
    let mut lists = vec![("computes", "computes"), ("services", "services")];
    let mut queries = OF_RULES.to_vec();
    if depth == Depth::Everything {
        lists.push(("outbound_rules", "outboundrules"));
        queries.extend(OF_NO_RULE);
    }
    const WORKSPACES: &str = "microsoft.machinelearningservices/workspaces";
    for (name, path) in lists {
        let rows = ids(estate, &format!("{WORKSPACES}/{path}"));
        let of = |workspace: &String| {
            let rows = rows.iter().filter(|id| id.starts_with(&format!("{workspace}/{path}/"))).count();
            pages(rows, options.page_size)
        };
        bill.insert(name.to_owned(), ids(estate, WORKSPACES).iter().map(of).sum());
    }
    let graph = queries.iter().map(|(types, top)| {
        let rows = types.iter().map(|of| ids(estate, of).len()).sum();
        pages(rows, (*top).min(options.graph_page_size))
    });
    assert!(subscriptions.len() <= 200, "each query is asked once per 200 subscriptions");
    bill.insert("resource_graph".to_owned(), graph.sum());
    bill
}

/// Estates in which everything may be read: a right that is missing saves calls.
fn estates() -> Vec<Estate> {
    let generated = |workspaces, subscriptions| {
        company::generate(&company::Size { workspaces, seed: 5, subscriptions }).0
    };
    let mut estates = vec![company::demo().0, generated(3, 1), generated(40, 6)];
    estates.iter_mut().for_each(|estate| estate.gaps.clear());
    estates
}

/// Nobody is throttled: what is counted are the calls that a sweep needs.
fn unthrottled() -> Options {
    Options { rate_limits: false, ..Options::default() }
}

fn paged(page_size: usize, graph_page_size: usize) -> Options {
    Options { page_size, graph_page_size, ..unthrottled() }
}

#[tokio::test]
async fn a_sweep_makes_the_calls_of_the_formula_and_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    for estate in estates() {
        for options in [unthrottled(), paged(3, 40), paged(1, 250)] {
            let server = Server::start(estate.clone(), options.clone()).await.expect("armsim starts");
            let config = support::config_for(&server, folder.path());
            for depth in [Depth::Rules, Depth::Everything] {
                server.reset_stats();
                let client = Client::new(&config).expect("a client").with_depth(depth);
                let collected = client
                    .sweep(&BTreeSet::new(), OffsetDateTime::UNIX_EPOCH, &|_| {})
                    .await
                    .expect("a sweep");
                assert_eq!(collected.snapshot.gaps, []);
                let stats = server.stats();
                assert_eq!(stats.kinds, bill(&estate, &options, depth), "{depth:?} {options:?}");
                assert_eq!(stats.with_status(200), stats.total);
            }
            server.shutdown().await.expect("armsim ends");
        }
    }
}

/// Beyond lists there is one question for each answer; and what was asked once by a client needs no second token.
#[tokio::test]
async fn whom_groups_reach_is_one_call_a_question() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = 0;
    for estate in estates() {
        let options = unthrottled();
        let server = Server::start(estate.clone(), options.clone()).await.expect("armsim starts");
        let mut config = support::config_for(&server, folder.path());
        config.expectations = support::declarations(&estate);
        let client = Client::new(&config).expect("a client");
        let mut expected = bill(&estate, &options, Depth::Rules);
        let (earlier, now) = (BTreeSet::new(), OffsetDateTime::UNIX_EPOCH);
        for _ in 0..2 {
            server.reset_stats();
            let swept = sweep::run(&client, &config.expectations, &earlier, now, &|_| {});
            let answers = swept.await.expect("a sweep").snapshot.answers.len();
            if answers > 0 {
                expected.insert("assigned_to".to_owned(), answers as u64);
            }
            all += answers;
            assert_eq!(server.stats().kinds, expected);
            expected.remove("token");
        }
        server.shutdown().await.expect("armsim ends");
    }
    assert!(all > 0, "some of these estates grant to groups");
}

/// By hand from the table in docs/costs.md: 4 subscriptions and 7 workspaces, each list on one page.
#[test]
fn the_formula_is_the_one_of_the_readme() {
    let mut demo = company::demo().0;
    demo.gaps.clear();
    let bill = bill(&demo, &Options::default(), Depth::Rules);
    assert_eq!((demo.header.subscriptions.len(), bill["computes"], bill["resource_graph"]), (4, 7, 11));
    assert_eq!(bill.values().sum::<u64>(), 1 + 1 + 11 + 4 * 4 + 2 * 7 + 1);
}
