# METADATA
# title: Where outbound traffic is restricted, the workspace's registry is still reached
# description: |
#   If the groups of a subnet that hosts inference restrict what the default rules let out, TCP 443 must still be allowed to
#   AzureContainerRegistry in the registry's region (by that tag, by the tag of all regions, or by a wider rule), or to a
#   private endpoint of the registry in the VNet or in one that is peered with it. The region is the registry's own.
# custom:
#   id: NSG-003
#   severity: high
#   subject: subnet
#   requires: [virtual_networks, network_security_groups, scale_sets, workspaces, registries]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, limit outbound connectivity
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the rewritten article and the v1 article keep the requirement
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: V2
#     title: Secure an inferencing environment with virtual networks, limit outbound connectivity
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2025-06-13"
#   remediation: |
#     Allow the registry before (by a lower number than) the rule that denies:
#     az network nsg rule create --subscription <nsg-subscription> --resource-group <nsg-rg> --nsg-name <nsg> --name allow-registry --priority <choose-priority> --direction Outbound --access Allow --protocol Tcp --destination-address-prefixes <tag> --destination-port-ranges 443
#   since: 0.1.0
package azure.nsg.restricted_outbound_reaches_registry

import data.lib.answers
import data.lib.outbound

applies if {
	input.subnet.hosts_inference.value
	input.subnet.guarded.value
	outbound.restricted(input.flows)
	count(input.subnet.registries.value) > 0
}

applies := false if outbound.kept(input.flows)

applies := false if input.subnet.guarded.value == false

applies := false if input.subnet.registries.value == []

_tag(registry) := sprintf("AzureContainerRegistry.%s", [region]) if region := registry.region.value

_tag(registry) := "AzureContainerRegistry" if registry.region.unknown

violations contains {
	"key": registry_id,
	"message": sprintf("the registry %s is not reached: %s packets to %s are stopped%s, and %s", [name, amount, tag, proof, endpoint]),
	"resource": registry_id,
	"evidence": evidence,
} if {
	applies
	some registry in input.subnet.registries.value
	outbound.lost(registry, input.flows)
	registry_id := registry.registry
	name := registry.name
	answer := registry.by_address
	amount := answers.amount(answer)
	tag := _tag(registry)
	proof := answers.proof(answer)
	endpoint := _endpoint(registry)
	evidence := object.union(answers.evidence(answer), {
		"subnet": input.subnet.subnet.id,
		"registry": registry_id,
		"tag": tag,
		"workspaces": registry.workspaces,
		"endpoint_in_reach": object.get(registry.endpoint_in_reach, "value", null),
	})
}

_endpoint(registry) := "no private endpoint of it lies in the VNet or in a peered one" if registry.endpoint_in_reach.value == false

_endpoint(registry) := sprintf("so are those to its private endpoint%s", [proof]) if {
	not registry.endpoint_in_reach.value == false
	proof := answers.proof(registry.by_endpoint)
}

undecided contains reason if {
	not applies == false
	some fact in [input.subnet.hosts_inference, input.subnet.guarded, input.subnet.registries]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some reason in outbound.default_gaps(input.flows)
}

undecided contains reason if {
	applies
	some registry in input.subnet.registries.value
	some reason in outbound.reach_gaps(registry, input.flows)
}

undecided contains reason if {
	applies
	reason := input.subnet.subnet.settled.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.subnet.subnet.settled.value
	every registry in input.subnet.registries.value {
		outbound.way(registry)
	}
}

notes contains note if {
	compliant
	some registry in input.subnet.registries.value
	some note in outbound.replica_notes(registry)
}

notes contains {
	"code": "layers_in_storage",
	"message": sprintf("image layers of the registry %s come from Storage.%s unless it has dedicated data endpoints; whether those are reached is not judged yet", [name, region]),
} if {
	compliant
	some registry in input.subnet.registries.value
	outbound.way(registry) == "address"
	name := registry.name
	region := registry.region.value
}

notes contains {
	"code": "by_endpoint",
	"message": sprintf("the registry %s is reached by its private endpoint alone: its name must resolve to the endpoint", [name]),
} if {
	compliant
	some registry in input.subnet.registries.value
	outbound.way(registry) == "endpoint"
	name := registry.name
}
