# METADATA
# title: Deployers may join the VNet
# description: |
#   Each principal that the operator declared as a deployer (`expectations: deployers`) needs
#   Microsoft.Network/virtualNetworks/join/action on every VNet that the workspace's clusters and web services live in, granted there or
#   above, to it or to a group that it is in. A grant on a subnet does not reach up to the VNet, and a deny assignment goes
#   before every grant. Who deploys only the operator knows: without a declaration this is unknown.
# custom:
#   id: PRE-002
#   severity: medium
#   subject: workspace
#   requires: [workspaces]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, prerequisites
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article and the shared prerequisites of 2025 keep the requirement
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: RBI
#     title: Permissions for network isolation, a passage that the articles of Azure Machine Learning share
#     revised: "2025-02-10"
#   remediation: |
#     az role assignment create --assignee <principal> --role "Network Contributor" --scope <vnet-id>
#     A custom role with Microsoft.Network/virtualNetworks/join/action and Microsoft.Network/virtualNetworks/subnets/join/action is enough.
#     Where a deny assignment forbids it, no grant helps: whoever made the assignment has to change it.
#   since: 0.1.0
package azure.pre.deployer_may_join_vnet

import data.lib.rights

applies if {
	count(input.deployers.declared.value) > 0
	count(input.deployers.subnets.found) > 0
}

applies := false if input.deployers.declared.value == []

applies := false if input.deployers.subnets.none.value

violations contains {
	"key": concat(" ", [principal, vnet_id]),
	"message": sprintf("the deployer %s may not join the VNet %s: %s", [principal, name, why]),
	"resource": vnet_id,
	"evidence": evidence,
} if {
	applies
	some right in input.deployers.vnet_rights
	right.join.held.value == false
	principal := right.principal
	vnet_id := right.id
	name := right.name
	why := rights.because([right.join])
	evidence := object.union(rights.evidence([right.join]), {
		"principal": principal,
		"vnet": vnet_id,
		"action": "Microsoft.Network/virtualNetworks/join/action",
	})
}

undecided contains reason if {
	not applies == false
	some fact in [input.deployers.declared, input.deployers.subnets.none, input.deployers.complete]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some right in input.deployers.vnet_rights
	right.join.held.unknown
	some reason in right.join.reasons
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.deployers.complete.value
	count(input.deployers.vnet_rights) > 0
	every right in input.deployers.vnet_rights {
		right.join.held.value
	}
}

notes contains note if {
	applies
	some right in input.deployers.vnet_rights
	some note in right.join.notes
}
