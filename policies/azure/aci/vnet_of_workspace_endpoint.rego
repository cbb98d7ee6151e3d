# METADATA
# title: The web service's VNet holds a private endpoint of the workspace
# description: |
#   If the workspace is reached by a private endpoint, a web service on Azure Container Instances must run in the VNet of that
#   endpoint, or it cannot reach the workspace. Any approved endpoint will do where there are several; another subnet of the
#   VNet is fine; a peered VNet and an endpoint that waits for approval are not.
# custom:
#   id: ACI-002
#   severity: high
#   subject: aci_service
#   requires: [workspaces, services, container_groups]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, limitations of ACI
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: ACI in a VNet is not supported at all since the edition of 2024-07-10 (ACI-010); this explains services that were deployed before
#   - key: ACID
#     title: Deploy a model to Azure Container Instances (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-deploy-azure-container-instance
#     revised: "edition of 2020/21"
#     superseded: the edition of 2024-07-10 no longer supports ACI in a VNet at all (ACI-010)
#   remediation: |
#     Preferably migrate the service to a managed online endpoint. Or deploy it into the endpoint's VNet, or give its VNet an endpoint:
#     az network private-endpoint create --subscription <vnet-subscription> --resource-group <vnet-rg> --name <choose-name> --vnet-name <vnet> --subnet <choose-subnet> --private-connection-resource-id <workspace-id> --group-id amlworkspace --connection-name <choose-name>
#   since: 0.1.0
package azure.aci.vnet_of_workspace_endpoint

applies if {
	input.service.in_vnet.value
	input.workspace.private_endpoint.value
}

applies := false if input.service.in_vnet.value == false

applies := false if input.workspace.private_endpoint.value == false

violations contains {
	"key": vnet_id,
	"message": sprintf("no approved private endpoint of the workspace lies in the VNet %s", [vnet_name]),
	"resource": vnet_id,
	"evidence": {"vnet": vnet_id, "endpoint_networks": endpoints, "ownership_proven_by": owner},
} if {
	applies
	owner := input.service.owner.value
	some network in input.service.networks.value
	network.workspace_endpoint_in_vnet.value == false
	vnet := network.subnet.vnet
	vnet_id := vnet.id
	endpoints := object.get(input.workspace.endpoint_networks, "value", [])
	vnet_name := vnet.name
}

undecided contains reason if {
	not applies == false
	some fact in [
		input.service.in_vnet,
		input.workspace.private_endpoint,
		input.service.owner,
		input.service.networks,
	]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some network in input.service.networks.value
	reason := network.workspace_endpoint_in_vnet.unknown
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
		network.workspace_endpoint_in_vnet.value
	}
}
