# METADATA
# title: The Docker bridge range overlaps neither subnets nor services
# description: |
#   The Docker bridge range must overlap neither a subnet of the cluster's VNets nor the service range. The setting is ignored by
#   nodes of Kubernetes 1.19 and newer and is gone from the AKS API since version 2023-04-01, so only older clusters are
#   judged, and a record without the range proves nothing.
# custom:
#   id: NET-003
#   severity: low
#   subject: aks_cluster
#   requires: [aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, Docker bridge address
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: obsolete since Kubernetes 1.19, and removed from the AKS API at version 2023-04-01
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: DBR
#     title: Removal of the Docker bridge field from the AKS API
#     url: https://github.com/Azure/AKS/issues/3534
#     revised: "2023-03-14"
#   remediation: |
#     Upgrade the cluster; nodes on containerd ignore the setting:
#     az aks upgrade --subscription <cluster-subscription> --resource-group <cluster-rg> --name <cluster> --kubernetes-version <choose-version>
#   since: 0.1.0
package azure.net.docker_bridge_clear

import data.lib.overlaps

applies := input.cluster.before_containerd.value

violations contains {
	"key": key,
	"message": message,
	"resource": resource,
	"evidence": evidence,
} if {
	applies
	some overlap in input.cluster.docker_bridge_overlaps.found
	key := overlaps.key(overlap)
	message := overlaps.message(overlap, "the Docker bridge range")
	evidence := overlaps.evidence(overlap)
	resource := overlap.resource
}

undecided contains reason if {
	not applies == false
	some fact in [
		input.cluster.before_containerd,
		input.cluster.docker_bridge_cidr,
		input.cluster.docker_bridge_overlaps.none,
	]
	reason := fact.unknown
}

undecided contains {
	"code": "not_told",
	"message": "no Docker bridge range is recorded, and newer API versions do not tell it",
} if {
	applies
	input.cluster.docker_bridge_cidr.value == null
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	is_string(input.cluster.docker_bridge_cidr.value)
	input.cluster.docker_bridge_overlaps.none.value
}

notes contains {
	"code": "field_obsolete",
	"message": sprintf("Kubernetes %s ignores the Docker bridge range", [version]),
} if {
	applies == false
	version := object.get(input.cluster.kubernetes_version, "value", "1.19 and newer")
}
