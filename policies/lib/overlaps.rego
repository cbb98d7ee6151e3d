# What policies say of two address ranges that overlap.
package lib.overlaps

_uses := {
	"service_cidr": "the service range",
	"pod_cidr": "the pod range",
	"vnet": "the VNet range",
	"subnet": "the subnet range",
}

# Tells overlaps apart: what overlaps, where it is set, and both ranges.
key(overlap) := concat(" ", [overlap.what, _place(overlap), overlap.range, overlap.overlaps])

# The overlap in words; `other` says what the second range is.
message(overlap, other) := sprintf("%s %s overlaps %s %s", [_name(overlap), overlap.range, other, overlap.overlaps])

_name(overlap) := _uses[overlap.what] if overlap.name == ""

_name(overlap) := sprintf("%s of %s,", [_uses[overlap.what], overlap.name]) if overlap.name != ""

# The overlap as evidence; the VNet or subnet that has the range also under its own name, for the fix.
evidence(overlap) := object.union(_ranges(overlap), {overlap.what: overlap.resource}) if overlap.resource != null

evidence(overlap) := _ranges(overlap) if overlap.resource == null

_ranges(overlap) := {
	"what": overlap.what,
	"range": overlap.range,
	"set_on": _place(overlap),
	"overlaps": overlap.overlaps,
}

_place(overlap) := overlap.resource if overlap.resource != null

_place(overlap) := "cluster" if overlap.resource == null
