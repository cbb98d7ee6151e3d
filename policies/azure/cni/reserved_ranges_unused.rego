# METADATA
# title: The ranges that AKS reserves are not used
# description: |
#   169.254.0.0/16, 172.30.0.0/16, 172.31.0.0/16 and 192.0.2.0/24 must not be used for services, for pods or in the cluster's VNets.
#   Any overlap counts, also a wider range that contains a reserved one; a neighbouring range does not. A VNet's range counts
#   even where no subnet uses it.
# custom:
#   id: CNI-002
#   severity: high
#   subject: aks_cluster
#   requires: [aks_clusters, virtual_networks]
#   documents:
#   - key: CNI19
#     title: Configure Azure CNI networking, prerequisites
#     revised: "2019-06-03"
#     superseded: the edition of 2026-01-29 keeps the requirement
#   - key: CNI26
#     title: Configure Azure CNI networking, prerequisites
#     revised: "2026-01-29"
#   - key: LEG26
#     title: AKS legacy container networking
#     revised: "2026-04-16"
#   remediation: |
#     A service or pod range cannot be changed: create another cluster, with other ranges:
#     az aks create --subscription <cluster-subscription> --resource-group <cluster-rg> --name <choose-cluster> --service-cidr <choose-range> --dns-service-ip <choose-address>
#     The range of a VNet or subnet that nothing lives in any more can be changed:
#     az network vnet update --ids <vnet-id> --address-prefixes <choose-ranges>
#     az network vnet subnet update --ids <subnet-id> --address-prefixes <choose-ranges>
#   since: 0.1.0
package azure.cni.reserved_ranges_unused

import data.lib.overlaps

applies if input.subject.kind == "aks_cluster"

violations contains {
	"key": key,
	"message": message,
	"resource": resource,
	"evidence": evidence,
} if {
	applies
	some overlap in input.cluster.reserved_range_overlaps.found
	key := overlaps.key(overlap)
	message := overlaps.message(overlap, "what AKS reserves,")
	evidence := overlaps.evidence(overlap)
	resource := overlap.resource
}

undecided contains reason if {
	not applies == false
	reason := input.cluster.reserved_range_overlaps.none.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.cluster.reserved_range_overlaps.none.value
}
