//! Conditions, as far as it can be told that they do not concern an action.
//!
//! The common form is `!(ActionMatches{'X'}) OR (…)`, joined by AND: it holds whatever the rest says, as long as the
//! action is none of X. Whatever else stands in a condition is an unknown; a text that this reader does not take in
//! whole is one as well.

use crate::inventory::Truth;
use crate::inventory::authorization::Pattern;

/// How deep parentheses may be nested.
const DEPTH: usize = 64;

/// Whether a condition holds for an action.
pub(super) fn holds(condition: &str, action: &Pattern) -> Truth {
    let mut reader = Reader { rest: condition, action, depth: 0 };
    match reader.series() {
        Some(truth) if reader.rest.trim_start().is_empty() => truth,
        _ => Truth::Maybe,
    }
}

struct Reader<'a> {
    rest: &'a str,
    action: &'a Pattern,
    depth: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Joint {
    And,
    Or,
}

impl Reader<'_> {
    /// Terms joined by one kind of joint; which of two kinds binds closer, no document says.
    fn series(&mut self) -> Option<Truth> {
        let mut truth = self.term()?;
        let mut kind = None;
        while let Some(joint) = self.joint() {
            if *kind.get_or_insert(joint) != joint {
                return None;
            }
            let next = self.term()?;
            truth = match joint {
                Joint::And => truth.and(next),
                Joint::Or => truth.or(next),
            };
        }
        Some(truth)
    }

    fn joint(&mut self) -> Option<Joint> {
        if self.take("&&") || self.word("AND") {
            Some(Joint::And)
        } else if self.take("||") || self.word("OR") {
            Some(Joint::Or)
        } else {
            None
        }
    }

    fn term(&mut self) -> Option<Truth> {
        if self.take("!") || self.word("NOT") {
            return self.nested(|reader| reader.term()).map(|truth| !truth);
        }
        if self.take("(") {
            let truth = self.nested(|reader| reader.series())?;
            return self.take(")").then_some(truth);
        }
        if self.word("ActionMatches") {
            return self.action_matches();
        }
        self.foreign()
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Truth>) -> Option<Truth> {
        self.depth += 1;
        let truth = if self.depth > DEPTH { None } else { read(self) };
        self.depth -= 1;
        truth
    }

    fn action_matches(&mut self) -> Option<Truth> {
        if !(self.take("{") && self.take("'")) {
            return None;
        }
        let (pattern, rest) = self.rest.split_once('\'')?;
        self.rest = rest;
        if !self.take("}") {
            return None;
        }
        let pattern = Pattern::parse(pattern);
        Some(match pattern.meets(self.action) {
            Truth::No => Truth::No,
            _ if pattern.covers(self.action) == Truth::Yes => Truth::Yes,
            _ => Truth::Maybe,
        })
    }

    /// A comparison or a function that this reader does not know, up to the next joint or closing parenthesis.
    fn foreign(&mut self) -> Option<Truth> {
        let start = self.rest.trim_start();
        let mut open = Vec::new();
        let mut quoted = false;
        let mut end = start.len();
        let mut after_blank = false;
        for (at, c) in start.char_indices() {
            if quoted {
                quoted = c != '\'';
                continue;
            }
            match c {
                '\'' => quoted = true,
                '(' | '[' | '{' => open.push(c),
                ')' if open.is_empty() => {
                    end = at;
                    break;
                }
                ')' | ']' | '}' => {
                    let pair = matches!((open.pop()?, c), ('(', ')') | ('[', ']') | ('{', '}'));
                    if !pair {
                        return None;
                    }
                }
                _ if open.is_empty() && joins(&start[at..], after_blank) => {
                    end = at;
                    break;
                }
                _ => {}
            }
            after_blank = c.is_whitespace();
        }
        self.rest = &start[end..];
        (!quoted && open.is_empty() && !start[..end].trim().is_empty()).then_some(Truth::Maybe)
    }

    fn take(&mut self, sign: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        rest.inspect(|rest| self.rest = rest).is_some()
    }

    fn word(&mut self, word: &str) -> bool {
        let start = self.rest.trim_start();
        let found = begins_with_word(start, word);
        if found {
            self.rest = &start[word.len()..];
        }
        found
    }
}

fn joins(text: &str, after_blank: bool) -> bool {
    text.starts_with("&&")
        || text.starts_with("||")
        || after_blank && (begins_with_word(text, "AND") || begins_with_word(text, "OR"))
}

fn begins_with_word(text: &str, word: &str) -> bool {
    let Some(head) = text.get(..word.len()) else { return false };
    head.eq_ignore_ascii_case(word)
        && !text[word.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(condition: &str, expected: Truth) {
        let action = Pattern::parse("Microsoft.Network/virtualNetworks/subnets/join/action");
        assert_eq!(holds(condition, &action), expected, "{condition}");
    }

    #[test]
    fn the_common_form_leaves_other_actions_alone() {
        check(
            "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR \
             (@Request[Microsoft.Authorization/roleAssignments:PrincipalType] StringEqualsIgnoreCase 'User'))",
            Truth::Yes,
        );
        let both = "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR \
             (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {a, b} AND \
              @Request[x] StringEquals 'it is (not) AND')) AND \
             ((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR (@Resource[y] BoolEquals true))";
        check(both, Truth::Yes);
        check(
            "!(ActionMatches{'a/b'} AND NOT SubOperationMatches{'Blob.List'}) OR (@Resource[c] Exists)",
            Truth::Yes,
        );
        check("not actionmatches{'a/b'} || @x[y] StringLike '*'", Truth::Yes);
    }

    #[test]
    fn what_may_concern_the_action_is_open() {
        let cases = [
            "(!(ActionMatches{'Microsoft.Network/*'})) OR (@Request[x] StringEquals 'y')",
            "(!(ActionMatches{'a/b'})) AND (@Request[x] StringEquals 'y')",
            "(!(ActionMatches{'a/*/b'}) OR @Resource[a] Exists) AND @Resource[b] Exists",
            "@Request[x] StringEquals 'y'",
            "!(ActionMatches{'a'}) OR x AND y",
            "(!(ActionMatches{'a'}) OR x",
            "!(ActionMatches{'a'}) OR x)",
            "!(ActionMatches{a}) OR x",
            "!(ActionMatches{'a'}) OR 'x",
            "!(ActionMatches{'a'}) OR",
            "!(ActionMatches{'a'}) x OR y z)(",
            "",
            "()",
            "ORDER BY",
        ];
        for condition in cases {
            check(condition, Truth::Maybe);
        }
        check(&"(".repeat(100_000), Truth::Maybe);
        check(&"!".repeat(100_000), Truth::Maybe);
        check("ActionMatches{'a/b'}", Truth::No);
        check("ActionMatches{'Microsoft.Network/*'}", Truth::Yes);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[!()'{}\\[\\]@:&| aORandé]{0,40}") {
            holds(&text, &Pattern::parse("a/b"));
        }
    }
}
