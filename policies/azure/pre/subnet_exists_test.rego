package azure.pre.subnet_exists_test

import data.azure.pre.subnet_exists as policy
import data.mlfence.testing

_subnet := testing.hosting_subnet.subnet.subnet

# The subnet with facts replaced.
_with(changes) := testing.changed(testing.hosting_subnet, {"subnet": changes})

# The subnet in this state.
_settled(fact) := object.union(object.remove(_subnet, ["settled"]), {"settled": fact})

# What is not found tells nothing else either.
_gone := object.union(
	object.remove(_subnet, ["settled", "delegations"]),
	{"settled": testing.unknown("not_found"), "delegations": testing.unknown("not_found")},
)

cases := {
	"exists": {
		"note": "the subnet was found, and nobody changes it",
		"want": "pass",
		"may_be_empty": ["subnet.used_by"],
		"document": testing.hosting_subnet,
	},
	"missing": {
		"note": "the VNet was read and does not hold it",
		"want": "fail",
		"keys": ["missing"],
		"document": _with({"exists": {"value": false}, "subnet": _gone}),
	},
	"perhaps_nobodys": {
		"note": "only a sign hints that something of Azure Machine Learning's lives in it",
		"want": "unknown",
		"document": _with({
			"hosts_inference": testing.unknown("ownership_unproven"),
			"exists": {"value": false},
			"subnet": _gone,
		}),
	},
	"unreadable": {
		"note": "the VNet could not be read",
		"want": "unknown",
		"document": _with({
			"exists": testing.unknown("denied"),
			"subnet": _settled(testing.unknown("denied")),
		}),
	},
	"updating": {
		"note": "the subnet or its VNet is being changed",
		"want": "unknown",
		"document": _with({"subnet": _settled(testing.unknown("transitional"))}),
	},
	"failed": {
		"note": "the subnet's last change failed",
		"want": "unknown",
		"document": _with({"subnet": _settled(testing.unknown("provisioning_failed"))}),
	},
	"changing": {
		"note": "no pass while something is being changed",
		"want": "unknown",
		"document": testing.changed(testing.hosting_subnet, {"unsettled": [testing.transition]}),
	},
}

test_evidence_names_who_uses_it if {
	violations := policy.violations with input as cases.missing.document
	some violation in violations
	violation.resource == _subnet.id
	violation.evidence == {"subnet": _subnet.id, "vnet": testing.home.id, "used_by": [testing.cluster_id]}
}

test_a_failed_change_is_named if {
	undecided := policy.undecided with input as cases.failed.document
	{reason.code | some reason in undecided} == {"provisioning_failed"}
}
