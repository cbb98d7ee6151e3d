package azure.sco.scoring_address_of_cluster_test

import data.azure.sco.scoring_address_of_cluster as policy
import data.mlfence.testing

_other_cluster := "/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/rg-x/providers/microsoft.containerservice/managedclusters/aks-x"

_id(collection, name) := concat("/", [testing.workspace_id, collection, name])

# A deployment with facts replaced.
_record(changes) := object.union(
	object.remove(testing.scoring_record, object.keys(changes)),
	changes,
)

_named(collection, name, changes) := _record(object.union({"id": _id(collection, name), "name": name}, changes))

# The cluster with these deployments, and the addresses that they name.
_with(records, addresses) := testing.changed(testing.aks_cluster, {"scoring": {
	"records": testing.found(records),
	"addresses": addresses,
}})

_service := testing.scoring_record

_endpoint := _named("onlineendpoints", "chat", {})

_compute := _named("computes", "aks", {})

_stale := {"address": {"value": "10.0.0.99"}, "served_here": {"value": false}}

_elsewhere := object.union(_stale, {"served_by": [_other_cluster]})

_stale_service := _record(_stale)

_v6 := _named("onlineendpoints", "six", {"address": {"value": "fd00::64"}})

# What may be empty in the records of a pass.
_empty := ["scoring.records.found[].repeated_by", "scoring.records.found[].served_by"]

cases := {
	"one": {
		"note": "one deployment at the cluster's address",
		"want": "pass",
		"document": testing.aks_cluster,
	},
	"three_at_one_address": {
		"note": "three deployments at one address",
		"want": "pass",
		"document": _with([_service, _endpoint, _compute], ["10.0.0.100"]),
	},
	"dual_stack": {
		"note": "one address of each family",
		"want": "pass",
		"document": _with([_service, _v6], ["10.0.0.100", "fd00::64"]),
	},
	"repeated_elsewhere": {
		"note": "another cluster has the same private address in a VNet that is not connected",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with([_record({"repeated_by": [_other_cluster]})], ["10.0.0.100"]),
	},
	"stale": {
		"note": "the address from before a rebuild",
		"want": "fail",
		"keys": [_service.id],
		"document": _with([_stale_service], ["10.0.0.99"]),
	},
	"of_another_cluster": {
		"note": "another cluster serves the address",
		"want": "fail",
		"keys": [_endpoint.id],
		"document": _with([_named("onlineendpoints", "chat", _elsewhere)], ["10.0.0.99"]),
	},
	"computes_record_stale": {
		"note": "the compute records an address from before a rebuild",
		"want": "fail",
		"keys": [_compute.id],
		"document": _with([_named("computes", "aks", _stale)], ["10.0.0.99"]),
	},
	"one_of_two_stale": {
		"note": "one of two deployments is stale, so that they name two addresses",
		"want": "fail",
		"keys": [_service.id, "addresses"],
		"document": _with([_stale_service, _endpoint], ["10.0.0.100", "10.0.0.99"]),
	},
	"two_addresses": {
		"note": "two addresses of the cluster",
		"want": "fail",
		"keys": ["addresses"],
		"document": _with(
			[_service, _named("onlineendpoints", "chat", {"address": {"value": "20.0.0.100"}})],
			["10.0.0.100", "20.0.0.100"],
		),
	},
	"two_addresses_of_ip_version_6": {
		"note": "two addresses of the newer family beside one of the older",
		"want": "fail",
		"keys": ["addresses"],
		"document": _with(
			[_service, _v6, _named("computes", "aks", {"address": {"value": "fd00::65"}})],
			["10.0.0.100", "fd00::64", "fd00::65"],
		),
	},
	"stale_beside_an_unknown": {
		"note": "a definite violation stands beside a name that only DNS could resolve, and hidden deployments",
		"want": "fail",
		"keys": [_service.id],
		"document": testing.changed(testing.aks_cluster, {"scoring": {
			"records": testing.found([_stale_service, _named("onlineendpoints", "chat", {
				"address": testing.unknown("not_told"),
				"served_here": testing.unknown("not_told"),
			})]),
			"complete": testing.unknown("denied"),
			"addresses": ["10.0.0.99"],
		}}),
	},
	"stale_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": [_service.id],
		"document": testing.changed(_with([_stale_service], ["10.0.0.99"]), {"unsettled": [testing.transition]}),
	},
	"custom_domain": {
		"note": "a name that only DNS could resolve",
		"want": "unknown",
		"document": _with([_service, _named("onlineendpoints", "chat", {
			"address": testing.unknown("not_told"),
			"served_here": testing.unknown("not_told"),
		})], ["10.0.0.100"]),
	},
	"frontends_unreadable": {
		"note": "which addresses the cluster serves could not be read",
		"want": "unknown",
		"document": _with([_record({"served_here": testing.unknown("denied")})], ["10.0.0.100"]),
	},
	"served_twice": {
		"note": "the cluster and another one serve the very address",
		"want": "unknown",
		"document": _with([_record({"served_by": [_other_cluster]})], ["10.0.0.100"]),
	},
	"perhaps_more": {
		"note": "there may be more deployments than were seen",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"scoring": {"complete": testing.unknown("denied")}}),
	},
	"deployments_hidden": {
		"note": "no deployment was found in what could be read",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"scoring": {
			"records": testing.hidden,
			"complete": testing.unknown("denied"),
			"addresses": [],
		}}),
	},
	"router_unknown": {
		"note": "how the router is reached is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"scoring": {
			"balanced": testing.unknown("not_told"),
			"records": testing.found([_stale_service]),
			"addresses": ["10.0.0.99"],
		}}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"unsettled": [testing.transition]}),
	},
	"no_deployment": {
		"note": "nothing is deployed, however the router is reached",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {"scoring": {
			"balanced": testing.unknown("not_told"),
			"records": testing.nothing_found,
			"addresses": [],
		}}),
	},
	"no_load_balancer_whatever_is_named": {
		"note": "no load balancer serves the router, whatever is unknown, ambiguous, repeated or being changed",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"scoring": {
				"balanced": {"value": false},
				"records": testing.found([
					_record({"served_by": [_other_cluster], "repeated_by": [_other_cluster]}),
					_named("onlineendpoints", "chat", {"served_here": testing.unknown("denied")}),
				]),
				"addresses": ["10.0.0.100", "20.0.0.100"],
			},
			"unsettled": [testing.transition],
		}),
	},
	"surely_more": {
		"note": "there are more deployments than were seen",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"scoring": {"complete": {"value": false}}}),
	},
	"no_load_balancer": {
		"note": "no load balancer serves the router, whatever the deployments name",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {"scoring": {
			"balanced": {"value": false},
			"records": testing.found([_stale_service]),
			"complete": testing.unknown("denied"),
			"addresses": ["10.0.0.99"],
		}}),
	},
}

