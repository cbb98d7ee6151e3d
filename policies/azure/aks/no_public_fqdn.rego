# METADATA
# title: A private cluster has no public FQDN
# description: |
#   Azure Machine Learning does not support a private AKS cluster that has the additional public FQDN, which AKS gives to private
#   clusters unless it is disabled. A public name that resolves to a private address is still a public FQDN. A cluster that is
#   not private has one by nature and is not judged here.
# custom:
#   id: AKS-002
#   severity: high
#   subject: aks_cluster
#   requires: [aks_clusters]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, limitations of AKS
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: KENV
#     title: Secure a Kubernetes inferencing environment
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-kubernetes-inferencing-environment
#     revised: "2022-08-31"
#   - key: ATT1
#     title: Create and attach a Kubernetes cluster (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-create-attach-kubernetes
#     revised: "2022-04-21"
#   - key: PRIV
#     title: Create a private AKS cluster
#     revised: "2026-08-05"
#   remediation: |
#     az aks update --subscription <cluster-subscription> --resource-group <cluster-rg> --name <cluster> --disable-public-fqdn
#     This needs a private DNS zone other than `none`. Where it is `none`, give the cluster a zone first (`system`, or a zone's id):
#     az aks update --subscription <cluster-subscription> --resource-group <cluster-rg> --name <cluster> --private-dns-zone <choose-zone>
#     Nodes may need an image upgrade.
#   since: 0.1.0
package azure.aks.no_public_fqdn

applies := input.cluster.private.value

violations contains {
	"key": "public_fqdn",
	"message": message,
	"resource": resource,
	"evidence": {"fqdn": fqdn, "private_dns_zone": zone},
} if {
	applies
	input.cluster.public_fqdn.value
	fqdn := input.cluster.fqdn
	zone := input.cluster.private_dns_zone
	message := _message(_shown(fqdn), zone)
	resource := object.get(input.cluster.id, "value", null)
}

_shown(fqdn) := fqdn if is_string(fqdn)

_shown(fqdn) := "not told" if not is_string(fqdn)

_message(fqdn, zone) := sprintf("the private cluster has a public FQDN (%s); disable it", [fqdn]) if zone != "none"

_message(fqdn, zone) := sprintf(
	"the private cluster has a public FQDN (%s); change its private DNS zone from `none`, then disable it",
	[fqdn],
) if {
	zone == "none"
}

undecided contains reason if {
	not applies == false
	some fact in [input.cluster.private, input.cluster.public_fqdn]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.cluster.public_fqdn.value == false
}
