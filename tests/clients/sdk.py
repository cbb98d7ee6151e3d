"""Microsoft's own Python clients against the simulated Azure: every kind of record, listed and read one by one, queried page
by page through Resource Graph, and all of it again under throttling, compared with the snapshot that is served.
"""

import os
from collections import namedtuple

from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.containerinstance import ContainerInstanceManagementClient
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.privatedns import PrivateDnsManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.subscription import SubscriptionClient
from simulator import CLIENT, SECRET, Simulator, Table, differences, subscription_of

AML = "Microsoft.MachineLearningServices/workspaces"

# How a kind is listed in a subscription and read by its id's parts, and fields that must have come through where the record has
# them: what the rules of network isolation are about.
Kind = namedtuple("Kind", "name types list read deep")


def group(resource):
    return resource.split("/")[4]


def name(resource):
    return resource.split("/")[-1]


def parent(resource, steps=2):
    return resource.split("/")[-1 - steps]


def in_network(name_, type_, operations, *deep):
    """Resources of Microsoft.Network are all listed and read alike."""
    return Kind(
        name_,
        [f"Microsoft.Network/{type_}"],
        lambda azure: getattr(azure.network, operations).list_all(),
        lambda azure, id: getattr(azure.network, operations).get(group(id), name(id)),
        deep,
    )


def children(list_):
    """The children of each workspace."""
    return lambda azure: (child for parent in azure.aml.workspaces.list_by_subscription() for child in list_(azure, parent.id))


