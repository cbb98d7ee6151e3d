# METADATA
# title: The workspace's registry is not inside the web service's VNet
# description: |
#   While a web service on Azure Container Instances runs in a VNet, the workspace's container registry must not be in that VNet:
#   neither by an approved private endpoint nor by a firewall rule for one of its subnets. A pass also needs a registry that
#   is open to everybody, since otherwise it is not proven that the service can pull its image. A registry endpoint in a
#   peered VNet does not count as inside.
# custom:
#   id: ACI-003
#   severity: high
#   subject: aci_service
#   requires: [workspaces, services, container_groups]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, limitations of ACI
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: ACI in a VNet is not supported at all since the edition of 2024-07-10 (ACI-010); this explains services that were deployed before
#   - key: ACIV
#     title: Virtual network scenarios of Azure Container Instances
#     revised: "2026-07-25"
#   remediation: |
#     Move inference off Azure Container Instances, or remove the registry's endpoint or rule for the VNet <vnet>. Which are they?
#     az network private-endpoint-connection list --id <registry-id>
#     az acr network-rule list --subscription <registry-subscription> --resource-group <registry-rg> --name <registry>
#     Then, for an endpoint or a rule in that VNet:
#     az network private-endpoint delete --ids <choose-endpoint-id>
#     az acr network-rule remove --subscription <registry-subscription> --resource-group <registry-rg> --name <registry> --subnet <choose-subnet-id>
#     Opening the registry is a trade-off that needs sign-off:
#     az acr update --subscription <registry-subscription> --resource-group <registry-rg> --name <registry> --public-network-enabled true
#   since: 0.1.0
package azure.aci.registry_outside_vnet

applies if {
	input.service.in_vnet.value
	input.service.registry.value != null
}

applies := false if input.service.in_vnet.value == false

applies := false if input.service.registry.value == null

_ways := {
	"registry_endpoint_in_vnet": "an approved private endpoint in",
	"registry_rule_for_vnet": "a firewall rule for",
}

violations contains {
	"key": concat(" ", [fact, vnet_id]),
	"message": sprintf("the registry %s has %s the VNet %s of the web service", [registry_name, way, vnet_name]),
	"resource": registry_id,
	"evidence": {"registry": registry_id, "vnet": vnet_id, "inside_by": fact, "ownership_proven_by": owner},
} if {
	applies
	owner := input.service.owner.value
	registry := input.service.registry.value
	registry_id := registry.id
	some network in input.service.networks.value
	some fact, way in _ways
	network[fact].value
	vnet := network.subnet.vnet
	vnet_id := vnet.id
	registry_name := registry.name
	vnet_name := vnet.name
}

undecided contains reason if {
	not applies == false
	some fact in [input.service.in_vnet, input.service.registry, input.service.owner, input.service.networks]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some network in input.service.networks.value
	some fact, _ in _ways
	reason := network[fact].unknown
}

undecided contains reason if {
	applies
	reason := input.service.registry.value.public.unknown
}

undecided contains {
	"code": "unproven",
	"message": sprintf("the registry %s is not open to everybody, so it is not proven that the service can pull", [name]),
} if {
	applies
	input.service.registry.value.public.value == false
	name := input.service.registry.value.name
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.service.owner.value
	input.service.registry.value.public.value
	count(input.service.networks.value) > 0
	every network in input.service.networks.value {
		network.registry_endpoint_in_vnet.value == false
		network.registry_rule_for_vnet.value == false
	}
}
