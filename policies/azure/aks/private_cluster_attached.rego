# METADATA
# title: A private cluster is attached, and its attachment is healthy
# description: |
#   Azure Machine Learning can use a private cluster only once it was created and then attached. The attachment must have
#   succeeded, and the cluster that it names must exist: it is gone only if a complete list does not hold it. A cluster that was
#   made anew under its old name is another cluster, so an attachment that recorded another API server does not pass. A cluster
#   that is not private is not judged.
# custom:
#   id: AKS-004
#   severity: medium
#   subject: aks_compute
#   requires: [computes, aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, private AKS cluster
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; a private cluster is still attached after it was created
#   - key: ATT1
#     title: Create and attach a Kubernetes cluster (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-create-attach-kubernetes
#     revised: "2022-04-21"
#   remediation: |
#     Detach the cluster, then attach it (or its successor, by the successor's id) again:
#     az ml compute detach --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --name <compute>
#     az ml compute attach --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --type Kubernetes --name <compute> --resource-id <cluster-id>
#   since: 0.1.0
package azure.aks.private_cluster_attached

applies if input.cluster.private.value

# Whether a cluster that is gone was private, nobody can tell any more.
applies if input.compute.cluster_exists.value == false

applies := false if {
	input.compute.cluster_exists.value
	input.cluster.private.value == false
}

violations contains {
	"key": "cluster_gone",
	"message": sprintf("the cluster %s that is attached as %s does not exist any more", [cluster_name, name]),
	"resource": compute_id,
	"evidence": {"compute": compute_id, "cluster": cluster_id},
} if {
	input.compute.cluster_exists.value == false
	compute_id := input.compute.id
	name := input.compute.name
	cluster_id := input.cluster.id.value
	cluster_name := input.cluster.name
}

violations contains {
	"key": "attachment_failed",
	"message": sprintf("the attachment of the cluster %s as %s has failed", [cluster_name, name]),
	"resource": compute_id,
	"evidence": {"compute": compute_id, "cluster": cluster_id},
} if {
	applies
	input.compute.attachment_failed.value
	compute_id := input.compute.id
	name := input.compute.name
	cluster_id := object.get(input.cluster.id, "value", null)
	cluster_name := input.cluster.name
}

undecided contains reason if {
	not applies == false
	some fact in [
		input.cluster.private,
		input.compute.cluster_exists,
		input.compute.attachment_failed,
		input.compute.attached,
		input.compute.same_cluster,
	]
	reason := fact.unknown
}

undecided contains {
	"code": "unproven",
	"message": "the compute says that it was not attached but made by Azure Machine Learning, which makes no private cluster",
} if {
	applies
	input.compute.attached.value == false
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	input.cluster.private.value
	input.compute.cluster_exists.value
	input.compute.attached.value
	input.compute.attachment_failed.value == false
	input.compute.same_cluster.value
}
