# METADATA
# title: Some isolation is configured
# description: |
#   Traffic between the cluster and the VNet must be isolated by a private API server, by private scoring (an internal load balancer, or
#   none at all), or by both. One of them is enough here, although neither replaces the other: control plane and scoring are
#   judged by rules of their own. Authorized address ranges are no isolation. A workspace for which the operator declared
#   `scoring: any`, and no private control plane, is not judged.
# custom:
#   id: ISO-001
#   severity: critical
#   subject: aks_compute
#   requires: [workspaces, computes, aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, secure VNet traffic
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
#   - key: S20
#     title: Secure an inferencing environment with virtual networks, earlier edition
#     revised: "2020-10-23"
#     superseded: the edition of 2021-11-05 lets both be used together; that of 2020-09-24 wanted one or the other
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: PRIV
#     title: Create a private AKS cluster
#     revised: "2026-08-05"
#   - key: ILBD
#     title: Create an internal load balancer in AKS
#     revised: "2026-07-31"
#   remediation: |
#     Scoring by an internal load balancer, for a v2 extension:
#     az k8s-extension update --subscription <cluster-subscription> --resource-group <cluster-rg> --cluster-name <cluster> --cluster-type managedClusters --name <choose-extension> --config inferenceRouterServiceType=LoadBalancer internalLoadBalancerProvider=azure
#     A private API server, for an existing cluster only with API server VNet integration:
#     az aks update --subscription <cluster-subscription> --resource-group <cluster-rg> --name <cluster> --enable-apiserver-vnet-integration --apiserver-subnet-id <choose-subnet-id>
#     az aks update --subscription <cluster-subscription> --resource-group <cluster-rg> --name <cluster> --enable-private-cluster
#   since: 0.1.0
package azure.iso.some_isolation

applies if {
	input.subject.kind == "aks_compute"
	not _nothing_demanded
}

applies := false if _nothing_demanded

_nothing_demanded if {
	input.expectations.scoring == "any"
	input.expectations.control_plane != "private"
}

violations contains {
	"key": "isolation",
	"message": sprintf(
		"nothing isolates the cluster %s: its API server is public%s, and scoring goes through a public load balancer%s",
		[name, shown, listed],
	),
	"resource": cluster_id,
	"evidence": {
		"cluster": cluster_id,
		"fqdn": fqdn,
		"declared": declared,
		"frontends": frontends,
		"public_addresses": addresses,
	},
} if {
	applies
	input.cluster.private.value == false
	input.router.private.value == false
	name := input.cluster.name
	cluster_id := object.get(input.cluster.id, "value", null)
	fqdn := input.cluster.fqdn
	declared := object.get(input.router.declared, "value", null)
	frontends := [concat("/", [frontend.load_balancer, frontend.name]) | some frontend in _public]
	addresses := [address |
		some frontend in _public
		address := frontend.address.value
	]
	shown := _shown(fqdn)
	listed := _listed(addresses)
}

_public := input.router.public_frontends

_shown(fqdn) := sprintf(" (%s)", [fqdn]) if is_string(fqdn)

_shown(fqdn) := "" if not is_string(fqdn)

_listed(addresses) := sprintf(" at %s", [concat(", ", addresses)]) if count(addresses) > 0

_listed(addresses) := "" if count(addresses) == 0

_isolated if input.cluster.private.value

_isolated if input.router.private.value

undecided contains reason if {
	not applies == false
	not _isolated
	some fact in [input.cluster.private, input.router.private]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	_isolated
}

notes contains {
	"code": "private_control_plane",
	"message": "the API server is private, which isolates the cluster",
} if {
	applies
	input.cluster.private.value
}

notes contains {
	"code": "private_scoring",
	"message": "scoring is private, which isolates the cluster",
} if {
	applies
	input.router.private.value
}

notes contains {
	"code": "not_demanded",
	"message": "the operator declared that neither scoring (`scoring: any`) nor the control plane must be private",
} if {
	applies == false
}
