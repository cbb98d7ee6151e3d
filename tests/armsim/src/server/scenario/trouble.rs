//! What can go wrong: each trouble and its parameters. What a trouble does to an answer is left to the modules
//! beside this one.

use super::matcher::{Place, When};
use crate::kinds;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// A persistent client asks five times at most, so a trouble that it outlasts strikes three times in a row at most.
const MOST_TRIES: u32 = 3;
/// The longest wait that a client can be expected to sit out.
const LONGEST_WAIT: i64 = 60;

/// One trouble: what goes wrong, for which requests, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// What the statistics call it.
    pub(super) name: String,
    pub(super) what: What,
    pub(super) place: Place,
    pub(super) when: When,
    /// Where its chances are drawn from, instead of the scenario's seed.
    pub(super) seed: Option<u64>,
    /// As it was written.
    source: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "trouble", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum What {
    Throttle {
        #[serde(default = "RetryAfter::recorded")]
        retry_after: RetryAfter,
    },
    Answer {
        status: u16,
        #[serde(default)]
        body: Text,
        #[serde(default)]
        retry_after: RetryAfter,
    },
    Redirect {
        status: u16,
        #[serde(default = "elsewhere")]
        base: String,
    },
    Refuse {
        code: Code,
    },
    Close {},
    BreakOff {
        at: usize,
    },
    CutShort {
        at: usize,
    },
    Stall {
        at: usize,
    },
    Slow {
        seconds: u32,
        pieces: u32,
    },
    Endless {
        pace: Pace,
    },
    Gzip {
        how: Gzip,
        #[serde(default = "bomb")]
        mebibytes: usize,
    },
    EmptyPage {},
    NextLink {
        to: Link,
        #[serde(default = "elsewhere")]
        base: String,
    },
    RepeatRows {
        share: f64,
        #[serde(default)]
        other_case: bool,
        #[serde(default)]
        instead: bool,
    },
    LoseRows {
        share: f64,
    },
    HugeRow {
        mebibytes: usize,
    },
    GraphSays {
        lie: Lie,
    },
    Casing {},
    NovelValues {
        share: f64,
    },
    Damage {
        how: Damage,
        share: f64,
        #[serde(default)]
        field: Option<String>,
    },
    ExtraFields {},
    ExpireTokens {},
    TokenExpiry {
        offset: i64,
        #[serde(default)]
        refused: bool,
    },
    Vanish {
        #[serde(default)]
        subscription: Option<String>,
    },
    Deny {
        of: Kinds,
        #[serde(default)]
        subscription: Option<String>,
    },
    ShrinkRights {
        of: Kinds,
        #[serde(default)]
        subscription: Option<String>,
        #[serde(default)]
        on_call: bool,
    },
    Clock {
        seconds: i64,
    },
    Latency {
        milliseconds: u32,
    },
}

/// The value of a `Retry-After` header.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum RetryAfter {
    /// No such header.
    #[default]
    Missing,
    /// This text, however absurd.
    Text(String),
    /// An HTTP date so many seconds after the answer's own `Date`.
    Date(i64),
}

impl RetryAfter {
    /// The wait of the recorded answer.
    fn recorded() -> Self {
        Self::Text("10".to_owned())
    }

    /// The seconds to wait, if that is a number that can be meant.
    pub(super) fn bearable(&self) -> Option<u64> {
        let seconds = match self {
            Self::Missing => return None,
            Self::Date(seconds) => *seconds,
            Self::Text(text) => text.parse().ok()?,
        };
        u64::try_from(seconds).ok().filter(|_| seconds <= LONGEST_WAIT)
    }

    fn is_bearable(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Date(seconds) => *seconds <= LONGEST_WAIT,
            // What is no number of seconds cannot be waited for.
            Self::Text(text) => text.parse::<i64>().map_or(true, |seconds| seconds <= LONGEST_WAIT),
        }
    }
}

