//! What the troubles that strike one request do to its answer, in order: they take something away from the server,
//! answer in its place, or change what it answers and how that is sent.

use super::bodies::Delivery;
use super::course::Asked;
use super::dice::Dice;
use super::trouble::{RetryAfter, What};
use super::{answers, pages, rights, rows};
use crate::server::options::Options;
use crate::server::reply::Reply;
use crate::server::request::Request;
use crate::world::World;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The troubles of one request.
pub(in crate::server) struct Strikes {
    pub(super) asked: Asked,
    pub(super) all: Vec<Strike>,
    pub(super) spoilt: bool,
}

/// One trouble at work.
pub(super) struct Strike {
    pub(super) name: String,
    pub(super) what: What,
    pub(super) dice: Dice,
}

impl Strikes {
    pub(super) fn new(asked: Asked) -> Self {
        Self { asked, all: Vec::new(), spoilt: false }
    }

    pub(in crate::server) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What the statistics call them.
    pub(in crate::server) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|strike| strike.name.as_str())
    }

    /// Whether all tokens expire now.
    pub(in crate::server) fn expires_tokens(&self) -> bool {
        self.all.iter().any(|strike| matches!(strike.what, What::ExpireTokens {}))
    }

    /// Whether the token that is handed out is one that ARM takes for expired.
    pub(in crate::server) fn refuses_the_new_token(&self) -> bool {
        self.all.iter().any(|strike| matches!(strike.what, What::TokenExpiry { refused: true, .. }))
    }

    /// Takes rights away; false if the options stay as they are.
    pub(in crate::server) fn take_rights(&self, world: &World, options: &mut Options) -> bool {
        let mut changed = false;
        for Strike { what, dice, .. } in &self.all {
            changed |= rights::take(what, dice.clone(), world, options);
        }
        changed
    }

    /// How late the answer comes, in Azure's time.
    pub(in crate::server) fn latency(&self) -> Duration {
        let late = self.all.iter().map(|Strike { what, dice, .. }| match what {
            What::Latency { milliseconds } => {
                let most = usize::try_from(*milliseconds).unwrap_or(usize::MAX);
                Duration::from_millis(dice.clone().below(most.saturating_add(1)) as u64)
            }
            _ => Duration::ZERO,
        });
        late.sum()
    }

    /// The answer that takes the server's place.
    pub(in crate::server) fn instead(&self, request: &Request<'_>) -> Option<Reply> {
        self.all.iter().find_map(|strike| answers::instead(&strike.what, request, &self.asked.line))
    }

    /// The answer as it leaves.
    pub(in crate::server) fn shape(&self, mut reply: Reply, base_url: &str, time_scale: f64) -> Reply {
        if reply.status == 200 {
            self.edit(&mut reply, base_url);
        }
        for Strike { what, .. } in &self.all {
            if let Some(delivery) = Delivery::of(what, time_scale) {
                reply = reply.delivered(delivery);
            }
        }
        self.date(reply)
    }

    fn edit(&self, reply: &mut Reply, base_url: &str) {
        if !self.all.iter().any(|strike| pages::edits(&strike.what) || rows::edits(&strike.what)) {
            return;
        }
        let Some(mut body) = reply.as_json() else { return };
        for Strike { what, dice, .. } in &self.all {
            let mut dice = dice.clone();
            pages::edit(what, &mut body, &mut dice, base_url, &self.asked.line);
            rows::edit(what, &mut body, &mut dice);
            answers::edit_token(what, &mut body, now());
        }
        reply.set_json(&body);
    }

    /// The `Date` of a server whose clock is wrong, and what `Retry-After` says by it.
    fn date(&self, mut reply: Reply) -> Reply {
        let mut offset: Option<i128> = None;
        let mut retry_after = None;
        for Strike { what, .. } in &self.all {
            match what {
                What::Clock { seconds } => {
                    offset = Some(offset.unwrap_or_default() + i128::from(*seconds));
                }
                What::Throttle { retry_after: told } | What::Answer { retry_after: told, .. } => {
                    retry_after = retry_after.or(Some(told));
                }
                _ => {}
            }
        }
        let here = i128::from(now()) + offset.unwrap_or_default();
        match retry_after {
            Some(RetryAfter::Text(text)) => reply = reply.header("retry-after", text),
            Some(RetryAfter::Date(after)) => {
                let then = http_date(here + i128::from(*after));
                reply = reply.header("retry-after", then).header("date", http_date(here));
            }
            Some(RetryAfter::Missing) | None => {}
        }
        if offset.is_some() { reply.header("date", http_date(here)) } else { reply }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// HTTP dates have four digits for the year.
fn http_date(seconds: i128) -> String {
    const LAST: u64 = 253_402_300_799;
    let seconds = u64::try_from(seconds.max(0)).unwrap_or(u64::MAX).min(LAST);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The rows of a page of ARM or of Resource Graph.
pub(super) fn rows_of(body: &mut Value) -> Option<&mut Vec<Value>> {
    let key =
        ["value", "values", "data"].into_iter().find(|key| body.get(key).is_some_and(Value::is_array))?;
    body.get_mut(key)?.as_array_mut()
}
