# METADATA
# title: The workspace's private endpoint lies in the cluster's VNet
# description: |
#   If the workspace is reached by a private endpoint, each VNet that the cluster lives in needs a way to one: a v1 attachment (AKS)
#   an approved endpoint in the same VNet, a v2 attachment (Kubernetes) one in the same VNet or in one that is peered with it,
#   connected on both sides. Two peerings in a row are no peering.
# custom:
#   id: AKS-003
#   severity: high
#   subject: aks_compute
#   requires: [workspaces, computes, aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, add an AKS cluster
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
#   - key: OVW
#     title: Network security overview
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-network-security-overview
#     revised: "2021-10-29"
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: KENV
#     title: Secure a Kubernetes inferencing environment
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-kubernetes-inferencing-environment
#     revised: "2022-08-31"
#   remediation: |
#     az network private-endpoint create --subscription <vnet-subscription> --resource-group <vnet-rg> --name <choose-name> --vnet-name <vnet> --subnet <choose-subnet> --private-connection-resource-id <workspace-id> --group-id amlworkspace --connection-name <choose-name>
#     Link the workspace's private DNS zones to that VNet as well.
#   since: 0.1.0
package azure.aks.endpoint_in_cluster_vnet

applies := input.workspace.private_endpoint.value

_demand := {"aks": "same_vnet", "kubernetes": "same_or_peered_vnet"}

_where := {"aks": "", "kubernetes": " or in a VNet peered with it"}

violations contains {
	"key": vnet_id,
	"message": sprintf("no approved private endpoint of the workspace lies in the cluster's VNet %s%s", [vnet_name, where]),
	"resource": vnet_id,
	"evidence": {"vnet": vnet_id, "compute_type": type, "demanded": demanded, "endpoint_networks": endpoints},
} if {
	applies
	type := input.compute.type.value
	demanded := _demand[type]
	where := _where[type]
	some path in input.compute.endpoint_paths.value
	path[demanded].value == false
	vnet := path.vnet
	vnet_id := vnet.id
	endpoints := object.get(input.workspace.endpoint_networks, "value", [])
	vnet_name := vnet.name
}

undecided contains reason if {
	not applies == false
	some fact in [input.workspace.private_endpoint, input.compute.type, input.compute.endpoint_paths]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some path in input.compute.endpoint_paths.value
	reason := path[_demand[input.compute.type.value]].unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	count(input.compute.endpoint_paths.value) > 0
	every path in input.compute.endpoint_paths.value {
		path[_demand[input.compute.type.value]].value
	}
}
