package azure.aci.deployed_as_asked_test

import data.azure.aci.deployed_as_asked as policy
import data.mlfence.testing

# The web service with facts of it replaced.
_with(changes) := testing.changed(testing.aci_service, {"service": changes})

# The web service in a subnet with these facts.
_in(subnet) := _with({"networks": {"value": [testing.changed(
	{"network": testing.aci_network},
	{"network": {"subnet": subnet}},
).network]}})

_subnet := testing.aci_network.subnet

_outside := {
	"in_vnet": {"value": false},
	"as_asked": {"value": false},
	"public_address": {"value": true},
	"networks": {"value": []},
}

_unread := testing.unknown("denied")

cases := {
	"as_asked": {
		"note": "it lives in the delegated subnet of the asked names",
		"want": "pass",
		"document": testing.aci_service,
	},
	"being_deleted": {
		"note": "its container group is being deleted",
		"want": "not_applicable",
		"document": _with({
			"being_deleted": true,
			"in_vnet": testing.unknown("placement_unproven"),
			"as_asked": testing.unknown("placement_unproven"),
			"public_address": testing.unknown("placement_unproven"),
			"networks": testing.unknown("placement_unproven"),
		}),
	},
	"public": {
		"note": "the record asks for a VNet, and the group is public",
		"want": "fail",
		"keys": ["network"],
		"document": _with(_outside),
	},
	"public_in_the_subnet": {
		"note": "in the asked subnet, but with a public address",
		"want": "fail",
		"keys": ["network"],
		"document": _with({"public_address": {"value": true}}),
	},
	"outside_address_not_told": {
		"note": "outside any VNet, and whether its address is public is not told",
		"want": "fail",
		"keys": ["network"],
		"document": _with(object.union(
			object.remove(_outside, ["public_address"]),
			{"public_address": testing.unknown("not_told")},
		)),
	},
	"outside_not_public": {
		"note": "outside any VNet, but not public: only the placement is wrong",
		"want": "fail",
		"keys": ["network"],
		"document": _with(object.union(_outside, {"public_address": {"value": false}})),
	},
	"other_names": {
		"note": "it lives in a subnet of other names",
		"want": "fail",
		"keys": ["network"],
		"document": _with({
			"asked_network": {"value": {"vnet": "vnet", "subnet": "other"}},
			"as_asked": {"value": false},
		}),
	},
	"one_name_only": {
		"note": "the record names a subnet, but no VNet",
		"want": "fail",
		"keys": ["network"],
		"document": _with({
			"asked_network": {"value": {"vnet": "", "subnet": "aci"}},
			"as_asked": {"value": false},
		}),
	},
	"public_while_changing": {
		"note": "a definite violation stands while the service is being changed",
		"want": "fail",
		"keys": ["network"],
		"document": testing.changed(_with(_outside), {"unsettled": [testing.transition]}),
	},
	"not_delegated": {
		"note": "the names are right, but the subnet is not delegated: neither a pass nor a failure of this rule",
		"want": "unknown",
		"document": _in(testing.subnet(testing.home, "aci", [])),
	},
	"unfinished": {
		"note": "the delegation is not finished",
		"want": "unknown",
		"document": _in(testing.subnet(
			testing.home,
			"aci",
			[{"service": testing.aci_delegation.service, "succeeded": {"value": false}}],
		)),
	},
	"delegation_unreadable": {
		"note": "the delegations could not be read",
		"want": "unknown",
		"document": _in(object.union(object.remove(_subnet, ["delegations"]), {"delegations": _unread})),
	},
	"subnet_changing": {
		"note": "the subnet is being changed",
		"want": "unknown",
		"document": _in(object.union(
			object.remove(_subnet, ["settled"]),
			{"settled": testing.unknown("transitional")},
		)),
	},
	"no_network_named": {
		"note": "it lives in a VNet, but none is named",
		"want": "unknown",
		"document": _with({"networks": {"value": []}}),
	},
	"address_not_told": {
		"note": "whether it has a public address as well is not told",
		"want": "unknown",
		"document": _with({"public_address": testing.unknown("not_told")}),
	},
	"record_unreadable": {
		"note": "what the deployment asked for is not known",
		"want": "unknown",
		"document": _with({"asked_network": _unread, "as_asked": _unread}),
	},
	"group_missing": {
		"note": "the container group was not found, though the record tells a public address",
		"want": "unknown",
		"document": _with({
			"container_group": null,
			"in_vnet": testing.unknown("placement_unproven"),
			"as_asked": testing.unknown("placement_unproven"),
			"networks": testing.unknown("placement_unproven"),
			"public_address": {"value": true},
		}),
	},
	"not_asked": {
		"note": "the deployment asked for no VNet",
		"want": "not_applicable",
		"document": _with(object.union(_outside, {
			"asked_network": {"value": null},
			"as_asked": {"value": true},
		})),
	},
	"no_record_owner_unproven": {
		"note": "no record asks for a VNet, but whose service it is, and so whether one should, is not proven",
		"want": "unknown",
		"document": _with(object.union(_outside, {
			"asked_network": {"value": null},
			"as_asked": {"value": true},
			"owner": testing.unknown("ownership_unproven"),
		})),
	},
	"changing": {
		"note": "no pass while the service is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {"unsettled": [testing.transition]}),
	},
}

# How severe the one violation of a case is.
_severities(document) := {violation.severity | some violation in violations} if {
	violations := policy.violations with input as document
}

test_exposed_is_high if {
	_severities(cases["public"].document) == {"high"}
	_severities(cases.public_in_the_subnet.document) == {"high"}
	_severities(cases.outside_address_not_told.document) == {"high"}
}

test_misplaced_is_medium if {
	_severities(cases.outside_not_public.document) == {"medium"}
	_severities(cases.other_names.document) == {"medium"}
}

test_evidence_names_what_was_asked_and_what_is if {
	violations := policy.violations with input as cases.other_names.document
	some violation in violations
	violation.resource == testing.aci_service.service.container_group
	violation.evidence.asked == {"vnet": "vnet", "subnet": "other"}
	violation.evidence.subnets == [_subnet.id]
	contains(violation.message, "subnet `other`")
}

test_a_missing_delegation_is_unproven if {
	undecided := policy.undecided with input as cases.not_delegated.document
	{reason.code | some reason in undecided} == {"unproven"}
}
