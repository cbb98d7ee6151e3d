# METADATA
# title: The node pools' subnets are not delegated
# description: |
#   The subnet of an AKS node pool must not be delegated to any service. Subnets for pods and for the API server are delegated by
#   design and not judged here. One subnet can never serve AKS nodes and Azure Container Instances both. A cluster in a VNet
#   that AKS made has no such subnet.
# custom:
#   id: CNI-004
#   severity: high
#   subject: aks_cluster
#   requires: [aks_clusters]
#   documents:
#   - key: CNI19
#     title: Configure Azure CNI networking, prerequisites
#     revised: "2019-06-03"
#     superseded: the edition of 2026-01-29 keeps the requirement
#   - key: CNI26
#     title: Configure Azure CNI networking, prerequisites
#     revised: "2026-01-29"
#   remediation: |
#     Use another subnet for the node pool, or end the delegation if nothing needs it:
#     az network vnet subnet update --subscription <subnet-subscription> --resource-group <subnet-rg> --vnet-name <subnet-parent> --name <subnet> --remove delegations
#   since: 0.1.0
package azure.cni.node_subnet_not_delegated

applies := input.cluster.own_vnet.value

violations contains {
	"key": subnet_id,
	"message": sprintf("the node subnet %s is delegated to %s", [subnet_name, list]),
	"resource": subnet_id,
	"evidence": {"subnet": subnet_id, "delegated_to": services},
} if {
	applies
	some subnet in input.cluster.node_subnets.value
	subnet_id := subnet.id
	delegations := subnet.delegations.value
	count(delegations) > 0
	services := [delegation.service | some delegation in delegations]
	list := concat(", ", services)
	subnet_name := subnet.name
}

undecided contains reason if {
	not applies == false
	some fact in [input.cluster.own_vnet, input.cluster.node_subnets]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some subnet in input.cluster.node_subnets.value
	some fact in [subnet.delegations, subnet.settled]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	count(input.cluster.node_subnets.value) > 0
	every subnet in input.cluster.node_subnets.value {
		count(subnet.delegations.value) == 0
		subnet.settled.value
	}
}
