package azure.cni.identity_may_use_subnets_test

import data.azure.cni.identity_may_use_subnets as policy
import data.mlfence.testing

_nodes := testing.node_subnet

_pods := testing.subnet(testing.home, "pods", [])

_second_id := "55555555-5555-5555-5555-555555555555"

_kubelet_id := "77777777-7777-7777-7777-777777777777"

_key := concat(" ", [testing.principal_id, _nodes.id])

# Lists that hold nothing in a healthy right.
_empty := [
	"access.subnets.value[].join.given_by",
	"access.subnets.value[].join.notes",
	"access.subnets.value[].read.given_by",
	"access.subnets.value[].read.notes",
	"access.subnets.value[].write_role_assignments.given_by",
]

# The cluster whose identities have these rights.
_with(entries) := testing.changed(testing.aks_cluster, {"access": {"subnets": {"value": entries}}})

# The identity's rights on the subnet of the nodes.
_having(join, read) := _with([testing.subnet_rights(_nodes, join, read, _none)])

_none := testing.not_held([])

# A right that only this grant comes near.
_near(kind, grant) := testing.not_held([{"kind": kind, "grant": grant}])

_custom := object.union(testing.held, {"given_by": [object.union(testing.grant(_nodes.id), {
	"role": "66666666-6666-6666-6666-666666666666",
	"role_name": "Joins and reads",
})]})

_contributor := object.union(testing.held, {"given_by": [object.union(testing.grant(_nodes.id), {
	"role": "b24988ac-6180-42a0-ab88-20f7382dd24c",
	"role_name": "Contributor",
})]})

_to_kubelet := _near("kubelet", object.union(testing.grant(_nodes.id), {"via": _kubelet_id}))

_on_pods := _near("other_scope", testing.grant(_pods.id))

_recent := {"code": "recent_grant", "message": "granted less than an hour ago"}

_fresh := object.union(testing.held, {"notes": [_recent]})

cases := {
	"network_contributor": {
		"note": "Network Contributor, which may not write role assignments",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _having(testing.held, testing.held),
	},
	"contributor": {
		"note": "Contributor gives all that Network Contributor gives",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _having(_contributor, _contributor),
	},
	"everything": {
		"note": "may join, read and write role assignments",
		"want": "pass",
		"may_be_empty": _empty,
		"document": testing.aks_cluster,
	},
	"custom_role": {
		"note": "least privilege: a custom role with join and read, which one document asks more of",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _having(_custom, _custom),
	},
	"custom_role_and_write_unknown": {
		"note": "a custom role of which it is not known whether it may write role assignments",
		"want": "pass",
		"may_be_empty": array.concat(_empty, ["access.subnets.value[].write_role_assignments.reasons"]),
		"document": _with([testing.subnet_rights(_nodes, _custom, _custom, testing.open_right("denied"))]),
	},
	"granted_just_now": {
		"note": "a grant too new to be sure to work is noted",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _having(_fresh, _fresh),
	},
	"several_subnets_and_identities": {
		"note": "two identities may use two subnets",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with([
			testing.subnet_rights(_nodes, testing.held, testing.held, _none),
			testing.subnet_rights(_pods, testing.held, testing.held, _none),
			object.union(testing.subnet_rights(_nodes, testing.held, testing.held, _none), {"principal": _second_id}),
			object.union(testing.subnet_rights(_pods, testing.held, testing.held, _none), {"principal": _second_id}),
		]),
	},
	"only_on_the_other_pools_subnet": {
		"note": "the role is granted on the other pool's subnet only",
		"want": "fail",
		"keys": [_key],
		"document": _with([
			testing.subnet_rights(_nodes, _on_pods, _on_pods, _none),
			testing.subnet_rights(_pods, testing.held, testing.held, _none),
		]),
	},
	"only_join": {
		"note": "may join but not read",
		"want": "fail",
		"keys": [_key],
		"document": _having(_custom, _none),
	},
	"only_read": {
		"note": "may read but not join",
		"want": "fail",
		"keys": [_key],
		"document": _having(_none, _custom),
	},
	"kubelet_got_it": {
		"note": "the nodes' identity got the role instead",
		"want": "fail",
		"keys": [_key],
		"document": _having(_to_kubelet, _to_kubelet),
	},
	"one_of_two_identities": {
		"note": "one of two identities has no right; it is not told which one is used",
		"want": "fail",
		"keys": [concat(" ", [_second_id, _nodes.id])],
		"document": _with([
			testing.subnet_rights(_nodes, testing.held, testing.held, _none),
			object.union(testing.subnet_rights(_nodes, _none, _none, _none), {"principal": _second_id}),
		]),
	},
	"refused_beside_an_unknown": {
		"note": "may not join; whether it may read, or use the other subnet, is not known",
		"want": "fail",
		"keys": [_key],
		"document": _with([
			testing.subnet_rights(_nodes, _none, testing.open_right("denied"), _none),
			testing.subnet_rights(_pods, testing.open_right("denied"), testing.held, _none),
		]),
	},
	"refused_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": [_key],
		"document": testing.changed(_having(_none, _none), {"unsettled": [testing.transition]}),
	},
	"management_group_unreadable": {
		"note": "a grant above the subscription may be hidden",
		"want": "unknown",
		"document": _having(testing.open_right("denied"), testing.open_right("denied")),
	},
	"read_unknown": {
		"note": "may join, and whether it may read is not known",
		"want": "unknown",
		"document": _having(testing.held, testing.open_right("denied")),
	},
	"identity_unknown": {
		"note": "who the cluster's identity is could not be read",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"access": {
			"principals": testing.unknown("not_told"),
			"subnets": testing.unknown("not_told"),
			"groups": testing.unknown("not_told"),
		}}),
	},
	"no_subnet_told": {
		"note": "nothing is told of any subnet",
		"want": "unknown",
		"document": _with([]),
	},
	"vnet_unknown": {
		"note": "who made the VNet is not known",
		"want": "unknown",
		"document": testing.changed(_having(_none, _none), {
			"cluster": {"own_vnet": testing.unknown("not_told")},
		}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"unsettled": [testing.transition]}),
	},
	"vnet_of_aks_with_rights": {
		"note": "AKS made the VNet, whatever is told of rights, and while the cluster is being changed",
		"want": "not_applicable",
		"document": testing.changed(
			_with([
				testing.subnet_rights(_nodes, _none, testing.open_right("denied"), _none),
				testing.subnet_rights(_pods, _custom, _fresh, _none),
			]),
			{"cluster": {"own_vnet": {"value": false}}, "unsettled": [testing.transition]},
		),
	},
	"vnet_of_aks_and_identity_unknown": {
		"note": "AKS made the VNet, whoever the cluster's identity is",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"own_vnet": {"value": false}},
			"access": {"subnets": testing.unknown("not_told"), "groups": testing.unknown("not_told")},
		}),
	},
	"vnet_of_aks": {
		"note": "AKS made the VNet and sees to the rights",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"own_vnet": {"value": false}},
			"access": {"subnets": {"value": []}, "groups": {"value": []}},
		}),
	},
}