KINDS = [
    Kind(
        "resource_groups",
        ["Microsoft.Resources/resourceGroups"],
        lambda azure: azure.resources.resource_groups.list(),
        lambda azure, id: azure.resources.resource_groups.get(name(id)),
        ["/location"],
    ),
    in_network("virtual_networks", "virtualNetworks", "virtual_networks", "/properties/addressSpace/addressPrefixes/0", "/properties/subnets/0/id", "/properties/subnets/0/properties/networkSecurityGroup/id"),
    Kind(
        "network_security_groups",
        ["Microsoft.Network/networkSecurityGroups"],
        lambda azure: azure.network.network_security_groups.list_all(),
        lambda azure, id: azure.network.network_security_groups.get(group(id), name(id)),
        ["/properties/securityRules/0/properties/access", "/properties/defaultSecurityRules/0/properties/priority"],
    ),
    Kind(
        "private_endpoints",
        ["Microsoft.Network/privateEndpoints"],
        lambda azure: azure.network.private_endpoints.list_by_subscription(),
        lambda azure, id: azure.network.private_endpoints.get(group(id), name(id)),
        ["/properties/privateLinkServiceConnections/0/properties/privateLinkServiceConnectionState/status"],
    ),
    in_network("network_interfaces", "networkInterfaces", "network_interfaces", "/properties/ipConfigurations/0/properties/subnet/id"),
    in_network("load_balancers", "loadBalancers", "load_balancers", "/properties/frontendIPConfigurations/0/id"),
    in_network("public_ip_addresses", "publicIPAddresses", "public_ip_addresses", "/properties/ipAddress"),
    in_network("nat_gateways", "natGateways", "nat_gateways", "/properties/publicIpAddresses/0/id"),
    in_network("route_tables", "routeTables", "route_tables", "/properties/routes/0/properties/nextHopType"),
    Kind(
        "private_dns_zones",
        ["Microsoft.Network/privateDnsZones"],
        lambda azure: azure.dns.private_zones.list(),
        lambda azure, id: azure.dns.private_zones.get(group(id), name(id)),
        [],
    ),
    Kind(
        "virtual_network_links",
        ["Microsoft.Network/privateDnsZones/virtualNetworkLinks"],
        lambda azure: (link for zone in azure.dns.private_zones.list() for link in azure.dns.virtual_network_links.list(group(zone.id), zone.name)),
        lambda azure, id: azure.dns.virtual_network_links.get(group(id), parent(id), name(id)),
        ["/properties/virtualNetwork/id"],
    ),
    Kind(
        "aks_clusters",
        ["Microsoft.ContainerService/managedClusters"],
        lambda azure: azure.aks.managed_clusters.list(),
        lambda azure, id: azure.aks.managed_clusters.get(group(id), name(id)),
        ["/properties/networkProfile/outboundType", "/properties/agentPoolProfiles/0/vnetSubnetID", "/properties/apiServerAccessProfile/enablePrivateCluster", "/properties/nodeResourceGroup"],
    ),
    Kind(
        "container_groups",
        ["Microsoft.ContainerInstance/containerGroups"],
        lambda azure: azure.aci.container_groups.list(),
        lambda azure, id: azure.aci.container_groups.get(group(id), name(id)),
        ["/properties/subnetIds/0/id", "/properties/ipAddress/type"],
    ),
    Kind(
        "registries",
        ["Microsoft.ContainerRegistry/registries"],
        lambda azure: azure.acr.registries.list(),
        lambda azure, id: azure.acr.registries.get(group(id), name(id)),
        ["/properties/publicNetworkAccess", "/properties/loginServer"],
    ),
    Kind(
        "scale_sets",
        ["Microsoft.Compute/virtualMachineScaleSets"],
        lambda azure: azure.compute.virtual_machine_scale_sets.list_all(),
        lambda azure, id: azure.compute.virtual_machine_scale_sets.get(group(id), name(id)),
        ["/properties/virtualMachineProfile/networkProfile/networkInterfaceConfigurations/0/properties/ipConfigurations/0/properties/subnet/id"],
    ),
    Kind(
        "workspaces",
        [AML],
        lambda azure: azure.aml.workspaces.list_by_subscription(),
        lambda azure, id: azure.aml.workspaces.get(group(id), name(id)),
        ["/properties/publicNetworkAccess", "/properties/containerRegistry"],
    ),
    Kind(
        "computes",
        [f"{AML}/computes"],
        children(lambda azure, id: azure.aml.compute.list(group(id), name(id))),
        lambda azure, id: azure.aml.compute.get(group(id), parent(id), name(id)),
        ["/properties/computeType", "/properties/resourceId"],
    ),
    Kind(
        "online_endpoints",
        [f"{AML}/onlineEndpoints"],
        children(lambda azure, id: azure.aml.online_endpoints.list(group(id), name(id))),
        lambda azure, id: azure.aml.online_endpoints.get(group(id), parent(id), name(id)),
        ["/properties/publicNetworkAccess"],
    ),
    Kind(
        "online_deployments",
        [f"{AML}/onlineEndpoints/deployments"],
        children(lambda azure, id: (one for endpoint in azure.aml.online_endpoints.list(group(id), name(id)) for one in azure.aml.online_deployments.list(group(id), name(id), endpoint.name))),
        lambda azure, id: azure.aml.online_deployments.get(group(id), parent(id, 4), parent(id), name(id)),
        [],
    ),
    Kind(
        "services",
        [f"{AML}/services"],
        children(lambda azure, id: azure.listed(f"{id}/services", "2021-04-01")),
        lambda azure, id: azure.resource(id, "2021-04-01"),
        ["/properties/computeType"],
    ),
    Kind(
        "outbound_rules",
        [f"{AML}/outboundRules"],
        children(lambda azure, id: azure.listed(f"{id}/outboundRules", "2024-10-01")),
        lambda azure, id: azure.resource(id, "2024-10-01"),
        [],
    ),
    Kind(
        "connected_clusters",
        ["Microsoft.Kubernetes/connectedClusters"],
        lambda azure: azure.resources.resources.list(filter="resourceType eq 'Microsoft.Kubernetes/connectedClusters'"),
        lambda azure, id: azure.resource(id, "2024-01-01"),
        [],
    ),
    Kind(
        "extensions",
        ["Microsoft.KubernetesConfiguration/extensions"],
        lambda azure: (
            one
            for of in ("Microsoft.ContainerService/managedClusters", "Microsoft.Kubernetes/connectedClusters")
            for cluster in azure.resources.resources.list(filter=f"resourceType eq '{of}'")
            for one in azure.listed(f"{cluster.id}/providers/Microsoft.KubernetesConfiguration/extensions", "2023-05-01")
        ),
        lambda azure, id: azure.resource(id, "2023-05-01"),
        ["/properties/extensionType"],
    ),
]

