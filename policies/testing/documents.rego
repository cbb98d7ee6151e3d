# Healthy subject documents, one for each kind, and how to change them. Tests start from these.
package mlfence.testing

_subscription := "/subscriptions/11111111-1111-1111-1111-111111111111"

_ml_group := concat("", [_subscription, "/resourcegroups/rg-ml"])

workspace_id := concat("", [_ml_group, "/providers/microsoft.machinelearningservices/workspaces/ws"])

cluster_id := concat("", [_ml_group, "/providers/microsoft.containerservice/managedclusters/aks"])

# A VNet of the subscription, by its group and its name.
vnet(group, name) := {
	"id": concat("", [_subscription, "/resourcegroups/", group, "/providers/microsoft.network/virtualnetworks/", name]),
	"name": name,
	"resource_group": concat("", [_subscription, "/resourcegroups/", group]),
}

home := vnet("rg-ml", "vnet")

# A subnet with these delegations.
subnet(network, name, delegations) := {
	"id": concat("", [network.id, "/subnets/", name]),
	"name": name,
	"vnet": network,
	"delegations": {"value": delegations},
	"settled": {"value": true},
}

_nodes := subnet(home, "nodes", [])

delegation(service) := {"service": service, "succeeded": {"value": true}}

# A fact that is not known.
unknown(code) := {"unknown": {"code": code, "message": "it could not be read"}}

# A change under way.
transition := {"code": "transitional", "message": "the resource is being changed"}

# What the operator declared: nothing.
undeclared := {
	"deployers": null,
	"callers": null,
	"control_plane": null,
	"scoring": null,
	"role_scope": null,
	"security_admin_rules": null,
	"egress_appliance": null,
}

_document(kind, id, name) := {
	"schema": "mlfence.subject/1",
	"subject": {
		"kind": kind,
		"id": id,
		"name": name,
		"workspace": workspace_id,
		"subscriptions": ["11111111-1111-1111-1111-111111111111"],
	},
	"expectations": undeclared,
	"unsettled": [],
}

# A workspace with an approved private endpoint in the home VNet.
_workspace := {
	"id": workspace_id,
	"name": "ws",
	"resource_group": _ml_group,
	"location": {"value": "eastus2"},
	"private_endpoint": {"value": true},
	"pending_endpoints": [],
	"endpoint_networks": {"value": [{
		"endpoint": concat("", [_ml_group, "/providers/microsoft.network/privateendpoints/pe"]),
		"subnet": concat("", [home.id, "/subnets/endpoints"]),
		"vnet": home.id,
	}]},
	"v1_computes": nothing_found,
	"v1_services": nothing_found,
}

# A private cluster in the home VNet.
_cluster := {
	"id": {"value": cluster_id},
	"name": "aks",
	"resource_group": "rg-ml",
	"location": {"value": "eastus2"},
	"private": {"value": true},
	"public_fqdn": {"value": false},
	"fqdn": null,
	"private_dns_zone": "system",
	"kubernetes_version": {"value": "1.33.2"},
	"before_containerd": {"value": false},
	"own_vnet": {"value": true},
	"vnets": {"value": [home]},
	"node_subnets": {"value": [_nodes]},
	"service_cidrs": {"value": ["10.100.0.0/16"]},
	"dns_service_ip": {"value": "10.100.0.10"},
	"dns_service_ip_in_service_cidr": {"value": true},
	"docker_bridge_cidr": {"value": null},
	"reserved_range_overlaps": nothing_found,
	"service_cidr_overlaps": nothing_found,
	"docker_bridge_overlaps": nothing_found,
}

# A search that looked everywhere and found nothing.
nothing_found := {"found": [], "none": {"value": true}}

# A search that found these.
found(items) := {"found": items, "none": {"value": false}}

# A search that found nothing in what could be read.
hidden := {"found": [], "none": unknown("denied")}

workspace := object.union(_document("workspace", workspace_id, "ws"), {"workspace": _workspace})

# The cluster, attached to the workspace as `Kubernetes` compute.
aks_compute := object.union(_document("aks_compute", concat("", [workspace_id, "/computes/aks"]), "aks"), {
	"workspace": _workspace,
	"compute": {
		"id": concat("", [workspace_id, "/computes/aks"]),
		"name": "aks",
		"type": {"value": "kubernetes"},
		"attached": {"value": true},
		"attachment_failed": {"value": false},
		"cluster_exists": {"value": true},
		"same_cluster": {"value": true},
		"endpoint_paths": {"value": [{
			"vnet": home,
			"same_vnet": {"value": true},
			"same_or_peered_vnet": {"value": true},
		}]},
	},
	"cluster": _cluster,
})

# The cluster by itself.
aks_cluster := object.union(_document("aks_cluster", cluster_id, "aks"), {
	"cluster": _cluster,
	"attachments": [attachment("any")],
	"demands": {"private_control_plane": {"value": false}},
})

# The cluster, used by a workspace that demands a private control plane.
demanding_cluster := object.union(aks_cluster, {
	"attachments": [attachment("private")],
	"demands": {"private_control_plane": {"value": true}},
})

# An attachment whose workspace demands this of its control plane.
attachment(control_plane) := {
	"workspace": workspace_id,
	"compute": concat("", [workspace_id, "/computes/aks"]),
	"expectations": object.union(undeclared, {"control_plane": control_plane}),
}

# A web service on Azure Container Instances, in the home VNet.
aci_service := object.union(_document("aci_service", concat("", [workspace_id, "/services/score"]), "score"), {
	"workspace": _workspace,
	"service": {
		"name": "score",
		"container_group": concat("", [_ml_group, "/providers/microsoft.containerinstance/containergroups/score"]),
		"owner": {"value": "service_record"},
		"being_deleted": false,
		"in_vnet": {"value": true},
		"asked_network": {"value": {"vnet": home.name, "subnet": aci_network.subnet.name}},
		"as_asked": {"value": true},
		"public_address": {"value": false},
		"networks": {"value": [aci_network]},
		"registry": {"value": {
			"id": concat("", [_ml_group, "/providers/microsoft.containerregistry/registries/acr"]),
			"name": "acr",
			"public": {"value": true},
		}},
	},
})

aci_delegation := delegation("microsoft.containerinstance/containergroups")

# The delegated subnet that the web service lives in.
aci_network := {
	"subnet": subnet(home, "aci", [aci_delegation]),
	"workspace_endpoint_in_vnet": {"value": true},
	"registry_endpoint_in_vnet": {"value": false},
	"registry_rule_for_vnet": {"value": false},
}

# A subnet of the home VNet, in which the cluster has its nodes.
hosting_subnet := object.union(_document("subnet", _nodes.id, _nodes.name), {"subnet": {
	"subnet": _nodes,
	"exists": {"value": true},
	"hosts_inference": {"value": true},
	"used_by": [cluster_id],
}})

# The document with fields of its parts replaced: `{"cluster": {"private": …}}` replaces that one fact.
changed(document, changes) := object.union(
	object.remove(document, object.keys(changes)),
	{part: _replaced(object.get(document, part, {}), change) | some part, change in changes},
)

_replaced(part, change) := object.union(object.remove(part, object.keys(change)), change) if is_object(change)

_replaced(_, change) := change if not is_object(change)
