package azure.pre.deployer_may_join_vnet_test

import data.azure.pre.deployer_may_join_vnet as policy
import data.mlfence.testing

_nodes := testing.node_subnet

_other := testing.vnet("rg-net", "other")

_second_id := "55555555-5555-5555-5555-555555555555"

_key := concat(" ", [testing.deployer_id, testing.home.id])

# Lists that hold nothing in a healthy right.
_empty := [
	"deployers.vnet_rights[].join.given_by",
	"deployers.vnet_rights[].join.notes",
]

# The deployers' facts replaced.
_with(changes) := testing.changed(testing.workspace, {"deployers": changes})

_right(right) := testing.deployer_right(testing.home.id, testing.home.name, right)

_of_second(right) := object.union(_right(right), {"principal": _second_id})

# The one deployer's right on the one VNet.
_having(right) := _with({"vnet_rights": [_right(right)]})

# A right that only this grant comes near.
_near(kind, grant) := testing.not_held([{"kind": kind, "grant": grant}])

_granted_on(scope, changes) := object.union(testing.grant(scope), changes)

_denial(scope, certain) := {
	"assignment": concat("", [testing.home.resource_group, "/providers/microsoft.authorization/denyassignments/deny-1"]),
	"scope": scope,
	"certain": certain,
}

_denied := object.union(testing.held, {
	"held": {"value": false},
	"denied_by": [_denial(testing.home.resource_group, true), _denial(testing.home.id, false)],
	"notes": [{"code": "grant_denied", "message": "it is granted, and a deny assignment takes it"}],
})

_inherited := object.union(testing.held, {"given_by": [_granted_on(
	"/providers/microsoft.management/managementgroups/mg",
	{"inherited": true},
)]})

_recent := {"code": "recent_grant", "message": "granted less than an hour ago"}

_fresh := object.union(testing.held, {"notes": [_recent]})

cases := {
	"granted": {
		"note": "granted on the VNet's resource group",
		"want": "pass",
		"may_be_empty": _empty,
		"document": testing.workspace,
	},
	"granted_at_management_group": {
		"note": "inherited from a management group",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _having(_inherited),
	},
	"granted_just_now": {
		"note": "two grants too new to be sure to work are noted",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with({
			"declared": {"value": [testing.deployer_id, _second_id]},
			"vnet_rights": [_right(_fresh), _of_second(_fresh)],
		}),
	},
	"reader": {
		"note": "the role that it has does not give it",
		"want": "fail",
		"keys": [_key],
		"document": _having(_near("other_role", _granted_on(testing.home.resource_group, {"role_name": "Reader"}))),
	},
	"subtracted_by_not_actions": {
		"note": "a custom role that gives all of Microsoft.Network but joining",
		"want": "fail",
		"keys": [_key],
		"document": _having(_near("other_role", _granted_on(
			"/subscriptions/11111111-1111-1111-1111-111111111111",
			{"role_name": null, "role": "66666666-6666-6666-6666-666666666666"},
		))),
	},
	"only_on_a_subnet": {
		"note": "a grant on a subnet does not reach up to the VNet",
		"want": "fail",
		"keys": [_key],
		"document": _having(_near("narrower_scope", testing.grant(_nodes.id))),
	},
	"on_another_vnet": {
		"note": "a grant on another VNet",
		"want": "fail",
		"keys": [_key],
		"document": _having(_near("other_scope", testing.grant(_other.id))),
	},
	"to_a_strange_group": {
		"note": "a grant to a group that it is not in",
		"want": "fail",
		"keys": [_key],
		"document": _having(_near("group", _granted_on(testing.home.id, {"via": _second_id}))),
	},
	"nothing_near": {
		"note": "nothing is granted, or only eligible",
		"want": "fail",
		"keys": [_key],
		"document": _having(testing.not_held([])),
	},
	"denied": {
		"note": "a deny assignment goes before the grant",
		"want": "fail",
		"keys": [_key],
		"document": _having(_denied),
	},
	"unreadable_assignment": {
		"note": "a near grant of which neither role nor scope could be read",
		"want": "fail",
		"keys": [_key],
		"document": _having(testing.not_held([
			{"kind": "group", "grant": _granted_on("/", {"role_name": null, "role": null})},
			{"kind": "other_role", "grant": _granted_on("/", {})},
			{"kind": "other_scope", "grant": object.union(testing.grant(testing.home.id), {"scope": null})},
			{"kind": "other_scope", "grant": testing.grant(concat("", [testing.workspace_id, "/computes/c"]))},
		])),
	},
	"one_of_two_deployers": {
		"note": "one of two deployers may not",
		"want": "fail",
		"keys": [concat(" ", [_second_id, testing.home.id])],
		"document": _with({
			"declared": {"value": [testing.deployer_id, _second_id]},
			"vnet_rights": [_right(testing.held), _of_second(testing.not_held([]))],
		}),
	},
	"one_of_two_vnets": {
		"note": "the deployer may join one VNet and not the other; a third is hidden",
		"want": "fail",
		"keys": [concat(" ", [testing.deployer_id, _other.id])],
		"document": _with({
			"complete": testing.unknown("denied"),
			"vnet_rights": [
				_right(testing.open_right("denied")),
				testing.deployer_right(_other.id, _other.name, testing.not_held([])),
			],
		}),
	},
	"refused_while_changing": {
		"note": "a definite violation stands while something is being changed",
		"want": "fail",
		"keys": [_key],
		"document": testing.changed(_having(testing.not_held([])), {"unsettled": [testing.transition]}),
	},
	"membership_unreadable": {
		"note": "granted to a group, and whether the deployer is in it is not known",
		"want": "unknown",
		"document": _having(testing.open_right("not_asked")),
	},
	"undeclared": {
		"note": "nobody declared who deploys",
		"want": "unknown",
		"document": _with({"declared": testing.unknown("undeclared"), "vnet_rights": [], "subnet_rights": []}),
	},
	"networks_hidden": {
		"note": "no network was found in what could be read",
		"want": "unknown",
		"document": _with({
			"subnets": testing.hidden,
			"complete": testing.unknown("denied"),
			"vnet_rights": [],
			"subnet_rights": [],
		}),
	},
	"perhaps_more_networks": {
		"note": "there may be more networks than were seen",
		"want": "unknown",
		"document": _with({"complete": testing.unknown("denied")}),
	},
	"surely_more_networks": {
		"note": "there are more networks than were seen",
		"want": "unknown",
		"document": _with({"complete": {"value": false}}),
	},
	"no_rights_told": {
		"note": "nothing is told of any VNet",
		"want": "unknown",
		"document": _with({"vnet_rights": []}),
	},
	"changing": {
		"note": "no pass while something is being changed",
		"want": "unknown",
		"document": testing.changed(testing.workspace, {"unsettled": [testing.transition]}),
	},
	"nobody_deploys": {
		"note": "declared that nobody deploys, even where networks are hidden",
		"want": "not_applicable",
		"document": _with({
			"declared": {"value": []},
			"subnets": testing.hidden,
			"complete": testing.unknown("denied"),
			"vnet_rights": [],
			"subnet_rights": [],
		}),
	},
	"nobody_deploys_whatever_is_told": {
		"note": "declared that nobody deploys, whatever is told of rights, and while something is being changed",
		"want": "not_applicable",
		"document": testing.changed(
			_with({
				"declared": {"value": []},
				"vnet_rights": [
					_right(object.union(testing.not_held([]), {"notes": [_recent]})),
					_of_second(testing.open_right("denied")),
				],
			}),
			{"unsettled": [testing.transition]},
		),
	},
	"no_network": {
		"note": "nothing of the workspace lives in a network, whoever deploys",
		"want": "not_applicable",
		"document": _with({
			"declared": testing.unknown("undeclared"),
			"subnets": testing.nothing_found,
			"vnet_rights": [],
			"subnet_rights": [],
		}),
	},
}

