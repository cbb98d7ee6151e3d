//! What would fix a violation, with the real names in it: the policy's text, whose placeholders are filled from the
//! violation's evidence, the resource that it points at, and the subject. `policies/README.md` holds the scheme.
//!
//! People paste the result into a shell, and names come from outside. What no shell takes for more than a word goes
//! in as it is, the rest in single quotes, and what is not safe even there stays a placeholder.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::facts::SubjectKind;
use crate::inventory::{ResourceId, printable};
use crate::policy::placeholder;

use super::judge::Subject;

/// What placeholders stand for, in one violation.
pub struct Names {
    names: BTreeMap<String, Name>,
}

#[derive(Default)]
struct Name {
    /// How it is written in a command; none if there is no safe way.
    text: Option<String>,
    /// The resources that it tells something of.
    of: Vec<ResourceId>,
}

impl Names {
    /// What evidence, resource and subject name; the earlier wins.
    pub fn of(subject: &Subject, evidence: &Map<String, Value>, resource: Option<&str>) -> Self {
        let mut names = Self { names: BTreeMap::new() };
        let mut entries = Vec::new();
        evidence.iter().for_each(|(key, value)| leaves(key.clone(), value, &mut entries));
        names.add_all(&entries);
        let mut others: Vec<(String, Vec<String>)> = Vec::new();
        others.extend(resource.map(|id| ("resource".to_owned(), vec![id.to_owned()])));
        others.push((noun(subject.kind).to_owned(), vec![subject.id.to_string()]));
        others.extend(subject.workspace.iter().map(|id| ("workspace".to_owned(), vec![id.to_string()])));
        names.add_all(&others);
        names
    }

    /// What fixes this violation: the text without the commands that are about another kind of violation, which name what
    /// this one has nothing for, and without the words that lead to nothing else; filled.
    pub fn remedy(&self, text: &str) -> String {
        let is_command = |line: &&str| line.starts_with("az ");
        let about_this = |line: &&str| {
            let named = line.match_indices('<').filter_map(|(at, _)| placeholder(line.get(at..)?));
            named
                .map(|(name, _)| name)
                .all(|name| name.starts_with("choose-") || self.names.contains_key(name))
        };
        let lines: Vec<&str> = text.lines().collect();
        if !lines.iter().filter(|line| is_command(line)).any(about_this) {
            return self.fill(text);
        }
        let mut kept = Vec::new();
        for block in lines.chunk_by(|_, next| is_command(next)) {
            let (commands, words): (Vec<&str>, Vec<&str>) = block.iter().partition(|line| is_command(line));
            let own: Vec<&str> = commands.iter().copied().filter(about_this).collect();
            if commands.is_empty() || !own.is_empty() {
                kept.extend(words);
                kept.extend(own);
            }
        }
        self.fill(&kept.join("\n"))
    }

    /// The text with every placeholder filled that is known. The others are what a person must choose.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let known = placeholder(from)
                .and_then(|(name, after)| Some((self.names.get(name)?.text.as_deref()?, after)));
            rest = match known {
                Some((text, after)) => {
                    filled.push_str(text);
                    after
                }
                None => {
                    filled.push('<');
                    from.strip_prefix('<').unwrap_or_default()
                }
            };
        }
        filled.push_str(rest);
        filled
    }

    /// The resources that the commands of a text name by placeholders.
    pub fn resources(&self, text: &str) -> BTreeSet<ResourceId> {
        let commands = text.lines().filter(|line| line.starts_with("az "));
        commands
            .flat_map(|line| line.match_indices('<').filter_map(|(at, _)| placeholder(line.get(at..)?)))
            .filter_map(|(name, _)| self.names.get(name))
            .flat_map(|name| name.of.iter().cloned())
            .collect()
    }

    /// What is named outright stands before what is told by ids.
    fn add_all(&mut self, entries: &[(String, Vec<String>)]) {
        for (key, values) in entries {
            let ids: Option<Vec<ResourceId>> = values.iter().map(|value| id(value)).collect();
            let told: Vec<String> = match &ids {
                Some(ids) => ids.iter().map(last).collect(),
                None => values.clone(),
            };
            self.add(key, Some(told), ids.as_deref().unwrap_or_default());
        }
        for (key, values) in entries {
            let Some(ids) = values.iter().map(|value| id(value)).collect::<Option<Vec<_>>>() else {
                continue;
            };
            let mut tell = |suffix, part: fn(&ResourceId) -> Option<String>| {
                self.add(&format!("{key}-{suffix}"), ids.iter().map(part).collect(), &ids);
            };
            tell("id", |id| Some(id.to_string()));
            tell("rg", |id| id.resource_group().as_ref().map(last));
            tell("subscription", |id| id.subscription().map(str::to_owned));
            tell("parent", |id| id.parent().as_ref().map(last));
        }
    }

    fn add(&mut self, name: &str, values: Option<Vec<String>>, of: &[ResourceId]) {
        let Some(values) = values.filter(|values| !values.is_empty()) else { return };
        let words: Option<Vec<String>> = values.iter().map(|value| word(value)).collect();
        let text = words.map(|words| words.join(" "));
        self.names.entry(name.to_owned()).or_insert_with(|| Name { text, of: of.to_vec() });
    }
}

