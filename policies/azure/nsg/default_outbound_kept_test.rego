package azure.nsg.default_outbound_kept_test

import data.azure.nsg.default_outbound_kept as policy
import data.mlfence.testing

_no_internet := testing.flow("deny", "deny-internet")

_registry(changes) := object.union(
	object.remove(testing.registry_reach, object.keys(changes)),
	changes,
)

_reached := _registry({"endpoint_in_reach": {"value": false}})

_lost := _registry({
	"by_address": _no_internet,
	"endpoint_in_reach": {"value": false},
})

# The subnet with these answers, and facts of it replaced.
_with(flows, subnet) := testing.changed(testing.hosting_subnet, {"flows": flows, "subnet": subnet})

_restricted(registries) := _with({"default_internet_outbound": _no_internet}, {"registries": {"value": registries}})

_settled(fact) := {"subnet": object.union(
	object.remove(testing.hosting_subnet.subnet.subnet, ["settled"]),
	{"settled": fact},
)}

# Who decides and who uses the subnet may be nobody; the subnet must not be delegated.
_may_be_empty := [
	"flows.default_internet_outbound.decided_by",
	"flows.default_internet_outbound.security_groups",
	"flows.default_internet_outbound.stopped_by",
	"flows.default_vnet_outbound.decided_by",
	"flows.default_vnet_outbound.security_groups",
	"flows.default_vnet_outbound.stopped_by",
	"flows.internet_https_outbound.decided_by",
	"flows.internet_https_outbound.security_groups",
	"flows.internet_https_outbound.stopped_by",
	"flows.registry_outbound.decided_by",
	"flows.registry_outbound.security_groups",
	"flows.registry_outbound.stopped_by",
	"flows.scoring_inbound.decided_by",
	"flows.scoring_inbound.security_groups",
	"flows.scoring_inbound.stopped_by",
	"flows.vnet_https_outbound.decided_by",
	"flows.vnet_https_outbound.security_groups",
	"flows.vnet_https_outbound.stopped_by",
	"subnet.used_by",
	"subnet.registries.value[].workspaces",
	"subnet.registries.value[].by_address.decided_by",
	"subnet.registries.value[].by_address.security_groups",
	"subnet.registries.value[].by_address.stopped_by",
	"subnet.registries.value[].by_endpoint.decided_by",
	"subnet.registries.value[].by_endpoint.security_groups",
	"subnet.registries.value[].by_endpoint.stopped_by",
]

