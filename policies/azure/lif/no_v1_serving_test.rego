package azure.lif.no_v1_serving_test

import data.azure.lif.no_v1_serving as policy
import data.mlfence.testing

# The workspace with these results of looking for v1 computes and services.
_with(computes, services) := testing.changed(testing.workspace, {"workspace": {
	"v1_computes": computes,
	"v1_services": services,
}})

# Something of the workspace.
_child(kind, name) := concat("/", [testing.workspace_id, kind, name])

_computes(names) := testing.found([_child("computes", name) | some name in names])

_services(names) := testing.found([_child("services", name) | some name in names])

cases := {
	"v2_only": {
		"note": "neither v1 computes nor v1 services, and both lists are complete",
		"want": "pass",
		"document": testing.workspace,
	},
	"a_compute": {
		"note": "one compute of type AKS",
		"want": "fail",
		"keys": ["compute aks"],
		"document": _with(_computes(["aks"]), testing.nothing_found),
	},
	"a_service": {
		"note": "one v1 web service",
		"want": "fail",
		"keys": ["service score"],
		"document": _with(testing.nothing_found, _services(["score"])),
	},
	"several": {
		"note": "each is a violation of its own, also under one name",
		"want": "fail",
		"keys": ["compute score", "compute aks", "service score", "service other"],
		"document": _with(_computes(["score", "aks"]), _services(["score", "other"])),
	},
	"a_compute_while_services_unreadable": {
		"note": "a definite violation stands beside an unknown",
		"want": "fail",
		"keys": ["compute aks"],
		"document": _with(_computes(["aks"]), testing.hidden),
	},
	"a_service_while_changing": {
		"note": "a definite violation stands while the workspace is being changed",
		"want": "fail",
		"keys": ["service score"],
		"document": testing.changed(
			_with(testing.nothing_found, _services(["score"])),
			{"unsettled": [testing.transition]},
		),
	},
	"services_unreadable": {
		"note": "the list of services could not be read, even if the computes are clean",
		"want": "unknown",
		"document": _with(testing.nothing_found, testing.hidden),
	},
	"computes_unreadable": {
		"note": "a compute could not be read",
		"want": "unknown",
		"document": _with(testing.hidden, testing.nothing_found),
	},
	"changing": {
		"note": "no pass while the workspace is being changed",
		"want": "unknown",
		"document": testing.changed(testing.workspace, {"unsettled": [testing.transition]}),
	},
}

test_evidence_names_what_and_since_when if {
	violations := policy.violations with input as cases.a_compute.document
	some violation in violations
	violation.resource == _child("computes", "aks")
	violation.evidence == {
		"compute": _child("computes", "aks"),
		"support_ended": {"cli_v1": "2025-09-30", "sdk_v1": "2026-06-30"},
	}
}

test_the_reason_of_the_search_is_given if {
	undecided := policy.undecided with input as cases.services_unreadable.document
	undecided == {{"code": "denied", "message": "it could not be read"}}
}
