//! Azure Resource Graph: which queries carry which kinds, and their pages.
//!
//! Only `where`, `project` and `order by` are used: `limit`, `join`, `mv-expand` and `summarize` lose rows
//! without saying so. Whether a subscription was silently left out is decided by `rights`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};

use super::client::Session;
use super::failure::Failure;
use super::request::Request;
use super::scope::Above;
use crate::inventory::{Depth, GapReason, Kind, Record, ResourceId};

/// Resource Graph takes up to 1000 subscriptions per query and recommends fewer than 300.
pub(super) const GROUP: usize = 200;
const MOST_PAGES: usize = 10_000;

/// One query: the kinds that it carries, where they are, and how many rows fit into a page of 16 MiB.
pub(super) struct Query {
    pub(super) kinds: &'static [Kind],
    table: &'static str,
    columns: &'static str,
    top: u32,
}

const RESOURCE: &str = "id, name, type, kind, location, resourceGroup, subscriptionId, tenantId, tags, sku, identity, zones, managedBy, extendedLocation, properties";
const CONTAINER: &str =
    "id, name, type, location, resourceGroup, subscriptionId, tenantId, tags, managedBy, properties";
const AUTHORIZATION: &str = "id, name, type, subscriptionId, tenantId, properties";
const EXTENSION: &str = "id, name, type, subscriptionId, resourceGroup, properties";

/// The page size of rows that may be large.
const BIG: u32 = 250;
const SMALL: u32 = 1000;

const fn resources(kinds: &'static [Kind], top: u32) -> Query {
    Query { kinds, table: "resources", columns: RESOURCE, top }
}

/// The subscriptions themselves. They come first, since the scope hangs on their management groups.
pub(super) const SUBSCRIPTIONS: Query =
    Query { kinds: &[Kind::Subscriptions], table: "resourcecontainers", columns: CONTAINER, top: SMALL };

/// What rules read besides. With the one above these are 11 queries, so that a sweep of up to [`GROUP`] subscriptions
/// fits into the quota of 15 in 5 seconds with a few further pages. Fewer would gain nothing there, and a lost page makes
/// every kind of its query unknown: therefore kinds share one where the same verdicts rest on them, or where they are
/// small and few, and whatever may fill pages of its own stands alone.
const OF_RULES: &[Query] = &[
    resources(&[Kind::Workspaces, Kind::OnlineEndpoints], SMALL),
    resources(&[Kind::AksClusters, Kind::ScaleSets], BIG),
    resources(&[Kind::ContainerGroups, Kind::Registries], SMALL),
    resources(&[Kind::VirtualNetworks], BIG),
    resources(&[Kind::NetworkSecurityGroups], BIG),
    resources(&[Kind::PrivateEndpoints, Kind::NetworkInterfaces], SMALL),
    resources(
        &[
            Kind::LoadBalancers,
            Kind::PublicIpAddresses,
            Kind::RouteTables,
            Kind::NatGateways,
            Kind::NetworkProfiles,
        ],
        SMALL,
    ),
    Query {
        kinds: &[Kind::Extensions],
        table: "kubernetesconfigurationresources",
        columns: EXTENSION,
        top: SMALL,
    },
    Query { kinds: &[Kind::SecurityAdminRules], table: "networkresources", columns: EXTENSION, top: SMALL },
    Query {
        kinds: &[Kind::RoleDefinitions],
        table: "authorizationresources",
        columns: AUTHORIZATION,
        top: BIG,
    },
];

/// What no rule reads.
const OF_NO_RULE: &[Query] = &[
    Query { kinds: &[Kind::ResourceGroups], table: "resourcecontainers", columns: CONTAINER, top: SMALL },
    resources(&[Kind::ConnectedClusters, Kind::ApplicationSecurityGroups, Kind::PrivateDnsZones], SMALL),
];

/// The queries of a sweep, but for the subscriptions.
pub(super) fn queries(depth: Depth) -> impl Iterator<Item = &'static Query> {
    let beyond_rules = if depth == Depth::Everything { OF_NO_RULE } else { &[] };
    OF_RULES.iter().chain(beyond_rules)
}