/// What a subject is called in placeholders.
fn noun(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Workspace => "workspace",
        SubjectKind::AksCompute => "compute",
        SubjectKind::AksCluster => "cluster",
        SubjectKind::AciService => "service",
        SubjectKind::Subnet => "subnet",
        SubjectKind::OnlineEndpoint => "endpoint",
    }
}

/// The texts and numbers of evidence, and lists of them, by their placeholders; within an object below its name.
fn leaves(key: String, value: &Value, entries: &mut Vec<(String, Vec<String>)>) {
    let key = key.replace('_', "-");
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, value)| leaves(format!("{key}-{name}"), value, entries));
        }
        Value::Array(items) => {
            entries.extend(items.iter().map(text).collect::<Option<Vec<_>>>().map(|texts| (key, texts)));
        }
        value => entries.extend(text(value).map(|text| (key, vec![text]))),
    }
}

/// The ARM id that a text is.
fn id(text: &str) -> Option<ResourceId> {
    let id = text.starts_with('/').then(|| ResourceId::parse(text)).flatten()?;
    (id.subscription().is_some() || id.resource_type().is_some()).then_some(id)
}

/// The name of a resource or group, in the one case that reports use.
fn last(id: &ResourceId) -> String {
    id.key().rsplit('/').next().unwrap_or_default().to_owned()
}

