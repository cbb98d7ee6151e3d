package azure.pre.deployer_may_join_subnet_test

import data.azure.pre.deployer_may_join_subnet as policy
import data.mlfence.testing

_nodes := testing.node_subnet

_sibling := testing.subnet(testing.home, "sibling", [])

_second_id := "55555555-5555-5555-5555-555555555555"

_key := concat(" ", [testing.deployer_id, _nodes.id])

# Lists that hold nothing in a healthy right.
_empty := [
	"deployers.subnet_rights[].join.given_by",
	"deployers.subnet_rights[].join.notes",
]

# The deployers' facts replaced.
_with(changes) := testing.changed(testing.workspace, {"deployers": changes})

_right(right) := testing.deployer_right(_nodes.id, _nodes.name, right)

_of_second(right) := object.union(_right(right), {"principal": _second_id})

# The one deployer's right on the one subnet.
_having(right) := _with({"subnet_rights": [_right(right)]})

# A right that only this grant comes near.
_near(kind, grant) := testing.not_held([{"kind": kind, "grant": grant}])

_granted_on(scope, changes) := object.union(testing.grant(scope), changes)

_wildcard := object.union(testing.held, {"given_by": [_granted_on(_nodes.id, {
	"role": "66666666-6666-6666-6666-666666666666",
	"role_name": "Joins everything",
})]})

_copied := object.union(
	_near("other_role", _granted_on(testing.home.id, {"role_name": "ML deployers"})),
	{"notes": [{
		"code": "misspelt_action",
		"message": "role ML deployers gives Microsoft.Network/virtualNetworks/subnet/join/action",
	}]},
)

_denied := object.union(testing.held, {
	"held": {"value": false},
	"denied_by": [{
		"assignment": concat("", [_nodes.id, "/providers/microsoft.authorization/denyassignments/deny-1"]),
		"scope": _nodes.id,
		"certain": true,
	}],
})

_recent := {"code": "recent_grant", "message": "granted less than an hour ago"}

cases := {
	"granted": {
		"note": "Network Contributor above the subnet",
		"want": "pass",
		"may_be_empty": _empty,
		"document": testing.workspace,
	},
	"granted_on_the_subnet_alone": {
		"note": "a grant on the subnet is enough here, although it does not give the VNet",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with({
			"subnet_rights": [_right(object.union(testing.held, {"given_by": [testing.grant(_nodes.id)]}))],
			"vnet_rights": [testing.deployer_right(
				testing.home.id,
				testing.home.name,
				_near("narrower_scope", testing.grant(_nodes.id)),
			)],
		}),
	},
	"wildcard": {
		"note": "a custom role with the wildcard Microsoft.Network/*/join/action",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _having(_wildcard),
	},
	"granted_just_now": {
		"note": "a grant too new to be sure to work is noted",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _having(object.union(testing.held, {"notes": [_recent]})),
	},
	"misspelt": {
		"note": "a custom role copied the singular subnet/join/action, which is no operation",
		"want": "fail",
		"keys": [_key],
		"document": _having(_copied),
	},
	"on_a_sibling": {
		"note": "a grant on a sibling subnet only",
		"want": "fail",
		"keys": [_key],
		"document": _having(_near("other_scope", testing.grant(_sibling.id))),
	},
	"to_a_strange_group": {
		"note": "a grant to a group that it is not in",
		"want": "fail",
		"keys": [_key],
		"document": _having(_near("group", _granted_on(_nodes.id, {"via": _second_id}))),
	},
	"denied": {
		"note": "a deny assignment goes before the grant",
		"want": "fail",
		"keys": [_key],
		"document": _having(_denied),
	},
	"nothing_near": {
		"note": "nothing is granted",
		"want": "fail",
		"keys": [_key],
		"document": _having(testing.not_held([])),
	},
	"one_of_two_subnets": {
		"note": "the deployer may join one of two subnets; a third is hidden",
		"want": "fail",
		"keys": [concat(" ", [testing.deployer_id, _sibling.id])],
		"document": _with({
			"subnets": testing.found([_nodes.id, _sibling.id]),
			"complete": testing.unknown("denied"),
			"subnet_rights": [
				_right(testing.held),
				testing.deployer_right(_sibling.id, _sibling.name, testing.not_held([])),
			],
		}),
	},
	"two_deployers": {
		"note": "two deployers may not, and each is a violation",
		"want": "fail",
		"keys": [_key, concat(" ", [_second_id, _nodes.id])],
		"document": _with({
			"declared": {"value": [testing.deployer_id, _second_id]},
			"subnet_rights": [
				_right(testing.not_held([])),
				_of_second(testing.not_held([])),
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
		"note": "nothing is told of any subnet",
		"want": "unknown",
		"document": _with({"subnet_rights": []}),
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
				"subnet_rights": [
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
	violations := policy.violations with input as cases.on_a_sibling.document
	some violation in violations
	violation.resource == _nodes.id
	violation.evidence == {
		"principal": testing.deployer_id,
		"subnet": _nodes.id,
		"action": "Microsoft.Network/virtualNetworks/subnets/join/action",
		"misses": [{"kind": "other_scope", "grant": testing.grant(_sibling.id)}],
		"denied_by": [],
	}
}

test_the_singular_spelling_is_told if {
	message := _message(cases.misspelt)
	contains(message, "the role ML deployers, granted on the VNet vnet, does not give it")
	contains(message, "a role copied the singular `subnet/join/action` of older articles, for which there is no operation")
	not contains(_message(cases.on_a_sibling), "singular")
}

test_a_grant_on_a_sibling_is_told if {
	endswith(
		_message(cases.on_a_sibling),
		"may not join the subnet nodes: the role Network Contributor is granted on the subnet sibling instead",
	)
}

test_a_denial_is_told if {
	endswith(_message(cases.denied), ": the deny assignment deny-1 on the subnet nodes forbids it")
}

test_a_recent_grant_is_noted if {
	notes := policy.notes with input as cases.granted_just_now.document
	notes == {_recent}
	others := policy.notes with input as cases.nobody_deploys_whatever_is_told.document
	others == set()
}

test_what_is_undeclared_says_so if {
	undecided := policy.undecided with input as cases.undeclared.document
	{reason.code | some reason in undecided} == {"undeclared"}
}
