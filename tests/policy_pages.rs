//! A page for each shipped policy, made of its metadata and of the cases that its tests judge. `MLFENCE_REGENERATE=1`
//! rewrites the pages instead of comparing them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use mlfence::policy::{Bundle, Evaluation, Evaluator, Judgement, Policy};
use regorus::Value;

const REGENERATE: &str = "MLFENCE_REGENERATE=1 cargo test --test policy_pages";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/policies")
}

/// Every page by the name of its file.
fn pages() -> BTreeMap<String, String> {
    let bundle = Bundle::shipped().unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut evaluator = bundle.evaluator();
    let mut pages = BTreeMap::from([("README.md".to_owned(), list(bundle.policies()))]);
    for policy in bundle.policies() {
        pages.insert(format!("{}.md", policy.metadata.id), page(policy, &mut evaluator));
    }
    pages
}

/// A text in one cell or item.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ").replace('|', "\\|")
}

fn list(policies: &[Policy]) -> String {
    let mut text = format!(
        "# Policies\n\nA page for each shipped policy, made by `{REGENERATE}` of its metadata and of the cases that its tests \
         judge.\n\n| id | severity | judged on | requirement |\n|---|---|---|---|\n"
    );
    for Policy { metadata, .. } in policies {
        let (id, title) = (&metadata.id, line(&metadata.title));
        writeln!(text, "| [{id}]({id}.md) | {} | {} | {title} |", metadata.severity, metadata.subject.name())
            .expect("a string");
    }
    text
}

fn page(policy: &Policy, evaluator: &mut Evaluator) -> String {
    let metadata = &policy.metadata;
    let requires: Vec<&str> = metadata.requires.iter().map(|kind| kind.name()).collect();
    let mut text = format!(
        "# {}: {}\n\n| severity | judged on | rests on | since | source |\n|---|---|---|---|---|\n\
         | {} | {} | {} | {} | [{}](../../{}) |\n\n{}\n",
        metadata.id,
        metadata.title,
        metadata.severity,
        metadata.subject.name(),
        requires.join(", "),
        metadata.since,
        policy.package,
        policy.path,
        metadata.description
    );
    text.push_str("\n## Documents\n\n");
    for document in &metadata.documents {
        let title = match &document.url {
            Some(url) => format!("[{}]({url})", line(&document.title)),
            None => line(&document.title),
        };
        let superseded =
            document.superseded.as_deref().map(|by| format!("; {}", line(by))).unwrap_or_default();
        writeln!(text, "- {title}, read as of {}{superseded}", document.revised).expect("a string");
    }
    for related in &metadata.related_resources {
        let what = related.description.as_deref().unwrap_or(&related.r#ref);
        writeln!(text, "- Further: [{}]({})", line(what), related.r#ref).expect("a string");
    }
    let mut notes = BTreeSet::new();
    let mut judged: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for case in &policy.cases {
        let document = Value::from_json_str(&case.document.to_string()).expect("JSON");
        let said = evaluator.evaluate(policy, &document).expect("the gate has evaluated it");
        notes.extend(said.notes.iter().map(|note| (note.code.clone(), line(&note.message))));
        judged.entry(case.want.name()).or_default().push(format!(
            "- {}{}",
            line(&case.note),
            told(case.want, &said)
        ));
    }
    for (judgement, heading) in [
        (Judgement::Fail, "Violated"),
        (Judgement::Pass, "Complies"),
        (Judgement::Unknown, "Unknown"),
        (Judgement::NotApplicable, "Does not apply"),
    ] {
        let items = judged.remove(judgement.name());
        let items =
            items.unwrap_or_else(|| vec!["Never: the policy applies to each of its subjects.".to_owned()]);
        write!(text, "\n## {heading}\n\n{}\n", items.join("\n")).expect("a string");
    }
    assert!(judged.is_empty(), "{}: {judged:?}", metadata.id);
    write!(
        text,
        "\n## Remediation\n\n`mlfence explain {} RESOURCE` fills the placeholders with the names of the case at hand.\n\n\
         ```text\n{}\n```\n",
        metadata.id,
        metadata.remediation.trim()
    )
    .expect("a string");
    if !notes.is_empty() {
        text.push_str("\n## Notes\n\nRemarks that a verdict may carry, with the words of a test's case:\n\n");
        let mut codes = BTreeSet::new();
        for (code, message) in notes {
            // One example each.
            if codes.insert(code.clone()) {
                writeln!(text, "- `{code}`: {message}").expect("a string");
            }
        }
    }
    text
}

/// What the policy says of a case: its violations, or why it is not known.
fn told(want: Judgement, said: &Evaluation) -> String {
    let mut words: Vec<String> = match want {
        Judgement::Fail => said
            .violations
            .iter()
            .map(|violation| {
                let less = violation.severity.map(|severity| format!(", {severity}")).unwrap_or_default();
                format!("  - `{}`{less}: {}", line(&violation.key), line(&violation.message))
            })
            .collect(),
        Judgement::Unknown => {
            let codes: BTreeSet<&str> = said.undecided.iter().map(|reason| reason.code.name()).collect();
            let codes: Vec<String> = codes.into_iter().map(|code| format!("`{code}`")).collect();
            return if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
        }
        _ => Vec::new(),
    };
    words.dedup();
    words.into_iter().map(|word| format!("\n{word}")).collect()
}

#[test]
fn every_policy_has_a_page_that_is_up_to_date() {
    let pages = pages();
    assert!(pages.len() > 20, "the policies are no longer found");
    if env::var_os("MLFENCE_REGENERATE").is_some() {
        fs::create_dir_all(folder()).expect("a folder");
        for (name, text) in &pages {
            fs::write(folder().join(name), text).expect("written");
        }
    }
    for (name, text) in &pages {
        let kept = fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert!(kept == *text, "docs/policies/{name} is out of date; run `{REGENERATE}`");
    }
    for entry in fs::read_dir(folder()).expect("the folder of pages") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(pages.contains_key(&name), "docs/policies/{name} is no policy's page any more: delete it");
    }
}
