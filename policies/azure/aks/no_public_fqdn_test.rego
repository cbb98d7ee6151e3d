package azure.aks.no_public_fqdn_test

import data.azure.aks.no_public_fqdn as policy
import data.mlfence.testing

cases := {
	"no_public_fqdn": {
		"note": "a private cluster without public FQDN",
		"want": "pass",
		"document": testing.aks_cluster,
	},
	"public_fqdn": {
		"note": "a private cluster with the default public FQDN",
		"want": "fail",
		"keys": ["public_fqdn"],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"public_fqdn": {"value": true}, "fqdn": "aks-1.hcp.eastus2.azmk8s.io"},
		}),
	},
	"zone_none": {
		"note": "without a private DNS zone the public FQDN is forced",
		"want": "fail",
		"keys": ["public_fqdn"],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"public_fqdn": {"value": true},
				"fqdn": "aks-1.hcp.eastus2.azmk8s.io",
				"private_dns_zone": "none",
			},
		}),
	},
	"public_fqdn_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": ["public_fqdn"],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"public_fqdn": {"value": true}},
			"unsettled": [testing.transition],
		}),
	},
	"flag_contradicts_fqdn": {
		"note": "flag and FQDN contradict each other",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"public_fqdn": testing.unknown("contradiction")},
		}),
	},
	"profile_missing": {
		"note": "whether the cluster is private is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"private": testing.unknown("not_told"), "public_fqdn": {"value": true}},
		}),
	},
	"not_private": {
		"note": "a public cluster has an FQDN by nature",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"private": {"value": false},
				"public_fqdn": {"value": true},
				"fqdn": "aks-1.hcp.eastus2.azmk8s.io",
			},
		}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"unsettled": [testing.transition]}),
	},
}

test_evidence_names_the_fqdn if {
	violations := policy.violations with input as cases.public_fqdn.document
	some violation in violations
	violation.evidence == {"fqdn": "aks-1.hcp.eastus2.azmk8s.io", "private_dns_zone": "system"}
	not contains(violation.message, "zone")
}

test_zone_none_needs_two_fixes if {
	violations := policy.violations with input as cases.zone_none.document
	some violation in violations
	contains(violation.message, "change its private DNS zone")
	contains(violation.message, "disable it")
}
