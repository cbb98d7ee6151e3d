//! How long to wait before asking again. Whether to ask again is decided in `client`.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// A request is sent this many times at most.
pub(super) const TRIES: u32 = 5;
/// The longest `Retry-After` that is honoured. Azure's own are up to some ten seconds.
pub(super) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// The longest pause of our own choosing.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Statuses that Azure documents as transient.
pub(super) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// What `Retry-After` asks for, uncapped: seconds, or a date, which is measured against the answer's own
/// `Date` so that a wrong clock here does not matter.
pub(super) fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    let told = headers.get(DATE).and_then(|date| date.to_str().ok());
    let from = told.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok()).unwrap_or(now);
    Some(Duration::try_from(until - from).unwrap_or(Duration::ZERO))
}

/// The longest first pause of our own choosing; it doubles with each try.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Exponential back-off with full jitter, so that many clients don't return in step.
pub(super) fn pause(tries: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    // The standard library's hash keys are its one source of randomness; good enough to spread waits.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    longest.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    type Case = (&'static [(&'static str, &'static str)], Option<u64>);

    /// The headers of an answer.
    pub(in crate::azure) fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value")))
            .collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = time::macros::datetime!(2026-11-25 10:00:00 UTC);
        let cases: &[Case] = &[
            (&[("retry-after", "7")], Some(7)),
            (&[("retry-after", " 0 ")], Some(0)),
            (&[("retry-after", "Wed, 25 Nov 2026 10:00:30 GMT")], Some(30)),
            (&[("retry-after", "Wed, 25 Nov 2026 09:00:00 GMT")], Some(0)),
            (
                &[
                    ("retry-after", "Wed, 25 Nov 2026 12:00:05 GMT"),
                    ("date", "Wed, 25 Nov 2026 12:00:00 GMT"),
                ],
                Some(5),
            ),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[], None),
        ];
        for (pairs, expected) in cases {
            assert_eq!(retry_after(&headers(pairs), now), expected.map(Duration::from_secs), "{pairs:?}");
        }
    }

    #[test]
    fn pauses_grow_but_are_bounded() {
        for tries in 0..40 {
            assert!(pause(tries) <= LONGEST_PAUSE);
        }
        assert!(pause(1) <= FIRST_PAUSE);
    }
}
