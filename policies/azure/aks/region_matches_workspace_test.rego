package azure.aks.region_matches_workspace_test

import data.azure.aks.region_matches_workspace as policy
import data.mlfence.testing

cases := {
	"same_region": {
		"note": "cluster and workspace are in eastus2",
		"want": "pass",
		"document": testing.aks_compute,
	},
	"other_region": {
		"note": "the cluster is in westus",
		"want": "fail",
		"keys": ["region"],
		"document": testing.changed(testing.aks_compute, {"cluster": {"location": {"value": "westus"}}}),
	},
	"other_region_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": ["region"],
		"document": testing.changed(testing.aks_compute, {
			"cluster": {"location": {"value": "westus"}},
			"unsettled": [testing.transition],
		}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {"unsettled": [testing.transition]}),
	},
	"cluster_unreadable": {
		"note": "the cluster's region is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {
			"cluster": {"location": testing.unknown("denied")},
		}),
	},
	"workspace_region_unreadable": {
		"note": "the workspace's region is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {
			"workspace": {"location": testing.unknown("not_told")},
		}),
	},
	"endpoint_unreadable": {
		"note": "whether the workspace has an endpoint is not known, and the regions differ",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {
			"workspace": {"private_endpoint": testing.unknown("denied")},
			"cluster": {"location": {"value": "westus"}},
		}),
	},
	"no_endpoint": {
		"note": "another region is fine without a private endpoint",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_compute, {
			"workspace": {"private_endpoint": {"value": false}},
			"cluster": {"location": {"value": "westus"}},
		}),
	},
	"pending_endpoint": {
		"note": "an endpoint that waits for approval does not count",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_compute, {"workspace": {
			"private_endpoint": {"value": false},
			"pending_endpoints": ["/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/rg-ml/providers/microsoft.network/privateendpoints/new"],
		}}),
	},
	"no_endpoint_while_changing": {
		"note": "what does not apply does not wait for a change to end",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_compute, {
			"workspace": {"private_endpoint": {"value": false}},
			"unsettled": [testing.transition],
		}),
	},
}

test_both_regions_are_evidence if {
	violations := policy.violations with input as cases.other_region.document
	some violation in violations
	violation.evidence == {
		"cluster": testing.cluster_id,
		"cluster_location": "westus",
		"workspace_location": "eastus2",
	}
	violation.resource == testing.cluster_id
}

test_pending_endpoint_is_noted if {
	notes := policy.notes with input as cases.pending_endpoint.document
	{note.code | some note in notes} == {"pending_endpoint"}
}

test_nothing_is_noted_without_one if {
	count(policy.notes) == 0 with input as cases.no_endpoint.document
}

test_the_reason_of_the_fact_is_given if {
	undecided := policy.undecided with input as cases.cluster_unreadable.document
	undecided == {{"code": "denied", "message": "it could not be read"}}
}
