package azure.aci.not_in_vnet_test

import data.azure.aci.not_in_vnet as policy
import data.mlfence.testing

# The web service with facts of it replaced.
_with(changes) := testing.changed(testing.aci_service, {"service": changes})

_public := {"in_vnet": {"value": false}, "networks": {"value": []}, "public_address": {"value": true}}

_no_endpoint := {"private_endpoint": {"value": false}, "endpoint_networks": {"value": []}}

cases := {
	"outside_any_vnet": {
		"note": "a public web service",
		"want": "pass",
		"may_be_empty": ["workspace.pending_endpoints"],
		"document": _with(_public),
	},
	"outside_any_vnet_owner_unproven": {
		"note": "whoever owns it, it has no subnet",
		"want": "pass",
		"document": _with(object.union(_public, {"owner": testing.unknown("ownership_unproven")})),
	},
	"outside_any_vnet_endpoint_unreadable": {
		"note": "it has no subnet, whatever the workspace has",
		"want": "pass",
		"document": testing.changed(testing.aci_service, {
			"service": _public,
			"workspace": {"private_endpoint": testing.unknown("denied")},
		}),
	},
	"in_vnet_with_endpoint": {
		"note": "in a VNet, and the workspace has an endpoint",
		"want": "fail",
		"keys": ["in_vnet"],
		"document": testing.aci_service,
	},
	"in_vnet_without_endpoint": {
		"note": "in a VNet, but the workspace has no endpoint: unsupported by the newest page only",
		"want": "fail",
		"keys": ["in_vnet"],
		"document": testing.changed(testing.aci_service, {"workspace": _no_endpoint}),
	},
	"pending_endpoint": {
		"note": "an endpoint that waits for approval is none",
		"want": "fail",
		"keys": ["in_vnet"],
		"document": testing.changed(testing.aci_service, {"workspace": object.union(_no_endpoint, {
			"pending_endpoints": ["/subscriptions/11111111-1111-1111-1111-111111111111/resourcegroups/rg-ml/providers/microsoft.network/privateendpoints/new"],
		})}),
	},
	"networks_unreadable": {
		"note": "it lives in a VNet, whichever it is",
		"want": "fail",
		"keys": ["in_vnet"],
		"document": _with({"networks": testing.unknown("denied")}),
	},
	"in_vnet_while_changing": {
		"note": "a definite violation stands while the service is being changed",
		"want": "fail",
		"keys": ["in_vnet"],
		"document": testing.changed(testing.aci_service, {"unsettled": [testing.transition]}),
	},
	"endpoint_state_unreadable": {
		"note": "whether the workspace has an endpoint is not known",
		"want": "unknown",
		"document": testing.changed(testing.aci_service, {
			"workspace": {"private_endpoint": testing.unknown("denied")},
		}),
	},
	"owner_unproven": {
		"note": "perhaps not the workspace's service",
		"want": "unknown",
		"document": _with({"owner": testing.unknown("ownership_unproven")}),
	},
	"placement_unproven": {
		"note": "whether it lives in a VNet is not known",
		"want": "unknown",
		"document": _with({
			"in_vnet": testing.unknown("placement_unproven"),
			"networks": testing.unknown("placement_unproven"),
		}),
	},
	"changing": {
		"note": "no pass while the service is being changed",
		"want": "unknown",
		"document": testing.changed(_with(_public), {"unsettled": [testing.transition]}),
	},
}

test_with_an_endpoint_it_is_high if {
	violations := policy.violations with input as cases.in_vnet_with_endpoint.document
	some violation in violations
	object.get(violation, "severity", "of the metadata") == "of the metadata"
	violation.resource == testing.aci_service.service.container_group
	violation.evidence == {
		"subnets": [testing.aci_network.subnet.id],
		"reason": "unsupported_with_private_endpoint",
		"ownership_proven_by": "service_record",
	}
}

test_without_an_endpoint_it_is_medium if {
	violations := policy.violations with input as cases.in_vnet_without_endpoint.document
	some violation in violations
	violation.severity == "medium"
	violation.evidence.reason == "unsupported_per_2024_page"
}

test_unread_subnets_are_not_listed if {
	violations := policy.violations with input as cases.networks_unreadable.document
	some violation in violations
	violation.evidence.subnets == []
}

test_a_pending_endpoint_is_noted if {
	notes := policy.notes with input as cases.pending_endpoint.document
	{note.code | some note in notes} == {"pending_endpoint"}
}

test_unproven_ownership_is_named if {
	undecided := policy.undecided with input as cases.owner_unproven.document
	{reason.code | some reason in undecided} == {"ownership_unproven"}
}
