//! The texts that are compiled in.
//!
//! A plain list rather than a build script: a test compares it with the folder, so a forgotten file is noticed,
//! and nothing has to run before the compiler.

use super::source::{Origin, SourceFile};

macro_rules! shipped {
    ($($path:literal),+ $(,)?) => {
        /// Path and text of every shipped file, below `policies/`.
        pub const SHIPPED: &[(&str, &str)] =
            &[$((concat!("policies/", $path), include_str!(concat!("../../policies/", $path)))),+];
    };
}

shipped! {
    "azure/aci/deployed_as_asked.rego",
    "azure/aci/deployed_as_asked_test.rego",
    "azure/aci/not_in_vnet.rego",
    "azure/aci/not_in_vnet_test.rego",
    "azure/aci/registry_outside_vnet.rego",
    "azure/aci/registry_outside_vnet_test.rego",
    "azure/aci/subnet_delegated.rego",
    "azure/aci/subnet_delegated_test.rego",
    "azure/aci/vnet_in_workspace_group.rego",
    "azure/aci/vnet_in_workspace_group_test.rego",
    "azure/aci/vnet_of_workspace_endpoint.rego",
    "azure/aci/vnet_of_workspace_endpoint_test.rego",
    "azure/aks/endpoint_in_cluster_vnet.rego",
    "azure/aks/endpoint_in_cluster_vnet_test.rego",
    "azure/aks/no_public_fqdn.rego",
    "azure/aks/no_public_fqdn_test.rego",
    "azure/aks/private_cluster_attached.rego",
    "azure/aks/private_cluster_attached_test.rego",
    "azure/aks/region_matches_workspace.rego",
    "azure/aks/region_matches_workspace_test.rego",
    "azure/cni/identity_may_use_subnets.rego",
    "azure/cni/identity_may_use_subnets_test.rego",
    "azure/cni/node_subnet_not_delegated.rego",
    "azure/cni/node_subnet_not_delegated_test.rego",
    "azure/cni/outbound_internet.rego",
    "azure/cni/outbound_internet_test.rego",
    "azure/cni/reserved_ranges_unused.rego",
    "azure/cni/reserved_ranges_unused_test.rego",
    "azure/ilb/balancer_subnet_valid.rego",
    "azure/ilb/balancer_subnet_valid_test.rego",
    "azure/ilb/scoring_is_internal.rego",
    "azure/ilb/scoring_is_internal_test.rego",
    "azure/iso/private_control_plane.rego",
    "azure/iso/private_control_plane_test.rego",
    "azure/iso/some_isolation.rego",
    "azure/iso/some_isolation_test.rego",
    "azure/lif/no_v1_serving.rego",
    "azure/lif/no_v1_serving_test.rego",
    "azure/net/dns_service_ip_in_service_cidr.rego",
    "azure/net/dns_service_ip_in_service_cidr_test.rego",
    "azure/net/docker_bridge_clear.rego",
    "azure/net/docker_bridge_clear_test.rego",
    "azure/net/service_cidr_clear_of_subnets.rego",
    "azure/net/service_cidr_clear_of_subnets_test.rego",
    "azure/nsg/default_outbound_kept.rego",
    "azure/nsg/default_outbound_kept_test.rego",
    "azure/nsg/restricted_outbound_reaches_registry.rego",
    "azure/nsg/restricted_outbound_reaches_registry_test.rego",
    "azure/nsg/scoring_inbound_allowed.rego",
    "azure/nsg/scoring_inbound_allowed_test.rego",
    "azure/pre/deployer_may_join_subnet.rego",
    "azure/pre/deployer_may_join_subnet_test.rego",
    "azure/pre/deployer_may_join_vnet.rego",
    "azure/pre/deployer_may_join_vnet_test.rego",
    "azure/pre/subnet_exists.rego",
    "azure/pre/subnet_exists_test.rego",
    "azure/rbac/identity_network_contributor.rego",
    "azure/rbac/identity_network_contributor_test.rego",
    "azure/sco/scoring_address_of_cluster.rego",
    "azure/sco/scoring_address_of_cluster_test.rego",
    "lib/aci_delegation.rego",
    "lib/answers.rego",
    "lib/outbound.rego",
    "lib/overlaps.rego",
    "lib/rights.rego",
    "testing/documents.rego",
}

/// The shipped files as a bundle's files.
pub fn shipped_files() -> Vec<SourceFile> {
    let file = |(path, text): &(&str, &str)| SourceFile {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
        origin: Origin::Shipped,
    };
    SHIPPED.iter().map(file).collect()
}