# Kinds that may stand above subscriptions: each subscription's list has the inherited ones too.
INHERITED = [
    Kind(
        "role_assignments",
        ["Microsoft.Authorization/roleAssignments"],
        lambda azure: azure.authorization.role_assignments.list_for_subscription(),
        lambda azure, id: azure.authorization.role_assignments.get_by_id(id),
        ["/properties/principalId", "/properties/roleDefinitionId"],
    ),
    Kind(
        "role_definitions",
        ["Microsoft.Authorization/roleDefinitions"],
        lambda azure: azure.authorization.role_definitions.list(f"/subscriptions/{azure.subscription}"),
        lambda azure, id: azure.authorization.role_definitions.get_by_id(id),
        ["/properties/permissions/0/actions/0"],
    ),
    Kind(
        "deny_assignments",
        ["Microsoft.Authorization/denyAssignments"],
        lambda azure: azure.authorization.deny_assignments.list(),
        lambda azure, id: azure.authorization.deny_assignments.get_by_id(id),
        ["/properties/denyAssignmentName"],
    ),
]

# Resource Graph: the table and the types of each kind that it has.
GRAPH = [
    ("resourcecontainers", "subscriptions", ["Microsoft.Resources/subscriptions"]),
    ("resourcecontainers", "resource_groups", ["Microsoft.Resources/subscriptions/resourceGroups"]),
    ("kubernetesconfigurationresources", "extensions", ["Microsoft.KubernetesConfiguration/extensions"]),
    ("authorizationresources", "role_definitions", ["Microsoft.Authorization/roleDefinitions"]),
] + [("resources", kind.name, kind.types) for kind in KINDS if kind.name not in ("resource_groups", "extensions", "computes", "services", "outbound_rules")]


class Azure:
    """The clients of one subscription."""

    def __init__(self, credential, subscription):
        self.subscription = subscription
        client = lambda of: of(credential, subscription)
        self.resources = client(ResourceManagementClient)
        self.network = client(NetworkManagementClient)
        self.dns = client(PrivateDnsManagementClient)
        self.aks = client(ContainerServiceClient)
        self.aci = client(ContainerInstanceManagementClient)
        self.acr = client(ContainerRegistryManagementClient)
        self.compute = client(ComputeManagementClient)
        self.aml = client(MachineLearningServicesMgmtClient)
        self.authorization = client(AuthorizationManagementClient)

    def listed(self, path, version):
        """A list for which the packages have no operation; their pipeline sends it all the same."""
        url = f"https://management.azure.com{path}?api-version={version}"
        while url:
            answer = self.resources.send_request(HttpRequest("GET", url))
            answer.raise_for_status()
            page = answer.json()
            yield from page["value"]
            url = page.get("nextLink")

    def resource(self, id, version):
        return self.resources.resources.get_by_id(id, api_version=version)


def rest(model):
    """A model as JSON with the names of the REST API."""
    if isinstance(model, dict):
        return model
    return model.serialize(keep_readonly=True) if hasattr(model, "serialize") else model.as_dict()


