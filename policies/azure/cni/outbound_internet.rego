# METADATA
# title: The nodes' subnets let traffic out to the internet
# description: |
#   Nodes in the customer's VNet need a way out: by the cluster's load balancer or managed NAT gateway, by a NAT gateway of their own subnet,
#   or by an appliance or gateway that routes lead to; and their network security groups must let TCP 443 out. Whether an appliance
#   lets out what is required cannot be read, so that must be declared (`expectations.egress_appliance: trusted`).
#   Outbound traffic that the groups restrict in part may be legal and is not judged. A network isolated cluster is not judged.
# custom:
#   id: CNI-001
#   severity: high
#   subject: aks_cluster
#   requires: [aks_clusters, virtual_networks, network_security_groups, route_tables, scale_sets]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, limitations of AKS
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the prerequisites that it points to remain
#   - key: CNI19
#     title: Configure Azure CNI networking, prerequisites
#     revised: "2019-06-03"
#     superseded: the edition of 2026-01-29 keeps the requirement, for required endpoints and not for network isolated clusters
#   - key: CNI26
#     title: Configure Azure CNI networking, prerequisites
#     revised: "2026-01-29"
#   remediation: |
#     Mend the default route:
#     az network route-table route update --subscription <route-table-subscription> --resource-group <route-table-rg> --route-table-name <route-table> --name <choose-route> --next-hop-type VirtualAppliance --next-hop-ip-address <choose-address>
#     Or give the subnet a way out of its own:
#     az network nat gateway create --subscription <subnet-subscription> --resource-group <subnet-rg> --name <choose-nat-gateway> --public-ip-addresses <choose-public-ip>
#     az network vnet subnet update --ids <subnet-id> --nat-gateway <choose-nat-gateway>
#     Or allow TCP 443 before (by a lower number than) the rule that denies it:
#     az network nsg rule create --subscription <nsg-subscription> --resource-group <nsg-rg> --nsg-name <nsg> --name allow-https --priority <choose-priority> --direction Outbound --access Allow --protocol Tcp --destination-address-prefixes Internet --destination-port-ranges 443
#   since: 0.1.0
package azure.cni.outbound_internet

import data.lib.answers

# Outbound types of network isolated clusters.
_isolated := {"none", "block"}

# Outbound types that bring the way out themselves.
_managed := {"loadbalancer", "managednatgateway", "managednatgatewayv2"}

_known := _managed | {"userassignednatgateway", "userdefinedrouting"}

_appliances := {"virtualappliance", "virtualapplianceecmp", "virtualnetworkgateway"}

# Next hops of a default route that are judged.
_hops := _appliances | {"internet", "none"}

_type := input.egress.type.value

applies if {
	input.cluster.own_vnet.value
	is_string(_type)
	not _type in _isolated
}

applies := false if input.cluster.own_vnet.value == false

applies := false if _type in _isolated

_subnets := input.egress.subnets.value

_key(subnet, what) := concat(" ", [subnet.id, what])

violations contains {
	"key": key,
	"message": sprintf("the default route of the node subnet %s leads nowhere (next hop None)", [name]),
	"resource": subnet_id,
	"evidence": {"subnet": subnet_id, "outbound_type": type, "route_table": table, "prefix": prefix, "next_hop": "none"},
} if {
	applies
	type := _type
	some subnet in _subnets
	subnet.default_route.value.next_hop == "none"
	subnet_id := subnet.id
	name := subnet.name
	key := _key(subnet, "default_route")
	table := object.get(subnet.route_table, "value", null)
	prefix := subnet.default_route.value.prefix
}

violations contains {
	"key": key,
	"message": sprintf("the nodes in the subnet %s do not reach the internet on TCP 443%s", [name, proof]),
	"resource": subnet_id,
	"evidence": evidence,
} if {
	applies
	some subnet in _subnets
	_stopped(subnet.https)
	subnet_id := subnet.id
	name := subnet.name
	key := _key(subnet, "https")
	proof := answers.proof(subnet.https)
	evidence := object.union(answers.evidence(subnet.https), {"subnet": subnet_id, "outbound_type": _type})
}

violations contains {
	"key": key,
	"message": sprintf("the cluster's way out is a NAT gateway of the customer's (userAssignedNATGateway), but the node subnet %s has none", [name]),
	"resource": subnet_id,
	"evidence": {"subnet": subnet_id, "outbound_type": type},
} if {
	applies
	_type == "userassignednatgateway"
	type := _type
	some subnet in _subnets
	subnet.nat_gateway.value == null
	subnet_id := subnet.id
	name := subnet.name
	key := _key(subnet, "nat_gateway")
}

# What does not go by an appliance or gateway: all of it, the rest, or nothing.
_rest_leaves(subnet) if subnet.default_route.value.next_hop in _appliances

_rest_leaves(subnet) if {
	_type in _managed
	input.egress.provided.value
	_undirected(subnet)
}

_rest_leaves(subnet) if {
	_type == "userassignednatgateway"
	is_string(subnet.nat_gateway.value)
	_undirected(subnet)
}

