# What policies say of the answer to a question about flows.
package lib.answers

# Whether packets are certainly stopped, all or some.
stops(answer) if answer.verdict.value in {"deny", "partial"}

# How many, by the verdict.
amount(answer) := {"deny": "all", "partial": "some"}[answer.verdict.value]

# A packet that is stopped and what decides, as the end of a sentence.
proof(answer) := concat("", [_packet(answer), _deciders(answer)])

_packet(answer) := sprintf(", such as %s", [answer.stopped]) if answer.stopped != null

_packet(answer) := "" if answer.stopped == null

_deciders(answer) := sprintf(" (decided by %s)", [concat(", ", answer.decided_by)]) if count(answer.decided_by) > 0

_deciders(answer) := "" if count(answer.decided_by) == 0

# The answer as evidence; the one group that decides, if it is one, is what a repair needs.
evidence(answer) := object.union(
	{
		"verdict": answer.verdict.value,
		"decided_by": answer.decided_by,
		"security_groups": answer.security_groups,
		"arrives": answer.arrives,
		"stopped": answer.stopped,
	},
	_group(answer.security_groups),
)

_group(groups) := {"nsg": groups[0]} if count(groups) == 1

_group(groups) := {} if count(groups) != 1
