"""Azure's own command line against the simulated Azure: it signs in, lists, and queries Resource Graph; what it prints is compared
with the snapshot that is served.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from simulator import CLIENT, SECRET, Simulator, Table, differences

AZ = Path(__file__).parents[2] / "target/clients/az/bin/az"

# (kind, types, command, fields that must have come through where the record has them): all listed by subscription.
LISTS = [
    ("resource_groups", ["Microsoft.Resources/resourceGroups"], "group list", ["/location"]),
    ("virtual_networks", ["Microsoft.Network/virtualNetworks"], "network vnet list", ["/addressspace/addressprefixes/0", "/subnets/0/networksecuritygroup/id"]),
    ("network_security_groups", ["Microsoft.Network/networkSecurityGroups"], "network nsg list", ["/securityrules/0/access", "/securityrules/0/priority"]),
    ("private_endpoints", ["Microsoft.Network/privateEndpoints"], "network private-endpoint list", ["/subnet/id"]),
    ("network_interfaces", ["Microsoft.Network/networkInterfaces"], "network nic list", ["/ipconfigurations/0/subnet/id"]),
    ("load_balancers", ["Microsoft.Network/loadBalancers"], "network lb list", ["/frontendipconfigurations/0/id"]),
    ("public_ip_addresses", ["Microsoft.Network/publicIPAddresses"], "network public-ip list", ["/ipaddress"]),
    ("nat_gateways", ["Microsoft.Network/natGateways"], "network nat gateway list", ["/publicipaddresses/0/id"]),
    ("aks_clusters", ["Microsoft.ContainerService/managedClusters"], "aks list", ["/networkprofile/outboundtype", "/agentpoolprofiles/0/vnetsubnetid"]),
    ("scale_sets", ["Microsoft.Compute/virtualMachineScaleSets"], "vmss list", ["/virtualmachineprofile/networkprofile/networkinterfaceconfigurations/0/ipconfigurations/0/subnet/id"]),
    ("container_groups", ["Microsoft.ContainerInstance/containerGroups"], "container list", ["/subnetids/0/id"]),
    ("registries", ["Microsoft.ContainerRegistry/registries"], "acr list", ["/publicnetworkaccess"]),
    ("role_assignments", ["Microsoft.Authorization/roleAssignments"], "role assignment list --all", ["/principalid", "/scope"]),
]
# What Resource Manager keeps itself, and so lists as resources.
TRACKED = [type for _, types, _, _ in LISTS[1:-1] for type in types] + [
    "Microsoft.MachineLearningServices/workspaces",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
    "Microsoft.Kubernetes/connectedClusters",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
    "Microsoft.Network/networkProfiles",
    "Microsoft.Network/routeTables",
]
# What the command line adds of its own.
ADDED = {"resourcegroup", "principalname", "roledefinitionname"}


def flat(value):
    """As the command line prints: without the level of `properties`, names in a case of its own."""
    if isinstance(value, list):
        return [flat(one) for one in value]
    if not isinstance(value, dict):
        return value
    seen = {key.lower(): flat(inner) for key, inner in value.items()}
    inner = seen.pop("properties", None)
    return (inner if isinstance(inner, dict) else {}) | {key: one for key, one in seen.items() if key not in ADDED}


class CommandLine:
    """`az` with a home of its own."""

    def __init__(self, simulator, home):
        self.environment = dict(os.environ) | simulator.environment
        self.environment |= {"AZURE_CONFIG_DIR": home, "AZURE_CORE_COLLECT_TELEMETRY": "no", "AZURE_CORE_NO_COLOR": "1"}

    def __call__(self, *words):
        command = [AZ, *words, "--output", "json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"az {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout)


def lists(table, snapshot, az):
    for kind, types, command, deep in LISTS:
        expected, found, problems = snapshot.of(*types), {}, []
        for subscription in snapshot.readable:
            for one in az(*command.split(), "--subscription", subscription):
                id = one["id"].lower()
                found[id] = one
                if id in expected:
                    problems += [f"{one['name']}: {what}" for what in differences(flat(expected[id]), flat(one), deep)]
        table.compare(kind, f"az {command}", expected, found, problems)


def resources(table, snapshot, az):
    found = [one["id"].lower() for of in snapshot.readable for one in az("resource", "list", "--subscription", of)]
    table.compare("all tracked resources", "az resource list", snapshot.of(*TRACKED), found)


def graph(table, snapshot, az):
    found, token = [], None
    url = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
    query = "resources | where type =~ 'microsoft.network/networksecuritygroups' | project id | order by id asc"
    while True:
        options = {"$top": 5} | ({"$skipToken": token} if token else {})
        body = {"subscriptions": snapshot.readable, "query": query, "options": options}
        answer = az("rest", "--method", "post", "--url", url, "--body", json.dumps(body))
        found += [row["id"].lower() for row in answer["data"]]
        token = answer.get("$skipToken")
        if not token:
            break
    table.compare("network_security_groups", "az rest, Resource Graph", snapshot.of("Microsoft.Network/networkSecurityGroups"), found)


def main():
    table = Table("az")
    with Simulator("--page-size", "5") as simulator, tempfile.TemporaryDirectory() as home:
        snapshot, az = simulator.snapshot, CommandLine(simulator, home)
        az("login", "--service-principal", "--username", CLIENT, "--password", SECRET, "--tenant", snapshot.tenant)
        table.compare("subscriptions", "az account list", snapshot.subscriptions, [one["id"] for one in az("account", "list", "--all")])
        resources(table, snapshot, az)
        lists(table, snapshot, az)
        graph(table, snapshot, az)
    table.end()


if __name__ == "__main__":
    main()
