package azure.aci.vnet_in_workspace_group_test

import data.azure.aci.vnet_in_workspace_group as policy
import data.mlfence.testing

_foreign := testing.vnet("rg-network", "vnet")

# The web service in these networks.
_in(networks) := testing.changed(testing.aci_service, {"service": {"networks": {"value": networks}}})

# The network in another subnet.
_at(subnet) := object.union(object.remove(testing.aci_network, ["subnet"]), {"subnet": subnet})

_elsewhere := {
	"id": "/subscriptions/22222222-2222-2222-2222-222222222222/resourcegroups/rg-ml/providers/microsoft.network/virtualnetworks/vnet",
	"name": "vnet",
	"resource_group": "/subscriptions/22222222-2222-2222-2222-222222222222/resourcegroups/rg-ml",
}

cases := {
	"same_group": {
		"note": "VNet and workspace are in rg-ml",
		"want": "pass",
		"may_be_empty": ["service.networks.value[].subnet.delegations.value"],
		"document": testing.aci_service,
	},
	"other_group": {
		"note": "the VNet is in rg-network",
		"want": "fail",
		"keys": [_foreign.id],
		"document": _in([_at(testing.subnet(_foreign, "aci", [testing.aci_delegation]))]),
	},
	"same_group_name_in_other_subscription": {
		"note": "a group of the same name in another subscription is another group",
		"want": "fail",
		"keys": [_elsewhere.id],
		"document": _in([_at(testing.subnet(_elsewhere, "aci", []))]),
	},
	"one_of_two": {
		"note": "one of two VNets is in another group",
		"want": "fail",
		"keys": [_foreign.id],
		"document": _in([testing.aci_network, _at(testing.subnet(_foreign, "aci", []))]),
	},
	"two_subnets_of_one_vnet": {
		"note": "two subnets of one VNet make one violation",
		"want": "fail",
		"keys": [_foreign.id],
		"document": _in([_at(testing.subnet(_foreign, "a", [])), _at(testing.subnet(_foreign, "b", []))]),
	},
	"other_group_owner_unproven": {
		"note": "in another group, but perhaps not the workspace's",
		"want": "unknown",
		"document": testing.changed(_in([_at(testing.subnet(_foreign, "aci", []))]), {
			"service": {
				"owner": testing.unknown("ownership_unproven"),
				"networks": {"value": [_at(testing.subnet(_foreign, "aci", []))]},
			},
		}),
	},
	"other_group_while_changing": {
		"note": "a definite violation stands while the service is being changed",
		"want": "fail",
		"keys": [_foreign.id],
		"document": testing.changed(testing.aci_service, {
			"service": {"networks": {"value": [_at(testing.subnet(_foreign, "aci", []))]}},
			"unsettled": [testing.transition],
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

test_evidence_names_both_groups if {
	violations := policy.violations with input as cases.other_group.document
	some violation in violations
	violation.resource == _foreign.id
	violation.evidence.vnet_group == _foreign.resource_group
	violation.evidence.workspace_group == testing.home.resource_group
	violation.evidence.ownership_proven_by == "service_record"
}

test_ownership_does_not_matter_outside_a_vnet if {
	undecided := policy.undecided with input as cases.outside_any_vnet.document
	count(undecided) == 0
}

test_unproven_ownership_is_named if {
	undecided := policy.undecided with input as cases.owner_unproven.document
	{reason.code | some reason in undecided} == {"ownership_unproven"}
}
