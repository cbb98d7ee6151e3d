# METADATA
# title: The control plane is private where that is demanded
# description: |
#   A workspace may demand (`expectations.control_plane: private`) that the clusters it uses have a private API server. Authorized
#   address ranges do not make an API server private, and neither does its integration into a VNet alone. A cluster is judged
#   if at least one workspace that uses it demands this.
# custom:
#   id: ISO-002
#   severity: high
#   subject: aks_cluster
#   requires: [workspaces, computes, aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, private AKS cluster
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
#   - key: PRIV
#     title: Create a private AKS cluster
#     revised: "2026-08-05"
#   remediation: |
#     Private mode by private link is chosen when a cluster is created:
#     az aks create --subscription <cluster-subscription> --resource-group <cluster-rg> --name <choose-cluster> --enable-private-cluster --disable-public-fqdn
#     The existing cluster can become private only with API server VNet integration:
#     az aks update --subscription <cluster-subscription> --resource-group <cluster-rg> --name <cluster> --enable-apiserver-vnet-integration --apiserver-subnet-id <choose-subnet-id>
#     az aks update --subscription <cluster-subscription> --resource-group <cluster-rg> --name <cluster> --enable-private-cluster
#   since: 0.1.0
package azure.iso.private_control_plane

applies := input.demands.private_control_plane.value

violations contains {
	"key": "control_plane",
	"message": "the API server is not private",
	"resource": resource,
	"evidence": {"private": false, "fqdn": fqdn, "demanded_by": workspaces},
} if {
	applies
	input.cluster.private.value == false
	fqdn := input.cluster.fqdn
	resource := object.get(input.cluster.id, "value", null)
	workspaces := [attachment.workspace |
		some attachment in input.attachments
		attachment.expectations.control_plane == "private"
	]
}

undecided contains reason if {
	not applies == false
	some fact in [input.demands.private_control_plane, input.cluster.private]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.cluster.private.value
}

notes contains {
	"code": "not_demanded",
	"message": "no workspace that uses the cluster demands a private control plane (expectations: control_plane: private)",
} if {
	applies == false
}
