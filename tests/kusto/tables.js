// The tables of Azure Resource Graph that mlfence asks, with their columns as Microsoft documents them. The columns are the
// same in each: what Azure Resource Manager tells of any resource.
const columns = {
  id: "string", name: "string", type: "string", tenantId: "string", kind: "string", location: "string",
  resourceGroup: "string", subscriptionId: "string", managedBy: "string", sku: "dynamic", plan: "dynamic",
  properties: "dynamic", tags: "dynamic", identity: "dynamic", zones: "dynamic", extendedLocation: "dynamic",
};

export const tables = Object.fromEntries([
  "resources", "resourcecontainers", "authorizationresources", "kubernetesconfigurationresources", "networkresources",
].map((table) => [table, columns]));
