use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text)
}

#[test]
fn matching() {
    use Truth::{Maybe, No, Yes};
    let cases = [
        ("*", "Microsoft.Network/virtualNetworks/read", Yes),
        ("*/read", "Microsoft.Network/virtualNetworks/subnets/read", Yes),
        ("MICROSOFT.network/*", "Microsoft.Network/virtualNetworks/read", Yes),
        ("Microsoft.Network/virtualNetworks/rea", "Microsoft.Network/virtualNetworks/read", No),
        ("Microsoft.Network/*/read", "Microsoft.Network/virtualNetworks/read", Yes),
        ("Microsoft.Network/virtualNetworks/*/read", "Microsoft.Network/virtualNetworks/read", Maybe),
        ("a/*/b/*/c", "a/b/c", Maybe),
        ("a/*/b/*/c", "a/x/b/c", Maybe),
        ("a/*/b/*/c", "a/c", No),
        ("a/*/*/c", "a/c", Maybe),
        ("a/*", "a/", Yes),
        ("a/*", "a", No),
        ("ab*ba", "aba", No),
        ("a*b*a", "aba", Yes),
        ("", "", Yes),
        ("", "x", No),
        ("a/*/*/*/*/*/*/b", "x", Maybe),
    ];
    for (glob, action, expected) in cases {
        assert_eq!(pattern(glob).covers(&pattern(action)), expected, "{glob} {action}");
        assert_eq!(pattern(glob).meets(&pattern(action)), expected, "{glob} meets {action}");
    }
}

#[test]
fn containment_and_meeting_of_patterns() {
    use Truth::{Maybe, No, Yes};
    let cases = [
        ("*", "Microsoft.Network/*", Yes, Yes),
        ("Microsoft.Network/*", "*", No, Yes),
        ("Microsoft.Network/*", "Microsoft.Network/*/read", Yes, Yes),
        ("*/read", "Microsoft.Network/*", No, Yes),
        ("*/read", "*/write", No, No),
        ("Microsoft.Network/*", "Microsoft.Authorization/*/read", No, No),
        // The same pattern is itself, however `/*/` is read.
        ("a/*/b", "a/*/b", Yes, Yes),
        // `a/*/b` may also mean `a/b`, which this does not hold.
        ("a/*/*/b", "a/*/b", Maybe, Yes),
        ("a/*", "a/*/b", Yes, Yes),
    ];
    for (outer, inner, covers, meets) in cases {
        assert_eq!(pattern(outer).covers(&pattern(inner)), covers, "{outer} covers {inner}");
        assert_eq!(pattern(outer).meets(&pattern(inner)), meets, "{outer} meets {inner}");
        assert_eq!(pattern(inner).meets(&pattern(outer)), meets, "{inner} meets {outer}");
    }
}

/// By definition, character by character: an oracle without cleverness.
fn slow(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|n| slow(rest, &text[n..])),
        Some((c, rest)) => text.first() == Some(c) && slow(rest, &text[1..]),
    }
}

/// Every text up to a length over a tiny alphabet; `z` stands in no pattern.
fn texts(length: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..length {
        last = last.iter().flat_map(|text| ["a", "b", "/", "z"].map(|c| format!("{text}{c}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

fn globs() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop_oneof![Just('a'), Just('b'), Just('/'), Just('*')], 0..6)
        .prop_map(|chars| chars.into_iter().collect())
}

fn texts_once() -> &'static [String] {
    static TEXTS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    TEXTS.get_or_init(|| texts(6))
}

proptest! {
    #[test]
    fn matching_agrees_with_the_definition(glob in globs()) {
        let parsed = pattern(&glob);
        for text in texts_once() {
            let strict = slow(glob.as_bytes(), text.as_bytes());
            let loose = parsed.readings().any(|reading| slow(reading.as_bytes(), text.as_bytes()));
            let expected = if strict { Truth::Yes } else if loose { Truth::Maybe } else { Truth::No };
            prop_assert_eq!(parsed.covers(&pattern(text)), expected, "{} {}", glob, text);
        }
    }

    #[test]
    fn containment_is_sound_and_misses_nothing_strict(one in globs(), two in globs()) {
        let (outer, inner) = (pattern(&one), pattern(&two));
        let all = |outer: &str, inner: &str| texts_once().iter().all(|text| {
            !slow(inner.as_bytes(), text.as_bytes()) || slow(outer.as_bytes(), text.as_bytes())
        });
        match outer.covers(&inner) {
            // Under every reading of the inner pattern, save where both are the same.
            Truth::Yes if one != two => prop_assert!(inner.readings().all(|inner| all(&one, inner))),
            Truth::Yes => {}
            Truth::Maybe => prop_assert!(outer.readings().any(|outer| all(outer, &two))),
            // The alphabet has a character that no pattern has, and texts long enough to show each difference of
            // patterns of up to five characters.
            Truth::No => prop_assert!(!all(&one, &two), "{one} covers {two}"),
        }
    }

    #[test]
    fn meeting_agrees_with_the_definition(one in globs(), two in globs()) {
        let (a, b) = (pattern(&one), pattern(&two));
        let shared = |a: &str, b: &str| texts_once().iter().any(|text| {
            slow(a.as_bytes(), text.as_bytes()) && slow(b.as_bytes(), text.as_bytes())
        });
        if shared(&one, &two) {
            prop_assert_eq!(a.meets(&b), Truth::Yes);
        }
        prop_assert_eq!(a.meets(&b), b.meets(&a));
        match a.overlap(&b) {
            Some((overlap, whole)) => {
                prop_assert_eq!(a.meets(&b), Truth::Yes);
                prop_assert!(swallows(&one, &overlap.text) && swallows(&two, &overlap.text));
                if whole {
                    let of = |pattern: &str, text: &str| slow(pattern.as_bytes(), text.as_bytes());
                    let same = |text: &String| of(&overlap.text, text) == (of(&one, text) && of(&two, text));
                    prop_assert!(texts_once().iter().all(same));
                }
            }
            None => prop_assert!(a.meets(&b) != Truth::Yes && !shared(&one, &two)),
        }
    }
}
