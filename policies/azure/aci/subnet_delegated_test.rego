package azure.aci.subnet_delegated_test

import data.azure.aci.subnet_delegated as policy
import data.mlfence.testing

# The web service in these networks.
_in(networks) := testing.changed(testing.aci_service, {"service": {"networks": {"value": networks}}})

# The network with facts replaced.
_network(changes) := testing.changed({"network": testing.aci_network}, {"network": changes}).network

# The web service in a subnet with these delegations.
_with(delegations) := _in([_network({"subnet": testing.subnet(testing.home, "aci", delegations)})])

_unreadable := object.union(
	object.remove(testing.aci_network.subnet, ["delegations"]),
	{"delegations": testing.unknown("denied")},
)

cases := {
	"delegated": {
		"note": "the subnet is delegated to container groups",
		"want": "pass",
		"document": testing.aci_service,
	},
	"not_delegated": {
		"note": "the subnet has no delegation",
		"want": "fail",
		"keys": [testing.aci_network.subnet.id],
		"document": _with([]),
	},
	"other_service": {
		"note": "the subnet is delegated to another service",
		"want": "fail",
		"keys": [testing.aci_network.subnet.id],
		"document": _with([testing.delegation("microsoft.web/serverfarms")]),
	},
	"among_others": {
		"note": "one of two delegations is the right one",
		"want": "pass",
		"document": _with([testing.delegation("microsoft.web/serverfarms"), testing.aci_delegation]),
	},
	"one_of_two_subnets": {
		"note": "one of two subnets is not delegated",
		"want": "fail",
		"keys": [testing.subnet(testing.home, "other", []).id],
		"document": _in([
			testing.aci_network,
			_network({"subnet": testing.subnet(testing.home, "other", [])}),
		]),
	},
	"unfinished": {
		"note": "the delegation is not finished",
		"want": "unknown",
		"document": _with([{"service": testing.aci_delegation.service, "succeeded": {"value": false}}]),
	},
	"state_not_told": {
		"note": "whether the delegation is finished is not known",
		"want": "unknown",
		"document": _with([{
			"service": testing.aci_delegation.service,
			"succeeded": testing.unknown("not_told"),
		}]),
	},
	"subnet_changing": {
		"note": "the subnet is being changed",
		"want": "unknown",
		"document": _in([_network({"subnet": object.union(
			object.remove(testing.aci_network.subnet, ["settled"]),
			{"settled": testing.unknown("transitional")},
		)})]),
	},
	"subnet_unreadable": {
		"note": "the delegations could not be read",
		"want": "unknown",
		"document": _in([_network({"subnet": _unreadable})]),
	},
	"not_delegated_owner_unproven": {
		"note": "perhaps not the workspace's service",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"service": {
				"owner": testing.unknown("ownership_unproven"),
				"networks": {"value": [_network({"subnet": testing.subnet(testing.home, "aci", [])})]},
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

test_evidence_names_the_other_service if {
	violations := policy.violations with input as cases.other_service.document
	some violation in violations
	violation.evidence.delegated_to == ["microsoft.web/serverfarms"]
}

test_an_unfinished_delegation_is_transitional if {
	undecided := policy.undecided with input as cases.unfinished.document
	{reason.code | some reason in undecided} == {"transitional"}
}
