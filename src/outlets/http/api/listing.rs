//! What every list says besides its items: which sweep it is of, and whether that one read everything.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Problem, Published};
use crate::findings::Status;

/// How much is known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Known {
    /// Whether this process has finished a sweep. Until then the answer is what the ledger kept of the process before.
    ready: bool,
    /// When Azure was read for what is shown; RFC 3339, UTC.
    taken_at: Option<String>,
    /// Whether that sweep read everything, and no later one failed. Only then is what is missing here not there.
    complete: bool,
    /// How many things that sweep could not read.
    gaps: Option<i64>,
    /// How many verdicts of that sweep are unknown, accepted ones left out: an empty list beside unknowns is no pass.
    unknown: Option<i64>,
    /// Why something newer is not shown, or could not be kept.
    trouble: Option<String>,
}

impl Known {
    /// Nothing to be known yet is possible: of policies and sweeps, say.
    pub(super) fn of(published: &Published) -> Self {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (swept, kept) = (&published.view.swept, &published.view.kept.last);
        let trouble = published.trouble.clone();
        match (swept, kept) {
            (Some(swept), _) => Self {
                ready: true,
                taken_at: Some(swept.report.taken_at.clone()),
                complete: swept.report.gaps.is_empty() && trouble.is_none(),
                gaps: Some(count(swept.report.gaps.len())),
                unknown: Some(count(swept.report.unknowns())),
                trouble,
            },
            (None, Some(last)) => Self {
                ready: false,
                taken_at: Some(last.taken_at.clone()),
                complete: false,
                gaps: Some(last.gaps),
                unknown: Status::ALL
                    .iter()
                    .position(|status| *status == Status::Unknown)
                    .map(|at| last.results[at]),
                trouble,
            },
            (None, None) => {
                Self { ready: false, taken_at: None, complete: false, gaps: None, unknown: None, trouble }
            }
        }
    }

    /// The same, or a problem as long as no sweep has ever been kept: nothing found is no list without items.
    pub(super) fn or_not_yet(published: &Published) -> Result<Self, Problem> {
        let known = Self::of(published);
        if known.taken_at.is_some() { Ok(known) } else { Err(not_yet(published)) }
    }
}

/// What can be told only after a sweep of this process.
pub(super) fn not_yet(published: &Published) -> Problem {
    Problem::for_the_moment(
        match &published.trouble {
            Some(_) => "no sweep has finished yet, and the last one failed",
            None => "no sweep has finished yet",
        },
        10,
    )
}

/// A list, or a page of it.
#[derive(Debug, Serialize)]
pub(super) struct Listing<T> {
    /// How much is known.
    #[serde(flatten)]
    pub(super) known: Known,
    /// How many there are over all pages.
    pub(super) total: usize,
    /// Those of this page.
    pub(super) items: Vec<T>,
    /// The `cursor` of the next page; none on the last one.
    pub(super) next: Option<String>,
}

impl<T: JsonSchema> JsonSchema for Listing<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}List", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        #[derive(Serialize, JsonSchema)]
        struct Form {
            /// How many there are over all pages.
            total: usize,
            /// The `cursor` of the next page; none on the last one.
            next: Option<String>,
            #[serde(flatten)]
            known: Known,
        }
        let mut schema = Form::json_schema(generator);
        let items = schemars::json_schema!({
            "description": "Those of this page.", "type": "array", "items": generator.subschema_for::<T>(),
        });
        let object = schema.ensure_object();
        object.insert("description".to_owned(), "A list, or a page of it.".into());
        if let Some(properties) = object.get_mut("properties").and_then(|it| it.as_object_mut()) {
            properties.insert("items".to_owned(), items.into());
        }
        if let Some(required) = object.get_mut("required").and_then(|it| it.as_array_mut()) {
            required.push("items".into());
        }
        schema
    }
}
