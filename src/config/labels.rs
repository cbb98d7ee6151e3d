//! `labels_from_tags`: the tags of Azure's resources that may become labels of alerts, of reports and of the metrics of
//! single findings.

use crate::yaml::Node;

/// Labels that alerts and metrics have of their own; no tag may take their names.
const TAKEN: [&str; 9] =
    ["alertname", "policy", "severity", "subscription", "workspace", "resource", "finding", "state", "code"];

/// The tags, folded, each with the label that it becomes.
pub(super) fn read(list: &Node<'_>) -> Vec<(String, String)> {
    let labels = list.list_of(tag_label);
    let twice =
        labels.iter().enumerate().any(|(at, (_, name))| labels[..at].iter().any(|(_, other)| other == name));
    if twice {
        list.problem("two of these tags make the same label");
    }
    labels
}

/// A tag, and the label that it becomes: folded, with `_` for what a label's name may not hold.
fn tag_label(node: &Node<'_>) -> Option<(String, String)> {
    let tag = node.string()?.trim().to_lowercase();
    let mut label: String = tag.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if label.starts_with(|c: char| c.is_ascii_digit()) {
        label.insert(0, '_');
    }
    // Prometheus keeps names that begin with two underscores to itself.
    if TAKEN.contains(&label.as_str()) || label.starts_with("__") {
        node.problem(format!("the tag `{tag}` would make the label `{label}`, which is taken"));
        return None;
    }
    Some((tag, label))
}
