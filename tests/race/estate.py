"""Writes the estate of the race, in the snapshot format: 20 subscriptions, each with 50 network security groups, 10 AKS
clusters in 10 VNets, 10 workspaces with 2 computes each, and 40 role assignments."""

import json
import sys

SUBSCRIPTIONS, GROUPS, CLUSTERS, ASSIGNMENTS = 20, 50, 10, 40
TENANT = "11111111-1111-1111-1111-111111111111"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def guid(sort, *numbers):
    return "%08x-0000-4000-8000-%012x" % (sort, int("".join("%03d" % number for number in numbers)))


def rule(number):
    return {
        "name": f"rule-{number}",
        "properties": {
            "provisioningState": "Succeeded", "description": "Lets one neighbour in. " * 4, "protocol": "Tcp",
            "sourcePortRange": "*", "destinationPortRange": str(8000 + number), "sourceAddressPrefix": f"10.{number}.0.0/16",
            "destinationAddressPrefix": "VirtualNetwork", "access": "Allow", "priority": 100 + number, "direction": "Inbound",
        },
    }


def records():
    yield {
        "id": f"/providers/Microsoft.Authorization/roleDefinitions/{READER}", "name": READER,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {"roleName": "Reader", "type": "BuiltInRole", "assignableScopes": ["/"],
                       "permissions": [{"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}]},
    }
    yield {
        "id": f"/subscriptions/{guid(1, 0)}/providers/Microsoft.Network/serviceTags/Public", "name": "Public",
        "type": "Microsoft.Network/serviceTags", "changeNumber": "1", "cloud": "Public",
        "values": [{"name": f"Tag{number}", "id": f"Tag{number}",
                    "properties": {"changeNumber": "1", "region": "", "systemService": "",
                                   "addressPrefixes": [f"20.{number}.{net}.0/24" for net in range(64)]}}
                   for number in range(100)],
    }
    for number in range(SUBSCRIPTIONS):
        yield from subscription(number)


def subscription(number):
    root = f"/subscriptions/{guid(1, number)}"
    group = f"{root}/resourceGroups/rg-race"
    def of(resource):
        return f"{group}/providers/{resource}"
    def resource(kind, name, properties, **more):
        return {"id": of(f"{kind}/{name}"), "name": name, "type": kind, "location": "westeurope",
                "tags": {"owner": "race"}, "properties": properties, **more}
    yield {"id": root, "name": f"race-{number}", "displayName": f"race-{number}", "type": "Microsoft.Resources/subscriptions",
           "properties": {"state": "Enabled", "managementGroupAncestorsChain": [{"name": "race", "displayName": "Race"}]}}
    yield {"id": group, "name": "rg-race", "type": "Microsoft.Resources/subscriptions/resourceGroups",
           "location": "westeurope", "properties": {"provisioningState": "Succeeded"}}
    for n in range(GROUPS):
        yield resource("Microsoft.Network/networkSecurityGroups", f"nsg-{n}",
                       {"provisioningState": "Succeeded", "securityRules": [rule(r) for r in range(10)],
                        "defaultSecurityRules": [rule(r) for r in range(6)]})
    for n in range(CLUSTERS):
        subnet = of(f"Microsoft.Network/virtualNetworks/vnet-{n}/subnets/nodes")
        yield resource("Microsoft.Network/virtualNetworks", f"vnet-{n}", {
            "provisioningState": "Succeeded", "addressSpace": {"addressPrefixes": [f"10.{n}.0.0/16"]},
            "subnets": [{"id": subnet, "name": "nodes", "properties": {
                "provisioningState": "Succeeded", "addressPrefix": f"10.{n}.0.0/22", "delegations": [],
                "networkSecurityGroup": {"id": of(f"Microsoft.Network/networkSecurityGroups/nsg-{n}")}}}],
            "virtualNetworkPeerings": []})
        yield resource("Microsoft.ContainerService/managedClusters", f"aks-{n}", {
            "provisioningState": "Succeeded", "kubernetesVersion": "1.30", "fqdn": f"aks-{n}.hcp.westeurope.azmk8s.io",
            "nodeResourceGroup": f"MC_race_{n}", "apiServerAccessProfile": {"enablePrivateCluster": False},
            "agentPoolProfiles": [{"name": "pool", "count": 3, "vmSize": "Standard_D4s_v5", "vnetSubnetID": subnet}],
            "networkProfile": {"networkPlugin": "azure", "serviceCidr": "172.16.0.0/16", "serviceCidrs": ["172.16.0.0/16"],
                               "dnsServiceIP": "172.16.0.10", "ipFamilies": ["IPv4"], "outboundType": "loadBalancer"}},
            identity={"type": "SystemAssigned", "principalId": guid(3, number, n), "tenantId": TENANT})
        workspace = of(f"Microsoft.MachineLearningServices/workspaces/mlw-{n}")
        yield resource("Microsoft.MachineLearningServices/workspaces", f"mlw-{n}", {
            "provisioningState": "Succeeded", "publicNetworkAccess": "Enabled", "privateEndpointConnections": [],
            "storageAccount": of("Microsoft.Storage/storageAccounts/st"), "keyVault": of("Microsoft.KeyVault/vaults/kv")},
            identity={"type": "SystemAssigned", "principalId": guid(4, number, n), "tenantId": TENANT})
        for name, properties in [
            ("aks", {"computeType": "AKS", "isAttachedCompute": True, "provisioningState": "Succeeded",
                     "resourceId": of(f"Microsoft.ContainerService/managedClusters/aks-{n}"), "properties": {}}),
            ("cpu", {"computeType": "AmlCompute", "isAttachedCompute": False, "provisioningState": "Succeeded",
                     "properties": {"vmSize": "STANDARD_DS3_V2", "scaleSettings": {"maxNodeCount": 4}}}),
        ]:
            yield {"id": f"{workspace}/computes/{name}", "name": name, "location": "westeurope",
                   "type": "Microsoft.MachineLearningServices/workspaces/computes", "properties": properties}
    for n in range(ASSIGNMENTS):
        name = guid(5, number, n)
        yield {"id": f"{root}/providers/Microsoft.Authorization/roleAssignments/{name}", "name": name,
               "type": "Microsoft.Authorization/roleAssignments",
               "properties": {"roleDefinitionId": f"{root}/providers/Microsoft.Authorization/roleDefinitions/{READER}",
                              "principalId": guid(6, n), "principalType": "ServicePrincipal", "scope": root,
                              "createdOn": "2024-01-01T00:00:00Z", "updatedOn": "2024-01-01T00:00:00Z"}}


def main(path):
    names = [{"id": guid(1, number), "name": f"race-{number}"} for number in range(SUBSCRIPTIONS)]
    kinds = {}
    rows = list(records())
    with open(path, "w", encoding="utf-8") as out:
        def line(value):
            out.write(json.dumps(value, separators=(",", ":")) + "\n")
        line({"mlfence": "snapshot/1", "taken_at": "2026-01-01T00:00:00Z", "tenant_id": TENANT, "cloud": "public",
              "subscriptions": names, "kinds": kinds})
        for row in rows:
            line({"record": row})
        line({"end": {"records": len(rows), "answers": 0, "gaps": 0}})


if __name__ == "__main__":
    main(sys.argv[1])
