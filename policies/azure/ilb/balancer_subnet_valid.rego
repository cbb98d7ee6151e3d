# METADATA
# title: The internal load balancer's subnet is valid
# description: |
#   The subnet that an internal load balancer takes its address from must exist in a VNet of the cluster, must not be delegated, and the address
#   must lie in it, be none of the five that Azure keeps, and lie outside the range of Kubernetes services. A subnet that is only
#   declared needs a free address. The declaration is a name alone, which is looked for in the cluster's VNet.
# custom:
#   id: ILB-002
#   severity: medium
#   subject: aks_compute
#   requires: [workspaces, computes, aks_clusters, load_balancers, virtual_networks]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, internal AKS load balancer
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement, set when the cluster is attached
#   - key: ILBD
#     title: Use an internal load balancer with AKS
#     url: https://learn.microsoft.com/azure/aks/internal-lb
#     revised: "2023-02-22, 2026-07-31"
#   remediation: |
#     Name a valid subnet of the cluster's VNet. A v1 attachment, with the retired CLI v1:
#     az ml computetarget update aks --name <compute> --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --load-balancer-type InternalLoadBalancer --load-balancer-subnet <choose-subnet>
#     Otherwise by annotation of the router's service:
#     kubectl annotate service azureml-fe --namespace azureml --overwrite service.beta.kubernetes.io/azure-load-balancer-internal-subnet=<choose-subnet>
#   since: 0.1.0
package azure.ilb.balancer_subnet_valid

_internal if input.router.declared.value == "internal_load_balancer"

_internal if {
	some frontend in input.router.frontends.value
	frontend.public == false
}

applies if _internal

applies := false if {
	input.router.declared.value in {"public_load_balancer", "no_load_balancer"}
	frontends := input.router.frontends.value
	every frontend in frontends {
		frontend.public
	}
}

_entries := input.router.balancer_subnets.value

# What is wrong with a subnet or with the address in it.
_problem("missing", entry) if entry.exists.value == false

_problem("other_vnet", entry) if entry.in_cluster_vnet.value == false

_problem("delegated", entry) if count(entry.subnet.delegations.value) > 0

_problem("address", entry) if entry.address_fits.value == false

_problem("service_cidr", entry) if entry.address_in_service_cidr.value

_problem("exhausted", entry) if {
	entry.address.value == null
	entry.free_addresses.value == 0
}

_problems := {
	"missing": "does not exist",
	"other_vnet": "lies in a VNet in which the cluster does not live",
	"delegated": "is delegated",
	"address": "does not hold the load balancer's address, or Azure keeps that one for itself",
	"service_cidr": "gave the load balancer an address of the range of Kubernetes services",
	"exhausted": "has no free address for the load balancer",
}

# Several frontends may take their addresses from one subnet.
violations contains {
	"key": key,
	"message": sprintf("the load balancer's subnet %s of the VNet %s %s%s", [name, vnet_name, words, which]),
	"resource": subnet_id,
	"evidence": {
		"subnet": subnet_id,
		"vnet": vnet_id,
		"addresses": addresses,
		"delegated_to": services,
		"compute": compute,
		"workspace": workspace,
	},
} if {
	applies
	some entry in _entries
	some problem, words in _problems
	_problem(problem, entry)
	subnet := entry.subnet
	subnet_id := subnet.id
	name := subnet.name
	vnet_id := subnet.vnet.id
	vnet_name := subnet.vnet.name
	key := concat(" ", [subnet_id, problem])
	addresses := sort([address |
		some other in _entries
		other.subnet.id == subnet_id
		_problem(problem, other)
		address := other.address.value
		is_string(address)
	])
	services := sort([delegation.service | some delegation in object.get(subnet.delegations, "value", [])])
	which := _which(problem, addresses, services)
	compute := input.compute.id
	workspace := input.workspace.id
}

_which(problem, addresses, _) := sprintf(": %s", [concat(", ", addresses)]) if problem in {"address", "service_cidr"}

_which("delegated", _, services) := sprintf(" to %s", [concat(", ", services)])

_which(problem, _, _) := "" if problem in {"missing", "other_vnet", "exhausted"}

undecided contains reason if {
	not applies == false
	not _internal
	some fact in [input.router.declared, input.router.frontends]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	reason := input.router.balancer_subnets.unknown
}

undecided contains {
	"code": "unproven",
	"message": "an internal load balancer is declared, but no frontend of it and no name tells its subnet",
} if {
	applies
	_entries == []
}

undecided contains reason if {
	applies
	some entry in _entries
	some fact in [
		entry.exists,
		entry.in_cluster_vnet,
		entry.address,
		entry.address_fits,
		entry.address_in_service_cidr,
		entry.subnet.delegations,
		entry.subnet.settled,
	]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some entry in _entries
	entry.address.value == null
	reason := entry.free_addresses.unknown
}

undecided contains reason if {
	applies
	reason := input.router.settled.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.router.settled.value
	count(_entries) > 0
	every entry in _entries {
		entry.exists.value
		entry.in_cluster_vnet.value
		count(entry.subnet.delegations.value) == 0
		entry.subnet.settled.value
		entry.address_fits.value
		entry.address_in_service_cidr.value == false
		_addressed(entry)
	}
}

_addressed(entry) if is_string(entry.address.value)

_addressed(entry) if {
	entry.address.value == null
	entry.free_addresses.value > 0
}

notes contains {
	"code": "other_subnet",
	"message": sprintf("the load balancer's subnet %s holds no nodes: the cluster's identity needs its rights there too (CNI-003)", [name]),
} if {
	compliant
	some entry in _entries
	nodes := {subnet.id | some subnet in input.cluster.node_subnets.value}
	count(nodes) > 0
	not entry.subnet.id in nodes
	name := entry.subnet.name
}
