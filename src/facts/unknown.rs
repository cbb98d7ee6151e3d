//! Documents of which nothing is known: the forms on which no policy may say `compliant`, nor `applies := false`.

use std::collections::BTreeMap;

use crate::expectations::Expectations;
use crate::inventory::{Reason, ResourceId};

use super::document::{
    AciService, Cluster, ClusterAccess, Compute, Demands, Deployers, Document, Egress, Fact, FlowAnswer,
    HostingSubnet, Right, Router, SCHEMA, Scoring, Search, Subject, SubjectKind, Subnet, VnetRef, Workspace,
};
use super::exposure::{FlowQuestions, SHIPPED_FLOWS};

/// A document's part when nothing is known of it: the form on which no policy may say `compliant`, nor
/// `applies := false`.
pub(super) trait AllUnknown {
    /// This part with every fact unknown for `reason`, every list empty.
    fn all_unknown(reason: &Reason) -> Self;
}

impl<T> AllUnknown for Fact<T> {
    fn all_unknown(reason: &Reason) -> Self {
        Fact::Unknown { unknown: reason.clone() }
    }
}

impl<T> AllUnknown for Search<T> {
    fn all_unknown(reason: &Reason) -> Self {
        Search { found: Vec::new(), none: Fact::all_unknown(reason) }
    }
}

impl AllUnknown for Cluster {
    fn all_unknown(reason: &Reason) -> Self {
        Cluster {
            id: Fact::all_unknown(reason),
            name: String::new(),
            resource_group: String::new(),
            location: Fact::all_unknown(reason),
            private: Fact::all_unknown(reason),
            public_fqdn: Fact::all_unknown(reason),
            fqdn: None,
            private_dns_zone: None,
            kubernetes_version: Fact::all_unknown(reason),
            before_containerd: Fact::all_unknown(reason),
            own_vnet: Fact::all_unknown(reason),
            vnets: Fact::all_unknown(reason),
            node_subnets: Fact::all_unknown(reason),
            service_cidrs: Fact::all_unknown(reason),
            dns_service_ip: Fact::all_unknown(reason),
            dns_service_ip_in_service_cidr: Fact::all_unknown(reason),
            docker_bridge_cidr: Fact::all_unknown(reason),
            reserved_range_overlaps: Search::all_unknown(reason),
            service_cidr_overlaps: Search::all_unknown(reason),
            docker_bridge_overlaps: Search::all_unknown(reason),
        }
    }
}

impl AllUnknown for Egress {
    fn all_unknown(reason: &Reason) -> Self {
        Egress {
            r#type: Fact::all_unknown(reason),
            provided: Fact::all_unknown(reason),
            appliance_trusted: Fact::all_unknown(reason),
            subnets: Fact::all_unknown(reason),
        }
    }
}

impl AllUnknown for ClusterAccess {
    fn all_unknown(reason: &Reason) -> Self {
        ClusterAccess {
            principals: Fact::all_unknown(reason),
            subnets: Fact::all_unknown(reason),
            groups: Fact::all_unknown(reason),
        }
    }
}

impl AllUnknown for Router {
    fn all_unknown(reason: &Reason) -> Self {
        Router {
            private_demanded: Fact::all_unknown(reason),
            declared: Fact::all_unknown(reason),
            declared_subnet: Fact::all_unknown(reason),
            addresses: Fact::all_unknown(reason),
            ports: Fact::all_unknown(reason),
            frontends: Fact::all_unknown(reason),
            public_frontends: Vec::new(),
            private: Fact::all_unknown(reason),
            settled: Fact::all_unknown(reason),
            balancer_subnets: Fact::all_unknown(reason),
        }
    }
}

impl AllUnknown for Scoring {
    fn all_unknown(reason: &Reason) -> Self {
        Scoring {
            balanced: Fact::all_unknown(reason),
            records: Search::all_unknown(reason),
            complete: Fact::all_unknown(reason),
            addresses: Vec::new(),
        }
    }
}

impl AllUnknown for Deployers {
    fn all_unknown(reason: &Reason) -> Self {
        Deployers {
            declared: Fact::all_unknown(reason),
            subnets: Search::all_unknown(reason),
            complete: Fact::all_unknown(reason),
            vnet_rights: Vec::new(),
            subnet_rights: Vec::new(),
        }
    }
}

impl AllUnknown for FlowAnswer {
    fn all_unknown(reason: &Reason) -> Self {
        FlowAnswer {
            verdict: Fact::all_unknown(reason),
            reasons: vec![reason.clone()],
            decided_by: Vec::new(),
            security_groups: Vec::new(),
            stopped_by: Vec::new(),
            stopped_at_some_place: false,
            by_any_to_any: false,
            arrives: None,
            stopped: None,
        }
    }
}

