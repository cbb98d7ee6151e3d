package azure.rbac.identity_network_contributor_test

import data.azure.rbac.identity_network_contributor as policy
import data.mlfence.testing

_nodes := testing.node_subnet

_pods := testing.subnet(testing.home, "pods", [])

# A subnet in a VNet of another group.
_far := testing.subnet(testing.vnet("rg-net", "far"), "far", [])

_subscription := "/subscriptions/11111111-1111-1111-1111-111111111111"

_node_group := concat("", [_subscription, "/resourcegroups/mc_rg-ml_aks_eastus2"])

_cluster_group := concat("", [_subscription, "/resourcegroups/rg-aks"])

_second_id := "55555555-5555-5555-5555-555555555555"

_kubelet_id := "77777777-7777-7777-7777-777777777777"

_group := testing.home.resource_group

_key := concat(" ", [testing.principal_id, _group])

# Lists that hold nothing in a healthy right, and the subnets, which matter only where the role is missing.
_empty := [
	"access.groups.value[].network_contributor.given_by",
	"access.groups.value[].network_contributor.notes",
	"access.subnets.value",
	"access.subnets.value[].join.given_by",
	"access.subnets.value[].read.given_by",
	"access.subnets.value[].write_role_assignments.given_by",
]

# The same where the subnets make the pass.
_empty_but_subnets := [list |
	some list in array.concat(_empty, ["access.groups.value[].network_contributor.misses"])
	list != "access.subnets.value"
]

_none := testing.not_held([])

_open := testing.open_right("denied")

_on(subnet, join, read) := testing.subnet_rights(subnet, join, read, _none)

# Whether the role on the group is demanded, the identity's right on the group, and its rights on subnets.
_with(demanded, right, entries) := testing.changed(testing.aks_cluster, {
	"demands": {"role_on_resource_group": demanded},
	"access": {
		"groups": {"value": [testing.group_rights(right)]},
		"subnets": {"value": entries},
	},
})

_strict := {"value": true}

_lenient := {"value": false}

# A right that only this grant comes near.
_near(kind, grant) := testing.not_held([{"kind": kind, "grant": grant}])

_on_vnet := _near("narrower_scope", testing.grant(testing.home.id))

_able := [_on(_nodes, testing.held, testing.held), _on(_pods, testing.held, testing.held)]

_unable := [_on(_nodes, _none, testing.held)]

_unclear := [_on(_nodes, testing.held, _open), _on(_pods, _open, testing.held)]

_contributor := object.union(testing.held, {
	"given_by": [object.union(testing.grant(_subscription), {
		"role": "b24988ac-6180-42a0-ab88-20f7382dd24c",
		"role_name": "Contributor",
		"inherited": true,
	})],
	"notes": [{"code": "other_role_suffices", "message": "what the role gives is assigned"}],
})

_denied := object.union(testing.held, {
	"held": {"value": false},
	"denied_by": [{
		"assignment": concat("", [_group, "/providers/microsoft.authorization/denyassignments/deny-1"]),
		"scope": _group,
		"certain": true,
	}],
})