def by_arm(table, snapshot, clients):
    for kind in KINDS + INHERITED:
        expected = snapshot.of(*kind.types)
        found, problems = {}, []
        for azure in clients.values():
            own = [rest(model) for model in kind.list(azure)]
            ids = [one["id"].lower() for one in own]
            problems += [f"twice in one list: {id}" for id in ids if ids.count(id) > 1]
            found |= dict(zip(ids, own))
        for id, listed in found.items():
            if id not in expected:
                continue
            # The generic list has no properties, so the record read alone is what the deep fields are sought in.
            azure = clients.get(subscription_of(id), next(iter(clients.values())))
            read = rest(kind.read(azure, expected[id]["id"]))
            problems += [f"{name(id)}, listed: {one}" for one in differences(expected[id], listed)]
            problems += [f"{name(id)}, read: {one}" for one in differences(expected[id], read, kind.deep)]
        table.compare(kind.name, "ARM list, get", expected, found, problems)


def pages(graph, query, subscriptions, rows):
    """All rows, so many a page."""
    token, seen = None, []
    while True:
        options = {"$top": rows, "resultFormat": "objectArray"} | ({"$skipToken": token} if token else {})
        answer = graph.resources({"subscriptions": subscriptions, "query": query, "options": options})
        seen += answer.data
        token = answer.skip_token
        if not token:
            assert len(seen) == answer.total_records, f"{len(seen)} rows of {answer.total_records}"
            return seen


def by_graph(table, snapshot, graph):
    for of, kind, types in GRAPH:
        # A resource group's own record has the type that ARM tells, not Resource Graph's.
        expected = snapshot.of(*(one.replace("/subscriptions/resourceGroups", "/resourceGroups") for one in types))
        wanted = ", ".join(f"'{one}'" for one in types)
        query = f"{of} | where type in~ ({wanted}) | project id, name, type, location, properties | order by id asc"
        found = pages(graph, query, snapshot.readable, 5)
        problems = []
        for row in found:
            record = expected.get(row["id"].lower())
            if record is None or kind == "subscriptions":
                continue
            for field in ("id", "location", "properties"):
                told = record.get(field) or ("" if field == "location" else None)
                if field == "properties" and told:
                    # Retired: Resource Graph asks with the newest version of each provider.
                    told = without_docker_bridge(told)
                if row[field] != told:
                    problems.append(f"{row['name']}: {field} differs")
        table.compare(kind, f"Resource Graph, {of}", expected, [row["id"].lower() for row in found], problems)


def without_docker_bridge(properties):
    profile = properties.get("networkProfile")
    if not isinstance(profile, dict):
        return properties
    return properties | {"networkProfile": {key: value for key, value in profile.items() if key != "dockerBridgeCidr"}}


def credential(simulator):
    os.environ.update(simulator.environment)
    return ClientSecretCredential(simulator.snapshot.tenant, CLIENT, SECRET)


def main():
    table = Table("SDK")
    with Simulator("--page-size", "5") as simulator:
        snapshot, signed_in = simulator.snapshot, credential(simulator)
        listed = SubscriptionClient(signed_in).subscriptions.list()
        expected = snapshot.of("Microsoft.Resources/subscriptions").keys() | {f"/subscriptions/{one}" for one in snapshot.subscriptions}
        table.compare("subscriptions", "ARM list", expected, [one.id.lower() for one in listed])
        clients = {one: Azure(signed_in, one) for one in snapshot.readable}
        by_arm(table, snapshot, clients)
        before = simulator.served(429)
        by_graph(table, snapshot, ResourceGraphClient(signed_in))
        table.check("Resource Graph throttled nobody", simulator.served(429) > before)

    # A small allowance that comes back slowly: the client must run into it and wait.
    with Simulator("--page-size", "1", "--read-burst", "3", "--time-scale", "0.1") as simulator:
        snapshot, signed_in = simulator.snapshot, credential(simulator)
        subscription = snapshot.readable[1]
        groups = snapshot.of("Microsoft.Network/networkSecurityGroups")
        expected = {id for id in groups if subscription_of(id) == subscription}
        listed = Azure(signed_in, subscription).network.network_security_groups.list_all()
        table.compare("network_security_groups", "ARM, throttled", expected, [one.id.lower() for one in listed])
        table.check("Resource Manager throttled nobody", simulator.served(429) > 0)
    table.end()


if __name__ == "__main__":
    main()
