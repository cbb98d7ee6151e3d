package azure.aks.private_cluster_attached_test

import data.azure.aks.private_cluster_attached as policy
import data.mlfence.testing

# The attachment with facts of it replaced.
_attachment(changes) := testing.changed(testing.aks_compute, {"compute": changes})

# The attachment of a cluster that is not there; of which nothing is known then.
_gone := testing.changed(testing.aks_compute, {
	"compute": {
		"cluster_exists": {"value": false},
		"same_cluster": testing.unknown("not_found"),
	},
	"cluster": {"private": testing.unknown("not_found")},
})

cases := {
	"attached": {
		"note": "a private cluster, attached with success",
		"want": "pass",
		"document": testing.aks_compute,
	},
	"attachment_failed": {
		"note": "the attachment has failed",
		"want": "fail",
		"keys": ["attachment_failed"],
		"document": testing.changed(testing.aks_compute, {
			"compute": {"attachment_failed": {"value": true}},
			"unsettled": [{"code": "provisioning_failed", "message": "the compute is `Failed`"}],
		}),
	},
	"cluster_gone": {
		"note": "the cluster was deleted, the compute is left",
		"want": "fail",
		"keys": ["cluster_gone"],
		"document": _gone,
	},
	"cluster_gone_and_failed": {
		"note": "the cluster was deleted, and the attachment has failed: two violations",
		"want": "fail",
		"keys": ["attachment_failed", "cluster_gone"],
		"document": testing.changed(_gone, {"compute": object.union(
			object.remove(_gone.compute, ["attachment_failed"]),
			{"attachment_failed": {"value": true}},
		)}),
	},
	"failed_in_a_change": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": ["attachment_failed"],
		"document": testing.changed(testing.aks_compute, {
			"compute": {"attachment_failed": {"value": true}, "attached": testing.unknown("not_told")},
			"unsettled": [testing.transition],
		}),
	},
	"made_by_azure_machine_learning": {
		"note": "the compute says that it was not attached",
		"want": "unknown",
		"document": _attachment({"attached": {"value": false}}),
	},
	"attached_not_told": {
		"note": "whether it was attached is not told",
		"want": "unknown",
		"document": _attachment({"attached": testing.unknown("not_told")}),
	},
	"state_not_told": {
		"note": "whether the attachment failed is not told",
		"want": "unknown",
		"document": _attachment({"attachment_failed": testing.unknown("not_told")}),
	},
	"made_anew": {
		"note": "the same id, but another API server's name",
		"want": "unknown",
		"document": _attachment({"same_cluster": testing.unknown("contradiction")}),
	},
	"cluster_unreadable": {
		"note": "the cluster could not be read",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {
			"compute": {
				"cluster_exists": testing.unknown("denied"),
				"same_cluster": testing.unknown("denied"),
			},
			"cluster": {"private": testing.unknown("denied")},
		}),
	},
	"failed_but_privacy_not_told": {
		"note": "perhaps not a private cluster",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {
			"compute": {"attachment_failed": {"value": true}},
			"cluster": {"private": testing.unknown("not_told")},
		}),
	},
	"not_private": {
		"note": "the cluster is not private, whatever its attachment is",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_compute, {
			"compute": {"attachment_failed": {"value": true}},
			"cluster": {"private": {"value": false}},
		}),
	},
	"changing": {
		"note": "no pass while the cluster or the compute is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_compute, {"unsettled": [testing.transition]}),
	},
}

test_evidence_names_compute_and_cluster if {
	violations := policy.violations with input as cases.cluster_gone_and_failed.document
	every violation in violations {
		violation.resource == testing.aks_compute.compute.id
		violation.evidence == {"compute": testing.aks_compute.compute.id, "cluster": testing.cluster_id}
	}
	count(violations) == 2
}

test_not_attached_is_unproven if {
	undecided := policy.undecided with input as cases.made_by_azure_machine_learning.document
	{reason.code | some reason in undecided} == {"unproven"}
}

test_another_cluster_is_a_contradiction if {
	undecided := policy.undecided with input as cases.made_anew.document
	{reason.code | some reason in undecided} == {"contradiction"}
}