/// The kinds that they carry, and the subscriptions.
pub(super) fn kinds(depth: Depth) -> impl Iterator<Item = Kind> {
    queries(depth).chain([&SUBSCRIPTIONS]).flat_map(|query| query.kinds).copied()
}

/// What a query gave for a group of subscriptions.
#[derive(Default)]
pub(super) struct Answer {
    /// The rows of the subscriptions that were asked about.
    pub(super) records: Vec<Record>,
    /// What was lost of every kind of the query.
    pub(super) lost: Vec<Failure>,
    /// Kinds and subscriptions with rows that could not be understood.
    pub(super) unreadable: BTreeSet<(Option<Kind>, Option<String>)>,
}

impl Query {
    fn names(&self) -> String {
        let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        names.join(",")
    }

    /// The query's text. `order by id` makes pages stable, `project` of `id` is what makes paging work at all.
    fn text(&self) -> String {
        let types: Vec<String> =
            self.kinds.iter().flat_map(|kind| kind.arm_types()).map(|name| format!("'{name}'")).collect();
        let filter = match types.as_slice() {
            [one] => format!("type =~ {one}"),
            many => format!("type in~ ({})", many.join(",")),
        };
        format!("{} | where {filter} | project {} | order by id asc", self.table, self.columns)
    }
}

/// Asks about a group of subscriptions, and turns the pages.
#[tracing::instrument(name = "resource_graph", skip_all, fields(kinds = query.names(), subscriptions = subscriptions.len()))]
pub(super) async fn ask(
    session: &Session<'_>,
    query: &Query,
    subscriptions: &[String],
    depth: Depth,
) -> Answer {
    let mut answer = Answer::default();
    let mut pages = Pages::new(query, subscriptions, depth);
    let text = query.text();
    let mut top = query.top;
    let mut position: Option<String> = None;
    let mut passed = BTreeSet::new();
    loop {
        // An objectArray is asked for by name, since the default form differs between api-versions.
        let mut options = json!({"$top": top, "resultFormat": "objectArray"});
        if let Some(token) = &position {
            options["$skipToken"] = json!(token);
        }
        let body = json!({"subscriptions": subscriptions, "query": text, "options": options});
        let told = session.send("resource_graph", &Request::query(&session.arm.endpoint, &body)).await;
        let page = match told.and_then(Page::read) {
            Ok(page) => page,
            Err(failure) if failure.is_payload_too_large() && top > 1 => {
                top /= 2;
                continue;
            }
            Err(failure) => {
                answer.lost.push(failure);
                return answer;
            }
        };
        position = page.skip_token.clone();
        pages.take(page, &mut answer);
        let Some(token) = &position else { break };
        if !passed.insert(token.clone()) {
            answer
                .lost
                .push(Failure::new(GapReason::Malformed, "Resource Graph gave the same $skipToken twice"));
            return answer;
        }
        if passed.len() >= MOST_PAGES {
            let detail = format!("Resource Graph gave more than {MOST_PAGES} pages");
            answer.lost.push(Failure::new(GapReason::Truncated, detail));
            return answer;
        }
    }
    answer.lost.extend(pages.complaint());
    answer
}

/// One page of an answer.
pub(super) struct Page {
    rows: Vec<Value>,
    total: Option<u64>,
    truncated: bool,
    skip_token: Option<String>,
}

impl Page {
    pub(super) fn read(answer: Value) -> Result<Self, Failure> {
        let malformed = |what: &str| Err(Failure::new(GapReason::Malformed, what));
        let Value::Object(mut body) = answer else {
            return malformed("a Resource Graph answer is no object");
        };
        let Some(Value::Array(rows)) = body.remove("data") else {
            return malformed("a Resource Graph answer has no `data` list");
        };
        let skip_token = match body.remove("$skipToken") {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) if token.is_empty() => None,
            Some(Value::String(token)) => Some(token),
            Some(_) => return malformed("a $skipToken is no text"),
        };
        // A string by Microsoft's specification, a boolean by the looks of it.
        let truncated = match body.get("resultTruncated") {
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(Value::Bool(told)) => *told,
            None | Some(Value::Null) => false,
            Some(_) => true,
        };
        let count = body.get("count").and_then(Value::as_u64);
        let truncated = truncated || count.is_some_and(|count| count != rows.len() as u64);
        Ok(Self { rows, total: body.get("totalRecords").and_then(Value::as_u64), truncated, skip_token })
    }
}

