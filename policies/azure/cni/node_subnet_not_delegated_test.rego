package azure.cni.node_subnet_not_delegated_test

import data.azure.cni.node_subnet_not_delegated as policy
import data.mlfence.testing

_nodes_id := testing.subnet(testing.home, "nodes", []).id

# The cluster with nodes in these subnets.
_nodes(subnets) := testing.changed(testing.aks_cluster, {"cluster": {"node_subnets": {"value": subnets}}})

_unreadable := object.union(
	object.remove(testing.subnet(testing.home, "other", []), ["delegations"]),
	{"delegations": testing.unknown("denied")},
)

cases := {
	"not_delegated": {
		"note": "the node subnet has no delegation",
		"want": "pass",
		"document": testing.aks_cluster,
	},
	"delegated_to_aci": {
		"note": "the node subnet is delegated to container groups",
		"want": "fail",
		"keys": [_nodes_id],
		"document": _nodes([testing.subnet(testing.home, "nodes", [testing.aci_delegation])]),
	},
	"unfinished_delegation": {
		"note": "a delegation counts before it is finished",
		"want": "fail",
		"keys": [_nodes_id],
		"document": _nodes([testing.subnet(
			testing.home,
			"nodes",
			[{"service": "microsoft.web/serverfarms", "succeeded": {"value": false}}],
		)]),
	},
	"one_of_two": {
		"note": "one of two node subnets is delegated",
		"want": "fail",
		"keys": [_nodes_id],
		"document": _nodes([
			testing.subnet(testing.home, "other", []),
			testing.subnet(testing.home, "nodes", [testing.aci_delegation]),
		]),
	},
	"delegated_beside_unreadable": {
		"note": "a definite violation stands beside an unknown",
		"want": "fail",
		"keys": [_nodes_id],
		"document": _nodes([_unreadable, testing.subnet(testing.home, "nodes", [testing.aci_delegation])]),
	},
	"one_of_two_unreadable": {
		"note": "one of two node subnets could not be read",
		"want": "unknown",
		"document": _nodes([_unreadable, testing.subnet(testing.home, "nodes", [])]),
	},
	"subnet_changing": {
		"note": "the node subnet is being changed",
		"want": "unknown",
		"document": _nodes([object.union(
			object.remove(testing.subnet(testing.home, "nodes", []), ["settled"]),
			{"settled": testing.unknown("transitional")},
		)]),
	},
	"subnets_unreadable": {
		"note": "the node subnets could not be read",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"node_subnets": testing.unknown("denied")},
		}),
	},
	"no_subnet_named": {
		"note": "the customer's VNet, but no node subnet is known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"cluster": {"node_subnets": {"value": []}}}),
	},
	"vnet_made_by_aks": {
		"note": "AKS made the VNet",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"own_vnet": {"value": false}, "node_subnets": {"value": []}},
		}),
	},
	"vnet_unknown": {
		"note": "whose VNet it is, is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"own_vnet": testing.unknown("not_told")},
		}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"unsettled": [testing.transition]}),
	},
}

test_evidence_names_the_service if {
	violations := policy.violations with input as cases.delegated_to_aci.document
	some violation in violations
	violation.evidence.delegated_to == ["microsoft.containerinstance/containergroups"]
}
