# METADATA
# title: The default outbound rules stay in effect, or the registry is still reached
# description: |
#   The groups of a subnet that hosts inference, its own and those of the nodes, must let everything out to the VNet and to the
#   internet, as the default rules AllowVnetOutBound and AllowInternetOutBound do. These cannot be deleted, only overruled by an
#   earlier deny: of everything, of one port or of one address. Outbound traffic may be restricted where the workspace's
#   registry is still reached (NSG-003); what else Azure Machine Learning and AKS require is not judged then.
# custom:
#   id: NSG-002
#   severity: high
#   subject: subnet
#   requires: [virtual_networks, network_security_groups, scale_sets]
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
#     Delete or narrow the rule that denies:
#     az network nsg rule delete --subscription <nsg-subscription> --resource-group <nsg-rg> --nsg-name <nsg> --name <rule>
#     Or keep the restriction and let out what is required, the registry first (NSG-003).
#   since: 0.1.0
package azure.nsg.default_outbound_kept

import data.lib.answers
import data.lib.outbound

applies if {
	input.subnet.hosts_inference.value
	input.subnet.guarded.value
}

applies := false if input.subnet.guarded.value == false

# Why a restriction is not justified.
_lost := sprintf("the registry %s is not reached either", [name]) if {
	names := [registry.name |
		some registry in input.subnet.registries.value
		outbound.lost(registry, input.flows)
	]
	name := min(names)
}

_lost := "no registry is known that must be reached instead" if input.subnet.registries.value == []

violations contains {
	"key": part,
	"message": sprintf("%s packets to %s that the default rule %s lets out are stopped%s; %s", [amount, to, rule, proof, why]),
	"resource": subnet,
	"evidence": evidence,
} if {
	applies
	why := _lost
	some part, stopped in outbound.parts(input.flows)
	answer := stopped.answer
	to := stopped.to
	rule := stopped.rule
	amount := answers.amount(answer)
	proof := answers.proof(answer)
	subnet := input.subnet.subnet.id
	evidence := object.union(answers.evidence(answer), {
		"subnet": subnet,
		"part": part,
		"used_by": input.subnet.used_by,
		"registries": [registry.registry | some registry in input.subnet.registries.value],
	})
}

undecided contains reason if {
	not applies == false
	some fact in [input.subnet.hosts_inference, input.subnet.guarded]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	reason := input.subnet.subnet.settled.unknown
}

undecided contains reason if {
	not applies == false
	some reason in outbound.default_gaps(input.flows)
}

undecided contains reason if {
	applies
	outbound.restricted(input.flows)
	reason := input.subnet.registries.unknown
}

undecided contains reason if {
	applies
	outbound.restricted(input.flows)
	some registry in input.subnet.registries.value
	some reason in outbound.reach_gaps(registry, input.flows)
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

_settled if {
	applies
	input.subnet.subnet.settled.value
}

compliant if {
	_settled
	outbound.kept(input.flows)
}

compliant if _restricted

# Whether the restriction is justified.
_restricted if {
	_settled
	outbound.restricted(input.flows)
	count(input.subnet.registries.value) > 0
	every registry in input.subnet.registries.value {
		outbound.way(registry)
	}
}

notes contains {
	"code": "restricted",
	"message": sprintf("outbound traffic is restricted: %s; the registry is reached, but whether the other outbound rules that Azure Machine Learning and AKS require are there is not judged yet", [stopped]),
} if {
	_restricted
	stopped := concat("; ", [text |
		some part in outbound.parts(input.flows)
		text := sprintf("%s packets to %s are stopped%s", [answers.amount(part.answer), part.to, answers.proof(part.answer)])
	])
}

notes contains note if {
	_restricted
	some registry in input.subnet.registries.value
	some note in outbound.replica_notes(registry)
}