/// What the pages have in common: enough to tell whether rows were lost between them.
pub(super) struct Pages<'a> {
    query: &'a Query,
    depth: Depth,
    subscriptions: HashSet<&'a str>,
    ids: BTreeSet<ResourceId>,
    without_id: u64,
    /// The most that a page announced.
    total: u64,
    untold: bool,
    truncated: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(query: &'a Query, subscriptions: &'a [String], depth: Depth) -> Self {
        let subscriptions = subscriptions.iter().map(String::as_str).collect();
        let (ids, without_id) = (BTreeSet::new(), 0);
        Self { query, depth, subscriptions, ids, without_id, total: 0, untold: false, truncated: false }
    }

    pub(super) fn take(&mut self, page: Page, answer: &mut Answer) {
        // A later page may not take back what an earlier one announced.
        self.total = self.total.max(page.total.unwrap_or_default());
        self.untold |= page.total.is_none();
        self.truncated |= page.truncated;
        for row in page.rows {
            let subscription = subscription_of(&row);
            let told = row.get("type").and_then(Value::as_str).and_then(Kind::of_arm_type);
            let Ok(record) = Record::from_body(row) else {
                self.without_id += 1;
                answer.unreadable.insert((told, subscription));
                continue;
            };
            let subscription = subscription.or_else(|| record.id().subscription().map(str::to_owned));
            let asked = match &subscription {
                Some(subscription) => self.subscriptions.contains(subscription.as_str()),
                // Built-in role definitions belong to the tenant.
                None => self.query.kinds == [Kind::RoleDefinitions],
            };
            // An id may come on two pages if the estate changes in between; neither that nor a row that nobody asked for
            // may stand in for a lost one.
            if asked {
                self.ids.insert(record.id().clone());
            }
            match record.kind() {
                Some(kind) if self.query.kinds.contains(&kind) => {
                    if asked {
                        answer.records.push(self.depth.keep(record));
                    }
                }
                other => {
                    answer.unreadable.insert((other, subscription));
                }
            }
        }
    }

    /// What the numbers say against completeness.
    pub(super) fn complaint(&self) -> Option<Failure> {
        let read = self.ids.len() as u64 + self.without_id;
        let (reason, detail) = if self.truncated {
            (GapReason::Truncated, "Resource Graph cut its result (resultTruncated)")
        } else if self.untold {
            (GapReason::Malformed, "a Resource Graph answer has no `totalRecords`")
        } else if read < self.total {
            (GapReason::Truncated, "Resource Graph gave fewer rows than its totalRecords")
        } else {
            return None;
        };
        Some(Failure::new(reason, detail))
    }
}

fn subscription_of(row: &Value) -> Option<String> {
    let told = row.get("subscriptionId").and_then(Value::as_str).filter(|id| !id.is_empty());
    told.map(str::to_ascii_lowercase)
}

