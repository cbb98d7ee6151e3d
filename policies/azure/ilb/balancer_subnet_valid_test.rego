package azure.ilb.balancer_subnet_valid_test

import data.azure.ilb.balancer_subnet_valid as policy
import data.mlfence.testing

_healthy := testing.balancer_subnet

_id := _healthy.subnet.id

# The healthy compute with facts of the router replaced.
_router(changes) := testing.changed(testing.aks_compute, {"router": changes})

_entry(changes) := object.union(object.remove(_healthy, object.keys(changes)), changes)

# The compute whose load balancer is in these subnets.
_in(entries) := _router({"balancer_subnets": {"value": entries}})

_other := _entry({"subnet": testing.subnet(testing.home, "balancer", [])})

# Only the declaration names the subnet.
_declared(free) := _entry({"address": {"value": null}, "free_addresses": free})

_nothing_serves := {"addresses": {"value": []}, "frontends": {"value": []}}

_subnet(changes) := object.union(object.remove(_healthy.subnet, object.keys(changes)), changes)

_key(problem) := concat(" ", [_id, problem])

_may_be_empty := [
	"cluster.node_subnets.value",
	"cluster.node_subnets.value[].delegations.value",
	"router.balancer_subnets.value[].subnet.delegations.value",
	"router.frontends.value",
	"router.frontends.value[].ports",
]

