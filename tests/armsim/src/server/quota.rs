//! How much each caller may ask, and what the answers tell of it: Resource Manager's token buckets per subscription and
//! principal (and the same for tenant-level calls), Resource Graph's queries per five seconds and principal.
//!
//! Limits off means that every call finds a fresh allowance.

mod bucket;

use super::errors;
use super::options::Options;
use super::reply::Reply;
use bucket::{Bucket, Window};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// "Bucket size 250, refill rate per second 25" is Azure's for reads of one principal in one subscription.
pub(super) const READ_BURST: u32 = 250;
const READS_PER_SECOND: u32 = 25;
/// "The subscription's limits are 15 times those of one principal."
const PRINCIPALS: u32 = 15;
const QUERIES: u32 = 15;
const QUERY_PERIOD: Duration = Duration::from_secs(5);

/// What every caller has used up.
pub(super) struct Quotas {
    started: Instant,
    /// By subscription (empty: the tenant) and principal.
    reads: HashMap<(String, String), Bucket>,
    /// By subscription, all principals together.
    global_reads: HashMap<String, Bucket>,
    /// By principal.
    queries: HashMap<String, Window>,
}

impl Quotas {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            reads: HashMap::new(),
            global_reads: HashMap::new(),
            queries: HashMap::new(),
        }
    }

    /// The headers for the answer to a read, or the refusal.
    pub(super) fn read(
        &mut self,
        subscription: Option<&str>,
        principal: &str,
        options: &Options,
    ) -> Result<Allowance, Reply> {
        let now = self.now(options);
        let place = subscription.unwrap_or_default().to_lowercase();
        let fresh = |times: u32| Bucket::new(options.read_burst * times, READS_PER_SECOND * times, now);
        let refused = |wait| throttled(subscription, principal, whole_seconds(wait, options));
        let mine = if options.rate_limits {
            let key = (place.clone(), principal.to_owned());
            self.reads.entry(key).or_insert_with(|| fresh(1)).take(now)
        } else {
            fresh(1).take(now)
        };
        let mine = mine.map_err(refused)?;
        if subscription.is_none() {
            return Ok(Allowance(vec![("x-ms-ratelimit-remaining-tenant-reads", mine.to_string())]));
        }
        let ours = if options.rate_limits {
            self.global_reads.entry(place).or_insert_with(|| fresh(PRINCIPALS)).take(now)
        } else {
            fresh(PRINCIPALS).take(now)
        };
        let ours = ours.map_err(refused)?;
        Ok(Allowance(vec![
            ("x-ms-ratelimit-remaining-subscription-reads", mine.to_string()),
            ("x-ms-ratelimit-remaining-subscription-global-reads", ours.to_string()),
        ]))
    }

    /// The headers for the answer to a query of Resource Graph, or the refusal.
    pub(super) fn query(&mut self, principal: &str, options: &Options) -> Result<Allowance, Reply> {
        let now = self.now(options);
        let fresh = || Window::new(QUERIES, QUERY_PERIOD);
        let (left, wait) = if options.rate_limits {
            self.queries.entry(principal.to_owned()).or_insert_with(fresh).take(now)
        } else {
            fresh().take(now)
        };
        let wait = whole_seconds(wait, options);
        let allowance = Allowance(vec![
            ("x-ms-user-quota-remaining", left.unwrap_or_default().to_string()),
            ("x-ms-user-quota-resets-after", clock(wait)),
            ("x-ms-ratelimit-remaining-tenant-resource-requests", left.unwrap_or_default().to_string()),
        ]);
        match left {
            Some(_) => Ok(allowance),
            None => Err(allowance.told_in(errors::rate_limiting()).header("retry-after", wait.to_string())),
        }
    }

    /// Azure's time since the start.
    fn now(&self, options: &Options) -> Duration {
        self.started.elapsed().mul_f64(options.time_scale)
    }
}

/// What is left to a caller, as headers.
pub(super) struct Allowance(Vec<(&'static str, String)>);

impl Allowance {
    pub(super) fn told_in(self, reply: Reply) -> Reply {
        self.0.into_iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    }
}

fn throttled(subscription: Option<&str>, principal: &str, seconds: u64) -> Reply {
    let header = match subscription {
        Some(_) => "x-ms-ratelimit-remaining-subscription-reads",
        None => "x-ms-ratelimit-remaining-tenant-reads",
    };
    errors::requests_throttled(subscription, principal, seconds)
        .header("retry-after", seconds.to_string())
        .header(header, "0")
}

/// Whole seconds, as the headers have them: never too few, whether the client's clock goes as fast as Azure's or not.
fn whole_seconds(azure: Duration, options: &Options) -> u64 {
    let slower = (1.0 / options.time_scale).max(1.0);
    (azure.mul_f64(slower).as_secs_f64().ceil() as u64).max(1)
}

/// `hh:mm:ss`
fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_told_in_whole_seconds_and_never_too_short() {
        let told = |azure, time_scale| {
            whole_seconds(Duration::from_millis(azure), &Options { time_scale, ..Options::default() })
        };
        assert_eq!(told(10_000, 1.0), 10);
        assert_eq!(told(4_001, 1.0), 5);
        assert_eq!(told(10_000, 4.0), 10);
        assert_eq!(told(1_000, 0.25), 4);
        assert_eq!(told(1, 100.0), 1);
        assert_eq!(clock(3_725), "01:02:05");
    }
}
