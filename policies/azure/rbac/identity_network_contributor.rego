# METADATA
# title: The cluster's identity is Network Contributor on the VNet's resource group
# description: |
#   The identity of the cluster's control plane needs the role Network Contributor, or at least everything that it gives, on the
#   resource group that holds the VNet of its nodes, granted there or above. Neither the cluster's own group, nor the group of its nodes
#   (MC_...), nor the nodes' (kubelet) identity counts. AKS itself is content with rights on the subnets: who accepts that declares
#   `role_scope: least_privilege` (under `expectations`) for every workspace that uses the cluster; then join and read on each of its subnets in
#   that group pass, with a note.
# custom:
#   id: RBAC-001
#   severity: high
#   subject: aks_cluster
#   requires: [aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, network contributor role
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
#   - key: S20
#     title: Secure an inferencing environment with virtual networks, earlier edition
#     revised: "2020-10-23"
#     superseded: the edition of 2021-11-05 keeps the requirement
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: CNI26
#     title: Configure Azure CNI networking, prerequisites
#     revised: "2026-01-29"
#   - key: MIDA
#     title: Use a managed identity in AKS
#     revised: "read in 2026"
#   remediation: |
#     az role assignment create --assignee-object-id <principal> --assignee-principal-type ServicePrincipal --role "Network Contributor" --scope <group-id>
#     Where a deny assignment forbids it, no grant helps: whoever made the assignment has to change it.
#     Where rights on the subnets are enough for you, declare `role_scope: least_privilege` under `expectations.default`.
#   since: 0.1.0
package azure.rbac.identity_network_contributor

import data.lib.rights

applies := input.cluster.own_vnet.value

violations contains {
	"key": concat(" ", [principal, group_id]),
	"message": message,
	"resource": group_id,
	"evidence": evidence,
} if {
	applies
	some group in input.access.groups.value
	right := group.network_contributor
	right.held.value == false
	advice := _advice(group)
	principal := group.principal
	group_id := group.id
	name := group.name
	why := rights.because([right])
	message := sprintf(
		"the cluster's identity %s does not hold Network Contributor on the resource group %s, which holds the VNet: %s%s",
		[principal, name, why, advice],
	)
	evidence := object.union(rights.evidence([right]), {
		"principal": principal,
		"group": group_id,
		"role": "Network Contributor",
		"subnets": [{"subnet": entry.id, "join": entry.join.held, "read": entry.read.held} | some entry in _entries(group)],
	})
}

_demanded := input.demands.role_on_resource_group.value

# The identity's subnets in the group.
_entries(group) := [entry |
	some entry in input.access.subnets.value
	entry.principal == group.principal
	entry.vnet.resource_group == group.id
]

# Whether rights on its subnets are proven to be enough for AKS.
_suffices(group) if {
	entries := _entries(group)
	count(entries) > 0
	every entry in entries {
		entry.join.held.value
		entry.read.held.value
	}
}

# Whether they are proven not to be.
_falls_short(group) if {
	is_array(input.access.subnets.value)
	count(_entries(group)) == 0
}

_falls_short(group) if {
	some entry in _entries(group)
	some right in [entry.join, entry.read]
	right.held.value == false
}

_accepted(group) if {
	_demanded == false
	_suffices(group)
}

# What to add to a violation; undefined where rights on the subnets may excuse it.
_advice(group) := "" if _falls_short(group)

_advice(group) := "" if {
	_demanded
	not _suffices(group)
}

_advice(group) := concat("", [
	". It may join and read the cluster's subnets there, which is enough for AKS: ",
	"declare `role_scope: least_privilege` to accept that",
]) if {
	_demanded
	_suffices(group)
}

undecided contains reason if {
	not applies == false
	some fact in [input.cluster.own_vnet, input.access.groups]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some group in input.access.groups.value
	not _accepted(group)
	group.network_contributor.held.unknown
	some reason in group.network_contributor.reasons
}

# Whether rights on the subnets are accepted at all, and whether they are there, decides where the role is missing.
undecided contains reason if {
	not applies == false
	some group in input.access.groups.value
	_excusable(group)
	some fact in [input.demands.role_on_resource_group, input.access.subnets]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some group in input.access.groups.value
	_excusable(group)
	some entry in _entries(group)
	some right in [entry.join, entry.read]
	right.held.unknown
	some reason in right.reasons
}

_excusable(group) if {
	group.network_contributor.held.value == false
	not _advice(group)
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	count(input.access.groups.value) > 0
	every group in input.access.groups.value {
		_fine(group)
	}
}

_fine(group) if group.network_contributor.held.value

_fine(group) if _accepted(group)

notes contains {
	"code": "least_privilege",
	"message": concat(" ", [
		sprintf("the cluster's identity %s is not shown to hold Network Contributor on the resource group %s;", [principal, name]),
		"it may join and read its subnets there, which the declared `role_scope: least_privilege` accepts",
	]),
} if {
	applies
	some group in input.access.groups.value
	not group.network_contributor.held.value
	_accepted(group)
	principal := group.principal
	name := group.name
}

notes contains note if {
	applies
	some group in input.access.groups.value
	some note in group.network_contributor.notes
}