cases := {
	"node_subnet": {
		"note": "the subnet of the nodes",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": testing.aks_compute,
	},
	"other_subnet": {
		"note": "another subnet of the cluster's VNet",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _in([_other]),
	},
	"declared_and_free": {
		"note": "only declared, and addresses are free",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _router(object.union(_nothing_serves, {"balancer_subnets": {"value": [_declared({"value": 1})]}})),
	},
	"served_from_a_full_subnet": {
		"note": "a load balancer that has its address needs no free one",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _in([_entry({"free_addresses": testing.unknown("denied")})]),
	},
	"served_without_a_declaration": {
		"note": "an internal frontend serves, whatever is declared",
		"want": "pass",
		# Then the frontend alone tells that there is one.
		"may_be_empty": _may_be_empty,
		"document": _router({"declared": testing.unknown("not_told")}),
	},
	"missing": {
		"note": "the cluster's VNet has no subnet of the declared name",
		"want": "fail",
		"keys": [_key("missing")],
		"document": _router(object.union(_nothing_serves, {"balancer_subnets": {"value": [_entry({
			"subnet": _subnet({"delegations": testing.unknown("not_found"), "settled": testing.unknown("not_found")}),
			"exists": {"value": false},
			"address": {"value": null},
			"free_addresses": testing.unknown("not_found"),
		})]}})),
	},
	"peered_vnet": {
		"note": "the subnet lies in a peered VNet",
		"want": "fail",
		"keys": [_key("other_vnet")],
		"document": _in([_entry({"in_cluster_vnet": {"value": false}})]),
	},
	"delegated": {
		"note": "the subnet is delegated",
		"want": "fail",
		"keys": [_key("delegated")],
		"document": _in([_entry({"subnet": _subnet({"delegations": {"value": [testing.aci_delegation]}})})]),
	},
	"reserved_address": {
		"note": "the address is the .1 that Azure keeps for itself",
		"want": "fail",
		"keys": [_key("address")],
		"document": _in([_entry({"address": {"value": "10.0.0.1"}, "address_fits": {"value": false}})]),
	},
	"service_address": {
		"note": "the address lies in the service range",
		"want": "fail",
		"keys": [_key("service_cidr")],
		"document": _in([_entry({"address_in_service_cidr": {"value": true}})]),
	},
	"exhausted": {
		"note": "only declared, and no address is free",
		"want": "fail",
		"keys": [_key("exhausted")],
		"document": _in([_declared({"value": 0})]),
	},
	"two_frontends_of_one_subnet": {
		"note": "two frontends' addresses in one subnet are one violation",
		"want": "fail",
		"keys": [_key("address")],
		"document": _in([
			_healthy,
			_entry({"address": {"value": "10.9.0.4"}, "address_fits": {"value": false}}),
			_entry({"address": {"value": "10.0.0.1"}, "address_fits": {"value": false}}),
		]),
	},
	"one_of_two_subnets": {
		"note": "a definite violation stands beside an unknown",
		"want": "fail",
		"keys": [_key("other_vnet")],
		"document": _in([
			object.union(object.remove(_other, ["exists"]), {"exists": testing.unknown("denied")}),
			_entry({"in_cluster_vnet": {"value": false}}),
		]),
	},
	"fails_while_changing": {
		"note": "a definite violation stands while something is being changed",
		"want": "fail",
		"keys": [_key("other_vnet")],
		"document": object.union(_in([_entry({"in_cluster_vnet": {"value": false}})]), {"unsettled": [testing.transition]}),
	},
	"unreadable": {
		"note": "the subnet could not be read",
		"want": "unknown",
		"document": _in([_entry({
			"exists": testing.unknown("denied"),
			"subnet": _subnet({"delegations": testing.unknown("denied"), "settled": testing.unknown("denied")}),
		})]),
	},
	"one_of_two_unreadable": {
		"note": "the VNet of one of two subnets could not be read",
		"want": "unknown",
		"document": _in([_healthy, object.union(object.remove(_other, ["exists"]), {"exists": testing.unknown("denied")})]),
	},
	"subnets_unreadable": {
		"note": "the load balancers could not be read",
		"want": "unknown",
		"document": _router({"balancer_subnets": testing.unknown("denied")}),
	},
	"free_addresses_unknown": {
		"note": "only declared, and how many addresses are free is not known",
		"want": "unknown",
		"document": _in([_declared(testing.unknown("partial_rights"))]),
	},
	"no_subnet_told": {
		"note": "an internal load balancer is declared without a subnet, and none serves yet",
		"want": "unknown",
		"document": _router(object.union(_nothing_serves, {"balancer_subnets": {"value": []}})),
	},
	"subnet_changing": {
		"note": "the subnet or its VNet is being changed",
		"want": "unknown",
		"document": _in([_entry({"subnet": _subnet({"settled": testing.unknown("transitional")})})]),
	},
	"balancer_changing": {
		"note": "no pass while a load balancer is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {"router": {"settled": testing.unknown("transitional")}}),
	},
	"changing": {
		"note": "no pass while something is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {"unsettled": [testing.transition]}),
	},
	"kind_unknown": {
		"note": "neither the declaration nor the frontends tell whether the load balancer is internal",
		"want": "unknown",
		"document": _router({
			"declared": testing.unknown("denied"),
			"frontends": testing.unknown("denied"),
			"balancer_subnets": testing.unknown("denied"),
		}),
	},
	"declared_public_frontends_unreadable": {
		"note": "a public load balancer is declared, but what serves could not be read",
		"want": "unknown",
		"document": _router({
			"declared": {"value": "public_load_balancer"},
			"frontends": testing.unknown("denied"),
			"balancer_subnets": testing.unknown("denied"),
		}),
	},
	"public": {
		"note": "a public load balancer is declared and serves",
		"want": "not_applicable",
		"document": _router({
			"declared": {"value": "public_load_balancer"},
			"frontends": {"value": [testing.public_frontend]},
			"balancer_subnets": {"value": []},
		}),
	},
	"no_balancer": {
		"note": "the router has no load balancer",
		"want": "not_applicable",
		"document": _router({
			"declared": {"value": "no_load_balancer"},
			"frontends": {"value": []},
			"balancer_subnets": {"value": []},
		}),
	},
}

_violation(case) := violation if {
	violations := policy.violations with input as case.document
	some violation in violations
}

test_evidence_holds_subnet_and_vnet if {
	violation := _violation(cases.peered_vnet)
	violation.resource == _id
	violation.evidence.subnet == _id
	violation.evidence.vnet == testing.home.id
	endswith(violation.message, "subnet nodes of the VNet vnet lies in a VNet in which the cluster does not live")
}

test_addresses_are_named if {
	violation := _violation(cases.two_frontends_of_one_subnet)
	violation.evidence.addresses == ["10.0.0.1", "10.9.0.4"]
	endswith(violation.message, ": 10.0.0.1, 10.9.0.4")
}

test_delegations_are_named if {
	violation := _violation(cases.delegated)
	violation.evidence.delegated_to == ["microsoft.containerinstance/containergroups"]
	endswith(violation.message, "is delegated to microsoft.containerinstance/containergroups")
}

test_another_subnet_is_noted if {
	notes := policy.notes with input as cases.other_subnet.document
	{note.code | some note in notes} == {"other_subnet"}
}

test_the_nodes_subnet_is_not_noted if {
	notes := policy.notes with input as cases.node_subnet.document
	notes == set()
}
