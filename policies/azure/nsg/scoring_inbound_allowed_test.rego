package azure.nsg.scoring_inbound_allowed_test

import data.azure.nsg.scoring_inbound_allowed as policy
import data.mlfence.testing

_callers := ["203.0.113.0/24"]

# What may be empty in a pass: who decides, and what a frontend serves besides.
_may_be_empty := [
	"flows.scoring_inbound.decided_by",
	"flows.scoring_inbound.security_groups",
	"flows.scoring_inbound.stopped_by",
	"router.frontends.value[].ports",
]

# The healthy compute with these callers, this answer, and facts of the router replaced.
_called(callers, answer, router) := testing.changed(testing.aks_compute, {
	"expectations": {"callers": callers},
	"flows": {"scoring_inbound": answer},
	"router": router,
})

_allowed := testing.flow("allow", "allow-scoring")

_denied := testing.flow("deny", "deny-all")

_public := {"frontends": {"value": [testing.public_frontend]}, "addresses": {"value": ["20.0.0.100"]}, "private": {"value": false}}

_closed := object.union(
	object.remove(_denied, ["decided_by", "security_groups", "stopped_by", "stopped"]),
	{"decided_by": ["no-nsg"], "security_groups": [], "stopped_by": [], "stopped": null},
)

cases := {
	"allowed": {
		"note": "a rule lets the callers in",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _called(_callers, _allowed, {}),
	},
	"allowed_at_a_public_frontend": {
		"note": "a rule lets the callers in to a public frontend",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _called(_callers, _allowed, _public),
	},
	"any_to_any": {
		"note": "only a rule for anything lets them in",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _called(_callers, object.union(_allowed, {"by_any_to_any": true}), {}),
	},
	"denied": {
		"note": "a deny of a lower number than the allow stops them",
		"want": "fail",
		"keys": ["scoring_inbound"],
		"document": _called(_callers, _denied, {}),
	},
	"denied_by_the_interface": {
		"note": "the subnet's group lets them in, the interface's does not",
		"want": "fail",
		"keys": ["scoring_inbound"],
		"document": _called(_callers, object.union(
			object.remove(_denied, ["decided_by", "security_groups", "stopped_by"]),
			{
				"decided_by": ["subnet:allow-scoring", "networkInterface:DenyAllInBound"],
				"security_groups": [testing.nsg_id, testing.node_group_nsg],
				"stopped_by": [{"security_group": testing.node_group_nsg, "name": "DenyAllInBound", "default": true}],
			},
		), {}),
	},
	"denied_by_two": {
		"note": "one caller is stopped by the subnet's group, the other by the interface's",
		"want": "fail",
		"keys": ["scoring_inbound"],
		"document": _called(_callers, object.union(
			object.remove(_denied, ["stopped_by"]),
			{"stopped_by": [
				{"security_group": testing.nsg_id, "name": "deny-all", "default": false},
				{"security_group": testing.node_group_nsg, "name": "DenyAllInBound", "default": true},
			]},
		), {}),
	},
	"one_of_two_callers": {
		"note": "one of two callers is let in",
		"want": "fail",
		"keys": ["scoring_inbound"],
		"document": _called(
			["198.51.100.0/24", "203.0.113.0/24"],
			testing.flow("partial", "DenyAllInBound"),
			_public,
		),
	},
	"no_group": {
		"note": "no group at all: a public standard load balancer is closed then, not open",
		"want": "fail",
		"keys": ["scoring_inbound"],
		"document": _called(_callers, _closed, _public),
	},
	"denied_without_a_witness": {
		"note": "denied, but neither rule nor packet is told",
		"want": "fail",
		"keys": ["scoring_inbound"],
		"document": _called(_callers, object.union(object.remove(_closed, ["decided_by"]), {"decided_by": []}), {}),
	},
	"denied_while_changing": {
		"note": "a definite violation stands while something is being changed",
		"want": "fail",
		"keys": ["scoring_inbound"],
		"document": object.union(_called(_callers, _denied, {}), {"unsettled": [testing.transition]}),
	},
	"open": {
		"note": "the groups do not tell (an unread group, an application group, admin rules)",
		"want": "unknown",
		"document": _called(_callers, testing.open_flow("denied"), {}),
	},
	"address_unresolved": {
		"note": "the scoring address is a name that only DNS could resolve",
		"want": "unknown",
		"document": _called(_callers, testing.open_flow("undecidable"), {
			"addresses": testing.unknown("undecidable"),
			"frontends": testing.unknown("ambiguous"),
		}),
	},
	"nothing_serves": {
		"note": "callers are declared, but no frontend serves scoring yet",
		"want": "unknown",
		"document": _called(_callers, testing.open_flow("not_found"), {"frontends": {"value": []}}),
	},
	"frontends_unreadable": {
		"note": "where scoring is served is not known",
		"want": "unknown",
		"document": _called(_callers, testing.open_flow("denied"), {"frontends": testing.unknown("denied")}),
	},
	"balancer_changing": {
		"note": "no pass while a load balancer is being changed",
		"want": "unknown",
		"document": _called(_callers, _allowed, {"settled": testing.unknown("transitional")}),
	},
	"changing": {
		"note": "no pass while something is being changed",
		"want": "unknown",
		"document": object.union(_called(_callers, _allowed, {}), {"unsettled": [testing.transition]}),
	},
	"public_and_undeclared": {
		"note": "a public frontend serves scoring, and nobody said for whom",
		"want": "unknown",
		"document": _called(null, _denied, _public),
	},
	"undeclared_beside_an_internal_frontend": {
		"note": "one of two frontends is public",
		"want": "unknown",
		"document": _called(null, _denied, {
			"frontends": {"value": [testing.internal_frontend, testing.public_frontend]},
			"private": {"value": false},
		}),
	},
	"undeclared_without_a_frontend": {
		"note": "nothing serves scoring yet, and nothing is declared",
		"want": "unknown",
		"document": _called(null, testing.open_flow("unproven"), {"frontends": {"value": []}}),
	},
	"undeclared_and_unreadable": {
		"note": "nothing is declared, and the load balancers could not be read",
		"want": "unknown",
		"document": _called(null, _allowed, {
			"frontends": testing.unknown("denied"),
			"private": testing.unknown("denied"),
		}),
	},
	"no_balancer_but_a_public_frontend": {
		"note": "no load balancer is declared, yet a public one serves scoring",
		"want": "unknown",
		"document": _called(null, _allowed, object.union(_public, {"declared": {"value": "no_load_balancer"}})),
	},
	"no_balancer_of_its_own": {
		"note": "no load balancer is declared, yet a public one leads into the cluster, perhaps to the router",
		"want": "unknown",
		"document": _called(null, testing.open_flow("not_found"), {
			"declared": {"value": "no_load_balancer"},
			"frontends": {"value": []},
			"private": testing.unknown("undecidable"),
		}),
	},
	"nobody_calls": {
		"note": "it is declared that nobody calls from outside",
		"want": "not_applicable",
		"document": _called([], _denied, _public),
	},
	"internal_and_undeclared": {
		"note": "only an internal frontend serves scoring; peers and on premises are VirtualNetwork",
		"want": "not_applicable",
		"document": _called(null, _denied, {}),
	},
	"no_balancer": {
		"note": "the router is reached by no load balancer, and nothing is public",
		"want": "not_applicable",
		"document": _called(null, _denied, {
			"declared": {"value": "no_load_balancer"},
			"frontends": {"value": []},
		}),
	},
}

