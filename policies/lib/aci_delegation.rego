# Whether a subnet is delegated to Azure Container Instances.
package lib.aci_delegation

_service := "microsoft.containerinstance/containergroups"

# Whether it is proven that the subnet is not delegated to it; a delegation of any state counts as one.
missing(subnet) if {
	delegations := subnet.delegations.value
	not _service in [delegation.service | some delegation in delegations]
}

# Whether a finished delegation is proven, of a subnet that nobody changes.
proven(subnet) if {
	some delegation in subnet.delegations.value
	delegation.service == _service
	delegation.succeeded.value
	subnet.settled.value
}

# Why the delegation cannot be judged.
gaps(subnet) := (_unread(subnet) | _states_unread(subnet)) | _unfinished(subnet)

_unread(subnet) := {reason |
	some fact in [subnet.delegations, subnet.settled]
	reason := fact.unknown
}

_states_unread(subnet) := {reason |
	some delegation in subnet.delegations.value
	delegation.service == _service
	reason := delegation.succeeded.unknown
}

_unfinished(subnet) := {reason |
	some delegation in subnet.delegations.value
	delegation.service == _service
	delegation.succeeded.value == false
	name := subnet.name
	reason := {
		"code": "transitional",
		"message": sprintf("the delegation of the subnet %s is not finished", [name]),
	}
}
