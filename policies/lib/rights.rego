# What policies say of rights that are not held: why not, by what came near, and the evidence.
package lib.rights

# Why these rights are not held, in words; for all of one principal at one place.
because(rights) := concat("; ", hints) if {
	hints := _hints(rights)
	count(hints) > 0
}

because(rights) := "nothing that is granted comes near" if count(_hints(rights)) == 0

# What came near and what forbids, as evidence.
evidence(rights) := {
	"misses": [miss | some miss in misses],
	"denied_by": [denial | some denial in denials],
} if {
	misses := {miss | some right in rights; some miss in right.misses}
	denials := {denial | some right in rights; some denial in right.denied_by}
}

_hints(rights) := array.concat(sort(_denials(rights)), sort(_nearly(rights) | _misspelt(rights)))

_denials(rights) := {hint |
	some right in rights
	some denial in right.denied_by
	denial.certain
	name := _name(denial.assignment)
	place := _place(denial.scope)
	hint := sprintf("the deny assignment %s on %s forbids it", [name, place])
}

_nearly(rights) := {hint |
	some right in rights
	some miss in right.misses
	hint := _hint(miss.kind, miss.grant)
}

_misspelt(rights) := {hint |
	some right in rights
	some note in right.notes
	note.code == "misspelt_action"
	hint := concat("", [
		"a role copied the singular `subnet/join/action` of older articles, for which there is no operation; ",
		"the right one is `subnets/join/action`",
	])
}

_hint("narrower_scope", grant) := sprintf(
	"the role %s is granted only on %s, and a grant there does not reach up",
	[_role(grant), _place(grant.scope)],
)

_hint("other_scope", grant) := sprintf("the role %s is granted on %s instead", [_role(grant), _place(grant.scope)])

_hint("kubelet", grant) := sprintf(
	"the nodes' (kubelet) identity %s got the role %s instead",
	[_holder(grant), _role(grant)],
)

_hint("group", grant) := sprintf(
	"the role %s is granted to the group %s, which it does not belong to",
	[_role(grant), _holder(grant)],
)

_hint("other_role", grant) := sprintf("the role %s, granted on %s, does not give it", [_role(grant), _place(grant.scope)])

_role(grant) := grant.role_name if is_string(grant.role_name)

_role(grant) := grant.role if {
	grant.role_name == null
	is_string(grant.role)
}

_role(grant) := "of an unreadable assignment" if {
	grant.role_name == null
	grant.role == null
}

_holder(grant) := grant.via if is_string(grant.via)

_holder(grant) := "of an unreadable id" if grant.via == null

_kinds := {
	"subnets": "the subnet",
	"virtualnetworks": "the VNet",
	"resourcegroups": "the resource group",
	"subscriptions": "the subscription",
	"managementgroups": "the management group",
}

_place(scope) := sprintf("%s %s", [kind, name]) if {
	is_string(scope)
	segments := split(scope, "/")
	count(segments) > 2
	name := segments[count(segments) - 1]
	kind := object.get(_kinds, segments[count(segments) - 2], "the resource")
}

_place(scope) := "the whole tenant" if {
	is_string(scope)
	count(split(scope, "/")) < 3
}

_place(scope) := "an unreadable scope" if scope == null

# The last segment of an id.
_name(id) := name if {
	segments := split(id, "/")
	name := segments[count(segments) - 1]
}
