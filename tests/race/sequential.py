"""The plain way: one call after the other with Microsoft's Python clients, nearly every list that a sweep of mlfence reads: no
extensions, no security admin rules, no serverless endpoints, nothing below online endpoints, and permissions once instead of
twice. Nothing is kept but how many of each kind there are; prints them as JSON.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.containerinstance import ContainerInstanceManagementClient
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.subscription import SubscriptionClient

sys.path.insert(0, str(Path(__file__).parents[1] / "clients"))
from simulator import CLIENT, SECRET  # noqa: E402

AML = "Microsoft.MachineLearningServices/workspaces"


def raw(client, path, version):
    """A list that the pinned packages have no operation for, page by page."""
    link = f"https://management.azure.com{path}?api-version={version}"
    while link:
        answer = client._client.send_request(HttpRequest("GET", link))
        answer.raise_for_status()
        page = answer.json()
        yield from page.get("value", page.get("values", []))
        link = page.get("nextLink")


def subscription(credential, id, found):
    network = NetworkManagementClient(credential, id)
    aml = MachineLearningServicesMgmtClient(credential, id)
    authorization = AuthorizationManagementClient(credential, id)
    resources = ResourceManagementClient(credential, id)
    root = f"/subscriptions/{id}"

    def count(kind, rows):
        found[kind] += sum(1 for _ in rows)

    count("permissions", raw(resources, f"{root}/providers/Microsoft.Authorization/permissions", "2022-04-01"))
    count("role_assignments", authorization.role_assignments.list_for_subscription())
    count("role_definitions", authorization.role_definitions.list(root))
    count("deny_assignments", authorization.deny_assignments.list())
    count("aks_clusters", ContainerServiceClient(credential, id).managed_clusters.list())
    count("scale_sets", ComputeManagementClient(credential, id).virtual_machine_scale_sets.list_all())
    count("container_groups", ContainerInstanceManagementClient(credential, id).container_groups.list())
    count("registries", ContainerRegistryManagementClient(credential, id).registries.list())
    count("virtual_networks", network.virtual_networks.list_all())
    count("network_security_groups", network.network_security_groups.list_all())
    count("private_endpoints", network.private_endpoints.list_by_subscription())
    count("network_interfaces", network.network_interfaces.list_all())
    count("load_balancers", network.load_balancers.list_all())
    count("public_ip_addresses", network.public_ip_addresses.list_all())
    count("route_tables", network.route_tables.list_all())
    count("nat_gateways", network.nat_gateways.list_all())
    count("network_profiles", network.network_profiles.list_all())
    for workspace in aml.workspaces.list_by_subscription():
        found["workspaces"] += 1
        count("computes", raw(resources, f"{workspace.id}/computes", "2024-10-01"))
        count("services", raw(resources, f"{workspace.id}/services", "2021-04-01"))
        count("online_endpoints", raw(resources, f"{workspace.id}/onlineEndpoints", "2024-10-01"))
    return resources


def main():
    tenant = sys.argv[1]
    credential = ClientSecretCredential(tenant, CLIENT, SECRET)
    found = Counter()
    resources = None
    for one in SubscriptionClient(credential).subscriptions.list():
        found["subscriptions"] += 1
        resources = subscription(credential, one.subscription_id, found)
        first = one.subscription_id
    tags = f"/subscriptions/{first}/providers/Microsoft.Network/locations/westeurope/serviceTags"
    found["service_tags"] += sum(1 for _ in raw(resources, tags, "2023-09-01"))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
