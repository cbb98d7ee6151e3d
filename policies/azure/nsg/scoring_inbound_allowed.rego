# METADATA
# title: Declared callers outside the VNet reach scoring
# description: |
#   If callers outside the VNet must reach scoring (`expectations.callers`), the network security groups of the subnet and of the
#   nodes must both let them in to the scoring address and port. All declared callers are asked for at once. Callers in peered VNets
#   and on premises belong to VirtualNetwork, which the default rule lets in. Where no group is on the way, a public standard load
#   balancer is closed.
# custom:
#   id: NSG-001
#   severity: medium
#   subject: aks_compute
#   requires: [workspaces, computes, aks_clusters, load_balancers, network_security_groups, scale_sets]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, add an AKS cluster
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: NSGD
#     title: Network security groups
#     url: https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
#     revised: "2025-07-15"
#   remediation: |
#     Allow the callers in the group that stops them, before (by a lower number than) the rule that does:
#     az network nsg rule create --subscription <nsg-subscription> --resource-group <nsg-rg> --nsg-name <nsg> --name allow-scoring --priority <choose-priority> --direction Inbound --access Allow --protocol Tcp --source-address-prefixes <callers> --destination-address-prefixes <addresses> --destination-port-ranges <ports>
#   since: 0.1.0
package azure.nsg.scoring_inbound_allowed

import data.lib.answers

_callers := input.expectations.callers

applies if {
	is_array(_callers)
	count(_callers) > 0
}

applies := false if _callers == []

applies := false if {
	_callers == null
	_unexposed
}

# Whether it is proven that nothing public leads to scoring.
_unexposed if {
	frontends := input.router.frontends.value
	count(frontends) > 0
	every frontend in frontends {
		frontend.public == false
	}
}

_unexposed if {
	input.router.declared.value == "no_load_balancer"
	input.router.private.value
}

_answer := input.flows.scoring_inbound

violations contains {
	"key": "scoring_inbound",
	"message": sprintf("%s packets from the declared callers to scoring are stopped%s", [amount, proof]),
	"evidence": evidence,
} if {
	applies
	answer := _answer
	answers.stops(answer)
	amount := answers.amount(answer)
	proof := answers.proof(answer)
	evidence := object.union(answers.evidence(answer), {
		"callers": _callers,
		"addresses": [address | some frontend in input.router.frontends.value; address := frontend.address.value],
		"ports": object.get(input.router.ports, "value", []),
	})
}

undecided contains reason if {
	applies
	some fact in [input.router.frontends, input.router.ports, input.router.settled]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in answers.gaps(_answer)
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

undecided contains {
	"code": "undeclared",
	"message": sprintf("%s, and who must reach it from outside the VNet is not declared: declare callers under expectations.default (an empty list says that nobody must)", [what]),
	"settle": {"by": "declaration", "what": "expectations.callers", "at": workspace},
} if {
	_callers == null
	not _unexposed
	what := _undeclared
	workspace := input.workspace.id
}

_undeclared := sprintf("the public frontend %s serves scoring", [name]) if {
	names := [frontend.name | some frontend in input.router.frontends.value; frontend.public]
	name := min(names)
}

_undeclared := "no load balancer serves scoring yet" if {
	input.router.frontends.value == []
	not input.router.declared.value == "no_load_balancer"
}

_undeclared := "the router has no load balancer of its own, but it is not proven that none leads to it" if {
	input.router.frontends.value == []
	input.router.declared.value == "no_load_balancer"
}

undecided contains reason if {
	_callers == null
	not _unexposed
	reason := input.router.frontends.unknown
}

compliant if {
	applies
	_answer.verdict.value == "allow"
	count(input.router.frontends.value) > 0
	count(input.router.ports.value) > 0
	input.router.settled.value
}

notes contains {
	"code": "too_broad",
	"message": "scoring is let in only by rules for any protocol from anywhere to anything; allow the callers alone, to the scoring address and port",
} if {
	compliant
	_answer.by_any_to_any
}

notes contains {
	"code": "not_declared",
	"message": "no callers are declared: those in peered VNets and on premises are VirtualNetwork, which the default rule lets in unless a rule denies them; declare them (expectations.callers) to have it judged",
} if {
	_callers == null
	_unexposed
}
