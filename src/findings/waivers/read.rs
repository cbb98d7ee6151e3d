//! The text of a file of waivers: valid waivers out, or every problem with its line.
//!
//! Strict on purpose: a waiver silences somebody's alert, so it must say who answers for it and when it ends, and what is
//! misspelt must not be passed over.

use std::collections::BTreeMap;
use std::time::Duration;

use time::Date;
use time::macros::format_description;

use crate::inventory::{ResourceId, is_guid};
use crate::severity::Severity;
use crate::yaml::{self, Node, Problem, Table};

use super::{Accepts, Waiver};

/// The largest file of waivers, in bytes.
pub const LARGEST_FILE: usize = 1 << 20;

/// What waivers are held against.
pub struct Rules<'a> {
    /// What day it is, UTC.
    pub today: Date,
    /// How far ahead a waiver may end.
    pub longest: Duration,
    /// The severities of the policies that there are, by id.
    pub policies: &'a BTreeMap<String, Severity>,
}

/// Reads one file of waivers, and adds those that are whole to `into`, which holds those of the files before it.
pub fn read(file: &str, text: &str, rules: &Rules<'_>, into: &mut Vec<Waiver>) -> Vec<Problem> {
    let whole = |message: String| vec![Problem { line: 1, path: String::new(), message }];
    if text.len() > LARGEST_FILE {
        return whole(format!("is larger than {LARGEST_FILE} bytes"));
    }
    // Half-written, as seen by a reload: that would silently be no waivers.
    if text.trim().is_empty() {
        return whole("is empty; write `waivers: []` for none".to_owned());
    }
    let (_, problems) = yaml::read(text, |node| {
        let Some(mut table) = node.table() else { return };
        match table.take("waivers") {
            Some(list) => list.list().iter().for_each(|item| {
                if let Some(waiver) = waiver(item, file, rules) {
                    add(item, waiver, into);
                }
            }),
            None => node.problem("`waivers` is missing; write `waivers: []` for none"),
        }
        table.finish();
    });
    problems
}

/// Two waivers of the same thing would contradict each other in reason or end.
fn add(item: &Node<'_>, waiver: Waiver, into: &mut Vec<Waiver>) {
    let same_place = |earlier: &&Waiver| {
        earlier.accepts == waiver.accepts
            && (&earlier.policy, &earlier.scope, &earlier.key) == (&waiver.policy, &waiver.scope, &waiver.key)
    };
    if let Some(earlier) = into.iter().find(same_place) {
        item.problem(format!("accepts the same as the waiver at {}", earlier.at));
    } else if let Some(earlier) = into.iter().find(|earlier| earlier.id.is_some() && earlier.id == waiver.id)
    {
        item.problem(format!("has the id of the waiver at {}", earlier.at));
    } else {
        into.push(waiver);
    }
}

fn waiver(item: &Node<'_>, file: &str, rules: &Rules<'_>) -> Option<Waiver> {
    let mut table = item.table()?;
    let id = table.take("id").and_then(|node| node.string());
    let policy = required(item, &mut table, "policy", "the id of the policy", |node| policy(node, rules));
    let scope = required(item, &mut table, "scope", "an ARM id", scope);
    let key = table.take("key");
    let accepts = table
        .take("accepts")
        .map(|node| node.one_of(&[("fail", Accepts::Fail), ("unknown", Accepts::Unknown)]));
    let reason = required(item, &mut table, "reason", "why this is accepted", |node| node.string());
    let owner = required(item, &mut table, "owner", "who answers for it", |node| node.string());
    let expires =
        required(item, &mut table, "expires", "the last day on which it holds", |node| expiry(node, rules));
    let evidence = table.take("evidence").map(|node| digest(&node));
    let allow_broad = table.take("allow_broad").map_or(Some(false), |node| node.boolean());
    table.finish();
    let accepts = accepts.unwrap_or(Some(Accepts::Fail));
    if let (Some(key), Some(Accepts::Unknown)) = (&key, accepts) {
        key.problem("only a violation has a key; leave it out of a waiver that accepts `unknown`");
    }
    let key = key.map(|node| node.string());
    let (policy, scope, allow_broad) = (policy?, scope?, allow_broad?);
    if !allow_broad {
        let critical = rules.policies.get(&policy) == Some(&Severity::Critical);
        if broad(item, &policy, critical, &scope) {
            return None;
        }
    }
    Some(Waiver {
        id,
        policy,
        scope,
        key: key.map_or(Some(None), |key| key.map(Some))?,
        accepts: accepts?,
        reason: reason?,
        owner: owner?,
        expires: expires?,
        evidence: evidence.map_or(Some(None), |digest| digest.map(Some))?,
        allow_broad,
        at: format!("{file}:{}", item.line()),
    })
}

