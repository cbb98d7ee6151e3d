//! Two ways to count calls, with the time passed in: a bucket that refills, and a window that starts over.

use std::time::Duration;

/// A token bucket. Once it is found empty it stays closed until it is full again, and whoever asks before
/// renews that wait: "retrying earlier is rejected".
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    at: Duration,
    closed_until: Duration,
}

impl Bucket {
    pub(super) fn new(capacity: u32, per_second: u32, now: Duration) -> Self {
        let capacity = f64::from(capacity);
        Self { capacity, per_second: f64::from(per_second), level: capacity, at: now, closed_until: now }
    }

    /// Takes one: how many are left, or how long to wait.
    pub(super) fn take(&mut self, now: Duration) -> Result<u64, Duration> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.level = self.capacity.min(self.level + passed * self.per_second);
        self.at = now;
        if now < self.closed_until || self.level < 1.0 {
            let wait = Duration::from_secs_f64(self.capacity / self.per_second);
            self.closed_until = now + wait;
            return Err(wait);
        }
        self.level -= 1.0;
        // Whole calls: a part of one is none.
        Ok(self.level as u64)
    }
}

/// So many in each period, which begins with the first call after the last one ended.
#[derive(Debug, Clone)]
pub(super) struct Window {
    limit: u32,
    period: Duration,
    began: Option<Duration>,
    used: u32,
}

impl Window {
    pub(super) fn new(limit: u32, period: Duration) -> Self {
        Self { limit, period, began: None, used: 0 }
    }

    /// Takes one: how many are left (`None`: it was refused), and how long until the period is over.
    pub(super) fn take(&mut self, now: Duration) -> (Option<u32>, Duration) {
        let began = match self.began {
            Some(began) if now < began + self.period => began,
            _ => {
                self.used = 0;
                now
            }
        };
        self.began = Some(began);
        let left = self.limit.checked_sub(self.used + 1);
        self.used += u32::from(left.is_some());
        (left, (began + self.period).saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_what_flows_in() {
        let mut bucket = Bucket::new(250, 25, at(0));
        assert_eq!(bucket.take(at(0)), Ok(249));
        for left in (149..249).rev() {
            assert_eq!(bucket.take(at(0)), Ok(left));
        }
        // 149 are left; two seconds bring 50, one is taken.
        assert_eq!(bucket.take(at(2000)), Ok(198));
        // It never holds more than its capacity.
        assert_eq!(bucket.take(at(60_000)), Ok(249));
    }

    #[test]
    fn an_empty_bucket_is_closed_until_full_and_longer_for_who_cannot_wait() {
        let mut bucket = Bucket::new(250, 25, at(0));
        assert_eq!((0..250).filter(|_| bucket.take(at(0)).is_ok()).count(), 250);
        assert_eq!(bucket.take(at(0)), Err(at(10_000)));
        assert_eq!(bucket.take(at(9_000)), Err(at(10_000)));
        assert_eq!(bucket.take(at(18_999)), Err(at(10_000)));
        assert_eq!(bucket.take(at(28_999)), Ok(249));
    }

    #[test]
    fn a_steady_caller_at_the_refill_rate_is_never_refused() {
        let mut bucket = Bucket::new(250, 25, at(0));
        assert!((0..5000).all(|call| bucket.take(at(call * 40)).is_ok()));
    }

    #[test]
    fn a_window_starts_over_with_the_first_call_after_its_end() {
        let mut window = Window::new(15, at(5000));
        assert_eq!(window.take(at(1000)), (Some(14), at(5000)));
        for left in (0..14).rev() {
            assert_eq!(window.take(at(2000)), (Some(left), at(4000)));
        }
        assert_eq!(window.take(at(5999)), (None, at(1)));
        assert_eq!(window.take(at(6000)), (Some(14), at(5000)));
    }
}
