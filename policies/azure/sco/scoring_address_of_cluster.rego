# METADATA
# title: The scoring address is the cluster's own
# description: |
#   All deployments on one cluster are scored at one address, which a load balancer of this very cluster serves. A deployment that names
#   another address is stale, from before the load balancer was made anew, or leads to another cluster; rules of security groups
#   that are written for it open the wrong door. A dual-stack cluster has one address of each family. In VNets that are not
#   connected two clusters may use the same private address. Names that only DNS could resolve are unknown, and
#   clusters whose router no load balancer serves are not judged.
# custom:
#   id: SCO-001
#   severity: medium
#   subject: aks_cluster
#   requires: [workspaces, computes, aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, address of the scoring endpoint
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   remediation: |
#     See which address the deployment names, and which one the router of the cluster has:
#     az ml online-endpoint list --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --query "[].{name:name, uri:scoring_uri}" --output table
#     kubectl get service --all-namespaces --field-selector metadata.name=azureml-fe
#     Refresh what still points to the old address (DNS records, rules of security groups), or deploy again.
#   since: 0.1.0
package azure.sco.scoring_address_of_cluster

applies if {
	count(input.scoring.records.found) > 0
	input.scoring.balanced.value
}

applies := false if input.scoring.records.none.value

applies := false if input.scoring.balanced.value == false

violations contains {
	"key": record_id,
	"message": sprintf(
		"%s %s names the address %s, which no load balancer of the cluster %s serves; %s",
		[what, name, address, cluster, where],
	),
	"resource": record_id,
	"evidence": {
		"deployment": record_id,
		"workspace": workspace,
		"address": address,
		"served_by": served_by,
	},
} if {
	applies
	some record in input.scoring.records.found
	record.served_here.value == false
	record_id := record.id
	name := record.name
	workspace := record.workspace
	address := record.address.value
	served_by := record.served_by
	cluster := input.cluster.name
	what := _what(record_id)
	where := _where(served_by)
}

violations contains {
	"key": "addresses",
	"message": sprintf("the deployments on the cluster %s name several addresses: %s", [cluster, list]),
	"resource": resource,
	"evidence": {"addresses": addresses, "named_by": named_by, "workspace": workspace},
} if {
	applies
	_several
	addresses := input.scoring.addresses
	list := concat(", ", addresses)
	cluster := input.cluster.name
	resource := object.get(input.cluster.id, "value", null)
	workspace := min({record.workspace | some record in input.scoring.records.found})
	named_by := [{"deployment": record.id, "address": address} |
		some record in input.scoring.records.found
		address := record.address.value
	]
}

# Whether one family of addresses has more than one.
_several if {
	some version_6 in [true, false]
	count([address | some address in input.scoring.addresses; contains(address, ":") == version_6]) > 1
}

_kinds := {
	"computes": "the compute",
	"onlineendpoints": "the online endpoint",
	"services": "the web service",
}

_what(id) := object.get(_kinds, segments[count(segments) - 2], "the deployment") if segments := split(id, "/")

_where(served_by) := "it is stale, perhaps from before the load balancer was made anew" if count(served_by) == 0

_where(served_by) := sprintf("it leads to the cluster %s", [list]) if {
	count(served_by) > 0
	list := _names(served_by)
}

_names(ids) := concat(", ", [segments[count(segments) - 1] |
	some id in ids
	segments := split(id, "/")
])

undecided contains reason if {
	not applies == false
	some fact in [input.scoring.balanced, input.scoring.records.none, input.scoring.complete]
	reason := fact.unknown
}

undecided contains reason if {
	not applies == false
	some record in input.scoring.records.found
	some fact in [record.address, record.served_here]
	reason := fact.unknown
}

undecided contains {
	"code": "ambiguous",
	"message": sprintf("the address %s that %s names is served by this cluster and by %s", [address, name, list]),
} if {
	applies
	some record in input.scoring.records.found
	record.served_here.value
	count(record.served_by) > 0
	address := record.address.value
	name := record.name
	list := _names(record.served_by)
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.scoring.complete.value
	count(input.scoring.addresses) > 0
	not _several
	every record in input.scoring.records.found {
		record.address.value
		record.served_here.value
		count(record.served_by) == 0
	}
}

notes contains {
	"code": "address_repeated",
	"message": sprintf(
		"%s is also the address of %s, in a VNet that is not connected with this one; private addresses may repeat like that",
		[address, list],
	),
} if {
	applies
	some record in input.scoring.records.found
	count(record.repeated_by) > 0
	address := record.address.value
	list := _names(record.repeated_by)
}