cases := {
	"on_the_group": {
		"note": "Network Contributor on the VNet's resource group",
		"want": "pass",
		"may_be_empty": _empty,
		"document": testing.aks_cluster,
	},
	"contributor_above": {
		"note": "Contributor on the subscription gives as much",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with(_strict, _contributor, _unable),
	},
	"least_privilege": {
		"note": "granted on the VNet only, and the operator accepts that",
		"want": "pass",
		"may_be_empty": _empty_but_subnets,
		"document": _with(_lenient, _on_vnet, array.concat(_able, [_on(_far, _none, _none)])),
	},
	"least_privilege_on_one_subnet": {
		"note": "granted on the one subnet only, and the operator accepts that",
		"want": "pass",
		"may_be_empty": _empty_but_subnets,
		"document": _with(
			_lenient,
			_near("narrower_scope", testing.grant(_nodes.id)),
			[_on(_nodes, testing.held, testing.held)],
		),
	},
	"held_whatever_is_demanded": {
		"note": "the role is held; neither what is demanded nor the rights on the subnets matter",
		"want": "pass",
		"may_be_empty": array.concat(_empty, ["access.subnets.value[].join.reasons", "access.subnets.value[].read.reasons"]),
		"document": _with(testing.unknown("denied"), testing.held, _unclear),
	},
	"held_though_less_is_accepted": {
		"note": "the role is held where less would do",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with(_lenient, testing.held, _able),
	},
	"least_privilege_beside_an_unknown": {
		"note": "accepted and proven on the subnets; whether the role is held above matters no more",
		"want": "pass",
		"may_be_empty": array.concat(_empty_but_subnets, ["access.groups.value[].network_contributor.reasons"]),
		"document": _with(_lenient, _open, _able),
	},
	"on_the_node_group": {
		"note": "granted on the group of the cluster's nodes instead",
		"want": "fail",
		"keys": [_key],
		"document": _with(_lenient, _near("other_scope", testing.grant(_node_group)), _unable),
	},
	"on_the_clusters_group": {
		"note": "granted on the cluster's own group instead",
		"want": "fail",
		"keys": [_key],
		"document": _with(_strict, _near("other_scope", testing.grant(_cluster_group)), _unable),
	},
	"kubelet_got_it": {
		"note": "the nodes' identity got the role instead",
		"want": "fail",
		"keys": [_key],
		"document": _with(
			_strict,
			_near("kubelet", object.union(testing.grant(_group), {"via": _kubelet_id})),
			_unable,
		),
	},
	"to_a_strange_group": {
		"note": "granted to a group that the identity is not in",
		"want": "fail",
		"keys": [_key],
		"document": _with(_strict, _near("group", object.union(testing.grant(_group), {"via": _second_id})), _unable),
	},
	"less_by_not_actions": {
		"note": "a custom role with notActions on subnets/join",
		"want": "fail",
		"keys": [_key],
		"document": _with(
			_strict,
			_near("other_role", object.union(testing.grant(_group), {"role_name": "Almost"})),
			_unable,
		),
	},
	"denied": {
		"note": "a deny assignment goes before the grant",
		"want": "fail",
		"keys": [_key],
		"document": _with(_strict, _denied, _unable),
	},
	"narrower_and_strict": {
		"note": "granted on the VNet only, and nobody declared that this is accepted",
		"want": "fail",
		"keys": [_key],
		"document": _with(_strict, _on_vnet, _able),
	},
	"strict_and_subnets_unknown": {
		"note": "the role is demanded and missing, whatever holds on the subnets",
		"want": "fail",
		"keys": [_key],
		"document": _with(_strict, _none, _unclear),
	},
	"accepted_and_one_subnet_short": {
		"note": "least privilege is accepted, but one of two subnets may not be joined; the other is unknown",
		"want": "fail",
		"keys": [_key],
		"document": _with(_lenient, _none, [_on(_nodes, _none, testing.held), _on(_pods, _open, _open)]),
	},
	"accepted_and_no_subnet": {
		"note": "least privilege is accepted, but the identity has no subnet in the group",
		"want": "fail",
		"keys": [_key],
		"document": _with(_lenient, _none, [
			_on(_far, testing.held, testing.held),
			object.union(_on(_nodes, testing.held, testing.held), {"principal": _second_id}),
		]),
	},
	"demand_hidden_and_short": {
		"note": "missing on the group and on the subnets, whatever is demanded",
		"want": "fail",
		"keys": [_key],
		"document": _with(testing.unknown("denied"), _none, _unable),
	},
	"one_of_two_identities": {
		"note": "one of two identities does not hold it; it is not told which one is used",
		"want": "fail",
		"keys": [concat(" ", [_second_id, _group])],
		"document": testing.changed(testing.aks_cluster, {"access": {"groups": {"value": [
			testing.group_rights(testing.held),
			object.union(testing.group_rights(_none), {"principal": _second_id}),
		]}}}),
	},
	"refused_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": [_key],
		"document": testing.changed(_with(_strict, _none, _unable), {"unsettled": [testing.transition]}),
	},
	"accepted_and_subnets_unknown": {
		"note": "least privilege is accepted, and whether it is there is not known",
		"want": "unknown",
		"document": _with(_lenient, _none, _unclear),
	},
	"accepted_and_only_reading_unknown": {
		"note": "least privilege is accepted; the subnet may be joined, and whether it may be read is not known",
		"want": "unknown",
		"document": _with(_lenient, _none, [_on(_nodes, testing.held, _open)]),
	},
	"accepted_and_subnets_hidden": {
		"note": "least privilege is accepted, and which subnets the cluster has is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"demands": {"role_on_resource_group": _lenient},
			"access": {
				"groups": {"value": [testing.group_rights(_none)]},
				"subnets": testing.unknown("truncated"),
			},
		}),
	},
	"demand_hidden": {
		"note": "a workspace that demands the role may use the cluster unseen",
		"want": "unknown",
		"document": _with(testing.unknown("not_asked"), _on_vnet, _able),
	},
	"management_group_unreadable": {
		"note": "a grant above the subscription may be hidden",
		"want": "unknown",
		"document": _with(_strict, _open, _able),
	},
	"accepted_and_all_unknown": {
		"note": "least privilege is accepted, and nothing is known of any right",
		"want": "unknown",
		"document": _with(_lenient, _open, _unclear),
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
	"no_group_told": {
		"note": "nothing is told of any resource group",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"access": {"groups": {"value": []}}}),
	},
	"vnet_unknown": {
		"note": "who made the VNet is not known",
		"want": "unknown",
		"document": testing.changed(_with(_strict, _none, _unable), {
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
		"document": testing.changed(_with(_lenient, _none, _unclear), {
			"cluster": {"own_vnet": {"value": false}},
			"access": {"groups": {"value": [
				testing.group_rights(object.union(_none, {"notes": _contributor.notes})),
				testing.group_rights(_open),
			]}},
			"demands": {"role_on_resource_group": testing.unknown("denied")},
			"unsettled": [testing.transition],
		}),
	},
	"vnet_of_aks_and_able": {
		"note": "AKS made the VNet; rights on subnets are not even noted",
		"want": "not_applicable",
		"document": testing.changed(_with(_lenient, _on_vnet, _able), {"cluster": {"own_vnet": {"value": false}}}),
	},
	"vnet_of_aks_and_identity_unknown": {
		"note": "AKS made the VNet, whoever the cluster's identity is",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"own_vnet": {"value": false}},
			"access": {"subnets": testing.unknown("not_told"), "groups": testing.unknown("not_told")},
		}),
	},
	"vnet_of_aks_and_unable": {
		"note": "AKS made the VNet; a missing role is no violation",
		"want": "not_applicable",
		"document": testing.changed(_with(_strict, _none, _unable), {"cluster": {"own_vnet": {"value": false}}}),
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

_codes(case) := {reason.code | some reason in undecided} if {
	undecided := policy.undecided with input as case.document
}

test_evidence_names_near_misses_and_subnets if {
	violations := policy.violations with input as cases.on_the_node_group.document
	some violation in violations
	violation.resource == _group
	violation.evidence == {
		"principal": testing.principal_id,
		"group": _group,
		"role": "Network Contributor",
		"subnets": [{"subnet": _nodes.id, "join": {"value": false}, "read": {"value": true}}],
		"misses": [{"kind": "other_scope", "grant": testing.grant(_node_group)}],
		"denied_by": [],
	}
}

test_a_grant_on_another_group_is_told if {
	_message(cases.on_the_node_group) == concat(" ", [
		"the cluster's identity 44444444-4444-4444-4444-444444444444 does not hold Network Contributor",
		"on the resource group rg-ml, which holds the VNet:",
		"the role Network Contributor is granted on the resource group mc_rg-ml_aks_eastus2 instead",
	])
	endswith(_message(cases.on_the_clusters_group), "is granted on the resource group rg-aks instead")
}

test_near_misses_are_told if {
	contains(_message(cases.kubelet_got_it), "the nodes' (kubelet) identity 77777777-7777-7777-7777-777777777777 got")
	contains(_message(cases.to_a_strange_group), "to the group 55555555-5555-5555-5555-555555555555, which")
	contains(_message(cases.less_by_not_actions), "the role Almost, granted on the resource group rg-ml, does not give it")
	contains(_message(cases.denied), "the deny assignment deny-1 on the resource group rg-ml forbids it")
}

test_that_it_can_be_accepted_is_told_where_the_subnets_suffice if {
	message := _message(cases.narrower_and_strict)
	contains(message, "is granted only on the VNet vnet, and a grant there does not reach up. It may join and read")
	contains(message, "declare `role_scope: least_privilege`")
	not contains(_message(cases.strict_and_subnets_unknown), "least_privilege")
	not contains(_message(cases.on_the_clusters_group), "least_privilege")
}

test_least_privilege_is_noted if {
	notes := policy.notes with input as cases.least_privilege.document
	notes == {{
		"code": "least_privilege",
		"message": concat(" ", [
			"the cluster's identity 44444444-4444-4444-4444-444444444444 is not shown to hold Network Contributor",
			"on the resource group rg-ml; it may join and read its subnets there,",
			"which the declared `role_scope: least_privilege` accepts",
		]),
	}}
	every case in [
		cases.on_the_group,
		cases.held_though_less_is_accepted,
		cases.narrower_and_strict,
		cases.vnet_of_aks_with_rights,
		cases.vnet_of_aks_and_able,
	] {
		others := policy.notes with input as case.document
		others == set()
	}
}

test_the_rights_notes_are_copied if {
	notes := policy.notes with input as cases.contributor_above.document
	{note.code | some note in notes} == {"other_role_suffices"}
}

test_the_reasons_are_those_of_what_decides if {
	_codes(cases.demand_hidden) == {"not_asked"}
	_codes(cases.accepted_and_subnets_unknown) == {"denied"}
	_codes(cases.accepted_and_subnets_hidden) == {"truncated"}
}