cases := {
	"kept": {
		"note": "only allow rules",
		"want": "pass",
		# Where the default rules are in effect, the registry does not matter.
		"may_be_empty": array.concat(_may_be_empty, ["subnet.registries.value"]),
		"document": testing.hosting_subnet,
	},
	"kept_registries_unreadable": {
		"note": "where the default rules are in effect, the registry does not matter",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _with({}, {"registries": testing.unknown("denied")}),
	},
	"shadowed_deny": {
		"note": "an allow of everything stands before the deny of everything",
		"want": "pass",
		"may_be_empty": array.concat(_may_be_empty, ["subnet.registries.value"]),
		"document": _with({
			"default_internet_outbound": testing.flow("allow", "allow-all"),
			"default_vnet_outbound": testing.flow("allow", "allow-all"),
		}, {}),
	},
	"inbound_deny": {
		"note": "what is denied inbound does not matter",
		"want": "pass",
		"may_be_empty": array.concat(_may_be_empty, ["subnet.registries.value"]),
		"document": _with({"scoring_inbound": testing.flow("deny", "deny-all")}, {}),
	},
	"restricted_and_reached": {
		"note": "the internet is denied, the registry is allowed before",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _restricted([_reached]),
	},
	"restricted_and_reached_by_endpoint": {
		"note": "the internet is denied, the registry has a private endpoint in reach",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _restricted([_registry({"by_address": _no_internet})]),
	},
	"restricted_perhaps_replicated": {
		"note": "the registry is allowed, and may have replicas",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _restricted([object.union(
			object.remove(_reached, ["geo_replicated"]),
			{"geo_replicated": testing.unknown("not_told")},
		)]),
	},
	"internet_denied": {
		"note": "a deny of the internet at 4096, and no way to the registry",
		"want": "fail",
		"keys": ["internet"],
		"document": _restricted([_lost]),
	},
	"both_denied": {
		"note": "a deny of everything",
		"want": "fail",
		"keys": ["internet", "vnet"],
		"document": _with(
			{
				"default_internet_outbound": testing.flow("deny", "deny-all"),
				"default_vnet_outbound": testing.flow("deny", "deny-all"),
			},
			{"registries": {"value": [_registry({
				"by_address": testing.flow("deny", "deny-all"),
				"by_endpoint": testing.flow("deny", "deny-all"),
			})]}},
		),
	},
	"one_port_denied": {
		"note": "a deny of one port or one address is a part, here in the group of the nodes' interfaces alone",
		"want": "fail",
		"keys": ["vnet"],
		"document": _with(
			{"default_vnet_outbound": object.union(
				object.remove(testing.flow("partial", "x"), ["decided_by", "security_groups"]),
				{"decided_by": ["networkInterface:deny-ssh"], "security_groups": [testing.node_group_nsg]},
			)},
			{"registries": {"value": [_lost]}},
		),
	},
	"one_of_two_registries_lost": {
		"note": "one of two workspaces' registries is not reached",
		"want": "fail",
		"keys": ["internet"],
		"document": _restricted([_reached, object.union(
			object.remove(_lost, ["registry", "name"]),
			{"registry": "/subscriptions/x/registries/other", "name": "other"},
		)]),
	},
	"lost_beside_unknown": {
		"note": "one registry is not reached, of the other it is not known, and a default rule could not be judged",
		"want": "fail",
		"keys": ["internet"],
		"document": _with(
			{"default_internet_outbound": _no_internet, "default_vnet_outbound": testing.open_flow("denied")},
			{"registries": {"value": [_lost, object.union(
				object.remove(_registry({"by_address": testing.open_flow("denied"), "endpoint_in_reach": {"value": false}}), ["registry", "name"]),
				{"registry": "/subscriptions/x/registries/other", "name": "other"},
			)]}},
		),
	},
	"no_registry": {
		"note": "restricted, and no workspace in the subnet has a registry that would justify it",
		"want": "fail",
		"keys": ["internet"],
		"document": _restricted([]),
	},
	"replicated_and_everything_denied": {
		"note": "the registry has replicas, but nothing on the internet is reached",
		"want": "fail",
		"keys": ["internet"],
		"document": _restricted([object.union(
			object.remove(_lost, ["geo_replicated"]),
			{"geo_replicated": {"value": true}},
		)]),
	},
	"fails_while_changing": {
		"note": "a definite violation stands while something is being changed",
		"want": "fail",
		"keys": ["internet"],
		"document": object.union(_restricted([_lost]), {"unsettled": [testing.transition]}),
	},
	"replicated": {
		"note": "the registry's region is allowed, but another replica may serve",
		"want": "unknown",
		"document": _restricted([object.union(
			object.remove(_reached, ["geo_replicated"]),
			{"geo_replicated": {"value": true}},
		)]),
	},
	"replicated_and_its_region_denied": {
		"note": "the registry's region is denied, but another replica may be allowed and serve",
		"want": "unknown",
		"document": _with({"default_internet_outbound": testing.flow("partial", "deny-internet")}, {"registries": {"value": [object.union(
			object.remove(_lost, ["geo_replicated"]),
			{"geo_replicated": {"value": true}},
		)]}}),
	},
	"registries_unreadable": {
		"note": "restricted, and the registries are not known",
		"want": "unknown",
		"document": _with({"default_internet_outbound": _no_internet}, {"registries": testing.unknown("denied")}),
	},
	"address_open": {
		"note": "restricted, and the allow is by prefixes that no tag snapshot proves to be the registry's",
		"want": "unknown",
		"document": _restricted([_registry({"by_address": testing.open_flow("unproven"), "endpoint_in_reach": {"value": false}})]),
	},
	"endpoint_unreadable": {
		"note": "restricted, and whether an endpoint is in reach is not known",
		"want": "unknown",
		"document": _restricted([_registry({"by_address": _no_internet, "endpoint_in_reach": testing.unknown("denied")})]),
	},
	"endpoint_in_the_stopped_part": {
		"note": "an endpoint is in reach, but a part of the VNet is stopped",
		"want": "unknown",
		"document": _with(
			{"default_vnet_outbound": testing.flow("partial", "deny-range")},
			{"registries": {"value": [_registry({"by_address": _no_internet, "by_endpoint": testing.flow("partial", "deny-range")})]}},
		),
	},
	"open": {
		"note": "whether one of the default rules is in effect could not be judged",
		"want": "unknown",
		"document": _with({"default_vnet_outbound": testing.open_flow("denied")}, {}),
	},
	"group_unreadable": {
		"note": "whether a group is on the way is not known",
		"want": "unknown",
		"document": _with({}, {"guarded": testing.unknown("denied")}),
	},
	"perhaps_nobodys": {
		"note": "only a sign hints that something of Azure Machine Learning's lives in it",
		"want": "unknown",
		"document": _with(
			{"default_internet_outbound": _no_internet},
			{"hosts_inference": testing.unknown("ownership_unproven"), "registries": {"value": [_lost]}},
		),
	},
	"subnet_changing": {
		"note": "the subnet or its VNet is being changed",
		"want": "unknown",
		"document": _with({}, _settled(testing.unknown("transitional"))),
	},
	"changing": {
		"note": "no pass while something is being changed",
		"want": "unknown",
		"document": testing.changed(testing.hosting_subnet, {"unsettled": [testing.transition]}),
	},
	"restricted_and_changing": {
		"note": "no pass of a restriction while the subnet is being changed",
		"want": "unknown",
		"document": testing.changed(_restricted([_reached]), {"subnet": _settled(testing.unknown("transitional"))}),
	},
	"unguarded": {
		"note": "no group is on the way",
		"want": "not_applicable",
		"document": _with({}, {"guarded": {"value": false}, "security_groups": {"value": []}}),
	},
	"unguarded_of_perhaps_nobody": {
		"note": "no group is on the way, whoever lives there",
		"want": "not_applicable",
		"document": _with({}, {"guarded": {"value": false}, "hosts_inference": testing.unknown("ownership_unproven")}),
	},
}

