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

workspace := object.union(_document("workspace", workspace_id, "ws"), {
	"workspace": _workspace,
	"deployers": {
		"declared": {"value": [deployer_id]},
		"subnets": found([_nodes.id]),
		"complete": {"value": true},
		"vnet_rights": [deployer_right(home.id, home.name, held)],
		"subnet_rights": [deployer_right(_nodes.id, _nodes.name, held)],
	},
})

deployer_id := "22222222-2222-2222-2222-222222222222"

# The declared deployer at a VNet or subnet.
deployer_right(id, name, right) := {"principal": deployer_id, "id": id, "name": name, "join": right}

_authorization := "/providers/microsoft.authorization/roleassignments/33333333-3333-3333-3333-333333333333"

# A grant of Network Contributor at a scope.
grant(scope) := {
	"assignment": concat("", [scope, _authorization]),
	"role": "4d97b98b-1d4f-4787-a291-c67834d212e7",
	"role_name": "Network Contributor",
	"scope": scope,
	"inherited": false,
	"via": null,
}

# A right that is held, by a grant on the home VNet's resource group.
held := {
	"held": {"value": true},
	"reasons": [],
	"given_by": [grant(_ml_group)],
	"denied_by": [],
	"misses": [],
	"notes": [],
}

# A right that is not held; these grants came near.
not_held(misses) := {
	"held": {"value": false},
	"reasons": [],
	"given_by": [],
	"denied_by": [],
	"misses": misses,
	"notes": [],
}

# A right of which it is not known whether it is held.
open_right(code) := {
	"held": unknown(code),
	"reasons": [unknown(code).unknown],
	"given_by": [],
	"denied_by": [],
	"misses": [],
	"notes": [],
}

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
	"router": {
		"private_demanded": {"value": true},
		"declared": {"value": "internal_load_balancer"},
		"declared_subnet": {"value": null},
		"addresses": {"value": ["10.0.0.100"]},
		"ports": {"value": [443]},
		"frontends": {"value": [internal_frontend]},
		"public_frontends": [],
		"private": {"value": true},
		"settled": {"value": true},
		"balancer_subnets": {"value": [balancer_subnet]},
	},
	"flows": flows,
})

_node_group := concat("", [_subscription, "/resourcegroups/mc_rg-ml_aks_eastus2"])

# The frontend of the cluster's internal load balancer, which serves scoring.
internal_frontend := {
	"load_balancer": concat("", [_node_group, "/providers/microsoft.network/loadbalancers/kubernetes-internal"]),
	"name": "a1234",
	"public": false,
	"address": {"value": "10.0.0.100"},
	"subnet": _nodes.id,
	"ports": [80, 443],
	"floating_ip": {"value": true},
}

# A frontend of its public load balancer that serves scoring.
public_frontend := {
	"load_balancer": concat("", [_node_group, "/providers/microsoft.network/loadbalancers/kubernetes"]),
	"name": "a1234",
	"public": true,
	"address": {"value": "20.0.0.100"},
	"subnet": null,
	"ports": [80, 443],
	"floating_ip": {"value": true},
}

# The subnet that the internal load balancer takes its address from.
balancer_subnet := {
	"subnet": _nodes,
	"exists": {"value": true},
	"in_cluster_vnet": {"value": true},
	"address": {"value": "10.0.0.100"},
	"address_fits": {"value": true},
	"address_in_service_cidr": {"value": false},
	"free_addresses": {"value": 200},
}

node_group_nsg := concat("", [_node_group, "/providers/microsoft.network/networksecuritygroups/aks-agentpool-nsg"])

# The answer to a question about flows: `allow`, `deny` or `partial`, by this rule of the subnet's group.
flow(verdict, rule) := {
	"verdict": {"value": verdict},
	"reasons": [],
	"decided_by": [concat(":", ["subnet", rule])],
	"security_groups": [nsg_id],
	"stopped_by": [stop | verdict in {"deny", "partial"}; stop := {"security_group": nsg_id, "name": rule, "default": false}],
	"stopped_at_some_place": verdict == "deny",
	"by_any_to_any": false,
	"arrives": _packet(verdict, {"allow", "partial"}),
	"stopped": _packet(verdict, {"deny", "partial"}),
}

_packet(verdict, verdicts) := "tcp 10.0.0.4:1024 → 20.0.0.1:443" if verdict in verdicts

_packet(verdict, verdicts) := null if not verdict in verdicts

