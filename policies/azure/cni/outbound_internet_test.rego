package azure.cni.outbound_internet_test

import data.azure.cni.outbound_internet as policy
import data.mlfence.testing

_healthy := testing.subnet_egress

_id := _healthy.id

_route_table := "/subscriptions/x/resourcegroups/rg-hub/providers/microsoft.network/routetables/rt"

_nat := "/subscriptions/x/resourcegroups/rg-ml/providers/microsoft.network/natgateways/nat"

_route(prefix, hop, address) := {"prefix": prefix, "next_hop": hop, "address": address}

_firewall := _route("0.0.0.0/0", "virtualappliance", "10.1.0.4")

# The node subnet with these facts.
_subnet(changes) := object.union(object.remove(_healthy, object.keys(changes)), changes)

# The node subnet with this default route.
_default(route) := _subnet({"route_table": {"value": _route_table}, "default_route": {"value": route}})

# A further node subnet, which is healthy.
_other := _subnet({"id": "/subscriptions/x/subnets/other", "name": "other"})

# The cluster with this outbound type, whose appliance is trusted or not, with these subnets.
_egress(type, trusted, subnets) := testing.changed(testing.aks_cluster, {"egress": {
	"type": {"value": type},
	"appliance_trusted": trusted,
	"subnets": {"value": subnets},
}})

_trusted := {"value": true}

_undeclared := testing.unknown("undeclared")

_own_nat := {"nat_gateway": {"value": _nat}}

_may_be_empty := [
	"egress.subnets.value[].https.decided_by",
	"egress.subnets.value[].https.security_groups",
	"egress.subnets.value[].https.stopped_by",
]

