# METADATA
# title: The cluster's identity may use its subnets
# description: |
#   The identity of the cluster's control plane needs the role Network Contributor on each subnet of nodes or pods, or a custom role that
#   gives at least Microsoft.Network/virtualNetworks/subnets/join/action and .../subnets/read there; without them scaling, load
#   balancers and repairs are refused. Every subnet and every identity counts. The nodes' (kubelet) identity is another one. One
#   edition of the documents asks custom roles for Microsoft.Authorization/roleAssignments/write as well, another does not: that
#   it is missing is only noted. In a VNet that AKS made, AKS sees to the rights.
# custom:
#   id: CNI-003
#   severity: high
#   subject: aks_cluster
#   requires: [aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, note on the prerequisites of Azure CNI
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
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
#   - key: ILBD
#     title: Create an internal load balancer in AKS
#     revised: "2026-07-31"
#   remediation: |
#     az role assignment create --assignee-object-id <principal> --assignee-principal-type ServicePrincipal --role "Network Contributor" --scope <subnet-id>
#     Where a deny assignment forbids it, no grant helps: whoever made the assignment has to change it.
#   since: 0.1.0
package azure.cni.identity_may_use_subnets

import data.lib.rights

applies := input.cluster.own_vnet.value

_actions := {
	"join": "Microsoft.Network/virtualNetworks/subnets/join/action",
	"read": "Microsoft.Network/virtualNetworks/subnets/read",
}

violations contains {
	"key": concat(" ", [principal, subnet_id]),
	"message": sprintf(
		"the cluster's identity %s may not %s the subnet %s of the VNet %s: %s",
		[principal, verbs, name, vnet_name, why],
	),
	"resource": subnet_id,
	"evidence": evidence,
} if {
	applies
	some entry in input.access.subnets.value
	lacking := _lacking(entry)
	count(lacking) > 0
	principal := entry.principal
	subnet_id := entry.id
	name := entry.name
	vnet_name := entry.vnet.name
	verbs := concat(" or ", lacking)
	missed := [entry[verb] | some verb in lacking]
	why := rights.because(missed)
	evidence := object.union(rights.evidence(missed), {
		"principal": principal,
		"subnet": subnet_id,
		"actions": [_actions[verb] | some verb in lacking],
	})
}

# What the identity is proven not to be allowed.
_lacking(entry) := [verb |
	some verb in ["join", "read"]
	entry[verb].held.value == false
]

undecided contains reason if {
	not applies == false
	some fact in [input.cluster.own_vnet, input.access.subnets]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some entry in input.access.subnets.value
	some right in [entry.join, entry.read]
	right.held.unknown
	some reason in right.reasons
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	count(input.access.subnets.value) > 0
	every entry in input.access.subnets.value {
		entry.join.held.value
		entry.read.held.value
	}
}

# The roles that the documents ask for or that hold all of it; only other ones are asked for more.
_built_in := {
	"4d97b98b-1d4f-4787-a291-c67834d212e7", # Network Contributor
	"b24988ac-6180-42a0-ab88-20f7382dd24c", # Contributor
}

notes contains {
	"code": "no_role_assignments_write",
	"message": concat(" ", [
		sprintf("the role that lets the cluster's identity %s use the subnet %s does not give it", [principal, name]),
		"Microsoft.Authorization/roleAssignments/write; the documents disagree: Configure Azure CNI networking (2026-01-29)",
		"and AKS legacy container networking (2026-04-16) ask custom roles for it, the article on internal load balancers",
		"(2026-07-31) lists only join and read",
	]),
} if {
	applies
	some entry in input.access.subnets.value
	entry.join.held.value
	entry.read.held.value
	entry.write_role_assignments.held.value == false
	given := {grant.role | some grant in entry.join.given_by}
	count(given & _built_in) == 0
	principal := entry.principal
	name := entry.name
}

notes contains note if {
	applies
	some entry in input.access.subnets.value
	some right in [entry.join, entry.read]
	some note in right.notes
}