# A question about flows that could not be answered.
open_flow(code) := {
	"verdict": unknown(code),
	"reasons": [unknown(code).unknown],
	"decided_by": [],
	"security_groups": [],
	"stopped_by": [],
	"stopped_at_some_place": false,
	"by_any_to_any": false,
	"arrives": null,
	"stopped": null,
}

nsg_id := concat("", [_ml_group, "/providers/microsoft.network/networksecuritygroups/nsg"])

# Every question, allowed by default rules.
flows := {
	"scoring_inbound": flow("allow", "allow-scoring"),
	"default_vnet_outbound": flow("allow", "AllowVnetOutBound"),
	"default_internet_outbound": flow("allow", "AllowInternetOutBound"),
	"registry_outbound": flow("allow", "AllowInternetOutBound"),
	"vnet_https_outbound": flow("allow", "AllowVnetOutBound"),
	"internet_https_outbound": flow("allow", "AllowInternetOutBound"),
}

# The cluster by itself.
aks_cluster := object.union(_document("aks_cluster", cluster_id, "aks"), {
	"cluster": _cluster,
	"attachments": [attachment("any")],
	"demands": {
		"private_control_plane": {"value": false},
		"role_on_resource_group": {"value": true},
	},
	"egress": {
		"type": {"value": "loadbalancer"},
		"provided": {"value": true},
		"appliance_trusted": unknown("undeclared"),
		"subnets": {"value": [subnet_egress]},
	},
	"access": {
		"principals": {"value": [principal_id]},
		"subnets": {"value": [subnet_rights(_nodes, held, held, held)]},
		"groups": {"value": [group_rights(held)]},
	},
	"scoring": {
		"balanced": {"value": true},
		"records": found([scoring_record]),
		"complete": {"value": true},
		"addresses": ["10.0.0.100"],
	},
})

principal_id := "44444444-4444-4444-4444-444444444444"

# The rights of the cluster's identity on a subnet.
subnet_rights(subnet, join, read, write) := {
	"principal": principal_id,
	"id": subnet.id,
	"name": subnet.name,
	"vnet": subnet.vnet,
	"join": join,
	"read": read,
	"write_role_assignments": write,
}

# The subnet of the nodes.
node_subnet := _nodes

# The rights of the cluster's identity on the VNet's resource group.
group_rights(right) := {
	"principal": principal_id,
	"id": _ml_group,
	"name": "rg-ml",
	"network_contributor": right,
}

# How the nodes reach the internet: freely.
subnet_egress := {
	"id": _nodes.id,
	"name": _nodes.name,
	"nat_gateway": {"value": null},
	"route_table": {"value": null},
	"default_route": {"value": null},
	"diversions": nothing_found,
	"settled": {"value": true},
	"learns_routes": {"value": false},
	"https": flow("allow", "AllowInternetOutBound"),
}

# A deployment on the cluster.
scoring_record := {
	"id": concat("", [workspace_id, "/services/score"]),
	"name": "score",
	"workspace": workspace_id,
	"address": {"value": "10.0.0.100"},
	"served_here": {"value": true},
	"served_by": [],
	"repeated_by": [],
}

# The cluster, used by a workspace that demands a private control plane.
demanding_cluster := object.union(aks_cluster, {
	"attachments": [attachment("private")],
	"demands": {
		"private_control_plane": {"value": true},
		"role_on_resource_group": {"value": true},
	},
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
hosting_subnet := object.union(_document("subnet", _nodes.id, _nodes.name), {
	"subnet": {
		"subnet": _nodes,
		"exists": {"value": true},
		"hosts_inference": {"value": true},
		"used_by": [cluster_id],
		"guarded": {"value": true},
		"security_groups": {"value": [node_group_nsg, nsg_id]},
		"registries": {"value": [registry_reach]},
	},
	"flows": flows,
})

# The workspace's registry, reached by its address and by a private endpoint.
registry_reach := {
	"registry": concat("", [_ml_group, "/providers/microsoft.containerregistry/registries/acr"]),
	"name": "acr",
	"workspaces": [workspace_id],
	"region": {"value": "eastus2"},
	"geo_replicated": {"value": false},
	"by_address": flow("allow", "AllowInternetOutBound"),
	"endpoint_in_reach": {"value": true},
	"by_endpoint": flow("allow", "AllowVnetOutBound"),
}

# The document with fields of its parts replaced: `{"cluster": {"private": …}}` replaces that one fact.
changed(document, changes) := object.union(
	object.remove(document, object.keys(changes)),
	{part: _replaced(object.get(document, part, {}), change) | some part, change in changes},
)

_replaced(part, change) := object.union(object.remove(part, object.keys(change)), change) if is_object(change)

_replaced(_, change) := change if not is_object(change)