cases := {
	"load_balancer": {
		"note": "the load balancer takes traffic out, nothing stops it",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": testing.aks_cluster,
	},
	"managed_nat_gateway": {
		"note": "a NAT gateway of the cluster's takes traffic out, also of a subnet that Azure gives no way by itself",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _egress("managednatgatewayv2", _undeclared, [_healthy]),
	},
	"own_nat_gateway": {
		"note": "a NAT gateway of the customer's takes traffic out",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _egress("userassignednatgateway", _undeclared, [_subnet(_own_nat)]),
	},
	"routed_to_the_internet": {
		"note": "the subnet's own default route to the internet overrules a learned one",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _egress("loadbalancer", _undeclared, [_subnet({
			"default_route": {"value": _route("0.0.0.0/0", "internet", null)},
			"learns_routes": {"value": true},
		})]),
	},
	"routed_to_a_nat_gateway": {
		"note": "the default route leads to the internet, and a NAT gateway takes traffic there",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _egress("userdefinedrouting", _undeclared, [_subnet({
			"default_route": {"value": _route("0.0.0.0/0", "internet", null)},
			"nat_gateway": {"value": _nat},
		})]),
	},
	"trusted_appliance": {
		"note": "the default route leads to a firewall in the hub, which is trusted",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _egress("userdefinedrouting", _trusted, [_default(_firewall)]),
	},
	"trusted_appliance_of_a_balanced_cluster": {
		"note": "the load balancer would take traffic out, but the default route leads to a trusted firewall",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _egress("loadbalancer", _trusted, [_default(_firewall)]),
	},
	"trusted_appliance_for_a_part": {
		"note": "some traffic goes by a trusted firewall, the rest by the load balancer",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _egress("loadbalancer", _trusted, [_subnet({"diversions": testing.found([_route("AzureMonitor", "virtualappliance", "10.1.0.4")])})]),
	},
	"trusted_gateway": {
		"note": "the default route is learned from a trusted gateway",
		"want": "pass",
		"may_be_empty": _may_be_empty,
		"document": _egress("userdefinedrouting", _trusted, [_subnet({"learns_routes": {"value": true}})]),
	},
	"nowhere": {
		"note": "the default route leads to None",
		"want": "fail",
		"keys": [concat(" ", [_id, "default_route"])],
		"document": _egress("loadbalancer", _trusted, [_default(_route("0.0.0.0/0", "none", null))]),
	},
	"denied": {
		"note": "the groups deny TCP 443 to the internet",
		"want": "fail",
		"keys": [concat(" ", [_id, "https"])],
		"document": _egress("loadbalancer", _trusted, [_subnet({"https": testing.flow("deny", "deny-internet")})]),
	},
	"no_nat_gateway": {
		"note": "the customer's NAT gateway is not at the subnet",
		"want": "fail",
		"keys": [concat(" ", [_id, "nat_gateway"])],
		"document": _egress("userassignednatgateway", _undeclared, [_healthy]),
	},
	"everything_wrong": {
		"note": "each thing that is wrong is a violation of its own",
		"want": "fail",
		"keys": [
			concat(" ", [_id, "default_route"]),
			concat(" ", [_id, "https"]),
			concat(" ", [_id, "nat_gateway"]),
		],
		"document": _egress("userassignednatgateway", _undeclared, [_subnet({
			"default_route": {"value": _route("0.0.0.0/0", "none", null)},
			"https": testing.flow("deny", "deny-internet"),
		})]),
	},
	"one_of_two_subnets": {
		"note": "one of two pools' subnets has no way out, of the other it is not known",
		"want": "fail",
		"keys": [concat(" ", [_id, "https"])],
		"document": _egress("loadbalancer", _undeclared, [
			object.union(object.remove(_other, ["https"]), {"https": testing.open_flow("denied")}),
			_subnet({"https": testing.flow("deny", "deny-internet")}),
		]),
	},
	"fails_while_changing": {
		"note": "a definite violation stands while the cluster is being changed",
		"want": "fail",
		"keys": [concat(" ", [_id, "nat_gateway"])],
		"document": object.union(
			_egress("userassignednatgateway", _undeclared, [_healthy]),
			{"unsettled": [testing.transition]},
		),
	},
	"third_party_appliance": {
		"note": "the default route leads to an appliance, of which nothing is declared",
		"want": "unknown",
		"document": _egress("userdefinedrouting", _undeclared, [_default(_firewall)]),
	},
	"appliance_before_the_load_balancer": {
		"note": "the cluster's load balancer does not take out what a default route takes to an appliance",
		"want": "unknown",
		"document": _egress("loadbalancer", _undeclared, [_default(_firewall)]),
	},
	"part_by_an_appliance": {
		"note": "some traffic goes by an appliance, of which nothing is declared",
		"want": "unknown",
		"document": _egress("loadbalancer", _undeclared, [_subnet({"diversions": testing.found([_route("20.0.0.0/8", "virtualappliance", "10.1.0.4")])})]),
	},
	"learned_from_a_gateway": {
		"note": "a gateway may teach a default route that no table holds (BGP)",
		"want": "unknown",
		"document": _egress("loadbalancer", _undeclared, [_subnet({"learns_routes": {"value": true}})]),
	},
	"routing_without_a_route": {
		"note": "routes are the way out, but one pool's subnet has none",
		"want": "unknown",
		"document": _egress("userdefinedrouting", _trusted, [_healthy]),
	},
	"routing_by_halves": {
		"note": "0.0.0.0/1 and 128.0.0.0/1 equal a default route, which is not proven",
		"want": "unknown",
		"document": _egress("userdefinedrouting", _trusted, [_subnet({"diversions": testing.found([
			_route("0.0.0.0/1", "virtualappliance", "10.1.0.4"),
			_route("128.0.0.0/1", "virtualappliance", "10.1.0.4"),
		])})]),
	},
	"routed_to_the_internet_without_nat": {
		"note": "the default route leads to the internet, but nothing takes traffic there (private subnets since 2026)",
		"want": "unknown",
		"document": _egress("userdefinedrouting", _trusted, [_default(_route("0.0.0.0/0", "internet", null))]),
	},
	"routed_into_the_vnet": {
		"note": "the default route leads into the VNet",
		"want": "unknown",
		"document": _egress("loadbalancer", _trusted, [_default(_route("0.0.0.0/0", "vnetlocal", null))]),
	},
	"part_nowhere": {
		"note": "some public addresses lead nowhere, which may be legal; no declaration settles that",
		"want": "unknown",
		"document": _egress("loadbalancer", _undeclared, [_subnet({"diversions": testing.found([_route("20.0.0.0/8", "none", null)])})]),
	},
	"one_pool_shut_in": {
		"note": "the interfaces of one pool have a group that stops everything, those of the other let it out",
		"want": "fail",
		"keys": [concat(" ", [_id, "https"])],
		"document": _egress("loadbalancer", _trusted, [_subnet({"https": object.union(
			object.remove(testing.flow("partial", "deny-all"), ["stopped_at_some_place"]),
			{"stopped_at_some_place": true},
		)})]),
	},
	"nothing_provided": {
		"note": "the outbound type names a load balancer, and none leads out",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"egress": {"provided": testing.unknown("unproven")}}),
	},
	"subnet_changing": {
		"note": "no pass while the subnet, its route table or its NAT gateway is being changed",
		"want": "unknown",
		"document": _egress("loadbalancer", _trusted, [_subnet({"settled": testing.unknown("transitional")})]),
	},
	"restricted": {
		"note": "all but what is required may be denied, which is not judged",
		"want": "unknown",
		"document": _egress("loadbalancer", _trusted, [_subnet({"https": testing.flow("partial", "deny-internet")})]),
	},
	"groups_unreadable": {
		"note": "whether the groups let traffic out could not be judged",
		"want": "unknown",
		"document": _egress("loadbalancer", _trusted, [_subnet({"https": testing.open_flow("denied")})]),
	},
	"route_table_unreadable": {
		"note": "the route table of one of two subnets could not be read",
		"want": "unknown",
		"document": _egress("loadbalancer", _trusted, [_other, _subnet({
			"default_route": testing.unknown("denied"),
			"diversions": testing.hidden,
			"learns_routes": testing.unknown("denied"),
		})]),
	},
	"type_of_tomorrow": {
		"note": "an outbound type that is not known",
		"want": "unknown",
		"document": _egress("wormhole", _trusted, [_healthy]),
	},
	"type_unknown": {
		"note": "the outbound type is not told",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"egress": {"type": testing.unknown("not_told")}}),
	},
	"subnets_unreadable": {
		"note": "the node subnets could not be read",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"egress": {"subnets": testing.unknown("denied")}}),
	},
	"no_subnet_named": {
		"note": "the customer's VNet, but no node subnet is known",
		"want": "unknown",
		"document": _egress("loadbalancer", _trusted, []),
	},
	"vnet_unknown": {
		"note": "whose VNet it is, is not known",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"cluster": {"own_vnet": testing.unknown("not_told")}}),
	},
	"changing": {
		"note": "no pass while the cluster is being changed",
		"want": "unknown",
		"document": testing.changed(testing.aks_cluster, {"unsettled": [testing.transition]}),
	},
	"vnet_made_by_aks": {
		"note": "AKS made the VNet",
		"want": "not_applicable",
		"document": testing.changed(testing.aks_cluster, {
			"cluster": {"own_vnet": {"value": false}},
			"egress": {"subnets": {"value": []}},
		}),
	},
	"isolated": {
		"note": "a network isolated cluster needs no way out",
		"want": "not_applicable",
		"document": _egress("none", _undeclared, [_subnet({"https": testing.flow("deny", "deny-internet")})]),
	},
	"blocked": {
		"note": "a cluster whose way out is blocked by AKS needs none",
		"want": "not_applicable",
		"document": _egress("block", _undeclared, [_healthy]),
	},
}

