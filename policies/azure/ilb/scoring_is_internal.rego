# METADATA
# title: Scoring goes through an internal load balancer where it must be private
# description: |
#   Where scoring must be private (`expectations.scoring: private`, or nothing declared and a private endpoint at the workspace), the
#   cluster's scoring router must be declared to use an internal load balancer, and the frontend that serves scoring must
#   be internal. The default is public, also of a cluster that was attached. Frontends for outbound traffic alone, as the load balancer
#   `kubernetes` has them, serve nothing. A router without a load balancer has nothing to be judged, if nothing public leads to it.
# custom:
#   id: ILB-001
#   severity: critical
#   subject: aks_compute
#   requires: [workspaces, computes, aks_clusters, load_balancers]
#   documents:
#   - key: S
#     title: Secure an inferencing environment with virtual networks, internal AKS load balancer
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-secure-inferencing-vnet
#     revised: "2021-11-05"
#     superseded: rewritten for v2 on 2022-09-06; the v1 article keeps the requirement, set when the cluster is attached
#   - key: ATT1
#     title: Create and attach a Kubernetes cluster (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-create-attach-kubernetes
#     revised: "2022-04-21"
#   - key: V1
#     title: Secure an inferencing environment with virtual networks (v1)
#     url: https://learn.microsoft.com/azure/machine-learning/v1/how-to-secure-inferencing-vnet
#     revised: "2024-01-31"
#   - key: EXT
#     title: Deploy the Azure Machine Learning extension on a Kubernetes cluster
#     url: https://learn.microsoft.com/azure/machine-learning/how-to-deploy-kubernetes-extension
#     revised: "2025-03-07"
#   remediation: |
#     A cluster with the extension (v2):
#     az k8s-extension update --subscription <cluster-subscription> --resource-group <cluster-rg> --cluster-name <cluster> --cluster-type managedClusters --name <choose-extension> --config inferenceRouterServiceType=LoadBalancer internalLoadBalancerProvider=azure
#     A v1 attachment, with the retired CLI v1:
#     az ml computetarget update aks --name <compute> --subscription <workspace-subscription> --resource-group <workspace-rg> --workspace-name <workspace> --load-balancer-type InternalLoadBalancer --load-balancer-subnet <choose-subnet>
#   since: 0.1.0
package azure.ilb.scoring_is_internal

# Whether it is proven that no load balancer is needed and nothing public leads to scoring.
_unbalanced if {
	input.router.declared.value == "no_load_balancer"
	input.router.private.value
}

applies if {
	input.router.private_demanded.value
	not _unbalanced
}

applies := false if input.router.private_demanded.value == false

applies := false if _unbalanced

violations contains {
	"key": "scoring",
	"message": message,
	"resource": resource,
	"evidence": evidence,
} if {
	applies
	input.router.private.value == false
	message := _message
	resource := _resource
	evidence := {
		"compute": input.compute.id,
		"cluster": object.get(input.cluster.id, "value", null),
		"workspace": input.workspace.id,
		"declared": object.get(input.router.declared, "value", null),
		"frontends": [_summary(frontend) | some frontend in input.router.frontends.value],
		"addresses": object.get(input.router.addresses, "value", []),
	}
}

_public := input.router.public_frontends

_message := sprintf("scoring must be private, but %s", [concat(" and ", [_words(frontend) | some frontend in _public])]) if {
	count(_public) > 0
}

_message := "scoring must be private, but a public load balancer is declared and no internal one serves it" if {
	count(_public) == 0
}

_words(frontend) := sprintf("the public frontend %s of the load balancer %s%s serves it", [frontend.name, _balancer(frontend), _at(frontend)])

_balancer(frontend) := name if {
	parts := split(frontend.load_balancer, "/")
	name := parts[count(parts) - 1]
}

_at(frontend) := sprintf(" (%s)", [address]) if address := frontend.address.value

_at(frontend) := "" if frontend.address.unknown

_resource := balancer if {
	balancers := [frontend.load_balancer | some frontend in _public]
	balancer := min(balancers)
}

_resource := compute if {
	count(_public) == 0
	compute := input.compute.id
}

_summary(frontend) := {
	"load_balancer": frontend.load_balancer,
	"name": frontend.name,
	"address": object.get(frontend.address, "value", null),
	"public": frontend.public,
}

undecided contains reason if {
	not applies == false
	some fact in [input.router.private_demanded, input.router.declared, input.router.private]
	reason := fact.unknown
}

undecided contains reason if {
	applies
	some reason in input.unsettled
}

compliant if {
	applies
	input.router.private.value
}

notes contains {
	"code": "not_demanded",
	"message": "scoring may be public: the workspace has no private endpoint, or it is declared (expectations: scoring: any)",
} if {
	input.router.private_demanded.value == false
}

notes contains {
	"code": "no_load_balancer",
	"message": "the router is reached by no load balancer: by a node port, or inside the cluster alone",
} if {
	_unbalanced
}
