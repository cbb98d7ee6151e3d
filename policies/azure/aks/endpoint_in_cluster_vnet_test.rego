package azure.aks.endpoint_in_cluster_vnet_test

import data.azure.aks.endpoint_in_cluster_vnet as policy
import data.mlfence.testing

_other := testing.vnet("rg-ml", "other")

_bare := {"vnet": testing.home}

_path(vnet, same, peered) := {
	"vnet": vnet,
	"same_vnet": {"value": same},
	"same_or_peered_vnet": {"value": peered},
}

# The cluster attached as `type`, with these ways to the endpoints.
_attached(type, paths) := testing.changed(testing.aks_compute, {"compute": {
	"type": {"value": type},
	"endpoint_paths": {"value": paths},
}})

cases := {
	"same_vnet": {
		"note": "v2, endpoint in the cluster's VNet",
		"want": "pass",
		"may_be_empty": ["workspace.endpoint_networks.value"],
		"document": testing.aks_compute,
	},
	"v1_same_vnet": {
		"note": "v1, endpoint in the cluster's VNet",
		"want": "pass",
		"may_be_empty": ["workspace.endpoint_networks.value"],
		"document": _attached("aks", [_path(testing.home, true, true)]),
	},
	"v2_peered": {
		"note": "v2 accepts an endpoint in a peered VNet",
		"want": "pass",
		"may_be_empty": ["workspace.endpoint_networks.value"],
		"document": _attached("kubernetes", [_path(testing.home, false, true)]),
	},
	"v1_peered": {
		"note": "v1 does not accept an endpoint in a peered VNet",
		"want": "fail",
		"keys": [testing.home.id],
		"document": _attached("aks", [_path(testing.home, false, true)]),
	},
	"no_way": {
		"note": "no endpoint in the VNet or in a peered one",
		"want": "fail",
		"keys": [testing.home.id],
		"document": _attached("kubernetes", [_path(testing.home, false, false)]),
	},
	"one_of_two_vnets": {
		"note": "one of two VNets has no way",
		"want": "fail",
		"keys": [_other.id],
		"document": _attached("kubernetes", [_path(testing.home, true, true), _path(_other, false, false)]),
	},
	"peering_unreadable": {
		"note": "one side of a peering could not be read",
		"want": "unknown",
		"document": _attached("kubernetes", [object.union(_bare, {
			"same_vnet": {"value": false},
			"same_or_peered_vnet": testing.unknown("denied"),
		})]),
	},
	"endpoint_unreadable": {
		"note": "an endpoint's VNet could not be read",
		"want": "unknown",
		"document": _attached("aks", [object.union(_bare, {
			"same_vnet": testing.unknown("denied"),
			"same_or_peered_vnet": testing.unknown("denied"),
		})]),
	},
	"v1_does_not_need_the_peerings": {
		"note": "v1 passes by the VNet alone",
		"want": "pass",
		"may_be_empty": ["workspace.endpoint_networks.value"],
		"document": _attached("aks", [object.union(_bare, {
			"same_vnet": {"value": true},
			"same_or_peered_vnet": {"value": true},
		})]),
	},
	"no_way_beside_an_unreadable_one": {
		"note": "a definite violation stands beside an unknown",
		"want": "fail",
		"keys": [_other.id],
		"document": _attached("kubernetes", [
			object.union(_bare, {
				"same_vnet": {"value": false},
				"same_or_peered_vnet": testing.unknown("denied"),
			}),
			_path(_other, false, false),
		]),
	},
	"type_unknown": {
		"note": "how the cluster is attached is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {"compute": {"type": testing.unknown("not_told")}}),
	},
	"vnets_unreadable": {
		"note": "where the cluster lives could not be read",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {
			"compute": {"endpoint_paths": testing.unknown("denied")},
		}),
	},
	"no_vnet_named": {
		"note": "no VNet of the cluster is known",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {"compute": {"endpoint_paths": {"value": []}}}),
	},
	"no_endpoint": {
		"note": "the workspace has no approved endpoint",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_compute, {
			"workspace": {"private_endpoint": {"value": false}},
			"compute": {"endpoint_paths": {"value": [_path(testing.home, false, false)]}},
		}),
	},
	"endpoint_state_unreadable": {
		"note": "whether the workspace has an endpoint is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {
			"workspace": {"private_endpoint": testing.unknown("denied")},
		}),
	},
	"changing": {
		"note": "no pass while something is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {"unsettled": [testing.transition]}),
	},
}

test_evidence_names_the_demand if {
	violations := policy.violations with input as cases.v1_peered.document
	some violation in violations
	violation.evidence.compute_type == "aks"
	violation.evidence.demanded == "same_vnet"
	count(violation.evidence.endpoint_networks) == 1
}

test_peered_vnets_are_mentioned_for_v2_only if {
	v1 := policy.violations with input as cases.v1_peered.document
	v2 := policy.violations with input as cases.no_way.document
	{violation | some violation in v1; contains(violation.message, "peered")} == set()
	count({violation | some violation in v2; contains(violation.message, "peered")}) == 1
}