_violation(case, what) := violation if {
	violations := policy.violations with input as case.document
	some violation in violations
	endswith(violation.key, what)
}

_codes(case) := {reason.code | some reason in reasons} if reasons := policy.undecided with input as case.document

test_the_route_is_evidence if {
	violation := _violation(cases.nowhere, "default_route")
	violation.resource == _id
	violation.evidence == {
		"subnet": _id,
		"outbound_type": "loadbalancer",
		"route_table": _route_table,
		"prefix": "0.0.0.0/0",
		"next_hop": "none",
	}
	contains(violation.message, "node subnet nodes")
}

test_the_deny_is_evidence if {
	violation := _violation(cases.denied, "https")
	violation.evidence.decided_by == ["subnet:deny-internet"]
	violation.evidence.nsg == testing.nsg_id
	violation.evidence.subnet == _id
	contains(violation.message, "subnet:deny-internet")
}

test_a_missing_nat_gateway_is_named if {
	contains(_violation(cases.no_nat_gateway, "nat_gateway").message, "userAssignedNATGateway")
}

test_trust_is_noted if {
	every case in [cases.trusted_appliance, cases.trusted_appliance_for_a_part, cases.trusted_gateway] {
		notes := policy.notes with input as case.document
		{note.code | some note in notes} == {"appliance_trusted"}
	}
}

test_what_needs_no_trust_is_not_noted if {
	notes := policy.notes with input as object.union(
		object.remove(testing.aks_cluster, ["egress"]),
		{"egress": object.union(object.remove(testing.aks_cluster.egress, ["appliance_trusted"]), {"appliance_trusted": _trusted})},
	)
	notes == set()
}

test_the_reason_is_told if {
	_codes(cases.third_party_appliance) == {"undeclared"}
	_codes(cases.appliance_before_the_load_balancer) == {"undeclared"}
	_codes(cases.part_by_an_appliance) == {"undeclared"}
	_codes(cases.learned_from_a_gateway) == {"undeclared"}
	_codes(cases.routing_without_a_route) == {"unproven"}
	_codes(cases.routing_by_halves) == {"unproven"}
	_codes(cases.routed_to_the_internet_without_nat) == {"unproven"}
	_codes(cases.routed_into_the_vnet) == {"unproven"}
	_codes(cases.part_nowhere) == {"unproven"}
	_codes(cases.restricted) == {"unproven"}
	_codes(cases.type_of_tomorrow) == {"undecidable"}
}
