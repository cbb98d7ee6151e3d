//! Labels of a subject: the tags of Azure's resources that the operator allows, and texts of Azure's made fit for labels.

use std::collections::BTreeMap;

use crate::inventory::{Inventory, ResourceId, is_deceptive};

use super::judge::Subject;

/// The longest value of a label, in characters. ARM ids are shorter.
const LONGEST: usize = 1024;

/// The allowed tags of a subject's resource, or of what it lies in, or else of its workspace. `allowed` holds each tag's
/// folded name with the label's.
pub fn of(
    subject: &Subject,
    allowed: &[(String, String)],
    inventory: &Inventory,
) -> BTreeMap<String, String> {
    let of = |id: &ResourceId, tag: &str| inventory.tag_of(id, tag).and_then(value);
    let found = |tag: &str| {
        of(&subject.id, tag).or_else(|| subject.workspace.as_ref().and_then(|workspace| of(workspace, tag)))
    };
    allowed.iter().filter_map(|(tag, name)| Some((name.clone(), found(tag)?))).collect()
}

/// A label's value; one without any would be no label.
pub fn value(text: &str) -> Option<String> {
    let value = clean(text, LONGEST).replace(['\n', '\t'], " ");
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// A text without control characters and others that deceive, which come from Azure's names and would reach terminals and
/// chats; cut after `longest` characters.
pub fn clean(text: &str, longest: usize) -> String {
    let plain = |c: char| if is_deceptive(c) && !matches!(c, '\n' | '\t') { ' ' } else { c };
    let mut kept: String = text.chars().take(longest).map(plain).collect();
    if text.chars().nth(longest).is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{clean, value};

    #[test]
    fn what_would_deceive_a_reader_is_a_blank() {
        assert_eq!(value("a\u{202e}b\u{200b}c\u{2028}d\u{1b}[31m\ne").as_deref(), Some("a b c d [31m e"));
        assert_eq!(value(" \u{2066}\t"), None);
        assert_eq!(clean("äöü", 2), "ä…");
    }
}
