# METADATA
# title: No web service runs on Azure Container Instances in a VNet
# description: |
#   Azure Machine Learning does not support web services on Azure Container Instances in a VNet: since 2022 not where the workspace
#   has a private endpoint, and by the newest page (2024-07-10) not at all. Without an approved endpoint the violation is
#   therefore of medium severity. This is what holds today; ACI-001 to ACI-005 say beside it which condition of old a service
#   violates. Container groups that no workspace owns are not judged.
# custom:
#   id: ACI-010
#   severity: high
#   subject: aci_service
#   requires: [workspaces, services, container_groups]
#   documents:
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: WSV
#     title: Secure a workspace with virtual networks
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-workspace-vnet
#     revised: "2024-07-08"
#   - key: ACID
#     title: Deploy a model to Azure Container Instances (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-deploy-azure-container-instance
#     revised: "2024-07-10"
#   remediation: |
#     Serve by a managed online endpoint, then delete the v1 service:
#     az ml online-endpoint create --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --name <choose-endpoint> --set public_network_access=disabled
#   since: 0.1.0
package azure.aci.not_in_vnet

applies if input.subject.kind == "aci_service"

violations contains {
	"key": "in_vnet",
	"message": "the web service runs on Azure Container Instances in a VNet, and the workspace has a private endpoint: unsupported since 2022",
	"resource": group,
	"evidence": {"subnets": subnets, "reason": "unsupported_with_private_endpoint", "ownership_proven_by": owner},
} if {
	input.service.in_vnet.value
	owner := input.service.owner.value
	group := input.service.container_group
	subnets := _subnets
	input.workspace.private_endpoint.value
}

violations contains {
	"key": "in_vnet",
	"message": "the web service runs on Azure Container Instances in a VNet: unsupported by the page of 2024-07-10, with or without private endpoint",
	"severity": "medium",
	"resource": group,
	"evidence": {"subnets": subnets, "reason": "unsupported_per_2024_page", "ownership_proven_by": owner},
} if {
	input.service.in_vnet.value
	owner := input.service.owner.value
	group := input.service.container_group
	subnets := _subnets
	input.workspace.private_endpoint.value == false
}

# The subnets that it lives in, as far as they are known.
_subnets := [network.subnet.id | some network in input.service.networks.value]

undecided contains reason if {
	not input.service.in_vnet.value == false
	some fact in [input.service.in_vnet, input.service.owner, input.workspace.private_endpoint]
	reason := fact.unknown
}

undecided contains reason if {
	some reason in input.unsettled
}

compliant if {
	input.service.in_vnet.value == false
}

notes contains {
	"code": "pending_endpoint",
	"message": sprintf("the private endpoint %s still waits for approval; once approved, the severity is high", [endpoint]),
} if {
	input.service.in_vnet.value
	input.workspace.private_endpoint.value == false
	some endpoint in input.workspace.pending_endpoints
}
