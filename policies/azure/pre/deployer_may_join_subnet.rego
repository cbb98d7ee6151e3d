# METADATA
# title: Deployers may join the subnet
# description: |
#   Each principal that the operator declared as a deployer (`expectations: deployers`) needs
#   Microsoft.Network/virtualNetworks/subnets/join/action on every subnet that the workspace's clusters and web services live in,
#   granted there or above, to it or to a group that it is in. Older articles spell the action `subnet/join/action`; there is no such
#   operation, and a role that copied it gives nothing. Without a declaration this is unknown.
# custom:
#   id: PRE-003
#   severity: medium
#   subject: workspace
#   requires: [workspaces]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, prerequisites
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: names the action `subnet/join/action`, which does not exist; corrected in the shared prerequisites of 2025
#   - key: S20
#     title: Secure an inferencing environment with virtual networks, earlier edition
#     revised: "2020-10-23"
#     superseded: the edition of 2021-11-05 keeps the requirement, in the same wrong spelling
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: RBI
#     title: Permissions for network isolation, a passage that the articles of Azure Machine Learning share
#     revised: "2025-02-10"
#   remediation: |
#     az role assignment create --assignee <principal> --role "Network Contributor" --scope <subnet-id>
#     A custom role needs Microsoft.Network/virtualNetworks/subnets/join/action; one that has the singular `subnet/join/action` is put right by
#     az role definition update --role-definition <choose-file>
#     Where a deny assignment forbids it, no grant helps: whoever made the assignment has to change it.
#   since: 0.1.0
package azure.pre.deployer_may_join_subnet

import data.lib.rights

applies if {
	count(input.deployers.declared.value) > 0
	count(input.deployers.subnets.found) > 0
}

applies := false if input.deployers.declared.value == []

applies := false if input.deployers.subnets.none.value

violations contains {
	"key": concat(" ", [principal, subnet_id]),
	"message": sprintf("the deployer %s may not join the subnet %s: %s", [principal, name, why]),
	"resource": subnet_id,
	"evidence": evidence,
} if {
	applies
	some right in input.deployers.subnet_rights
	right.join.held.value == false
	principal := right.principal
	subnet_id := right.id
	name := right.name
	why := rights.because([right.join])
	evidence := object.union(rights.evidence([right.join]), {
		"principal": principal,
		"subnet": subnet_id,
		"action": "Microsoft.Network/virtualNetworks/subnets/join/action",
	})
}

undecided contains reason if {
	not applies == false
	some fact in [input.deployers.declared, input.deployers.subnets.none, input.deployers.complete]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some right in input.deployers.subnet_rights
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
	count(input.deployers.subnet_rights) > 0
	every right in input.deployers.subnet_rights {
		right.join.held.value
	}
}

notes contains note if {
	applies
	some right in input.deployers.subnet_rights
	some note in right.join.notes
}
