# METADATA
# title: The web service lives in the delegated subnet that its deployment asked for
# description: |
#   A web service whose deployment asked for a VNet must live in the VNet and subnet of those names, and that subnet must be delegated
#   to Microsoft.ContainerInstance/containerGroups. One that ended with a public address, outside any VNet, exposes scoring;
#   one in a subnet of other names is misplaced only, which is of medium severity. The record tells names without a resource
#   group, so equal names in another group are equal. A service that asked for no VNet is not judged.
# custom:
#   id: ACI-005
#   severity: high
#   subject: aci_service
#   requires: [workspaces, services, container_groups]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, enable Azure Container Instances
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: ACI in a VNet is not supported at all since the edition of 2024-07-10 (ACI-010); this explains services that were deployed before
#   remediation: |
#     Deploy the service again with the VNet and subnet that are delegated:
#     az ml model deploy --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --name <service> --model <choose-model> --dc <choose-deployment-config> --vnet-name <asked-vnet> --subnet-name <asked-subnet> --overwrite
#     That is of the retired CLI v1; preferably migrate to a managed online endpoint.
#   since: 0.1.0
package azure.aci.deployed_as_asked

import data.lib.aci_delegation

applies if {
	input.service.being_deleted == false
	input.service.asked_network.value != null
}

# Where something on its way out lives is nobody's concern.
applies := false if input.service.being_deleted

applies := false if {
	input.service.being_deleted == false
	# Without a record, only a proven owner proves that none asks.
	input.service.owner.value
	input.service.asked_network.value == null
}

# What is wrong with where it lives, worst first: a public address exposes scoring, and outside any VNet the address is taken for
# public unless it is told not to be.
_misplaced := {"severity": "high", "how": "its address is public"} if {
	input.service.container_group != null
	input.service.public_address.value
} else := {"severity": "high", "how": "it lives outside any VNet"} if {
	input.service.in_vnet.value == false
	not input.service.public_address.value == false
} else := {"severity": "medium", "how": "it lives outside any VNet"} if {
	input.service.in_vnet.value == false
} else := {"severity": "medium", "how": "it lives in a subnet of other names"} if {
	input.service.as_asked.value == false
}

violations contains {
	"key": "network",
	"message": sprintf("the deployment asked for VNet `%s` and subnet `%s`, but %s", [vnet, subnet, how]),
	"severity": severity,
	"resource": group,
	"evidence": {"asked": asked, "subnets": subnets, "public_address": public, "ownership_proven_by": owner},
} if {
	applies
	owner := input.service.owner.value
	asked := input.service.asked_network.value
	vnet := asked.vnet
	subnet := asked.subnet
	severity := _misplaced.severity
	how := _misplaced.how
	public := object.get(input.service.public_address, "value", null)
	group := input.service.container_group
	subnets := _subnets
}

# The subnets that it lives in, as far as they are known.
_subnets := [network.subnet.id | some network in input.service.networks.value]

undecided contains reason if {
	not applies == false
	reason := input.service.owner.unknown
}

undecided contains reason if {
	not applies == false
	some fact in [
		input.service.asked_network,
		input.service.as_asked,
		input.service.in_vnet,
		input.service.public_address,
		input.service.networks,
	]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some network in input.service.networks.value
	some reason in aci_delegation.gaps(network.subnet)
}

# The catalogue's pass demands that the subnet is delegated, but its failures do not name it (that is ACI-004's): neither is proven.
undecided contains {
	"code": "unproven",
	"message": sprintf("the subnet %s is not delegated to container groups, so it is not proven to be the one that was meant", [name]),
} if {
	applies
	some network in input.service.networks.value
	aci_delegation.missing(network.subnet)
	name := network.subnet.name
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.service.owner.value
	input.service.in_vnet.value
	input.service.as_asked.value
	input.service.public_address.value == false
	count(input.service.networks.value) > 0
	every network in input.service.networks.value {
		aci_delegation.proven(network.subnet)
	}
}