_violation(case) := violation if {
	violations := policy.violations with input as case.document
	some violation in violations
}

_codes(reasons) := {reason.code | some reason in reasons}

test_finding_names_the_part if {
	violation := _violation(cases.internet_denied)
	violation.resource == testing.node_subnet.id
	violation.evidence.part == "internet"
	violation.evidence.decided_by == ["subnet:deny-internet"]
	violation.evidence.nsg == testing.nsg_id
	violation.evidence.registries == [testing.registry_reach.registry]
	contains(violation.message, "all packets to the internet")
	contains(violation.message, "AllowInternetOutBound")
	contains(violation.message, _no_internet.stopped)
	contains(violation.message, "registry acr is not reached")
}

test_a_part_is_some if {
	violation := _violation(cases.one_port_denied)
	startswith(violation.message, "some packets to the VNet")
	violation.evidence.security_groups == [testing.node_group_nsg]
}

test_without_a_registry_the_message_says_so if contains(_violation(cases.no_registry).message, "no registry is known")

test_a_restriction_is_noted if {
	notes := policy.notes with input as cases.restricted_and_reached.document
	_codes(notes) == {"restricted"}
	some note in notes
	contains(note.message, "not judged yet")
	contains(note.message, "to the internet")
	not contains(note.message, "to the VNet")
}

test_unread_replicas_are_noted if {
	notes := policy.notes with input as cases.restricted_perhaps_replicated.document
	_codes(notes) == {"restricted", "replicas_not_read"}
}

test_what_is_kept_is_not_noted if {
	notes := policy.notes with input as cases.kept.document
	notes == set()
}

test_what_is_undecidable_is_told if {
	replicated := policy.undecided with input as cases.replicated.document
	_codes(replicated) == {"undecidable"}
	part := policy.undecided with input as cases.endpoint_in_the_stopped_part.document
	_codes(part) == {"unproven"}
}
