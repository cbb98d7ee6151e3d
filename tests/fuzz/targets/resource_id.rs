//! ARM ids, one a line: an id means the same however it is written down, and scopes nest.

#![cfg_attr(fuzzing, no_main)]

use std::collections::BTreeSet;

use mlfence::inventory::ResourceId;

/// What must hold of any two lines.
pub(crate) fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let ids: Vec<ResourceId> = text.split('\n').take(8).filter_map(ResourceId::parse).collect();
    ids.iter().for_each(alone);
    for one in &ids {
        for other in &ids {
            assert_eq!(one == other, one.to_string() == other.to_string());
            assert_eq!(one == other, one.contains(other) && other.contains(one), "{one} and {other}");
            assert_eq!(one.contains(other), segments(other).starts_with(&segments(one)), "{one} and {other}");
        }
    }
    let sorted: BTreeSet<&ResourceId> = ids.iter().collect();
    let texts: BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
    assert!(sorted.iter().map(ToString::to_string).eq(texts));
}

fn segments(id: &ResourceId) -> Vec<String> {
    let text = id.to_string();
    if text == "/" { Vec::new() } else { text.split('/').skip(1).map(str::to_owned).collect() }
}

fn alone(id: &ResourceId) {
    let again = |text: &str| ResourceId::parse(text).expect("an id is not blank");
    let shown = id.to_string();
    assert!(shown.starts_with('/') && (shown == "/" || !shown.ends_with('/')), "{shown:?}");
    assert_eq!(shown, shown.to_ascii_lowercase());
    assert_eq!(again(&shown).to_string(), shown);
    assert_eq!(again(id.as_spelled()).as_spelled(), id.as_spelled());
    let json = serde_json::to_string(id).expect("JSON");
    assert_eq!(serde_json::from_str::<ResourceId>(&json).expect("an id"), *id);
    assert!(ResourceId::root().contains(id));
    let above = [id.subscription_id(), id.resource_group(), id.parent()];
    for scope in above.into_iter().flatten() {
        assert!(scope.contains(id), "{scope} is not above {id}");
        // An id is trimmed as a whole: a name that ends in a blank, which Azure has none of, loses it at the end only.
        if !scope.name().is_empty() && scope.name().trim_end() == scope.name() {
            assert_eq!(again(&scope.to_string()), scope);
        }
    }
    if let Some(parent) = id.parent() {
        assert!(parent != *id && parent.resource_type().is_some());
    }
    if let Some(of_type) = id.resource_type() {
        assert_eq!(of_type, of_type.to_ascii_lowercase());
        if let Some(own) = id.ancestor(&of_type) {
            assert_eq!(own, *id);
        }
    }
    for of_type in ["microsoft.network/virtualnetworks", "microsoft.network/virtualnetworks/subnets"] {
        if let Some(ancestor) = id.ancestor(of_type) {
            assert!(ancestor.contains(id) && ancestor.resource_type().as_deref() == Some(of_type), "{id}");
        }
    }
    let child = id.child("Subnets/Of One");
    assert!(id.contains(&child) && !child.contains(id));
    assert_eq!(again(&child.to_string()), child);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));
