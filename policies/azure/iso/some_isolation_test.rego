package azure.iso.some_isolation_test

import data.azure.iso.some_isolation as policy
import data.mlfence.testing

# Lists that only evidence reads.
_empty := [
	"router.frontends.value",
	"router.frontends.value[].ports",
	"router.public_frontends",
	"router.public_frontends[].ports",
]

# The attachment with facts of its cluster and router replaced.
_with(cluster, router) := testing.changed(testing.aks_compute, {"cluster": cluster, "router": router})

_public_cluster := {
	"private": {"value": false},
	"public_fqdn": {"value": true},
	"fqdn": "aks-1.hcp.eastus2.azmk8s.io",
}

_public_router := {
	"declared": {"value": "public_load_balancer"},
	"frontends": {"value": [testing.internal_frontend, testing.public_frontend]},
	"public_frontends": [testing.public_frontend],
	"private": {"value": false},
	"balancer_subnets": {"value": []},
}

_unread_router := {
	"declared": testing.unknown("not_told"),
	"frontends": testing.unknown("denied"),
	"private": testing.unknown("denied"),
	"balancer_subnets": testing.unknown("denied"),
}

_neither := _with(_public_cluster, _public_router)

_expecting(scoring, control_plane) := testing.changed(_neither, {"expectations": {
	"scoring": scoring,
	"control_plane": control_plane,
}})

cases := {
	"both": {
		"note": "the API server and scoring are private",
		"want": "pass",
		"may_be_empty": _empty,
		"document": testing.aks_compute,
	},
	"internal_load_balancer": {
		"note": "an internal load balancer and a public API server; authorized ranges would add nothing",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with(_public_cluster, {}),
	},
	"private_cluster": {
		"note": "a private API server and public scoring",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with({}, _public_router),
	},
	"private_cluster_and_unread_router": {
		"note": "a private API server is enough, whatever the load balancer is",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with({}, _unread_router),
	},
	"unread_cluster_and_private_router": {
		"note": "private scoring is enough, whatever the API server is",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with({"private": testing.unknown("denied")}, {}),
	},
	"no_load_balancer": {
		"note": "a router that is reached inside the cluster only is not public",
		"want": "pass",
		"may_be_empty": _empty,
		"document": _with(_public_cluster, {
			"declared": {"value": "no_load_balancer"},
			"addresses": {"value": []},
			"frontends": {"value": []},
			"balancer_subnets": {"value": []},
		}),
	},
	"neither": {
		"note": "the API server and scoring are public",
		"want": "fail",
		"keys": ["isolation"],
		"document": _neither,
	},
	"neither_and_nothing_served": {
		"note": "a public load balancer is declared and serves nothing yet; no name was told",
		"want": "fail",
		"keys": ["isolation"],
		"document": testing.changed(_neither, {
			"cluster": {"fqdn": null, "id": testing.unknown("not_told")},
			"router": {"frontends": {"value": []}, "public_frontends": []},
		}),
	},
	"neither_and_declaration_unread": {
		"note": "public frontends serve scoring, whatever is declared",
		"want": "fail",
		"keys": ["isolation"],
		"document": testing.changed(_neither, {"router": {"declared": testing.unknown("not_told")}}),
	},
	"neither_but_control_plane_demanded": {
		"note": "scoring may be public, but the control plane must be private",
		"want": "fail",
		"keys": ["isolation"],
		"document": _expecting("any", "private"),
	},
	"neither_but_scoring_demanded": {
		"note": "the control plane may be public, but scoring must be private",
		"want": "fail",
		"keys": ["isolation"],
		"document": _expecting("private", "any"),
	},
	"neither_while_changing": {
		"note": "a definite violation stands while something is being changed",
		"want": "fail",
		"keys": ["isolation"],
		"document": testing.changed(_neither, {"unsettled": [testing.transition]}),
	},
	"public_cluster_and_unread_router": {
		"note": "the API server is public, and how scoring is reached is not known",
		"want": "unknown",
		"document": _with(_public_cluster, _unread_router),
	},
	"unread_cluster_and_public_router": {
		"note": "scoring is public, and whether the API server is private is not known",
		"want": "unknown",
		"document": _with({"private": testing.unknown("not_told")}, _public_router),
	},
	"nothing_read": {
		"note": "neither is known",
		"want": "unknown",
		"document": _with({"private": testing.unknown("not_told")}, _unread_router),
	},
	"changing": {
		"note": "no pass while something is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {"unsettled": [testing.transition]}),
	},
	"nothing_demanded": {
		"note": "declared that scoring may be public, and nothing of the control plane",
		"want": "not_applicable",
		"document": _expecting("any", null),
	},
	"nothing_demanded_and_nothing_read": {
		"note": "nothing is demanded, whatever could not be read or is being changed",
		"want": "not_applicable",
		"document": testing.changed(_expecting("any", null), {
			"cluster": {"private": testing.unknown("not_told")},
			"router": _unread_router,
			"unsettled": [testing.transition],
		}),
	},
	"nothing_demanded_and_private": {
		"note": "nothing is demanded; what isolates is not even noted",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_compute, {"expectations": {"scoring": "any", "control_plane": "any"}}),
	},
	"anything_goes": {
		"note": "declared that both may be public",
		"want": "not_applicable",
		"document": _expecting("any", "any"),
	},
}

_codes(case) := {note.code | some note in notes} if notes := policy.notes with input as case.document

_violation(case) := violation if {
	violations := policy.violations with input as case.document
	some violation in violations
}

test_message_and_evidence_name_what_is_public if {
	violation := _violation(cases.neither)
	violation.resource == testing.cluster_id
	violation.message == concat(" ", [
		"nothing isolates the cluster aks: its API server is public (aks-1.hcp.eastus2.azmk8s.io),",
		"and scoring goes through a public load balancer at 20.0.0.100",
	])
	violation.evidence == {
		"cluster": testing.cluster_id,
		"fqdn": "aks-1.hcp.eastus2.azmk8s.io",
		"declared": "public_load_balancer",
		"frontends": [concat("/", [testing.public_frontend.load_balancer, "a1234"])],
		"public_addresses": ["20.0.0.100"],
	}
}

test_message_does_without_name_and_address if {
	violation := _violation(cases.neither_and_nothing_served)
	violation.resource == null
	violation.message == concat(" ", [
		"nothing isolates the cluster aks: its API server is public,",
		"and scoring goes through a public load balancer",
	])
}

test_what_isolates_is_noted if {
	_codes(cases.both) == {"private_control_plane", "private_scoring"}
	_codes(cases.private_cluster) == {"private_control_plane"}
	_codes(cases.no_load_balancer) == {"private_scoring"}
	_codes(cases.nothing_demanded) == {"not_demanded"}
	_codes(cases.nothing_demanded_and_private) == {"not_demanded"}
}

test_each_reason_is_told if {
	undecided := policy.undecided with input as cases.nothing_read.document
	{reason.code | some reason in undecided} == {"not_told", "denied"}
}
