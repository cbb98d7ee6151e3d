# METADATA
# title: The cluster's region is the workspace's region
# description: |
#   A workspace that is reached by a private endpoint supports an attached AKS cluster only in its own region.
#   The regions of the workspace and of the cluster itself are compared; where the endpoint and its VNet are does
#   not matter. A workspace without an approved private endpoint may use a cluster of any region.
# custom:
#   id: AKS-001
#   severity: high
#   subject: aks_compute
#   requires: [workspaces, computes, aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, limitations of AKS
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: PL
#     title: Configure a private endpoint for a workspace
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-configure-private-link
#     revised: "2024-09-05"
#   remediation: |
#     Create a cluster in the workspace's region, attach it, move the endpoints, then detach the old one:
#     az aks create --subscription <cluster-subscription> --resource-group <cluster-rg> --name <choose-cluster> --location <workspace-location>
#     az ml compute attach --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --type Kubernetes --name <choose-compute> --resource-id <choose-cluster-id>
#     az ml compute detach --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --name <compute>
#   since: 0.1.0
package azure.aks.region_matches_workspace

applies := input.workspace.private_endpoint.value

violations contains {
	"key": "region",
	"message": sprintf("the cluster is in %s, the workspace in %s", [cluster, workspace]),
	"resource": resource,
	"evidence": {"cluster": resource, "cluster_location": cluster, "workspace_location": workspace},
} if {
	applies
	cluster := input.cluster.location.value
	workspace := input.workspace.location.value
	cluster != workspace
	resource := object.get(input.cluster.id, "value", null)
}

undecided contains reason if {
	not applies == false
	some fact in [input.workspace.private_endpoint, input.workspace.location, input.cluster.location]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.cluster.location.value == input.workspace.location.value
}

notes contains {
	"code": "pending_endpoint",
	"message": sprintf("the private endpoint %s still waits for approval; once approved, this rule applies", [endpoint]),
} if {
	applies == false
	some endpoint in input.workspace.pending_endpoints
}