/// A value as one word of a command, for sh and PowerShell alike; none where they differ on how it would have to be
/// written, or where `az` would take it for an option or a file.
fn word(value: &str) -> Option<String> {
    let value = printable(value);
    let unsafe_in_quotes = |c: char| matches!(c, '\'' | '"' | '‘'..='„' | '&' | '|' | '<' | '>' | '^' | '%');
    if value.is_empty() || value.starts_with(['-', '@']) || value.contains(unsafe_in_quotes) {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':');
    Some(if value.chars().all(plain) { value } else { format!("'{value}'") })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GROUP: &str = "/subscriptions/S1/resourceGroups/rg-Net";

    fn check(evidence: Value, text: &str, expected: &str) {
        let arm = |text: &str| ResourceId::parse(text).expect("an id");
        let workspace = format!("{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw");
        let subject = Subject {
            kind: SubjectKind::AksCompute,
            id: arm(&format!("{workspace}/computes/k8s")),
            workspace: Some(arm(&workspace)),
            hidden: false,
        };
        let Value::Object(evidence) = evidence else { panic!("evidence is an object") };
        assert_eq!(Names::of(&subject, &evidence, Some(GROUP)).fill(text), expected, "{evidence:?}");
    }

    fn subnet(name: &str) -> String {
        format!("{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet-1/subnets/{name}")
    }

    #[test]
    fn an_id_tells_name_id_group_subscription_and_parent() {
        let evidence = json!({"node_subnet": subnet("snet")});
        let text = "<node-subnet> <node-subnet-rg> <node-subnet-subscription> <node-subnet-parent>";
        check(evidence.clone(), text, "snet rg-net s1 vnet-1");
        check(
            evidence.clone(),
            "--ids <node-subnet-id>",
            &format!("--ids {}", subnet("snet").to_lowercase()),
        );
        check(evidence, "<node-subnet-vnet>", "<node-subnet-vnet>");
    }

    #[test]
    fn the_subject_and_the_resource_are_named_too() {
        check(json!({}), "<compute> <compute-parent> <workspace> <workspace-rg>", "k8s mlw mlw rg-net");
        check(json!({}), "<resource> <resource-rg> <cluster>", "rg-net rg-net <cluster>");
        check(json!({"compute": "other"}), "<compute> <compute-rg>", "other rg-net");
    }

    #[test]
    fn lists_numbers_and_objects() {
        check(json!({"ranges": ["10.0.0.0/8", "a b"]}), "<ranges>", "10.0.0.0/8 'a b'");
        check(json!({"subnets": [subnet("a"), subnet("b")]}), "<subnets> <subnets-rg>", "a b rg-net rg-net");
        check(json!({"port": 443, "asked": {"vnet": "v"}}), "<port> <asked-vnet>", "443 v");
        check(json!({"fqdn": null, "list": [], "on": true}), "<fqdn> <list> <on>", "<fqdn> <list> <on>");
        check(json!({"deep": [{"a": 1}]}), "<deep> <deep-a>", "<deep> <deep-a>");
    }

    #[test]
    fn what_is_not_known_stays() {
        check(json!({"a": "x"}), "<choose-name> <a> <", "<choose-name> x <");
        check(json!({"a": "x"}), "1 < 2 <<a>> <A> <a", "1 < 2 <x> <A> <a");
        // What a value says is not looked at again.
        check(json!({"a": "$b", "b": "<a>"}), "<a><b>", "'$b'<b>");
    }

    #[test]
    fn values_are_words_of_a_shell_or_stay_out() {
        for (value, expected) in [
            ("rg-1_a.b", "rg-1_a.b"),
            ("Microsoft.ContainerInstance/containerGroups", "Microsoft.ContainerInstance/containerGroups"),
            ("rg (old)", "'rg (old)'"),
            ("größe", "'größe'"),
            ("x; rm -rf /", "'x; rm -rf /'"),
            ("$(reboot)", "'$(reboot)'"),
            ("`reboot`", "'`reboot`'"),
            ("*", "'*'"),
            ("~", "'~'"),
            ("a,b", "'a,b'"),
            ("a\nb", "'a\u{fffd}b'"),
            ("a\u{202e}b", "'a\u{fffd}b'"),
            // sh and PowerShell disagree on these, cmd.exe does not know single quotes.
            ("x'; reboot; '", "<a>"),
            ("x’; reboot; ’", "<a>"),
            ("x\"y", "<a>"),
            ("x & reboot", "<a>"),
            ("x | y", "<a>"),
            ("%PATH%", "<a>"),
            // An option, or a file that `az` would read.
            ("--yes", "<a>"),
            ("@/etc/passwd", "<a>"),
            ("", "<a>"),
        ] {
            check(json!({"a": value}), "<a>", expected);
        }
        let hostile = format!("{GROUP}/providers/Microsoft.Network/virtualNetworks/v $(reboot)");
        let key = hostile.to_lowercase();
        check(json!({"vnet": hostile}), "<vnet> <vnet-id>", &format!("'v $(reboot)' '{key}'"));
        check(json!({"a": ["x", "-y"]}), "<a>", "<a>");
        // A bad name does not make way for another one.
        check(json!({"workspace": "x'y"}), "<workspace>", "<workspace>");
    }

    #[test]
    fn commands_about_another_kind_of_violation_are_left_out() {
        let text = "Free the subnet:\naz one --ids <subnet-id>\naz two --ids <choose-other>\nOr the range:\naz three --ids <vnet-id>\nThat is all.";
        let names = |evidence: Value| {
            let Value::Object(evidence) = evidence else { panic!("evidence is an object") };
            let subject = Subject {
                kind: SubjectKind::AksCluster,
                id: ResourceId::parse(GROUP).expect("an id"),
                workspace: None,
                hidden: false,
            };
            Names::of(&subject, &evidence, None)
        };
        let told = names(json!({"subnet": subnet("snet")})).remedy(text);
        let id = subnet("snet").to_lowercase();
        let expected =
            format!("Free the subnet:\naz one --ids {id}\naz two --ids <choose-other>\nThat is all.");
        assert_eq!(told, expected);
        let none = "Free the subnet:\naz one --ids <subnet-id>";
        assert_eq!(names(json!({})).remedy(none), none, "rather all than nothing");
    }

    #[test]
    fn what_a_fix_changes_is_what_its_placeholders_stand_for() {
        let subject = Subject {
            kind: SubjectKind::AksCluster,
            id: ResourceId::parse(&subnet("not-used")).expect("an id"),
            workspace: None,
            hidden: false,
        };
        let Value::Object(evidence) = json!({"subnet": subnet("snet"), "nsg": subnet("unnamed"), "n": 1})
        else {
            panic!("evidence is an object")
        };
        let names = Names::of(&subject, &evidence, None);
        let found =
            names.resources("az x --name <subnet> --resource-group <subnet-rg> --count <n> <choose-x>");
        assert_eq!(found, BTreeSet::from([ResourceId::parse(&subnet("snet")).expect("an id")]));
    }
}
