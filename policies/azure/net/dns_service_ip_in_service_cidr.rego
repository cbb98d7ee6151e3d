# METADATA
# title: The DNS service address lies in the service range
# description: |
#   The address of the cluster's DNS service must lie in the Kubernetes service range of its family; otherwise no name resolves in
#   the cluster. Where there are several service ranges, one that contains it is enough.
# custom:
#   id: NET-002
#   severity: medium
#   subject: aks_cluster
#   requires: [aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, DNS service address
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
#   - key: IPP26
#     title: AKS IP address planning
#     revised: "2026-04-16"
#   remediation: |
#     Neither can be changed: create a cluster with an address in its range:
#     az aks create --subscription <cluster-subscription> --resource-group <cluster-rg> --name <choose-cluster> --service-cidr <choose-range> --dns-service-ip <choose-address>
#   since: 0.1.0
package azure.net.dns_service_ip_in_service_cidr

applies if input.subject.kind == "aks_cluster"

violations contains {
	"key": "dns_service_ip",
	"message": sprintf("the DNS service address %s does not lie in the service range %s", [address, list]),
	"resource": resource,
	"evidence": {"dns_service_ip": address, "service_cidrs": ranges},
} if {
	applies
	input.cluster.dns_service_ip_in_service_cidr.value == false
	address := object.get(input.cluster.dns_service_ip, "value", "")
	ranges := object.get(input.cluster.service_cidrs, "value", [])
	list := concat(", ", ranges)
	resource := object.get(input.cluster.id, "value", null)
}

undecided contains reason if {
	not applies == false
	some fact in [input.cluster.dns_service_ip_in_service_cidr, input.cluster.service_cidrs]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.cluster.dns_service_ip_in_service_cidr.value
	count(input.cluster.service_cidrs.value) > 0
}
