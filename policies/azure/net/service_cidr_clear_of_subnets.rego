# METADATA
# title: The service range overlaps no subnet
# description: |
#   The range of Kubernetes services must not overlap the range of any subnet of the cluster's VNets, not only of those that nodes
#   use: traffic to such a subnet would silently go to services instead. Subnets that are added later count as well. VNets
#   that AKS made are judged too.
# custom:
#   id: NET-001
#   severity: high
#   subject: aks_cluster
#   requires: [aks_clusters, virtual_networks]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, service address range
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: CNI19
#     title: Configure Azure CNI networking, prerequisites
#     revised: "2019-06-03"
#     superseded: the edition of 2026-01-29 keeps the requirement
#   remediation: |
#     The service range cannot be changed: move what is in the subnet to another one, or create a cluster with a free range:
#     az aks create --subscription <cluster-subscription> --resource-group <cluster-rg> --name <choose-cluster> --service-cidr <choose-range> --dns-service-ip <choose-address>
#   since: 0.1.0
package azure.net.service_cidr_clear_of_subnets

import data.lib.overlaps

applies if input.subject.kind == "aks_cluster"

violations contains {
	"key": key,
	"message": message,
	"resource": resource,
	"evidence": evidence,
} if {
	applies
	some overlap in input.cluster.service_cidr_overlaps.found
	key := overlaps.key(overlap)
	message := overlaps.message(overlap, "the service range")
	evidence := overlaps.evidence(overlap)
	resource := overlap.resource
}

undecided contains reason if {
	not applies == false
	reason := input.cluster.service_cidr_overlaps.none.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.cluster.service_cidr_overlaps.none.value
}
