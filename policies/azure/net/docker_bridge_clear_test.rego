package azure.net.docker_bridge_clear_test

import data.azure.net.docker_bridge_clear as policy
import data.mlfence.testing

_service := {"what": "service_cidr", "range": "172.17.8.0/24", "resource": null, "name": "", "overlaps": "172.17.0.1/16"}

_subnet := {
	"what": "subnet",
	"range": "172.17.4.0/24",
	"name": "snet",
	"resource": testing.subnet(testing.home, "nodes", []).id,
	"overlaps": "172.17.0.1/16",
}

_service_key := "service_cidr cluster 172.17.8.0/24 172.17.0.1/16"

_subnet_key := concat(" ", ["subnet", _subnet.resource, "172.17.4.0/24 172.17.0.1/16"])

cases := {
	"clear": {
		"note": "everything was looked at and nothing overlaps",
		"want": "pass",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"before_containerd": {"value": true},
				"kubernetes_version": {"value": "1.18.20"},
				"docker_bridge_cidr": {"value": "172.17.0.1/16"},
				"docker_bridge_overlaps": testing.nothing_found,
			},
		}),
	},
	"overlap": {
		"note": "the service range overlaps",
		"want": "fail",
		"keys": [_service_key],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"before_containerd": {"value": true},
				"kubernetes_version": {"value": "1.18.20"},
				"docker_bridge_cidr": {"value": "172.17.0.1/16"},
				"docker_bridge_overlaps": testing.found([_service]),
			},
		}),
	},
	"two_overlaps": {
		"note": "each overlap is a violation of its own",
		"want": "fail",
		"keys": [_service_key, _subnet_key],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"before_containerd": {"value": true},
				"kubernetes_version": {"value": "1.18.20"},
				"docker_bridge_cidr": {"value": "172.17.0.1/16"},
				"docker_bridge_overlaps": testing.found([_service, _subnet]),
			},
		}),
	},
	"hidden": {
		"note": "nothing overlaps in what could be read",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"before_containerd": {"value": true},
				"kubernetes_version": {"value": "1.18.20"},
				"docker_bridge_cidr": {"value": "172.17.0.1/16"},
				"docker_bridge_overlaps": testing.hidden,
			},
		}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"before_containerd": {"value": true},
				"kubernetes_version": {"value": "1.18.20"},
				"docker_bridge_cidr": {"value": "172.17.0.1/16"},
				"docker_bridge_overlaps": testing.nothing_found,
			},
			"unsettled": [testing.transition],
		}),
	},
	"overlap_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": [_service_key],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"before_containerd": {"value": true},
				"kubernetes_version": {"value": "1.18.20"},
				"docker_bridge_cidr": {"value": "172.17.0.1/16"},
				"docker_bridge_overlaps": testing.found([_service]),
			},
			"unsettled": [testing.transition],
		}),
	},
	"obsolete": {
		"note": "newer nodes ignore the setting",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"docker_bridge_cidr": {"value": "172.17.0.1/16"}},
		}),
	},
	"obsolete_with_overlap": {
		"note": "newer nodes ignore the setting even where it overlaps",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"docker_bridge_cidr": {"value": "172.17.0.1/16"},
				"docker_bridge_overlaps": testing.found([_service]),
			},
		}),
	},
	"not_recorded": {
		"note": "an old cluster without a recorded range proves nothing",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"before_containerd": {"value": true}, "docker_bridge_cidr": {"value": null}},
		}),
	},
	"range_unreadable": {
		"note": "the range of an old cluster is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"before_containerd": {"value": true},
				"docker_bridge_cidr": testing.unknown("malformed"),
			},
		}),
	},
	"version_unknown": {
		"note": "the version is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {
				"before_containerd": testing.unknown("not_told"),
				"docker_bridge_cidr": {"value": "172.17.0.1/16"},
			},
		}),
	},
}

test_evidence_names_both_ranges if {
	violations := policy.violations with input as cases.overlap.document
	some violation in violations
	violation.evidence.range == _service.range
	violation.evidence.overlaps == _service.overlaps
	violation.evidence.set_on == "cluster"
}

test_the_subnet_or_vnet_is_named if {
	violations := policy.violations with input as cases.two_overlaps.document
	_subnet.resource in {violation.resource | some violation in violations}
}

test_obsolete_is_noted if {
	notes := policy.notes with input as cases.obsolete.document
	notes == {{"code": "field_obsolete", "message": "Kubernetes 1.33.2 ignores the Docker bridge range"}}
}

test_a_missing_range_is_not_told if {
	undecided := policy.undecided with input as cases.not_recorded.document
	{reason.code | some reason in undecided} == {"not_told"}
}