_message(case) := violation.message if {
	violations := policy.violations with input as case.document
	some violation in violations
}

test_evidence_names_actions_and_near_misses if {
	violations := policy.violations with input as cases.kubelet_got_it.document
	some violation in violations
	violation.resource == _nodes.id
	violation.evidence == {
		"principal": testing.principal_id,
		"subnet": _nodes.id,
		"actions": [
			"Microsoft.Network/virtualNetworks/subnets/join/action",
			"Microsoft.Network/virtualNetworks/subnets/read",
		],
		"misses": _to_kubelet.misses,
		"denied_by": [],
	}
}

test_that_the_kubelet_got_it_is_told if {
	_message(cases.kubelet_got_it) == concat(" ", [
		"the cluster's identity 44444444-4444-4444-4444-444444444444 may not join or read the subnet nodes of the VNet vnet:",
		"the nodes' (kubelet) identity 77777777-7777-7777-7777-777777777777 got the role Network Contributor instead",
	])
}

test_only_what_lacks_is_told if {
	contains(_message(cases.only_join), "may not read the subnet nodes")
	contains(_message(cases.only_read), "may not join the subnet nodes")
}

test_a_grant_on_the_other_subnet_is_told if {
	contains(
		_message(cases.only_on_the_other_pools_subnet),
		"the role Network Contributor is granted on the subnet pods instead",
	)
}

test_writing_role_assignments_is_noted_of_custom_roles_only if {
	notes := policy.notes with input as cases.custom_role.document
	notes == {{
		"code": "no_role_assignments_write",
		"message": concat(" ", [
			"the role that lets the cluster's identity 44444444-4444-4444-4444-444444444444 use the subnet nodes",
			"does not give it Microsoft.Authorization/roleAssignments/write; the documents disagree:",
			"Configure Azure CNI networking (2026-01-29) and AKS legacy container networking (2026-04-16)",
			"ask custom roles for it, the article on internal load balancers (2026-07-31) lists only join and read",
		]),
	}}
	every case in [
		cases.network_contributor,
		cases.contributor,
		cases.custom_role_and_write_unknown,
		cases.only_join,
		cases.only_read,
		cases.vnet_of_aks_with_rights,
	] {
		others := policy.notes with input as case.document
		others == set()
	}
}

test_a_recent_grant_is_noted_once if {
	notes := policy.notes with input as cases.granted_just_now.document
	notes == {_recent}
}
