//! The builtins that policies may call: deterministic, and of a cost bounded by their arguments.
//!
//! An allow-list, because the engine's time limit is polled between steps only: a single call that runs or
//! allocates without bound cannot be stopped. Out are all that reach outside or differ from call to call
//! (`http.send`, `time.*`, `rand.*`, `uuid.*`, `opa.runtime`, `trace`), those whose result can outgrow their
//! arguments (`numbers.range`, `net.cidr_expand`, `bits.lsh`), and whatever the engine lacks.

/// The builtins, with the number of their arguments.
const ALLOWED: &[(&str, usize)] = &[
    ("abs", 1),
    ("array.concat", 2),
    ("array.reverse", 1),
    ("array.slice", 3),
    ("ceil", 1),
    ("concat", 2),
    ("contains", 2),
    ("count", 1),
    ("endswith", 2),
    ("floor", 1),
    ("format_int", 2),
    ("indexof", 2),
    ("indexof_n", 2),
    ("intersection", 1),
    ("is_array", 1),
    ("is_boolean", 1),
    ("is_null", 1),
    ("is_number", 1),
    ("is_object", 1),
    ("is_set", 1),
    ("is_string", 1),
    ("json.filter", 2),
    ("json.is_valid", 1),
    ("json.marshal", 1),
    ("json.remove", 2),
    ("json.unmarshal", 1),
    ("lower", 1),
    ("max", 1),
    ("min", 1),
    ("net.cidr_contains", 2),
    ("net.cidr_is_valid", 1),
    ("object.filter", 2),
    ("object.get", 3),
    ("object.keys", 1),
    ("object.remove", 2),
    ("object.subset", 2),
    ("object.union", 2),
    ("object.union_n", 1),
    ("product", 1),
    ("regex.is_valid", 1),
    ("regex.match", 2),
    ("replace", 3),
    ("round", 1),
    ("sort", 1),
    ("split", 2),
    ("sprintf", 2),
    ("startswith", 2),
    ("strings.any_prefix_match", 2),
    ("strings.any_suffix_match", 2),
    ("strings.count", 2),
    ("strings.replace_n", 2),
    ("strings.reverse", 1),
    ("substring", 3),
    ("sum", 1),
    ("to_number", 1),
    ("trim", 2),
    ("trim_left", 2),
    ("trim_prefix", 2),
    ("trim_right", 2),
    ("trim_space", 1),
    ("trim_suffix", 2),
    ("type_name", 1),
    ("union", 1),
    ("upper", 1),
];

/// Builtins of Rego that authors are likely to try, and why they are out.
const REFUSED: &[(&str, &str)] = &[
    ("bits.lsh", "its result can be of any size"),
    ("crypto.", "the engine has none of these"),
    ("http.", "a policy may not reach outside; ask for a fact instead"),
    ("io.jwt.", "the engine has none of these"),
    ("net.cidr_expand", "its result can be of any size"),
    ("net.cidr_intersects", "the engine lacks it; overlaps are facts of the document"),
    ("net.lookup_ip_addr", "a policy may not reach outside; ask for a fact instead"),
    ("numbers.range", "its result can be of any size"),
    ("opa.runtime", "a verdict may not depend on where it is reached"),
    ("rand.", "a verdict must be the same each time"),
    ("rego.", "the engine has none of these"),
    ("time.", "a verdict may not depend on the clock"),
    ("trace", "use print while writing a policy"),
    ("uuid.", "a verdict must be the same each time"),
    ("walk", "name the path that you mean"),
];

/// Why a call of a builtin cannot be admitted; `None` if it can. `format` is a first argument that is literal text.
pub(super) fn complaint(name: &str, arguments: usize, format: Option<&str>) -> Option<String> {
    if name == "print" {
        return None;
    }
    let Some((_, arity)) = ALLOWED.iter().find(|(allowed, _)| *allowed == name) else {
        let refused = REFUSED.iter().find(|(refused, _)| name.starts_with(refused));
        return Some(match refused {
            Some((_, why)) => format!("`{name}` may not be called: {why}"),
            None => {
                format!("`{name}` is neither a function of this bundle nor a builtin that policies may call")
            }
        });
    };
    // One argument more than the builtin takes receives its result.
    if arguments != *arity && arguments != arity + 1 {
        return Some(format!("`{name}` takes {arity} arguments, not {arguments}"));
    }
    if name == "sprintf" && !format.is_some_and(harmless_format) {
        return Some(
            "`sprintf` needs its format as literal text without a width, such as `\"%s in %v\"`".to_owned(),
        );
    }
    None
}

/// Whether policies may call a builtin of this name.
pub(super) fn is_allowed(name: &str) -> bool {
    name == "print" || ALLOWED.iter().any(|(allowed, _)| *allowed == name)
}

/// Whether a format asks for no padding: a width of a billion would take a gigabyte.
fn harmless_format(format: &str) -> bool {
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character == '%' && !characters.next().is_some_and(|verb| "%svdbxXoeEfgG".contains(verb)) {
            return false;
        }
    }
    true
}
