package azure.nsg.restricted_outbound_reaches_registry_test

import data.azure.nsg.restricted_outbound_reaches_registry as policy
import data.mlfence.testing

_no_internet := testing.flow("deny", "deny-internet")

_acr := testing.registry_reach.registry

_registry(changes) := object.union(
	object.remove(testing.registry_reach, object.keys(changes)),
	changes,
)

_no_endpoint := {"endpoint_in_reach": {"value": false}}

_lost := _registry({"by_address": testing.flow("deny", "deny-internet"), "endpoint_in_reach": {"value": false}})

_other := object.union(
	object.remove(_registry(_no_endpoint), ["registry", "name"]),
	{"registry": "/subscriptions/x/registries/other", "name": "other"},
)

# The subnet with a part of the internet denied, these registries and these answers beside.
_restricted(registries, flows) := testing.changed(testing.hosting_subnet, {
	"flows": object.union(
		object.remove({"default_internet_outbound": testing.flow("partial", "deny-internet")}, object.keys(flows)),
		flows,
	),
	"subnet": {"registries": {"value": registries}},
})

_subnet(changes) := testing.changed(_restricted([_registry({})], {}), {"subnet": changes})

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
	"subnet.registries.value[].workspaces",
	"subnet.registries.value[].by_address.decided_by",
	"subnet.registries.value[].by_address.security_groups",
	"subnet.registries.value[].by_address.stopped_by",
	"subnet.registries.value[].by_endpoint.decided_by",
	"subnet.registries.value[].by_endpoint.security_groups",
	"subnet.registries.value[].by_endpoint.stopped_by",
]

cases := {
	"tag_allowed": {
		"note": "the internet is denied at 4000, the registry's tag is allowed at 200",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _restricted([_registry(_no_endpoint)], {}),
	},
	"both_ways": {
		"note": "the registry is reached by its address and by a private endpoint",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _restricted([_registry({})], {}),
	},
	"endpoint_alone": {
		"note": "no tag is allowed, but a private endpoint is in reach and the VNet is allowed",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _restricted([_registry({"by_address": _no_internet})], {}),
	},
	"endpoint_of_a_replicated_registry": {
		"note": "which replica serves does not matter to a private endpoint",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _restricted([_registry({"geo_replicated": {"value": true}})], {}),
	},
	"endpoint_stopped": {
		"note": "the tag is allowed; the private endpoint in reach, to which the name may lead, is not",
		"want": "unknown",
		"document": _restricted([_registry({"by_endpoint": testing.flow("deny", "deny-vnet")})], {}),
	},
	"perhaps_replicated": {
		"note": "the tag is allowed, and the registry may have replicas",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _restricted([_registry({
			"geo_replicated": testing.unknown("not_told"),
			"endpoint_in_reach": {"value": false},
		})], {}),
	},
	"no_way": {
		"note": "the tag of another region is allowed, or only UDP or port 80: the registry's own is stopped",
		"want": "fail",
		"keys": [_acr],
		"document": _restricted([_lost], {}),
	},
	"part_of_the_tag": {
		"note": "a deny of a lower number covers a part of the tag",
		"want": "fail",
		"keys": [_acr],
		"document": _restricted([_registry({
			"by_address": testing.flow("partial", "deny-range"),
			"endpoint_in_reach": {"value": false},
		})], {}),
	},
	"everything_denied": {
		"note": "a private endpoint is in reach, but everything is denied",
		"want": "fail",
		"keys": [_acr],
		"document": _restricted([_registry({
			"by_address": testing.flow("deny", "deny-all"),
			"by_endpoint": testing.flow("deny", "deny-all"),
		})], {"default_vnet_outbound": testing.flow("deny", "deny-all")}),
	},
	"replicated_and_everything_denied": {
		"note": "the registry has replicas, but nothing on the internet is reached",
		"want": "fail",
		"keys": [_acr],
		"document": _restricted(
			[object.union(object.remove(_lost, ["geo_replicated"]), {"geo_replicated": {"value": true}})],
			{"default_internet_outbound": _no_internet},
		),
	},
	"region_not_told": {
		"note": "stopped, whatever the region is",
		"want": "fail",
		"keys": [_acr],
		"document": _restricted(
			[object.union(object.remove(_lost, ["region"]), {"region": testing.unknown("not_told")})],
			{},
		),
	},
	"one_of_two": {
		"note": "one of two registries is not reached",
		"want": "fail",
		"keys": [_acr],
		"document": _restricted([_other, _lost], {}),
	},
	"lost_beside_unknown": {
		"note": "a definite violation stands beside an unknown",
		"want": "fail",
		"keys": [_acr],
		"document": _restricted([
			object.union(object.remove(_other, ["by_address"]), {"by_address": testing.open_flow("denied")}),
			_lost,
		], {"default_vnet_outbound": testing.open_flow("denied")}),
	},
	"fails_while_changing": {
		"note": "a definite violation stands while something is being changed",
		"want": "fail",
		"keys": [_acr],
		"document": object.union(_restricted([_lost], {}), {"unsettled": [testing.transition]}),
	},
	"explicit_prefix": {
		"note": "the allow is by prefixes that no tag snapshot proves to be the registry's",
		"want": "unknown",
		"document": _restricted([_registry({
			"by_address": testing.open_flow("unproven"),
			"endpoint_in_reach": {"value": false},
		})], {}),
	},
	"replicated": {
		"note": "the registry's region is allowed, but another replica may serve",
		"want": "unknown",
		"document": _restricted([_registry({
			"geo_replicated": {"value": true},
			"endpoint_in_reach": {"value": false},
		})], {}),
	},
	"replicated_and_its_region_denied": {
		"note": "the registry's region is denied, but another replica may be allowed and serve",
		"want": "unknown",
		"document": _restricted(
			[object.union(object.remove(_lost, ["geo_replicated"]), {"geo_replicated": {"value": true}})],
			{},
		),
	},
	"endpoint_unreadable": {
		"note": "the tag is stopped, and whether an endpoint is in reach is not known",
		"want": "unknown",
		"document": _restricted([_registry({
			"by_address": _no_internet,
			"endpoint_in_reach": testing.unknown("denied"),
		})], {}),
	},
	"way_to_the_endpoint_open": {
		"note": "the tag is stopped, and whether the VNet is allowed could not be judged",
		"want": "unknown",
		"document": _restricted(
			[_registry({"by_address": _no_internet, "by_endpoint": testing.open_flow("denied")})],
			{"vnet_https_outbound": testing.open_flow("denied")},
		),
	},
	"endpoint_somewhere": {
		"note": "the tag is allowed, and so is the whole VNet; where the registry's endpoints lie is not known",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _restricted([_registry({"endpoint_in_reach": testing.unknown("denied")})], {}),
	},
	"endpoint_in_the_stopped_part": {
		"note": "the tag is stopped, and so is a part of the endpoint's subnet",
		"want": "unknown",
		"document": _restricted([_registry({"by_address": _no_internet, "by_endpoint": testing.flow("partial", "deny-range")})], {}),
	},
	"registries_unreadable": {
		"note": "restricted, and the registries are not known",
		"want": "unknown",
		"document": _subnet({"registries": testing.unknown("denied")}),
	},
	"restriction_open": {
		"note": "whether outbound traffic is restricted could not be judged",
		"want": "unknown",
		"document": _restricted([_lost], {"default_internet_outbound": testing.open_flow("denied")}),
	},
	"group_unreadable": {
		"note": "whether a group is on the way is not known",
		"want": "unknown",
		"document": _subnet({"guarded": testing.unknown("denied")}),
	},
	"perhaps_nobodys": {
		"note": "only a sign hints that something of Azure Machine Learning's lives in it",
		"want": "unknown",
		"document": _subnet({"hosts_inference": testing.unknown("ownership_unproven"), "registries": {"value": [_lost]}}),
	},
	"subnet_changing": {
		"note": "the subnet or its VNet is being changed",
		"want": "unknown",
		"document": _subnet({"subnet": object.union(
			object.remove(testing.node_subnet, ["settled"]),
			{"settled": testing.unknown("transitional")},
		)}),
	},
	"changing": {
		"note": "no pass while something is being changed",
		"want": "unknown",
		"document": object.union(_restricted([_registry({})], {}), {"unsettled": [testing.transition]}),
	},
	"kept": {
		"note": "the default rules are in effect",
		"want": "not_applicable",
		"document": testing.hosting_subnet,
	},
	"unguarded": {
		"note": "no group is on the way",
		"want": "not_applicable",
		"document": _subnet({"guarded": {"value": false}, "security_groups": {"value": []}}),
	},
	"no_registry": {
		"note": "no workspace in the subnet has a registry",
		"want": "not_applicable",
		"document": _restricted([], {}),
	},
}