_rest_leaves(subnet) if {
	_type == "userdefinedrouting"
	_to_internet(subnet)
	is_string(subnet.nat_gateway.value)
}

# The default route is learned from a gateway.
_rest_leaves(subnet) if {
	_type == "userdefinedrouting"
	subnet.default_route.value == null
	subnet.learns_routes.value
}

_undirected(subnet) if subnet.default_route.value == null

_undirected(subnet) if _to_internet(subnet)

_to_internet(subnet) if subnet.default_route.value.next_hop == "internet"

# Whether everything leaves without an appliance or gateway that could stop it.
_untouched(subnet) if {
	subnet.diversions.none.value
	_undirected(subnet)
	_unlearned(subnet)
}

_unlearned(subnet) if subnet.learns_routes.value == false

_unlearned(subnet) if _to_internet(subnet)

# Whether something goes by an appliance or gateway.
_diverted(subnet) if subnet.default_route.value.next_hop in _appliances

_diverted(subnet) if {
	some route in subnet.diversions.found
	route.next_hop in _appliances
}

_diverted(subnet) if {
	subnet.learns_routes.value
	subnet.default_route.value == null
}

_leaves(subnet) if {
	_rest_leaves(subnet)
	_untouched(subnet)
}

_leaves(subnet) if {
	_rest_leaves(subnet)
	_diverted(subnet)
	input.egress.appliance_trusted.value
	every route in subnet.diversions.found {
		route.next_hop in _appliances
	}
}

undecided contains reason if {
	not applies == false
	some fact in [input.cluster.own_vnet, input.egress.type, input.egress.subnets]
	reason := fact.unknown
}

undecided contains {
	"code": "undecidable",
	"message": sprintf("the outbound type `%s` is not known, so neither is the way out", [type]),
} if {
	applies
	not _type in _known
	type := _type
}

undecided contains reason if {
	applies
	some subnet in _subnets
	some fact in [
		subnet.nat_gateway,
		subnet.route_table,
		subnet.default_route,
		subnet.diversions.none,
		subnet.learns_routes,
		subnet.settled,
	]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some subnet in _subnets
	some reason in answers.gaps(subnet.https)
}

undecided contains reason if {
	applies
	reason := input.egress.provided.unknown
}

undecided contains {
	"code": "unproven",
	"message": sprintf("outbound TCP 443 is restricted in the subnet %s%s; whether what Azure Machine Learning and AKS require gets out is not judged yet", [name, proof]),
} if {
	applies
	some subnet in _subnets
	subnet.https.verdict.value == "partial"
	name := subnet.name
	proof := answers.proof(subnet.https)
}

undecided contains reason if {
	applies
	some subnet in _subnets
	_diverted(subnet)
	reason := input.egress.appliance_trusted.unknown
}

# The ways out of which nothing proves that they are one.
undecided contains {
	"code": "unproven",
	"message": sprintf("the cluster's way out are routes (userDefinedRouting), but the subnet %s has no default route and learns none, so nothing leads out", [name]),
} if {
	applies
	_type == "userdefinedrouting"
	some subnet in _subnets
	subnet.default_route.value == null
	subnet.learns_routes.value == false
	name := subnet.name
}

undecided contains {
	"code": "unproven",
	"message": sprintf("the default route of the subnet %s leads to the internet directly, but neither the cluster (userDefinedRouting) nor a NAT gateway takes traffic there", [name]),
} if {
	applies
	_type == "userdefinedrouting"
	some subnet in _subnets
	_to_internet(subnet)
	subnet.nat_gateway.value == null
	name := subnet.name
}

undecided contains {
	"code": "unproven",
	"message": sprintf("the default route of the subnet %s leads to `%s`, from where no way out is known", [name, hop]),
} if {
	applies
	some subnet in _subnets
	hop := subnet.default_route.value.next_hop
	not hop in _hops
	name := subnet.name
}

undecided contains {
	"code": "unproven",
	"message": sprintf("the subnet %s takes %s to `%s`, from where no way out is known, and whether something that is required lies there is not judged", [name, prefix, hop]),
} if {
	applies
	some subnet in _subnets
	some route in subnet.diversions.found
	hop := route.next_hop
	not hop in _appliances
	prefix := route.prefix
	name := subnet.name
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

# At all nodes in the subnet, or at all of one pool, whose interfaces have a group of their own.
_stopped(answer) if answer.verdict.value == "deny"

_stopped(answer) if answer.stopped_at_some_place

compliant if {
	applies
	_type in _known
	count(_subnets) > 0
	every subnet in _subnets {
		subnet.settled.value
		subnet.https.verdict.value == "allow"
		_leaves(subnet)
	}
}

notes contains {
	"code": "appliance_trusted",
	"message": sprintf("that the appliance or gateway behind the subnet %s lets the required traffic out rests on the declaration egress_appliance: trusted", [name]),
} if {
	compliant
	some subnet in _subnets
	_diverted(subnet)
	name := subnet.name
}
