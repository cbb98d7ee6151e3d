//! One alert: its labels, which are its identity and never change while it stands, and its texts, which may. Which alerts
//! there are is left to `book`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::findings::labels::clean;
use crate::findings::ledger::stamp;

/// The longest text.
const LONGEST_TEXT: usize = 4096;

/// An alert as Alertmanager knows it: two of them with the same labels are one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The identity.
    pub labels: BTreeMap<String, String>,
    /// Texts for people.
    pub annotations: BTreeMap<String, String>,
    /// Since when it stands; seconds since 1970.
    pub starts_at: i64,
    /// When it ended; none while it stands.
    pub ended_at: Option<i64>,
}

impl Alert {
    /// The form of Alertmanager's API, version 2. One that stands ends `life` from now unless it is renewed.
    pub fn wire(&self, now: i64, life: Duration, link: Option<&Url>) -> Value {
        let later = now.saturating_add(i64::try_from(life.as_secs()).unwrap_or(i64::MAX));
        let ends_at = self.ended_at.unwrap_or(later);
        // Alertmanager refuses an end before the start, which a clock that was set back would make. The end is what counts:
        // moved to a start that lies ahead, it would leave the alert firing until then.
        let starts_at = self.starts_at.min(ends_at);
        let mut wire = json!({
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": stamp(starts_at),
            "endsAt": stamp(ends_at),
        });
        if let Some(link) = link {
            wire["generatorURL"] = link.as_str().into();
        }
        wire
    }
}

/// A text for people, which may have lines.
pub(super) fn text(value: &str) -> String {
    clean(value, LONGEST_TEXT)
}
