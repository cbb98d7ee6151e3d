package azure.iso.private_control_plane_test

import data.azure.iso.private_control_plane as policy
import data.mlfence.testing

_demanding := testing.attachment("private")

cases := {
	"private": {
		"note": "demanded, and the API server is private",
		"want": "pass",
		"may_be_empty": ["attachments"],
		"document": testing.demanding_cluster,
	},
	"public": {
		"note": "demanded, and the API server is public",
		"want": "fail",
		"keys": ["control_plane"],
		"document": testing.changed(testing.demanding_cluster, {
			"cluster": {
				"private": {"value": false},
				"public_fqdn": {"value": true},
				"fqdn": "aks-1.hcp.eastus2.azmk8s.io",
			},
		}),
	},
	"one_of_two_demands": {
		"note": "one of two workspaces demands it",
		"want": "fail",
		"keys": ["control_plane"],
		"document": testing.changed(testing.demanding_cluster, {
			"attachments": [testing.attachment("any"), _demanding],
			"cluster": {"private": {"value": false}},
		}),
	},
	"public_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": ["control_plane"],
		"document": testing.changed(testing.demanding_cluster, {
			"cluster": {"private": {"value": false}},
			"unsettled": [testing.transition],
		}),
	},
	"profile_missing": {
		"note": "whether the API server is private is not known",
		"want": "unknown",
		"document": testing.changed(testing.demanding_cluster, {
			"cluster": {"private": testing.unknown("not_told")},
		}),
	},
	"nobody_demands": {
		"note": "no workspace demands it",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {"cluster": {"private": {"value": false}}}),
	},
	"nothing_declared": {
		"note": "nothing is declared",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"attachments": [testing.attachment(null)],
			"cluster": {"private": testing.unknown("denied")},
		}),
	},
	"demand_hidden": {
		"note": "a workspace that demands it may use the cluster unseen",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"demands": {"private_control_plane": testing.unknown("denied")},
		}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.demanding_cluster, {
			"unsettled": [testing.transition],
		}),
	},
}

test_evidence_names_who_demands if {
	violations := policy.violations with input as cases.one_of_two_demands.document
	some violation in violations
	violation.evidence.demanded_by == [testing.workspace_id]
	violation.evidence.private == false
}
