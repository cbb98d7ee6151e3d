package azure.cni.reserved_ranges_unused_test

import data.azure.cni.reserved_ranges_unused as policy
import data.mlfence.testing

_service := {"what": "service_cidr", "range": "172.30.0.0/16", "resource": null, "name": "", "overlaps": "172.30.0.0/16"}

_subnet := {
	"what": "subnet",
	"range": "172.31.0.0/24",
	"name": "nodes",
	"resource": testing.subnet(testing.home, "nodes", []).id,
	"overlaps": "172.31.0.0/16",
}

_service_key := "service_cidr cluster 172.30.0.0/16 172.30.0.0/16"

_subnet_key := concat(" ", ["subnet", _subnet.resource, "172.31.0.0/24 172.31.0.0/16"])

_vnet := {
	"what": "vnet",
	"range": "172.16.0.0/12",
	"name": testing.home.name,
	"resource": testing.home.id,
	"overlaps": "172.31.0.0/16",
}

_vnet_key := concat(" ", ["vnet", _vnet.resource, "172.16.0.0/12 172.31.0.0/16"])

cases := {
	"clear": {
		"note": "everything was looked at and nothing overlaps",
		"want": "pass",
		"document": testing.aks_cluster,
	},
	"overlap": {
		"note": "the service range overlaps",
		"want": "fail",
		"keys": [_service_key],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"reserved_range_overlaps": testing.found([_service])},
		}),
	},
	"three_overlaps": {
		"note": "each overlap is a violation of its own",
		"want": "fail",
		"keys": [_service_key, _subnet_key, _vnet_key],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"reserved_range_overlaps": testing.found([_service, _subnet, _vnet])},
		}),
	},
	"hidden": {
		"note": "nothing overlaps in what could be read",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"reserved_range_overlaps": testing.hidden},
		}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"reserved_range_overlaps": testing.nothing_found},
			"unsettled": [testing.transition],
		}),
	},
	"overlap_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": [_service_key],
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"reserved_range_overlaps": testing.found([_service])},
			"unsettled": [testing.transition],
		}),
	},
	"not_a_cluster": {
		"note": "a document without a cluster says nothing",
		"want": "unknown",
		"document": object.remove(testing.aks_cluster, ["cluster", "attachments"]),
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
	violations := policy.violations with input as cases.three_overlaps.document
	_subnet.resource in {violation.resource | some violation in violations}
}

test_the_fix_finds_what_has_the_range if {
	violations := policy.violations with input as cases.three_overlaps.document
	{violation.evidence.subnet | some violation in violations} == {_subnet.resource}
	{violation.evidence.vnet | some violation in violations} == {_vnet.resource}
}
