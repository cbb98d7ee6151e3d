package azure.aci.registry_outside_vnet_test

import data.azure.aci.registry_outside_vnet as policy
import data.mlfence.testing

# The web service in these networks.
_in(networks) := testing.changed(testing.aci_service, {"service": {"networks": {"value": networks}}})

# The network with facts replaced.
_network(changes) := testing.changed({"network": testing.aci_network}, {"network": changes}).network

_registry := testing.aci_service.service.registry.value

cases := {
	"public_registry": {
		"note": "the registry is open and nothing of it is in the VNet",
		"want": "pass",
		"may_be_empty": ["service.networks.value[].subnet.delegations.value"],
		"document": testing.aci_service,
	},
	"endpoint_in_the_vnet": {
		"note": "the registry has an endpoint in the VNet",
		"want": "fail",
		"keys": [concat(" ", ["registry_endpoint_in_vnet", testing.home.id])],
		"document": _in([_network({"registry_endpoint_in_vnet": {"value": true}})]),
	},
	"rule_for_the_vnet": {
		"note": "the registry's firewall names a subnet of the VNet",
		"want": "fail",
		"keys": [concat(" ", ["registry_rule_for_vnet", testing.home.id])],
		"document": _in([_network({"registry_rule_for_vnet": {"value": true}})]),
	},
	"both": {
		"note": "endpoint and rule are two violations",
		"want": "fail",
		"keys": [concat(" ", [fact, testing.home.id]) | some fact in ["registry_endpoint_in_vnet", "registry_rule_for_vnet"]],
		"document": _in([_network({
			"registry_endpoint_in_vnet": {"value": true},
			"registry_rule_for_vnet": {"value": true},
		})]),
	},
	"endpoint_while_rules_unreadable": {
		"note": "a definite violation stands beside an unknown",
		"want": "fail",
		"keys": [concat(" ", ["registry_endpoint_in_vnet", testing.home.id])],
		"document": _in([_network({
			"registry_endpoint_in_vnet": {"value": true},
			"registry_rule_for_vnet": testing.unknown("not_told"),
		})]),
	},
	"endpoint_unreadable": {
		"note": "an endpoint of the registry could not be read",
		"want": "unknown",
		"document": _in([_network({"registry_endpoint_in_vnet": testing.unknown("denied")})]),
	},
	"rules_not_told": {
		"note": "the API version does not tell the firewall rules",
		"want": "unknown",
		"document": _in([_network({"registry_rule_for_vnet": testing.unknown("not_told")})]),
	},
	"closed_registry": {
		"note": "endpoints elsewhere only, and not public: how images are pulled is not proven",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"service": {"registry": {"value": object.union(_registry, {"public": {"value": false}})}},
		}),
	},
	"openness_not_told": {
		"note": "whether the registry is open is not known",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"service": {
				"registry": {
					"value": {"id": _registry.id, "name": "acr", "public": testing.unknown("not_told")},
				},
			},
		}),
	},
	"registry_unreadable": {
		"note": "the registry could not be read",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"service": {"registry": testing.unknown("denied")},
		}),
	},
	"no_registry": {
		"note": "the workspace has no registry yet",
		"want": "not_applicable",
		"document": testing.changed(testing.aci_service, {"service": {"registry": {"value": null}}}),
	},
	"endpoint_owner_unproven": {
		"note": "perhaps not the workspace's service",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"service": {
				"owner": testing.unknown("ownership_unproven"),
				"networks": {"value": [_network({"registry_endpoint_in_vnet": {"value": true}})]},
			},
		}),
	},
	"outside_any_vnet": {
		"note": "a public web service needs no VNet, whoever owns it",
		"want": "not_applicable",
		"document": testing.changed(testing.aci_service, {
			"service": {
				"in_vnet": {"value": false},
				"networks": {"value": []},
				"owner": testing.unknown("ownership_unproven"),
			},
		}),
	},
	"owner_unproven": {
		"note": "it is not proven that the container group is the workspace's",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"service": {"owner": testing.unknown("ownership_unproven")},
		}),
	},
	"placement_unproven": {
		"note": "which network it lives in is not known",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"service": {
				"in_vnet": testing.unknown("placement_unproven"),
				"networks": testing.unknown("placement_unproven"),
			},
		}),
	},
	"networks_unreadable": {
		"note": "it lives in a VNet that could not be read",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"service": {"networks": testing.unknown("denied")},
		}),
	},
	"no_network_named": {
		"note": "it lives in a VNet, but none is named",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {"service": {"networks": {"value": []}}}),
	},
	"changing": {
		"note": "no pass while the service is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {"unsettled": [testing.transition]}),
	},
}

test_a_closed_registry_is_unproven if {
	undecided := policy.undecided with input as cases.closed_registry.document
	{reason.code | some reason in undecided} == {"unproven"}
}

test_evidence_names_the_way if {
	violations := policy.violations with input as cases.rule_for_the_vnet.document
	some violation in violations
	violation.resource == _registry.id
	violation.evidence.inside_by == "registry_rule_for_vnet"
}
