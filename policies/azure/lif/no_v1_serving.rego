# METADATA
# title: No serving depends on SDK or CLI v1
# description: |
#   Support for the CLI v1 ended on 2025-09-30, for the SDK v1 on 2026-06-30. A workspace should have neither inference clusters of
#   compute type AKS nor v1 web services, whether they run on AKS or on Azure Container Instances; each is a violation of its own.
#   They go on serving, without support. A pass needs both lists read completely: a list of services that cannot be read,
#   which is usual on new API versions, leaves the workspace unknown. What a detached cluster still serves is not seen.
# custom:
#   id: LIF-001
#   severity: medium
#   subject: workspace
#   requires: [workspaces, computes, services]
#   documents:
#   - key: MIG
#     title: Migrate deployment endpoints from SDK v1 to SDK v2
#     url: https://learn.microsoft.com/azure/machine-learning/migrate-to-v2-deploy-endpoints
#     revised: "banner read in 2026"
#   - key: CLI1
#     title: End of support of the CLI v1
#     revised: "2025-02-10"
#   - key: KATT
#     title: Introduction to Kubernetes compute targets
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-attach-kubernetes-anywhere
#     revised: "2024-10-04"
#   - key: ATT1
#     title: Create and attach a Kubernetes cluster (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-create-attach-kubernetes
#     revised: "2022-04-21"
#   remediation: |
#     Serve by a managed or Kubernetes online endpoint:
#     az ml online-endpoint create --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --name <choose-endpoint>
#     Then detach a v1 compute, or delete a v1 service:
#     az ml compute detach --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --name <compute>
#     az resource delete --ids <service-id>
#   since: 0.1.0
package azure.lif.no_v1_serving

applies if input.subject.kind == "workspace"

_support_ended := {"cli_v1": "2025-09-30", "sdk_v1": "2026-06-30"}

violations contains {
	"key": concat(" ", ["compute", name]),
	"message": sprintf("the inference cluster %s is a compute of type AKS, of the retired v1", [name]),
	"resource": compute,
	"evidence": {"compute": compute, "support_ended": ended},
} if {
	some compute in input.workspace.v1_computes.found
	ended := _support_ended
	name := _name(compute)
}

violations contains {
	"key": concat(" ", ["service", name]),
	"message": sprintf("the web service %s was deployed by the retired v1", [name]),
	"resource": service,
	"evidence": {"service": service, "support_ended": ended},
} if {
	some service in input.workspace.v1_services.found
	ended := _support_ended
	name := _name(service)
}

# The last segment of an id.
_name(id) := name if {
	segments := split(id, "/")
	name := segments[count(segments) - 1]
}

undecided contains reason if {
	some search in [input.workspace.v1_computes, input.workspace.v1_services]
	reason := search.none.unknown
}

undecided contains reason if {
	some reason in input.unsettled
}

compliant if {
	input.workspace.v1_computes.none.value
	input.workspace.v1_services.none.value
}
