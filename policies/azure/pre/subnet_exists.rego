# METADATA
# title: The VNet and subnet that inference is configured to use exist
# description: |
#   Each subnet that an attached cluster or a web service refers to must exist and be usable: it is found under its id, in any case,
#   and its creation or last change has succeeded. It is missing only if its VNet was read and does not hold it, or if a complete
#   list does not hold the VNet; a subnet that nobody may read is unknown. A subnet that is being changed, or whose
#   last change failed, does not pass.
# custom:
#   id: PRE-001
#   severity: high
#   subject: subnet
#   requires: [virtual_networks]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, prerequisites
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the rewritten article and the v1 article keep the requirement
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: V2
#     title: Secure an inferencing environment with virtual networks, prerequisites
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2025-06-13"
#   remediation: |
#     Create the subnet, or point the compute to another one:
#     az network vnet subnet create --subscription <vnet-subscription> --resource-group <vnet-rg> --vnet-name <vnet> --name <subnet> --address-prefixes <choose-range>
#   since: 0.1.0
package azure.pre.subnet_exists

applies if input.subnet.hosts_inference.value

violations contains {
	"key": "missing",
	"message": sprintf("the subnet %s of the VNet %s does not exist, but is referred to", [name, vnet_name]),
	"resource": subnet_id,
	"evidence": {"subnet": subnet_id, "vnet": vnet_id, "used_by": users},
} if {
	applies
	input.subnet.exists.value == false
	subnet := input.subnet.subnet
	subnet_id := subnet.id
	name := subnet.name
	vnet_id := subnet.vnet.id
	vnet_name := subnet.vnet.name
	users := input.subnet.used_by
}

undecided contains reason if {
	some fact in [input.subnet.hosts_inference, input.subnet.exists, input.subnet.subnet.settled]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.subnet.exists.value
	input.subnet.subnet.settled.value
}
