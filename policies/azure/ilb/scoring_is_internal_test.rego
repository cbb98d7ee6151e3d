package azure.ilb.scoring_is_internal_test

import data.azure.ilb.scoring_is_internal as policy
import data.mlfence.testing

# The healthy compute with facts of the router replaced.
_router(changes) := testing.changed(testing.aks_compute, {"router": changes})

_public := {
	"declared": {"value": "public_load_balancer"},
	"addresses": {"value": ["20.0.0.100"]},
	"frontends": {"value": [testing.public_frontend]},
	"public_frontends": [testing.public_frontend],
	"private": {"value": false},
}

# A public frontend whose address could not be read.
_unread := object.union(object.remove(testing.public_frontend, ["address"]), {"address": testing.unknown("denied")})

_none := {
	"declared": {"value": "no_load_balancer"},
	"addresses": {"value": []},
	"frontends": {"value": []},
	"private": {"value": true},
}

_may_be_empty := [
	"router.addresses.value",
	"router.frontends.value",
	"router.frontends.value[].ports",
]

cases := {
	"internal": {
		"note": "declared internal, and an internal frontend serves; the public one for outbound traffic alone does not",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": testing.aks_compute,
	},
	"attached_and_public": {
		"note": "an attached cluster that nobody updated, with a public scoring address",
		"want": "fail",
		"keys": ["scoring"],
		"document": _router(_public),
	},
	"declared_internal_but_public": {
		"note": "an internal load balancer is declared, but a public frontend serves",
		"want": "fail",
		"keys": ["scoring"],
		"document": _router(object.union(object.remove(_public, ["declared"]), {"declared": {"value": "internal_load_balancer"}})),
	},
	"one_of_two_frontends": {
		"note": "a second frontend is public",
		"want": "fail",
		"keys": ["scoring"],
		"document": _router({
			"frontends": {"value": [testing.internal_frontend, testing.public_frontend]},
			"public_frontends": [testing.public_frontend],
			"private": {"value": false},
		}),
	},
	"public_address_unreadable": {
		"note": "a public frontend serves, whose address could not be read, and what is declared is not known",
		"want": "fail",
		"keys": ["scoring"],
		"document": _router({
			"declared": testing.unknown("denied"),
			"frontends": {"value": [_unread]},
			"public_frontends": [_unread],
			"private": {"value": false},
		}),
	},
	"declared_public": {
		"note": "a public load balancer is declared, which is the default, and nothing serves yet",
		"want": "fail",
		"keys": ["scoring"],
		"document": _router({
			"declared": {"value": "public_load_balancer"},
			"addresses": {"value": []},
			"frontends": {"value": []},
			"private": {"value": false},
		}),
	},
	"frontends_unreadable_but_public": {
		"note": "the frontends do not matter where a public address is recorded",
		"want": "fail",
		"keys": ["scoring"],
		"document": _router({
			"declared": {"value": "public_load_balancer"},
			"addresses": {"value": ["20.0.0.100"]},
			"frontends": testing.unknown("not_found"),
			"private": {"value": false},
		}),
	},
	"public_beside_a_stale_record": {
		"note": "one recorded address is served by nobody, the other by a public frontend",
		"want": "fail",
		"keys": ["scoring"],
		"document": _router({
			"declared": {"value": "public_load_balancer"},
			"addresses": {"value": ["20.0.0.100", "20.0.0.99"]},
			"frontends": testing.unknown("not_found"),
			"public_frontends": [testing.public_frontend],
			"private": {"value": false},
		}),
	},
	"public_while_changing": {
		"note": "a definite violation stands while something is being changed",
		"want": "fail",
		"keys": ["scoring"],
		"document": object.union(_router(_public), {"unsettled": [testing.transition]}),
	},
	"drift": {
		"note": "declared public, but an internal frontend serves",
		"want": "unknown",
		"document": _router({
			"declared": {"value": "public_load_balancer"},
			"private": testing.unknown("contradiction"),
		}),
	},
	"unreadable": {
		"note": "the load balancers could not be read",
		"want": "unknown",
		"document": _router({"frontends": testing.unknown("denied"), "private": testing.unknown("denied")}),
	},
	"undeclared_service": {
		"note": "what the extension declares is not known",
		"want": "unknown",
		"document": _router({"declared": testing.unknown("not_told")}),
	},
	"no_balancer_perhaps_public": {
		"note": "the router has no load balancer of its own, but a public one leads into the cluster",
		"want": "unknown",
		"document": _router(object.union(object.remove(_none, ["private"]), {"private": testing.unknown("undecidable")})),
	},
	"demand_unknown": {
		"note": "whether scoring must be private is not known, as the workspace's endpoints could not be read",
		"want": "unknown",
		"document": _router(object.union(_public, {"private_demanded": testing.unknown("denied")})),
	},
	"changing": {
		"note": "no pass while something is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {"unsettled": [testing.transition]}),
	},
	"not_demanded": {
		"note": "scoring may be public",
		"want": "not_applicable",
		"document": _router(object.union(_public, {"private_demanded": {"value": false}})),
	},
	"no_balancer": {
		"note": "a node port or an address inside the cluster, and nothing public",
		"want": "not_applicable",
		"document": _router(_none),
	},
}

_violation(case) := violation if {
	violations := policy.violations with input as case.document
	some violation in violations
}

_notes(case) := {note.code | some note in notes} if notes := policy.notes with input as case.document

test_the_public_frontend_is_named if {
	violation := _violation(cases.attached_and_public)
	violation.resource == testing.public_frontend.load_balancer
	contains(violation.message, "frontend a1234 of the load balancer kubernetes (20.0.0.100)")
	violation.evidence.declared == "public_load_balancer"
	violation.evidence.addresses == ["20.0.0.100"]
	violation.evidence.frontends == [{
		"load_balancer": testing.public_frontend.load_balancer,
		"name": "a1234",
		"address": "20.0.0.100",
		"public": true,
	}]
	violation.evidence.cluster == testing.cluster_id
}

test_internal_frontends_are_not_blamed if {
	violation := _violation(cases.one_of_two_frontends)
	violation.resource == testing.public_frontend.load_balancer
	not contains(violation.message, "kubernetes-internal")
	count(violation.evidence.frontends) == 2
}

test_without_an_address_the_name_stands if {
	contains(_violation(cases.public_address_unreadable).message, "load balancer kubernetes serves it")
}

test_a_declaration_is_blamed_where_nothing_serves if {
	violation := _violation(cases.declared_public)
	contains(violation.message, "a public load balancer is declared")
	violation.resource == testing.aks_compute.compute.id
}

test_notes if {
	_notes(cases.internal) == set()
	_notes(cases.not_demanded) == {"not_demanded"}
	_notes(cases.no_balancer) == {"no_load_balancer"}
}