_violation(case) := violation if {
	violations := policy.violations with input as case.document
	some violation in violations
}

_notes(case) := {note.code | some note in notes} if notes := policy.notes with input as case.document

test_evidence_names_tag_and_rules if {
	violation := _violation(cases.no_way)
	violation.resource == _acr
	violation.evidence.tag == "AzureContainerRegistry.eastus2"
	violation.evidence.registry == _acr
	violation.evidence.decided_by == ["subnet:deny-internet"]
	violation.evidence.nsg == testing.nsg_id
	violation.evidence.workspaces == [testing.workspace_id]
	violation.evidence.endpoint_in_reach == false
	contains(violation.message, "registry acr")
	contains(violation.message, "AzureContainerRegistry.eastus2")
	contains(violation.message, "subnet:deny-internet")
	contains(violation.message, "no private endpoint")
}

test_a_stopped_endpoint_is_told if {
	contains(_violation(cases.everything_denied).message, "so are those to its private endpoint")
}

test_without_a_region_the_tag_of_all_is_named if {
	_violation(cases.region_not_told).evidence.tag == "AzureContainerRegistry"
}

test_layers_are_noted_where_the_address_serves if {
	_notes(cases.tag_allowed) == {"layers_in_storage"}
	_notes(cases.both_ways) == {"layers_in_storage"}
}

test_the_endpoint_alone_is_noted if {
	_notes(cases.endpoint_alone) == {"by_endpoint"}
	_notes(cases.endpoint_of_a_replicated_registry) == {"by_endpoint"}
}

test_unread_replicas_are_noted if _notes(cases.perhaps_replicated) == {"layers_in_storage", "replicas_not_read"}

test_where_nothing_is_proven_nothing_is_noted if _notes(cases.replicated) == set()
