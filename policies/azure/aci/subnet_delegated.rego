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
#     az network vnet subnet update --resource-group <rg> --vnet-name <vnet> --name <subnet> --delegations Microsoft.ContainerInstance/containerGroups
#   since: 0.1.0
package azure.aci.subnet_delegated

applies := input.service.in_vnet.value

_wanted := "microsoft.containerinstance/containergroups"

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
	subnet_id := subnet.id
	delegations := subnet.delegations.value
	services := [delegation.service | some delegation in delegations]
	not _wanted in services
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
	some fact in [network.subnet.delegations, network.subnet.settled]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some network in input.service.networks.value
	some delegation in network.subnet.delegations.value
	delegation.service == _wanted
	reason := delegation.succeeded.unknown
}

undecided contains {
	"code": "transitional",
	"message": sprintf("the delegation of the subnet %s is not finished", [name]),
} if {
	not applies == false
	some network in input.service.networks.value
	some delegation in network.subnet.delegations.value
	delegation.service == _wanted
	delegation.succeeded.value == false
	name := network.subnet.name
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
		some delegation in network.subnet.delegations.value
		delegation.service == _wanted
		delegation.succeeded.value
		network.subnet.settled.value
	}
}