/// Whether a waiver covers what it must not cover by the way.
fn broad(item: &Node<'_>, policy: &str, critical: bool, scope: &ResourceId) -> bool {
    let wide = segments(scope).len() <= 2;
    if wide {
        item.problem("covers a whole subscription or more; narrow `scope`, or set `allow_broad: true`");
    }
    if critical {
        item.problem(format!("{policy} is critical; to accept it all the same set `allow_broad: true`"));
    }
    wide || critical
}

/// The value of a key that every waiver has. The value that is there and wrong has told its own problem.
fn required<'a, T>(
    item: &Node<'a>,
    table: &mut Table<'a>,
    key: &'static str,
    what: &str,
    read: impl Fn(&Node<'a>) -> Option<T>,
) -> Option<T> {
    match table.take(key) {
        Some(node) => read(&node),
        None => {
            item.problem(format!("`{key}` is missing: {what}"));
            None
        }
    }
}

fn policy(node: &Node<'_>, rules: &Rules<'_>) -> Option<String> {
    let id = node.string()?;
    if rules.policies.contains_key(&id) {
        return Some(id);
    }
    node.problem(format!("there is no policy `{id}`; `mlfence policy list` names them"));
    None
}

fn expiry(node: &Node<'_>, rules: &Rules<'_>) -> Option<Date> {
    let text = node.string()?;
    let Ok(date) = Date::parse(text.trim(), format_description!("[year]-[month]-[day]")) else {
        node.problem(format!("`{text}` is no day such as 2027-01-31"));
        return None;
    };
    let days = rules.longest.as_secs() / 86_400;
    let ahead = (date - rules.today).whole_days();
    if i64::try_from(days).is_ok_and(|days| ahead > days) {
        node.problem(format!("is {ahead} days ahead; at most {days} are allowed (`waivers.longest`)"));
        return None;
    }
    Some(date)
}

fn digest(node: &Node<'_>) -> Option<String> {
    let text = node.string()?.trim().to_ascii_lowercase();
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text);
    }
    node.problem("must be the digest that `mlfence explain POLICY RESOURCE` prints, sha256:…");
    None
}

/// A scope as ARM writes it. What only looks like one would silently cover nothing.
fn scope(node: &Node<'_>) -> Option<ResourceId> {
    let text = node.string()?;
    match ResourceId::parse(&text).filter(|_| text.starts_with('/')) {
        Some(id) => match malformed(&id) {
            None => return Some(id),
            Some(why) => node.problem(format!("`{text}` is no scope: {why}")),
        },
        None => node.problem(format!("`{text}` is no ARM id; it begins with /subscriptions/GUID")),
    }
    None
}

fn segments(scope: &ResourceId) -> Vec<&str> {
    scope.key().split('/').filter(|segment| !segment.is_empty()).collect()
}

fn malformed(scope: &ResourceId) -> Option<&'static str> {
    let key = scope.key();
    if key == "/" {
        return None;
    }
    if key.contains("//") {
        return Some("a segment is empty");
    }
    if key.contains('*') {
        return Some("there are no wildcards; a scope covers everything below it");
    }
    let segments = segments(scope);
    let mut rest = match segments.as_slice() {
        ["subscriptions", guid, rest @ ..] if is_guid(guid) => rest,
        ["providers", "microsoft.management", ..] => {
            return Some("an id does not tell its management group; name the subscriptions");
        }
        _ => return Some("it begins with /subscriptions/GUID"),
    };
    if let ["resourcegroups", within @ ..] = rest {
        match within {
            [_, below @ ..] => rest = below,
            [] => return Some("the name of the resource group is missing"),
        }
    }
    // A namespace, then types and names in turn; an extension begins with a namespace of its own.
    while let ["providers", below @ ..] = rest {
        let end = below.iter().position(|segment| *segment == "providers").unwrap_or(below.len());
        let (provider, after) = below.split_at(end);
        if provider.len() < 3 || provider.len() % 2 == 0 {
            return Some("after /providers/ come a namespace, and a name for each type");
        }
        rest = after;
    }
    (!rest.is_empty()).then_some("after the subscription come /resourceGroups/NAME and /providers/…")
}
