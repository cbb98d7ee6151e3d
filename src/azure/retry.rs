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

/// How long Resource Graph's quota is used up: `x-ms-user-quota-resets-after` where none remains.
pub(super) fn quota_resets_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if text("x-ms-user-quota-remaining")? != "0" {
        return None;
    }
    text("x-ms-user-quota-resets-after")?
        .split(':')
        .try_fold(0u64, |sum, part| {
            let part = part.parse::<f64>().ok().filter(|part| (0.0..1e6).contains(part))?;
            sum.checked_mul(60)?.checked_add(part.ceil() as u64)
        })
        .map(Duration::from_secs)
}

/// A pause before ARM's token bucket of reads is empty, while the requests under way can still be served. It is
/// refilled by 25 reads a second.
pub(super) fn reads_refill_after(headers: &HeaderMap, under_way: usize) -> Option<Duration> {
    let left = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<usize>().ok();
    [
        "x-ms-ratelimit-remaining-subscription-reads",
        "x-ms-ratelimit-remaining-subscription-global-reads",
        "x-ms-ratelimit-remaining-tenant-reads",
    ]
    .into_iter()
    .filter_map(left)
    .any(|left| left < under_way)
    .then_some(Duration::from_secs(1))
}

/// Exponential back-off with full jitter, so that many clients don't return in step.
pub(super) fn pause(base: Duration, tries: u32) -> Duration {
    let longest = base.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    // The standard library's hash keys are its one source of randomness; good enough to spread waits.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    longest.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (&'static [(&'static str, &'static str)], Option<u64>);

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
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
    fn a_used_up_quota_says_when_it_is_refilled() {
        let cases: &[Case] = &[
            (&[("x-ms-user-quota-remaining", "0"), ("x-ms-user-quota-resets-after", "00:00:05")], Some(5)),
            (&[("x-ms-user-quota-remaining", "0"), ("x-ms-user-quota-resets-after", "00:01:00.5")], Some(61)),
            (&[("x-ms-user-quota-remaining", "3"), ("x-ms-user-quota-resets-after", "00:00:05")], None),
            (&[("x-ms-user-quota-remaining", "0"), ("x-ms-user-quota-resets-after", "later")], None),
        ];
        for (pairs, expected) in cases {
            assert_eq!(quota_resets_after(&headers(pairs)), expected.map(Duration::from_secs), "{pairs:?}");
        }
    }

    #[test]
    fn reads_are_paced_when_few_are_left() {
        for (left, expected) in
            [("249", None), ("8", None), ("7", Some(Duration::from_secs(1))), ("many", None)]
        {
            let headers = headers(&[("x-ms-ratelimit-remaining-subscription-reads", left)]);
            assert_eq!(reads_refill_after(&headers, 8), expected, "{left}");
        }
        assert_eq!(reads_refill_after(&HeaderMap::new(), 8), None);
    }

    #[test]
    fn pauses_grow_but_are_bounded() {
        let base = Duration::from_millis(500);
        for tries in 0..40 {
            assert!(pause(base, tries) <= LONGEST_PAUSE);
        }
        assert!(pause(base, 1) <= base);
        assert_eq!(pause(Duration::ZERO, 5), Duration::ZERO);
    }
}