_message(case) := violation.message if {
	violations := policy.violations with input as case.document
	some violation in violations
}

test_evidence_names_action_and_near_misses if {
	violations := policy.violations with input as cases.only_on_a_subnet.document
	some violation in violations
	violation.resource == testing.home.id
	violation.evidence == {
		"principal": testing.deployer_id,
		"vnet": testing.home.id,
		"action": "Microsoft.Network/virtualNetworks/join/action",
		"misses": [{"kind": "narrower_scope", "grant": testing.grant(_nodes.id)}],
		"denied_by": [],
	}
}

test_a_grant_below_is_told if {
	_message(cases.only_on_a_subnet) == concat(" ", [
		"the deployer 22222222-2222-2222-2222-222222222222 may not join the VNet vnet:",
		"the role Network Contributor is granted only on the subnet nodes, and a grant there does not reach up",
	])
}

test_a_grant_elsewhere_is_told if {
	contains(_message(cases.on_another_vnet), ": the role Network Contributor is granted on the VNet other instead")
}

test_a_strange_group_is_told if {
	contains(_message(cases.to_a_strange_group), concat(" ", [
		"the role Network Contributor is granted to the group 55555555-5555-5555-5555-555555555555,",
		"which it does not belong to",
	]))
}

test_a_role_that_does_not_give_it_is_told if {
	contains(_message(cases.reader), "the role Reader, granted on the resource group rg-ml, does not give it")
	contains(_message(cases.subtracted_by_not_actions), concat(" ", [
		"the role 66666666-6666-6666-6666-666666666666,",
		"granted on the subscription 11111111-1111-1111-1111-111111111111, does not give it",
	]))
}

test_a_denial_is_told_and_only_a_certain_one if {
	endswith(
		_message(cases.denied),
		"may not join the VNet vnet: the deny assignment deny-1 on the resource group rg-ml forbids it",
	)
	violations := policy.violations with input as cases.denied.document
	some violation in violations
	count(violation.evidence.denied_by) == 2
	notes := policy.notes with input as cases.denied.document
	{note.code | some note in notes} == {"grant_denied"}
}

test_that_nothing_is_near_is_told if {
	endswith(_message(cases.nothing_near), ": nothing that is granted comes near")
}

test_what_could_not_be_read_is_told if {
	message := _message(cases.unreadable_assignment)
	contains(message, "the role of an unreadable assignment is granted to the group of an unreadable id, which")
	contains(message, "the role Network Contributor, granted on the whole tenant, does not give it")
	contains(message, "the role Network Contributor is granted on an unreadable scope instead")
	contains(message, "the role Network Contributor is granted on the resource c instead")
}

test_a_recent_grant_is_noted_once if {
	notes := policy.notes with input as cases.granted_just_now.document
	notes == {_recent}
	others := policy.notes with input as cases.nobody_deploys_whatever_is_told.document
	others == set()
}

test_what_is_undeclared_says_so if {
	undecided := policy.undecided with input as cases.undeclared.document
	{reason.code | some reason in undecided} == {"undeclared"}
}
