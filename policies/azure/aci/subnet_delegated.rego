# METADATA
# title: The web service's subnet is delegated to Azure Container Instances
# description: |
#   A subnet that a web service on Azure Container Instances lives in must be delegated to
#   Microsoft.ContainerInstance/containerGroups, by the delegation's service and not by its free name, and the delegation must be
#   finished. A delegation of a sibling subnet does not help.
# custom:
#   id: ACI-004
#   severity: medium
#   subject: aci_service
#   requires: [workspaces, services, container_groups]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, enable Azure Container Instances
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: ACI in a VNet is not supported at all since the edition of 2024-07-10 (ACI-010); this explains services that were deployed before
#   - key: ACIV
#     title: Virtual network scenarios of Azure Container Instances
#     revised: "2026-07-25"
#   remediation: |
#     az network vnet subnet update --subscription <subnet-subscription> --resource-group <subnet-rg> --vnet-name <subnet-parent> --name <subnet> --delegations Microsoft.ContainerInstance/containerGroups
#   since: 0.1.0
package azure.aci.subnet_delegated

import data.lib.aci_delegation

applies := input.service.in_vnet.value

violations contains {
	"key": subnet_id,
	"message": sprintf("the subnet %s is not delegated to Microsoft.ContainerInstance/containerGroups", [subnet_name]),
	"resource": subnet_id,
	"evidence": {"subnet": subnet_id, "delegated_to": services, "ownership_proven_by": owner},
} if {
	applies
	owner := input.service.owner.value
	some network in input.service.networks.value
	subnet := network.subnet
	aci_delegation.missing(subnet)
	subnet_id := subnet.id
	services := [delegation.service | some delegation in subnet.delegations.value]
	subnet_name := subnet.name
}

undecided contains reason if {
	not applies == false
	some fact in [input.service.in_vnet, input.service.owner, input.service.networks]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some network in input.service.networks.value
	some reason in aci_delegation.gaps(network.subnet)
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.service.owner.value
	count(input.service.networks.value) > 0
	every network in input.service.networks.value {
		aci_delegation.proven(network.subnet)
	}
}
