//! How fast to ask. Azure counts requests by token buckets and tells with each answer what is left; whoever keeps count
//! runs into a limit almost never, while whoever asks until refused is made to wait longer each time. Whether to ask again
//! after a refusal is decided in `client`.

use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

/// One of Azure's rate limits, by its documented numbers. Where answers tell otherwise, they win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Reads of Azure Resource Manager, by subscription: a bucket of 250, refilled by 25 a second.
    Reads,
    /// Queries of Resource Graph: 15 in a window of 5 seconds.
    Queries,
}

impl Limit {
    fn burst(self) -> f64 {
        match self {
            Limit::Reads => 250.0,
            Limit::Queries => 15.0,
        }
    }

    /// Requests that come back each second; none before the window ends.
    fn refill(self) -> f64 {
        match self {
            Limit::Reads => 25.0,
            Limit::Queries => 0.0,
        }
    }

    const WINDOW: Duration = Duration::from_secs(5);

    /// What an answer tells of this limit.
    pub(super) fn read(self, headers: &HeaderMap) -> Told {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        match self {
            Limit::Reads => {
                let left = |name| text(name)?.parse::<u32>().ok();
                let least = REMAINING_READS.into_iter().filter_map(left).min();
                Told { left: least, resets_after: None }
            }
            Limit::Queries => Told {
                left: text("x-ms-user-quota-remaining").and_then(|left| left.parse().ok()),
                resets_after: text("x-ms-user-quota-resets-after").and_then(clock),
            },
        }
    }
}

const REMAINING_READS: [&str; 3] = [
    "x-ms-ratelimit-remaining-subscription-reads",
    "x-ms-ratelimit-remaining-subscription-global-reads",
    "x-ms-ratelimit-remaining-tenant-reads",
];

/// `hh:mm:ss`, rounded up to whole seconds.
fn clock(text: &str) -> Option<Duration> {
    let seconds = text.split(':').try_fold(0u64, |sum, part| {
        let part = part.parse::<f64>().ok().filter(|part| (0.0..1e6).contains(part))?;
        sum.checked_mul(60)?.checked_add(part.ceil() as u64)
    })?;
    Some(Duration::from_secs(seconds))
}

/// What an answer told of its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Requests that it still lets through.
    pub(super) left: Option<u32>,
    /// When its window ends, and all come back.
    pub(super) resets_after: Option<Duration>,
}

/// The longest that a told window is believed. Azure's own is five seconds.
const LONGEST_WINDOW: Duration = Duration::from_secs(60);

/// What a limit still lets through.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Limit,
    /// Azure's seconds in one of ours; 1 but in tests.
    speed: f64,
    burst: f64,
    left: f64,
    /// Until when `left` is reckoned.
    at: Instant,
    /// When the window of a limit without refill ends.
    resets_at: Option<Instant>,
    /// Nothing is sent before, because Azure said so.
    closed_until: Option<Instant>,
    under_way: u32,
    sent: u64,
}

/// A request under way: what it must know when its answer comes.
#[derive(Debug)]
pub(super) struct Sent {
    number: u64,
    beside: u32,
}

impl Pace {
    pub(super) fn new(limit: Limit, speed: f64, now: Instant) -> Self {
        Self {
            limit,
            speed,
            burst: limit.burst(),
            left: limit.burst(),
            at: now,
            resets_at: None,
            closed_until: None,
            under_way: 0,
            sent: 0,
        }
    }

