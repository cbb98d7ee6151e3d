# What policies say of the answer to a question about flows.
package lib.answers

# Whether packets are certainly stopped, all or some.
stops(answer) if answer.verdict.value in {"deny", "partial"}

# Why it is not known.
gaps(answer) := {reason |
	answer.verdict.unknown
	some reason in answer.reasons
}

# How many, by the verdict.
amount(answer) := {"deny": "all", "partial": "some"}[answer.verdict.value]

# A packet that is stopped and what decides, as the end of a sentence.
proof(answer) := concat("", [_packet(answer), _deciders(answer)])

_packet(answer) := sprintf(", such as %s", [answer.stopped]) if answer.stopped != null

_packet(answer) := "" if answer.stopped == null

_deciders(answer) := sprintf(" (decided by %s)", [concat(", ", answer.decided_by)]) if count(answer.decided_by) > 0

_deciders(answer) := "" if count(answer.decided_by) == 0

# The answer as evidence. A repair begins with the group that stops packets first, and with its own rule that does.
evidence(answer) := object.union(
	{
		"verdict": answer.verdict.value,
		"decided_by": answer.decided_by,
		"security_groups": answer.security_groups,
		"arrives": answer.arrives,
		"stopped": answer.stopped,
	},
	object.union(_group(answer.stopped_by), _rule(answer.stopped_by)),
)

_group(rules) := {"nsg": rules[0].security_group} if count(rules) > 0

_group(rules) := {} if count(rules) == 0

_rule(rules) := {"rule": own[0]} if {
	own := _own(rules)
	count(own) > 0
}

_rule(rules) := {} if count(_own(rules)) == 0

# Default rules cannot be deleted.
_own(rules) := [rule.name |
	some rule in rules
	not rule.default
	rule.security_group == rules[0].security_group
]