/// The management groups above each subscription. One that does not tell its chain is missing here.
pub(super) fn management_groups(subscriptions: &[Record]) -> BTreeMap<String, Above> {
    let chain = |record: &Record| {
        let chain = record.body().get("properties")?.get("managementGroupAncestorsChain")?.as_array()?;
        Some((record.id().subscription()?.to_owned(), Above::read(chain)))
    };
    subscriptions.iter().filter_map(chain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::projection;

    #[test]
    fn every_kind_is_asked_for_once_or_listed_by_arm() {
        for depth in [Depth::Rules, Depth::Everything] {
            let lists = super::super::sweep::ARM_KINDS.iter().map(|(kind, _)| *kind);
            let mut asked: Vec<Kind> = kinds(depth).chain(lists.filter(|kind| depth.asks(*kind))).collect();
            asked.sort();
            let mut wanted: Vec<Kind> = Kind::ALL.iter().copied().filter(|kind| depth.asks(*kind)).collect();
            wanted.sort();
            assert_eq!(asked, wanted, "{depth:?}");
        }
    }

    /// A column that is not asked for is a field that is never told.
    #[test]
    fn every_declared_field_lies_in_a_column_that_is_asked_for() {
        for query in queries(Depth::Everything).chain([&SUBSCRIPTIONS]) {
            let columns: Vec<&str> = query.columns.split(", ").collect();
            for field in projection::fields().filter(|field| query.kinds.contains(&field.kind)) {
                let column = field.path.split('.').next().unwrap_or_default();
                assert!(columns.contains(&column), "{}: {}", field.kind, field.path);
            }
        }
    }

    /// The query that carries a kind.
    fn of(kind: Kind) -> &'static Query {
        queries(Depth::Everything).find(|query| query.kinds.contains(&kind)).expect("a query")
    }

    #[test]
    fn queries_keep_the_id_and_end_in_its_order() {
        for query in queries(Depth::Everything).chain([&SUBSCRIPTIONS]) {
            let text = query.text();
            assert!(text.contains("| project id,") && text.ends_with("| order by id asc"), "{text}");
        }
        assert_eq!(
            of(Kind::NetworkSecurityGroups).text(),
            format!(
                "resources | where type =~ 'microsoft.network/networksecuritygroups' | project {RESOURCE} | order by id asc"
            )
        );
        assert!(of(Kind::AksClusters).text().starts_with("resources | where type in~ ('microsoft.containerservice/managedclusters','microsoft.compute/virtualmachinescalesets') |"));
    }

    fn complaint(pages: &[Value]) -> Option<GapReason> {
        let asked = ["s".to_owned()];
        let (mut read, mut answer) =
            (Pages::new(of(Kind::NetworkSecurityGroups), &asked, Depth::Rules), Answer::default());
        for page in pages {
            read.take(Page::read(page.clone()).expect("a page"), &mut answer);
        }
        read.complaint().map(|failure| failure.reason)
    }

    #[test]
    fn lost_rows_are_noticed() {
        let row = |name: &str| json!({"id": format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/{name}")});
        let whole = json!({"data":[row("a")],"count":1,"totalRecords":1,"resultTruncated":"false"});
        assert_eq!(complaint(std::slice::from_ref(&whole)), None);
        for (key, value, expected) in [
            ("resultTruncated", json!("true"), GapReason::Truncated),
            ("resultTruncated", json!(true), GapReason::Truncated),
            ("resultTruncated", json!(1), GapReason::Truncated),
            ("totalRecords", json!(2), GapReason::Truncated),
            ("count", json!(2), GapReason::Truncated),
            ("totalRecords", json!(null), GapReason::Malformed),
        ] {
            let mut page = whole.clone();
            page[key] = value;
            assert_eq!(complaint(&[page]), Some(expected), "{key}");
        }
        let twice = json!({"data":[row("a")],"totalRecords":2});
        assert_eq!(
            complaint(&[twice.clone(), twice]),
            Some(GapReason::Truncated),
            "the same row on two pages"
        );
        let page = |total: Value| json!({"data":[row("a")],"totalRecords":total});
        assert_eq!(
            complaint(&[page(json!(3)), page(json!(null)), page(json!(1))]),
            Some(GapReason::Malformed),
            "a page without a number takes back none of an earlier one"
        );
    }

    #[test]
    fn rows_of_other_subscriptions_are_dropped_but_built_in_roles_kept() {
        let asked = ["s".to_owned()];
        let (mut pages, mut answer) =
            (Pages::new(of(Kind::RoleDefinitions), &asked, Depth::Rules), Answer::default());
        let page = json!({"totalRecords": 3, "data": [
            {"id":"/providers/Microsoft.Authorization/RoleDefinitions/a","subscriptionId":""},
            {"id":"/subscriptions/S/providers/Microsoft.Authorization/roleDefinitions/b","subscriptionId":"S"},
            {"id":"/subscriptions/T/providers/Microsoft.Authorization/roleDefinitions/c","subscriptionId":"T"},
            {"name":"no id","type":"microsoft.authorization/roledefinitions","subscriptionId":"s"},
        ]});
        pages.take(Page::read(page).expect("a page"), &mut answer);
        let names: Vec<&str> = answer.records.iter().map(|record| record.id().name()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(answer.unreadable, BTreeSet::from([(Some(Kind::RoleDefinitions), Some("s".to_owned()))]));
    }
}