impl TryFrom<Value> for RetryAfter {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => return Err(format!("retry_after {other} is neither a number nor a text")),
        };
        match text.strip_prefix("date:") {
            _ if text == "none" => Ok(Self::Missing),
            Some(seconds) => match seconds.parse() {
                Ok(seconds) => Ok(Self::Date(seconds)),
                Err(_) => Err(format!("retry_after '{text}' has no number of seconds after 'date:'")),
            },
            None => Ok(Self::Text(text)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Text {
    /// What Azure documents for the status.
    #[default]
    Recorded,
    Empty,
    Html,
    /// Lists in lists, 100,000 deep.
    Nested,
    Null,
    String,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) enum Code {
    AuthorizationFailed,
    InvalidAuthenticationToken,
    InvalidResourceType,
    NoRegisteredProviderFound,
    SubscriptionNotFound,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pace {
    /// A byte now and then.
    Drip,
    /// As fast as it is read.
    Flood,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Gzip {
    Garbage,
    Truncated,
    Bomb,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Link {
    Loop,
    OtherHost,
    OtherScheme,
    OtherPort,
    NoUrl,
    Number,
}

/// What Resource Graph may say of its own answer.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lie {
    /// `resultTruncated` is `"true"`.
    TruncatedText,
    /// `resultTruncated` is `true`.
    TruncatedFlag,
    /// Every page has the same `$skipToken`, which leads to itself.
    TokenLoop,
    WrongCount,
    NoTotal,
    NoData,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Damage {
    Missing,
    Null,
    Type,
}

/// Kinds of records: `all`, or names joined by `+`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Kinds {
    All,
    These(Vec<&'static kinds::Kind>),
}

impl TryFrom<String> for Kinds {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        let named = text.split('+').map(|name| {
            kinds::by_name(name).ok_or_else(|| format!("of: '{name}' is neither 'all' nor a kind of record"))
        });
        Ok(Self::These(named.collect::<Result<_, _>>()?))
    }
}

fn elsewhere() -> String {
    "https://elsewhere.invalid".to_owned()
}

/// More than a client should ever hold.
fn bomb() -> usize {
    80
}

impl What {
    /// Whether the answer is lost by it.
    pub(super) fn spoils(&self) -> bool {
        use What::{Answer, BreakOff, Close, CutShort, Endless, Gzip, Redirect, Refuse, Stall, Throttle};
        matches!(
            self,
            Throttle { .. }
                | Answer { .. }
                | Redirect { .. }
                | Refuse { .. }
                | Close {}
                | BreakOff { .. }
                | CutShort { .. }
                | Stall { .. }
                | Endless { .. }
                | Gzip { .. }
        )
    }

    /// Whether it happens once, to the server, rather than to some answers.
    pub(super) fn is_event(&self) -> bool {
        use What::{Deny, ExpireTokens, ShrinkRights, Vanish};
        matches!(self, ExpireTokens {} | Vanish { .. } | Deny { .. } | ShrinkRights { .. })
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Answer { status, .. } if !(200..600).contains(status) => {
                Err(format!("status {status} is not between 200 and 599"))
            }
            Self::Redirect { status, .. } if !(300..400).contains(status) => {
                Err(format!("status {status} is not between 300 and 399"))
            }
            Self::RepeatRows { share, .. }
            | Self::LoseRows { share }
            | Self::NovelValues { share }
            | Self::Damage { share, .. }
                if !(0.0..=1.0).contains(share) =>
            {
                Err(format!("share {share} is not between 0 and 1"))
            }
            Self::Slow { pieces: 0, .. } => Err("pieces: a body comes in one piece at least".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Trouble {
    /// Reads the JSON form: `{"trouble": "throttle", "kind": "computes", "probability": 0.3}`.
    pub(super) fn from_object(source: Map<String, Value>) -> Result<Self, String> {
        let name = source.get("trouble").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err("a trouble needs a name, as in {\"trouble\": \"throttle\"}".to_owned());
        }
        let told = |error: String| format!("{name}: {error}");
        let mut rest = source.clone();
        let place = Place::take(&mut rest).map_err(told)?;
        let mut when = When::take(&mut rest).map_err(told)?;
        let seed = match rest.remove("seed") {
            None => None,
            Some(seed) => {
                Some(seed.as_u64().ok_or_else(|| told(format!("seed {seed} is not a whole number")))?)
            }
        };
        let what: What =
            serde_json::from_value(Value::Object(rest)).map_err(|error| told(error.to_string()))?;
        what.check().map_err(told)?;
        if what.is_event() {
            when.as_event().map_err(told)?;
        }
        Ok(Self { name, what, place, when, seed, source })
    }

    /// Whether a persistent client still gets everything, and gets it right.
    pub fn recoverable(&self) -> bool {
        let bounded = self.when.tries.is_some_and(|tries| tries <= MOST_TRIES);
        let for_tokens = self.place.kind.as_deref() == Some("token");
        match &self.what {
            What::Throttle { retry_after } => bounded && !for_tokens && retry_after.is_bearable(),
            What::Answer { status, retry_after, .. } => {
                let transient = matches!(status, 408 | 429 | 500 | 502 | 503 | 504);
                bounded && !for_tokens && transient && retry_after.is_bearable()
            }
            What::Close {} | What::BreakOff { .. } | What::CutShort { .. } => bounded && !for_tokens,
            What::Slow { seconds, .. } => *seconds <= 20,
            What::Latency { milliseconds } => *milliseconds <= 10_000,
            What::HugeRow { mebibytes } => *mebibytes <= 8,
            What::RepeatRows { instead, .. } => !instead,
            What::TokenExpiry { refused, .. } => !refused,
            What::ExpireTokens {} => self.when.times == Some(1),
            What::EmptyPage {} | What::Casing {} | What::ExtraFields {} | What::Clock { .. } => true,
            _ => false,
        }
    }

    /// Whether rows are lost and nothing on the wire can tell. Resource Graph counts its rows, ARM does not.
    pub fn undetectable(&self) -> bool {
        matches!(self.what, What::LoseRows { .. }) && !self.place.is_graph_only()
    }

    /// The JSON form, to be changed.
    pub(super) fn source(&self) -> &Map<String, Value> {
        &self.source
    }
}

impl FromStr for Trouble {
    type Err = String;

    /// `throttle,kind=computes,probability=0.3,retry_after=date:5`
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let mut object = Map::from_iter([("trouble".to_owned(), Value::from(name))]);
        for part in parts {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| format!("{name}: '{part}' is not of the form key=value"))?;
            let value = match serde_json::from_str(value) {
                Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
                _ => Value::from(value),
            };
            if object.insert(key.trim().to_owned(), value).is_some() {
                return Err(format!("{name}: '{}' is given twice", key.trim()));
            }
        }
        Self::from_object(object)
    }
}

impl fmt::Display for Trouble {
    /// The JSON form, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Value::Object(self.source.clone()).to_string())
    }
}
