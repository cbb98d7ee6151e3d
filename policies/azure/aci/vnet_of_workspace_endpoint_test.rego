package azure.aci.vnet_of_workspace_endpoint_test

import data.azure.aci.vnet_of_workspace_endpoint as policy
import data.mlfence.testing

# The web service in these networks.
_in(networks) := testing.changed(testing.aci_service, {"service": {"networks": {"value": networks}}})

# The network with facts replaced.
_network(changes) := testing.changed({"network": testing.aci_network}, {"network": changes}).network

_other := testing.vnet("rg-ml", "other")

cases := {
	"endpoint_in_the_vnet": {
		"note": "an approved endpoint lies in the VNet",
		"want": "pass",
		"may_be_empty": ["service.networks.value[].subnet.delegations.value", "workspace.endpoint_networks.value"],
		"document": testing.aci_service,
	},
	"endpoint_elsewhere": {
		"note": "no endpoint lies in the VNet; a peered one would not count",
		"want": "fail",
		"keys": [testing.home.id],
		"document": _in([_network({"workspace_endpoint_in_vnet": {"value": false}})]),
	},
	"endpoint_unreadable": {
		"note": "no endpoint was found there, but one could not be read",
		"want": "unknown",
		"document": _in([_network({"workspace_endpoint_in_vnet": testing.unknown("denied")})]),
	},
	"one_of_two": {
		"note": "the endpoint serves one of two VNets",
		"want": "fail",
		"keys": [_other.id],
		"document": _in([
			testing.aci_network,
			_network({
				"subnet": testing.subnet(_other, "aci", []),
				"workspace_endpoint_in_vnet": {"value": false},
			}),
		]),
	},
	"one_of_two_unreadable": {
		"note": "a definite violation stands beside an unknown",
		"want": "fail",
		"keys": [_other.id],
		"document": _in([
			_network({"workspace_endpoint_in_vnet": testing.unknown("denied")}),
			_network({
				"subnet": testing.subnet(_other, "aci", []),
				"workspace_endpoint_in_vnet": {"value": false},
			}),
		]),
	},
	"no_endpoint": {
		"note": "the workspace has no approved endpoint",
		"want": "not_applicable",
		"document": testing.changed(testing.aci_service, {
			"workspace": {"private_endpoint": {"value": false}, "endpoint_networks": {"value": []}},
		}),
	},
	"endpoint_state_unreadable": {
		"note": "whether the workspace has an endpoint is not known",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"workspace": {"private_endpoint": testing.unknown("denied")},
		}),
	},
	"outside_any_vnet_endpoint_unreadable": {
		"note": "outside any VNet it does not matter",
		"want": "not_applicable",
		"document": testing.changed(testing.aci_service, {
			"service": {"in_vnet": {"value": false}},
			"workspace": {"private_endpoint": testing.unknown("denied")},
		}),
	},
	"endpoint_elsewhere_owner_unproven": {
		"note": "perhaps not the workspace's service",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"service": {
				"owner": testing.unknown("ownership_unproven"),
				"networks": {"value": [_network({"workspace_endpoint_in_vnet": {"value": false}})]},
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

test_evidence_names_the_endpoints if {
	violations := policy.violations with input as cases.endpoint_elsewhere.document
	some violation in violations
	violation.evidence.vnet == testing.home.id
	count(violation.evidence.endpoint_networks) == 1
}

test_nothing_is_undecided_without_an_endpoint if {
	undecided := policy.undecided with input as cases.no_endpoint.document
	count(undecided) == 0
}
