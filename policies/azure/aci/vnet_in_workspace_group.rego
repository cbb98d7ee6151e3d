# METADATA
# title: The web service's VNet is in the workspace's resource group
# description: |
#   A web service on Azure Container Instances that runs in a VNet needs that VNet in the resource group of its workspace:
#   deployment parameters carry the VNet's name without a group. Resource groups are compared by subscription and name; a
#   peered VNet of another group does not help. A web service outside any VNet may have its VNets anywhere.
# custom:
#   id: ACI-001
#   severity: high
#   subject: aci_service
#   requires: [workspaces, services, container_groups]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, limitations of ACI
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: ACI in a VNet is not supported at all since the edition of 2024-07-10 (ACI-010); this explains services that were deployed before
#   - key: WSV
#     title: Secure a workspace with virtual networks
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-workspace-vnet
#     revised: "2021-09-22"
#     superseded: ACI in a VNet is not supported at all since the edition of 2024-07-10 (ACI-010)
#   - key: ACID
#     title: Deploy a model to Azure Container Instances (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-deploy-azure-container-instance
#     revised: "edition of 2020/21"
#     superseded: the edition of 2024-07-10 no longer supports ACI in a VNet at all (ACI-010)
#   remediation: |
#     Preferably migrate the service to a managed online endpoint. Or move the VNet, together with what depends on it:
#     az resource move --destination-subscription-id <workspace-subscription> --destination-group <workspace-rg> --ids <vnet-id>
#   since: 0.1.0
package azure.aci.vnet_in_workspace_group

applies := input.service.in_vnet.value

violations contains {
	"key": vnet_id,
	"message": sprintf("the VNet %s is not in the workspace's resource group", [vnet_name]),
	"resource": vnet_id,
	"evidence": {
		"vnet": vnet_id,
		"vnet_group": vnet_group,
		"workspace_group": workspace_group,
		"ownership_proven_by": owner,
	},
} if {
	applies
	owner := input.service.owner.value
	some network in input.service.networks.value
	vnet := network.subnet.vnet
	vnet_group := vnet.resource_group
	workspace_group := input.workspace.resource_group
	vnet_group != workspace_group
	vnet_id := vnet.id
	vnet_name := vnet.name
}

undecided contains reason if {
	not applies == false
	some fact in [input.service.in_vnet, input.service.owner, input.service.networks]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.service.owner.value
	count(input.service.networks.value) > 0
	every network in input.service.networks.value {
		network.subnet.vnet.resource_group == input.workspace.resource_group
	}
}
