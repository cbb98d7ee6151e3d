//! An unkind Azure: scenarios of what goes wrong while a client reads, seeded and repeatable.
//!
//! A scenario is a list of troubles. Each is written as `throttle,kind=computes,probability=0.3,retry_after=date:5`, or
//! as JSON, `{"trouble": "throttle", "kind": "computes", …}`, with these keys for all:
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `kind` | requests of this kind, as in the statistics | every call of ARM and Resource Graph |
//! | `path` | requests with this part in path or query, or in Resource Graph's body | any |
//! | `api` | `arm` or `graph` only | both |
//! | `after` | so many matching requests pass first | 0 |
//! | `times` | so many are struck, then no more | no end; 1 for an event |
//! | `tries` | the same request is spoilt so often in a row at most | no end |
//! | `probability` | drawn from seed, request, and how often this very request came | 1 |
//! | `seed` | of this trouble's chances | the scenario's |
//!
//! | trouble | what happens | its own keys |
//! |---|---|---|
//! | `throttle` | 429 as recorded | `retry_after`: a text, `date:SECONDS` or `none` |
//! | `answer` | this status instead | `status`, `body`: `recorded`, `empty`, `html`, `nested`, `null`, `string`; `retry_after` |
//! | `redirect` | 3xx to the same path elsewhere | `status`, `base` |
//! | `refuse` | a documented refusal | `code` |
//! | `close` | the connection closes before any header | |
//! | `break_off`, `cut_short`, `stall` | the body ends, or stands still, at that byte: of chunks, of `Content-Length` | `at` |
//! | `slow` | the body comes piece by piece | `seconds`, `pieces` |
//! | `endless` | the body does not end | `pace`: `drip`, `flood` |
//! | `gzip` | what claims to be gzip is not, is half, or inflates to more than anyone needs | `how`: `garbage`, `truncated`, `bomb`; `mebibytes` |
//! | `empty_page` | ARM: an empty page, whose link leads to the page itself | |
//! | `next_link` | ARM: a link that must not be followed | `to`: `loop`, `other_host`, `other_scheme`, `other_port`, `no_url`, `number`; `base` |
//! | `repeat_rows` | rows come twice | `share`, `other_case`, `instead` (of the next row) |
//! | `lose_rows` | rows are missing | `share` |
//! | `huge_row` | a row of that size | `mebibytes` |
//! | `graph_says` | Resource Graph contradicts itself | `lie`: `truncated_text`, `truncated_flag`, `token_loop`, `wrong_count`, `no_total`, `no_data` |
//! | `casing` | ids and types in random case | |
//! | `novel_values` | enumerations have a member that nobody knows | `share` |
//! | `damage` | a field of a row is missing, null or of another type | `how`: `missing`, `null`, `type`; `share`, `field` |
//! | `extra_fields` | fields that nobody knows | |
//! | `expire_tokens` | event: all tokens expire | |
//! | `token_expiry` | a token's promised end | `offset` in seconds, `refused` (ARM takes it for expired) |
//! | `vanish` | event: a subscription is gone | `subscription` |
//! | `deny` | event: kinds are refused | `of`, `subscription` |
//! | `shrink_rights` | event: kinds are left out of lists without an error | `of`, `subscription`, `on_call` |
//! | `clock` | `Date` is wrong by that much | `seconds` |
//! | `latency` | answers come late by a drawn time | `milliseconds` at most |
//!
//! Times of bodies and latency are Azure's, see [`super::Options::time_scale`]. The named scenarios are in `catalogue`.

mod answers;
mod bodies;
mod catalogue;
mod course;
mod dice;
mod matcher;
mod pages;
mod rights;
mod rows;
mod strikes;
mod trouble;

pub(super) use bodies::{Delivery, scaled};
pub(super) use course::{Asked, Course};
pub(super) use pages::{unmark, without_loop};
pub(super) use strikes::Strikes;
pub use trouble::Trouble;

use serde_json::{Map, Value, json};
use std::fmt;

/// Troubles that a server makes, and the seed of their chances. The default makes none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scenario {
    /// How it is called; empty if it has no name.
    pub name: String,
    /// Same seed, same troubles for the same requests.
    pub seed: u64,
    /// What goes wrong.
    pub troubles: Vec<Trouble>,
}

impl Scenario {
    /// The names of the catalogue.
    pub const NAMES: &'static [&'static str] = catalogue::NAMES;

    /// The scenario of the catalogue with that name.
    pub fn named(name: &str, seed: u64) -> Option<Self> {
        catalogue::named(name, seed)
    }

    /// One to four troubles of the catalogue, with parameters drawn from the seed; about half of the scenarios can be
    /// recovered from. [`fmt::Display`] writes them down.
    pub fn random(seed: u64) -> Self {
        catalogue::random(seed)
    }

    /// Reads a JSON list of troubles, or a trouble a line, in JSON or as on the command line. An object with `name` or
    /// `seed` and without `trouble` is about the scenario itself.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut scenario = Self::default();
        if text.trim_start().starts_with('[') {
            let all: Vec<Value> = serde_json::from_str(text)
                .map_err(|error| format!("the scenario is no JSON list: {error}"))?;
            for (number, one) in (1..).zip(all) {
                scenario.take(one).map_err(|error| format!("trouble {number}: {error}"))?;
            }
            return Ok(scenario);
        }
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            let told = |error: String| format!("line {number}: {error}");
            if line.starts_with('{') {
                let one = serde_json::from_str(line).map_err(|error| told(format!("no JSON: {error}")))?;
                scenario.take(one).map_err(told)?;
            } else if !line.is_empty() && !line.starts_with('#') {
                scenario.troubles.push(line.parse().map_err(told)?);
            }
        }
        Ok(scenario)
    }

    fn take(&mut self, one: Value) -> Result<(), String> {
        let Value::Object(object) = one else { return Err(format!("{one} is no object")) };
        if object.contains_key("trouble") {
            self.troubles.push(Trouble::from_object(object)?);
            return Ok(());
        }
        self.head(&object)
    }

    fn head(&mut self, object: &Map<String, Value>) -> Result<(), String> {
        for (key, value) in object {
            match (key.as_str(), value.as_str(), value.as_u64()) {
                ("name", Some(name), _) => self.name = name.to_owned(),
                ("seed", _, Some(seed)) => self.seed = seed,
                _ => {
                    return Err(format!(
                        "'{key}' is neither the scenario's name nor its seed, and no trouble is named"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether a persistent client, which asks a request five times at most, still gets everything.
    pub fn recoverable(&self) -> bool {
        self.troubles.iter().all(Trouble::recoverable)
    }

    /// Whether rows are lost in a way that no client can notice.
    pub fn undetectable(&self) -> bool {
        self.troubles.iter().any(Trouble::undetectable)
    }
}

impl fmt::Display for Scenario {
    /// A line for the scenario and one for each trouble, as [`Scenario::parse`] reads them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", json!({"name": self.name, "seed": self.seed}))?;
        self.troubles.iter().try_for_each(|trouble| writeln!(f, "{trouble}"))
    }
}
