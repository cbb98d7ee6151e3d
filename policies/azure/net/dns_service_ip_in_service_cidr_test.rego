package azure.net.dns_service_ip_in_service_cidr_test

import data.azure.net.dns_service_ip_in_service_cidr as policy
import data.mlfence.testing

cases := {
	"inside": {
		"note": "the address lies in the service range",
		"want": "pass",
		"document": testing.aks_cluster,
	},
	"outside": {
		"note": "the address lies outside",
		"want": "fail",
		"keys": ["dns_service_ip"],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"dns_service_ip": {"value": "10.1.0.10"},
				"dns_service_ip_in_service_cidr": {"value": false},
			},
		}),
	},
	"dual_stack": {
		"note": "one of two ranges contains it",
		"want": "pass",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"service_cidrs": {"value": ["fd00::/108", "10.100.0.0/16"]}},
		}),
	},
	"outside_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": ["dns_service_ip"],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"dns_service_ip": {"value": "10.1.0.10"},
				"dns_service_ip_in_service_cidr": {"value": false},
			},
			"unsettled": [testing.transition],
		}),
	},
	"address_not_told": {
		"note": "the address is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"dns_service_ip": testing.unknown("not_told"),
				"dns_service_ip_in_service_cidr": testing.unknown("not_told"),
			},
		}),
	},
	"range_not_told": {
		"note": "the range is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"service_cidrs": testing.unknown("not_told"),
				"dns_service_ip_in_service_cidr": testing.unknown("not_told"),
			},
		}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"unsettled": [testing.transition]}),
	},
}

test_evidence_names_address_and_ranges if {
	violations := policy.violations with input as cases.outside.document
	some violation in violations
	violation.evidence == {"dns_service_ip": "10.1.0.10", "service_cidrs": ["10.100.0.0/16"]}
}
