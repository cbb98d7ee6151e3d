// The tables of Azure Resource Graph that mlfence asks, with the columns of the schema that they share. A column of these that
// only some of the tables have is not told apart.
const columns = {
  id: "string", name: "string", type: "string", tenantId: "string", kind: "string", location: "string",
  resourceGroup: "string", subscriptionId: "string", managedBy: "string", sku: "dynamic", plan: "dynamic",
  properties: "dynamic", tags: "dynamic", identity: "dynamic", zones: "dynamic", extendedLocation: "dynamic",
};

export const tables = Object.fromEntries([
  "resources", "resourcecontainers", "authorizationresources", "kubernetesconfigurationresources", "networkresources",
].map((table) => [table, columns]));