_violation(case) := violation if {
	violations := policy.violations with input as case.document
	some violation in violations
}

test_evidence_holds_the_way if {
	violation := _violation(cases.denied)
	violation.evidence == {
		"callers": _callers,
		"addresses": ["10.0.0.100"],
		"ports": [443],
		"verdict": "deny",
		"decided_by": ["subnet:deny-all"],
		"security_groups": [testing.nsg_id],
		"nsg": testing.nsg_id,
		"rule": "deny-all",
		"arrives": null,
		"stopped": _denied.stopped,
	}
}

test_message_names_rule_and_packet if {
	message := _violation(cases.denied).message
	startswith(message, "all packets from the declared callers")
	contains(message, "subnet:deny-all")
	contains(message, _denied.stopped)
}

test_a_part_is_some if startswith(_violation(cases.one_of_two_callers).message, "some packets")

test_a_missing_group_is_named if endswith(_violation(cases.no_group).message, "are stopped (decided by no-nsg)")

test_no_witness_no_words if {
	endswith(_violation(cases.denied_without_a_witness).message, "scoring are stopped")
}

test_of_two_groups_the_one_that_stops_is_named if {
	violation := _violation(cases.denied_by_the_interface)
	violation.evidence.nsg == testing.node_group_nsg

	# A default rule cannot be deleted, so it is not named for a repair.
	not violation.evidence.rule
}

test_of_two_rules_that_stop_the_first_is_named if {
	violation := _violation(cases.denied_by_two)
	violation.evidence.nsg == testing.nsg_id
	violation.evidence.rule == "deny-all"
}

test_any_to_any_is_noted if {
	notes := policy.notes with input as cases.any_to_any.document
	{note.code | some note in notes} == {"too_broad"}
}

test_a_precise_rule_is_not_noted if {
	notes := policy.notes with input as cases.allowed.document
	notes == set()
}

test_undeclared_callers_are_noted if {
	every case in [cases.internal_and_undeclared, cases.no_balancer] {
		notes := policy.notes with input as case.document
		{note.code | some note in notes} == {"not_declared"}
	}
}

test_what_to_declare_is_told if {
	every case in [cases.public_and_undeclared, cases.undeclared_without_a_frontend, cases.no_balancer_of_its_own] {
		undecided := policy.undecided with input as case.document
		{[reason.code, reason.settle.what] | some reason in undecided} == {["undeclared", "expectations.callers"]}
		every reason in undecided {
			contains(reason.message, "declare callers under expectations.default")
		}
	}
}

test_the_routers_own_reason_is_told if {
	undecided := policy.undecided with input as cases.undeclared_and_unreadable.document
	{reason.code | some reason in undecided} == {"denied"}
}