_violation(case, key) := violation if {
	violations := policy.violations with input as case.document
	some violation in violations
	violation.key == key
}

test_message_and_evidence_of_a_stale_address if {
	violation := _violation(cases.stale, _service.id)
	violation.resource == _service.id
	violation.message == concat(" ", [
		"the web service score names the address 10.0.0.99, which no load balancer of the cluster aks serves;",
		"it is stale, perhaps from before the load balancer was made anew",
	])
	violation.evidence == {
		"deployment": _service.id,
		"workspace": testing.workspace_id,
		"address": "10.0.0.99",
		"served_by": [],
	}
}

test_the_other_cluster_is_named if {
	violation := _violation(cases.of_another_cluster, _endpoint.id)
	startswith(violation.message, "the online endpoint chat names the address 10.0.0.99")
	endswith(violation.message, "it leads to the cluster aks-x")
	violation.evidence.served_by == [_other_cluster]
}

test_who_names_the_address_is_told if {
	violation := _violation(cases.computes_record_stale, _compute.id)
	startswith(violation.message, "the compute aks names the address 10.0.0.99")
}

test_nothing_is_ambiguous_where_this_cluster_does_not_serve if {
	undecided := policy.undecided with input as cases.of_another_cluster.document
	undecided == set()
}

test_several_addresses_are_listed if {
	violation := _violation(cases.two_addresses, "addresses")
	violation.resource == testing.cluster_id
	violation.message == "the deployments on the cluster aks name several addresses: 10.0.0.100, 20.0.0.100"
	violation.evidence == {
		"addresses": ["10.0.0.100", "20.0.0.100"],
		"named_by": [
			{"deployment": _service.id, "address": "10.0.0.100"},
			{"deployment": _endpoint.id, "address": "20.0.0.100"},
		],
		"workspace": testing.workspace_id,
	}
}

test_a_repeated_address_is_noted if {
	notes := policy.notes with input as cases.repeated_elsewhere.document
	{note.code | some note in notes} == {"address_repeated"}
	some note in notes
	startswith(note.message, "10.0.0.100 is also the address of aks-x, in a VNet")
	every case in [cases.three_at_one_address, cases.no_load_balancer_whatever_is_named] {
		others := policy.notes with input as case.document
		others == set()
	}
}

test_an_address_served_twice_is_ambiguous if {
	undecided := policy.undecided with input as cases.served_twice.document
	undecided == {{
		"code": "ambiguous",
		"message": "the address 10.0.0.100 that score names is served by this cluster and by aks-x",
	}}
}