impl AllUnknown for Right {
    fn all_unknown(reason: &Reason) -> Self {
        Right {
            held: Fact::all_unknown(reason),
            reasons: vec![reason.clone()],
            given_by: Vec::new(),
            denied_by: Vec::new(),
            misses: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Every shipped question, unanswered.
fn unanswered(reason: &Reason) -> BTreeMap<String, FlowAnswer> {
    let questions = FlowQuestions::read(SHIPPED_FLOWS).unwrap_or_default();
    questions.iter().map(|question| (question.name.clone(), FlowAnswer::all_unknown(reason))).collect()
}

impl Document {
    /// A document of `kind` in which every fact is unknown.
    pub fn all_unknown(kind: SubjectKind, reason: &Reason) -> Self {
        let workspace_id = ResourceId::subscription_scope("00000000-0000-0000-0000-000000000000")
            .child("resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws");
        let group = workspace_id.resource_group().unwrap_or_else(ResourceId::root);
        let group_of_subnet = group.clone();
        let of_workspace = !matches!(kind, SubjectKind::AksCluster | SubjectKind::Subnet);
        let of_cluster = matches!(kind, SubjectKind::AksCompute | SubjectKind::AksCluster);
        Document {
            schema: SCHEMA.to_owned(),
            subject: Subject {
                kind,
                id: workspace_id.clone(),
                name: "unknown".to_owned(),
                workspace: of_workspace.then(|| workspace_id.clone()),
                subscriptions: Vec::new(),
            },
            expectations: Expectations::default(),
            unsettled: Vec::new(),
            workspace: of_workspace.then(|| Workspace {
                id: workspace_id.clone(),
                name: "ws".to_owned(),
                resource_group: group,
                location: Fact::all_unknown(reason),
                private_endpoint: Fact::all_unknown(reason),
                pending_endpoints: Vec::new(),
                endpoint_networks: Fact::all_unknown(reason),
                v1_computes: Search::all_unknown(reason),
                v1_services: Search::all_unknown(reason),
            }),
            compute: (kind == SubjectKind::AksCompute).then(|| Compute {
                id: workspace_id.child("computes/unknown"),
                name: "unknown".to_owned(),
                r#type: Fact::all_unknown(reason),
                attached: Fact::all_unknown(reason),
                attachment_failed: Fact::all_unknown(reason),
                cluster_exists: Fact::all_unknown(reason),
                same_cluster: Fact::all_unknown(reason),
                endpoint_paths: Fact::all_unknown(reason),
            }),
            cluster: of_cluster.then(|| Cluster::all_unknown(reason)),
            attachments: (kind == SubjectKind::AksCluster).then(Vec::new),
            demands: (kind == SubjectKind::AksCluster).then(|| Demands {
                private_control_plane: Fact::all_unknown(reason),
                role_on_resource_group: Fact::all_unknown(reason),
            }),
            deployers: (kind == SubjectKind::Workspace).then(|| Deployers::all_unknown(reason)),
            router: (kind == SubjectKind::AksCompute).then(|| Router::all_unknown(reason)),
            egress: (kind == SubjectKind::AksCluster).then(|| Egress::all_unknown(reason)),
            access: (kind == SubjectKind::AksCluster).then(|| ClusterAccess::all_unknown(reason)),
            scoring: (kind == SubjectKind::AksCluster).then(|| Scoring::all_unknown(reason)),
            flows: matches!(kind, SubjectKind::AksCompute | SubjectKind::Subnet).then(|| unanswered(reason)),
            service: (kind == SubjectKind::AciService).then(|| AciService {
                name: "unknown".to_owned(),
                container_group: None,
                owner: Fact::all_unknown(reason),
                being_deleted: false,
                in_vnet: Fact::all_unknown(reason),
                asked_network: Fact::all_unknown(reason),
                as_asked: Fact::all_unknown(reason),
                public_address: Fact::all_unknown(reason),
                networks: Fact::all_unknown(reason),
                registry: Fact::all_unknown(reason),
            }),
            subnet: (kind == SubjectKind::Subnet).then(|| {
                let vnet = VnetRef {
                    id: workspace_id.clone(),
                    name: "unknown".to_owned(),
                    resource_group: group_of_subnet,
                };
                HostingSubnet {
                    subnet: Subnet {
                        id: workspace_id.clone(),
                        name: "unknown".to_owned(),
                        vnet,
                        delegations: Fact::all_unknown(reason),
                        settled: Fact::all_unknown(reason),
                    },
                    hosts_inference: Fact::all_unknown(reason),
                    exists: Fact::all_unknown(reason),
                    used_by: Vec::new(),
                    guarded: Fact::all_unknown(reason),
                    security_groups: Fact::all_unknown(reason),
                    registries: Fact::all_unknown(reason),
                }
            }),
        }
    }
}