    /// Takes one request off what is left; else until when to wait before trying again.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Sent, Instant> {
        self.reckon(now);
        if let Some(until) = self.closed_until.filter(|until| *until > now) {
            return Err(until);
        }
        if self.left < 1.0 {
            return Err(self.next(now));
        }
        self.left -= 1.0;
        if self.limit.refill() == 0.0 && self.resets_at.is_none() {
            self.resets_at = Some(now + self.ours(Limit::WINDOW));
        }
        let sent = Sent { number: self.sent, beside: self.under_way };
        self.sent += 1;
        self.under_way += 1;
        Ok(sent)
    }

    /// Takes in what the answer to a request told. Those that were under way beside it may be counted in it or not: what is
    /// left is at most what it says, and at least that less all of them.
    pub(super) fn answered(&mut self, sent: Sent, told: Told, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        self.reckon(now);
        if let Some(after) = told.resets_after
            && self.limit.refill() == 0.0
        {
            self.resets_at = Some(now + self.ours(after.min(LONGEST_WINDOW)));
        }
        let Some(told) = told.left.map(f64::from) else { return };
        let later = self.sent.saturating_sub(sent.number + 1);
        let uncounted = f64::from(sent.beside) + later as f64;
        self.burst = self.burst.max(told);
        self.left = self.left.min(told).max(told - uncounted);
    }

    /// Sends nothing before then.
    pub(super) fn close(&mut self, until: Instant) {
        self.closed_until = Some(self.closed_until.map_or(until, |old| old.max(until)));
    }

    fn reckon(&mut self, now: Instant) {
        if self.resets_at.is_some_and(|at| at <= now) {
            (self.left, self.resets_at) = (self.burst, None);
        }
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * self.limit.refill() * self.speed).min(self.burst);
        self.at = now;
    }

    /// When there will be something left again.
    fn next(&self, now: Instant) -> Instant {
        match self.resets_at {
            Some(at) => at,
            None if self.limit.refill() == 0.0 => now + self.ours(Limit::WINDOW),
            // Rounded up: a wait that ends a moment early would be the first of many.
            None => {
                now + Duration::from_secs_f64((1.0 - self.left) / (self.limit.refill() * self.speed))
                    + Duration::from_millis(1)
            }
        }
    }

    fn ours(&self, azures: Duration) -> Duration {
        azures.div_f64(self.speed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::retry::tests::headers;
    use super::*;

    fn told(left: u32) -> Told {
        Told { left: Some(left), resets_after: None }
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn what_answers_tell() {
        let read = |limit: Limit, pairs: &[(&'static str, &'static str)]| limit.read(&headers(pairs));
        let quota =
            |left, after| [("x-ms-user-quota-remaining", left), ("x-ms-user-quota-resets-after", after)];
        let window = |after| Some(Duration::from_secs(after));
        let cases = [
            (quota("0", "00:00:05"), Told { left: Some(0), resets_after: window(5) }),
            (quota("14", "00:01:00.5"), Told { left: Some(14), resets_after: window(61) }),
            (quota("many", "later"), Told::default()),
            (quota("-1", "-1:00:05"), Told::default()),
        ];
        for (pairs, expected) in cases {
            assert_eq!(read(Limit::Queries, &pairs), expected, "{pairs:?}");
        }
        let reads = [
            ("x-ms-ratelimit-remaining-subscription-reads", "249"),
            ("x-ms-ratelimit-remaining-subscription-global-reads", "3"),
        ];
        assert_eq!(read(Limit::Reads, &reads), told(3));
        assert_eq!(read(Limit::Reads, &[]), Told::default());
    }

    #[test]
    fn queries_beyond_the_window_wait_for_its_end() {
        let start = Instant::now();
        let mut pace = Pace::new(Limit::Queries, 1.0, start);
        for _ in 0..15 {
            pace.admit(start + seconds(1.0)).expect("within the quota");
        }
        assert_eq!(pace.admit(start + seconds(2.0)).expect_err("used up"), start + seconds(6.0));
        assert_eq!(pace.admit(start + seconds(5.9)).expect_err("used up"), start + seconds(6.0));
        assert!(pace.admit(start + seconds(6.0)).is_ok());
    }

    #[test]
    fn reads_come_back_by_and_by() {
        let start = Instant::now();
        let mut pace = Pace::new(Limit::Reads, 1.0, start);
        for _ in 0..250 {
            pace.admit(start).expect("within the bucket");
        }
        let next = pace.admit(start).expect_err("empty");
        assert!((seconds(0.04)..seconds(0.05)).contains(&(next - start)), "{:?}", next - start);
        assert!(pace.admit(next).is_ok());
        assert!(pace.admit(next).is_err());
    }

    #[test]
    fn what_others_spend_is_heeded_and_what_was_under_way_is_not_counted_twice() {
        let now = Instant::now();
        let mut pace = Pace::new(Limit::Queries, 1.0, now);
        let (first, second) = (pace.admit(now).expect("one"), pace.admit(now).expect("two"));
        // Answers that overtake each other: neither gives back what the other one spent.
        pace.answered(second, told(13), now);
        assert_eq!(pace.left, 13.0);
        pace.answered(first, told(14), now);
        assert_eq!(pace.left, 13.0);
        // Somebody else under the same identity.
        let third = pace.admit(now).expect("three");
        pace.answered(third, told(2), now);
        assert_eq!(pace.left, 2.0);
    }

    #[test]
    fn a_larger_quota_than_documented_is_used() {
        let now = Instant::now();
        let mut pace = Pace::new(Limit::Queries, 1.0, now);
        let one = pace.admit(now).expect("one");
        pace.answered(one, told(79), now);
        assert_eq!(pace.left, 79.0);
    }

    #[test]
    fn a_closed_limit_lets_nothing_through_until_then() {
        let now = Instant::now();
        let mut pace = Pace::new(Limit::Reads, 1.0, now);
        pace.close(now + seconds(10.0));
        pace.close(now + seconds(3.0));
        assert_eq!(pace.admit(now).expect_err("closed"), now + seconds(10.0));
        assert!(pace.admit(now + seconds(10.0)).is_ok());
    }

    /// Against the bucket itself, asked by several at once and seen with a lag: no request is refused, and the bucket does
    /// not stand idle either.
    #[test]
    fn a_bucket_is_neither_overrun_nor_left_idle() {
        let start = Instant::now();
        let mut pace = Pace::new(Limit::Reads, 1.0, start);
        let (mut bucket, mut filled) = (250.0_f64, start);
        let mut under_way: std::collections::VecDeque<(Instant, Sent)> = Default::default();
        let (mut now, mut served) = (start, 0);
        while now < start + seconds(20.0) {
            now += Duration::from_millis(1);
            while under_way.front().is_some_and(|(due, _)| *due <= now) {
                let (_, sent) = under_way.pop_front().expect("just seen");
                bucket = (bucket + (now - filled).as_secs_f64() * 25.0).min(250.0);
                filled = now;
                assert!(bucket >= 1.0, "refused after {:?}", now - start);
                bucket -= 1.0;
                served += 1;
                pace.answered(sent, told(bucket as u32), now);
            }
            while under_way.len() < 8
                && let Ok(sent) = pace.admit(now)
            {
                under_way.push_back((now + Duration::from_millis(20), sent));
            }
        }
        // 250 at once, then 25 a second.
        assert!((700..=750).contains(&served), "{served}");
    }
}
