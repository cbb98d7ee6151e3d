//! Small estates of rights, built record by record, for the tests of the access engine.
#![allow(dead_code)] // Each test binary uses its own part.

use mlfence::facts::access::{Access, Answer, Question, Wanted};
use mlfence::inventory::snapshot::{Answer as Told, Header, Source, Subscription, Via};
use mlfence::inventory::{Gap, GapReason, Inventory, Kind, ObjectId, Record, ResourceId, Snapshot};
use serde_json::{Value, json};

pub(crate) const SUBSCRIPTION: &str = "11111111-1111-1111-1111-111111111111";
pub(crate) const OTHER_SUBSCRIPTION: &str = "22222222-2222-2222-2222-222222222222";

pub(crate) const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
pub(crate) const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
pub(crate) const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";
pub(crate) const NETWORK_CONTRIBUTOR: &str = mlfence::facts::access::NETWORK_CONTRIBUTOR;

pub(crate) const CLUSTER: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub(crate) const KUBELET: &str = "aaaaaaaa-0000-0000-0000-000000000003";
pub(crate) const TEAM: &str = "bbbbbbbb-0000-0000-0000-000000000001";
pub(crate) const EVERYONE: &str = "00000000-0000-0000-0000-000000000000";

pub(crate) const JOIN: &str = mlfence::facts::access::SUBNET_JOIN;

pub(crate) fn id(text: &str) -> ResourceId {
    ResourceId::parse(text).expect("an id")
}

pub(crate) fn object(text: &str) -> ObjectId {
    ObjectId::parse(text).expect("an object id")
}

pub(crate) fn subscription() -> String {
    format!("/subscriptions/{SUBSCRIPTION}")
}

pub(crate) fn group() -> String {
    format!("{}/resourceGroups/rg-net", subscription())
}

pub(crate) fn vnet() -> String {
    format!("{}/providers/Microsoft.Network/virtualNetworks/vnet-ml", group())
}

pub(crate) fn subnet() -> String {
    format!("{}/subnets/snet-aks", vnet())
}

pub(crate) fn management_group(name: &str) -> String {
    format!("/providers/Microsoft.Management/managementGroups/{name}")
}

/// A snapshot in the making.
#[derive(Clone)]
pub(crate) struct Estate {
    pub(crate) snapshot: Snapshot,
}

impl Estate {
    /// Two subscriptions of which everything was read; the built-in roles of the fixtures; nothing granted.
    pub(crate) fn new() -> Self {
        let source = || Source { via: Via::Arm, api_version: Some("2022-04-01".to_owned()) };
        let header = Header {
            mlfence: mlfence::inventory::snapshot::FORMAT.to_owned(),
            taken_at: "2026-11-23T05:00:00Z".to_owned(),
            tenant_id: None,
            cloud: "public".to_owned(),
            projection: None,
            subscriptions: [SUBSCRIPTION, OTHER_SUBSCRIPTION]
                .map(|id| Subscription { id: id.to_owned(), name: String::new() })
                .into(),
            kinds: Kind::ALL.iter().map(|kind| (*kind, source())).collect(),
        };
        let mut estate = Self { snapshot: Snapshot::new(header) };
        let roles: Value = serde_json::from_str(include_str!("../fixtures/access/roles.json")).expect("JSON");
        for (guid, role) in roles.as_object().expect("an object") {
            estate.role(guid, role["name"].as_str().expect("a name"), false, &role["permissions"]);
        }
        estate
    }

    /// The usual estate: below two management groups.
    pub(crate) fn with_groups() -> Self {
        let mut estate = Self::new();
        estate.above(&["mg-platform", "tenant-root"]);
        estate
    }

    pub(crate) fn add(&mut self, body: Value) -> &mut Self {
        self.snapshot.add(Record::from_body(body).expect("a record"));
        self
    }

    pub(crate) fn above(&mut self, names: &[&str]) -> &mut Self {
        let chain: Vec<Value> = names.iter().map(|name| json!({"name": name, "displayName": name})).collect();
        self.add(json!({"id": subscription(), "type": "microsoft.resources/subscriptions",
            "properties": {"managementGroupAncestorsChain": chain}}))
    }

