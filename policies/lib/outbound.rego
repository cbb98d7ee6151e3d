# What is left of the default outbound rules of a subnet's groups, and whether a registry is still reached from there.
package lib.outbound

import data.lib.answers

_defaults := {
	"internet": {"question": "default_internet_outbound", "to": "the internet", "rule": "AllowInternetOutBound"},
	"vnet": {"question": "default_vnet_outbound", "to": "the VNet and its peers", "rule": "AllowVnetOutBound"},
}

# Whether both default rules are certainly in effect.
kept(flows) if {
	every part in _defaults {
		flows[part.question].verdict.value == "allow"
	}
}

# Whether at least one certainly is not.
restricted(flows) if count(parts(flows)) > 0

# What the default rules would let out and is stopped, by a short name.
parts(flows) := {name: stopped |
	some name, part in _defaults
	answer := flows[part.question]
	answers.stops(answer)
	stopped := {"answer": answer, "to": part.to, "rule": part.rule}
}

# Why neither is proven.
default_gaps(flows) := {reason |
	not restricted(flows)
	some part in _defaults
	some reason in answers.gaps(flows[part.question])
}

# How the registry is certainly reached.
way(registry) := "address" if {
	_by_address(registry)
} else := "endpoint" if {
	_by_endpoint(registry)
}

# Whether it is certainly reached in no way.
lost(registry, flows) if {
	_address_stopped(registry, flows)
	_endpoint_stopped(registry)
}

# Only where one place serves is its address the right one.
_by_address(registry) if {
	registry.by_address.verdict.value == "allow"
	_in_one_place(registry)
	not _perhaps_led_astray(registry)
}

# Where an endpoint lies in reach, the registry's name may lead there, whatever its public address would allow.
_perhaps_led_astray(registry) if {
	not registry.endpoint_in_reach.value == false
	not registry.by_endpoint.verdict.value == "allow"
}

_in_one_place(registry) if registry.geo_replicated.value == false

# A Premium registry that does not tell: its one region is taken, with a note.
_in_one_place(registry) if registry.geo_replicated.unknown.code == "not_told"

_by_endpoint(registry) if {
	registry.endpoint_in_reach.value
	registry.by_endpoint.verdict.value == "allow"
}

_address_stopped(registry, _) if {
	answers.stops(registry.by_address)
	_in_one_place(registry)
}

# Replicas have addresses of other regions; they are stopped where everything is.
_address_stopped(registry, flows) if {
	answers.stops(registry.by_address)
	flows.default_internet_outbound.verdict.value == "deny"
}

_endpoint_stopped(registry) if registry.endpoint_in_reach.value == false

_endpoint_stopped(registry) if registry.by_endpoint.verdict.value == "deny"

# Why it is not proven either way.
reach_gaps(registry, flows) := {reason |
	not way(registry)
	not lost(registry, flows)
	gaps := _address_gaps(registry, flows) | _endpoint_gaps(registry)
	some reason in gaps
}

_address_gaps(registry, flows) := (_address_unread(registry) | _places_unread(registry)) | _replicas(registry, flows)

_address_unread(registry) := answers.gaps(registry.by_address)

_places_unread(registry) := {reason |
	not _in_one_place(registry)
	reason := registry.geo_replicated.unknown
}

_replicas(registry, flows) := {reason |
	registry.geo_replicated.value
	not _address_stopped(registry, flows)
	name := registry.name
	reason := {
		"code": "undecidable",
		"message": sprintf("the registry %s has replicas in other regions, and which one serves is not known", [name]),
	}
}

_endpoint_gaps(registry) := _endpoint_unread(registry) | _endpoint_perhaps(registry)

_endpoint_unread(registry) := {reason |
	not _endpoint_stopped(registry)
	gaps := {reason | reason := registry.endpoint_in_reach.unknown} | answers.gaps(registry.by_endpoint)
	some reason in gaps
}

_endpoint_perhaps(registry) := {reason |
	registry.endpoint_in_reach.value
	answers.stops(registry.by_endpoint)
	name := registry.name
	amount := answers.amount(registry.by_endpoint)
	reason := {
		"code": "unproven",
		"message": sprintf("a private endpoint of the registry %s is in reach, but %s packets to its subnet are stopped; whether the registry's name leads there is not known", [name, amount]),
	}
}

# What a pass says of a registry that is reached by its address, where it is not known whether it has replicas.
replica_notes(registry) := {note |
	way(registry) == "address"
	registry.geo_replicated.unknown
	name := registry.name
	note := {
		"code": "replicas_not_read",
		"message": sprintf("the registry %s may have replicas in other regions, as a Premium one may; which one serves was not read", [name]),
	}
}