    /// `permissions` are lists of actions, exclusions and data actions.
    pub(crate) fn role(&mut self, guid: &str, name: &str, custom: bool, permissions: &Value) -> &mut Self {
        let entry = |entry: &Value| {
            json!({"actions": entry[0], "notActions": entry[1], "notDataActions": [], "condition": null,
                "dataActions": entry.get(2).cloned().unwrap_or_else(|| json!([]))})
        };
        let entries: Vec<Value> = permissions.as_array().into_iter().flatten().map(entry).collect();
        self.add(json!({
            "id": format!("/providers/Microsoft.Authorization/roleDefinitions/{guid}"),
            "name": guid, "type": "Microsoft.Authorization/roleDefinitions",
            "properties": {"roleName": name, "type": if custom { "CustomRole" } else { "BuiltInRole" },
                "permissions": entries},
        }))
    }

    pub(crate) fn grant(&mut self, name: &str, role: &str, to: &str, at: &str) -> &mut Self {
        self.grant_with(name, role, to, at, json!({}))
    }

    pub(crate) fn grant_with(
        &mut self,
        name: &str,
        role: &str,
        to: &str,
        at: &str,
        more: Value,
    ) -> &mut Self {
        let mut properties = json!({
            "roleDefinitionId":
                format!("{}/providers/Microsoft.Authorization/roleDefinitions/{role}", subscription()),
            "principalId": to, "principalType": "ServicePrincipal", "scope": at,
            "condition": null, "conditionVersion": null, "createdOn": "2026-02-11T10:20:30.4567890Z",
        });
        lay(&mut properties, more);
        self.add(json!({"id": assignment(at, name), "name": name,
            "type": "Microsoft.Authorization/roleAssignments", "properties": properties}))
    }

    pub(crate) fn deny(&mut self, name: &str, at: &str, more: Value) -> &mut Self {
        let mut properties = json!({
            "denyAssignmentName": name, "scope": at, "doNotApplyToChildScopes": false,
            "permissions": [{"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}],
            "principals": [{"id": EVERYONE, "type": "SystemDefined"}], "excludePrincipals": [],
            "isSystemProtected": true,
        });
        lay(&mut properties, more);
        let id =
            format!("{}/providers/Microsoft.Authorization/denyAssignments/{name}", at.trim_end_matches('/'));
        self.add(json!({"id": id, "name": name, "type": "Microsoft.Authorization/denyAssignments",
            "properties": properties}))
    }

    pub(crate) fn answer(&mut self, principal: &str, at: &str, assignments: Vec<String>) -> &mut Self {
        self.snapshot.answers.push(Told {
            question: "assigned_to".to_owned(),
            principal: principal.to_owned(),
            scope: id(at),
            assignments,
        });
        self
    }

    /// Takes the records of a kind away, with the gap that says so.
    pub(crate) fn hide(&mut self, kind: Kind) -> &mut Self {
        self.snapshot.records.retain(|_, record| record.kind() != Some(kind));
        self.gap(kind, &subscription())
    }

    pub(crate) fn gap(&mut self, kind: Kind, at: &str) -> &mut Self {
        let gap = Gap { source: kind, scope: id(at), reason: GapReason::Denied, detail: String::new() };
        self.snapshot.gaps.push(gap);
        self
    }

    pub(crate) fn inventory(&self) -> Inventory {
        Inventory::build(&self.snapshot)
    }

    pub(crate) fn ask(&self, wanted: &Wanted, at: &str) -> Answer {
        self.ask_for(CLUSTER, wanted, at)
    }

    pub(crate) fn ask_for(&self, principal: &str, wanted: &Wanted, at: &str) -> Answer {
        let inventory = self.inventory();
        Access::index(&inventory).ask(&Question::new(object(principal), wanted.clone(), id(at)))
    }
}

pub(crate) fn assignment(at: &str, name: &str) -> String {
    format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", at.trim_end_matches('/'))
}

pub(crate) fn action(text: &str) -> Wanted {
    Wanted::action(text).expect("an action")
}

pub(crate) fn role(guid: &str) -> Wanted {
    Wanted::role(guid).expect("a role")
}

/// An AKS cluster's record with this identity and client id.
pub(crate) fn cluster(client: Value, identity: Value) -> Value {
    json!({
        "id": format!("{}/resourcegroups/rg-aks/providers/Microsoft.ContainerService/managedClusters/aks", subscription()),
        "type": "Microsoft.ContainerService/ManagedClusters", "name": "aks", "location": "westeurope",
        "identity": identity,
        "properties": {
            "servicePrincipalProfile": {"clientId": client},
            "identityProfile": {"kubeletidentity": {"objectId": KUBELET, "clientId": "cccccccc-0000-0000-0000-000000000009"}},
        },
    })
}

fn lay(over: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (over.as_object_mut(), more) {
        object.extend(more);
    }
}
