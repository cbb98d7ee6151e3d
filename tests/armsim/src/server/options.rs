//! What can be switched on when a server starts.

use super::quota::READ_BURST;
use super::{Fault, Scenario};
use std::time::Duration;

/// The secret of the managed identity endpoint and of the Entra client.
pub const SECRET: &str = "armsim";

/// How a server behaves. The default serves everything to everyone with a token.
#[derive(Debug, Clone)]
pub struct Options {
    /// The loopback port; zero takes a free one.
    pub port: u16,
    /// ARM scopes the caller may not read: a subscription (still listed), a group, a resource.
    pub deny: Vec<String>,
    /// Subscriptions that do not exist for the caller.
    pub hide: Vec<String>,
    /// Resource groups that are all the caller may read of their subscriptions.
    pub readable_only: Vec<String>,
    /// (subscription, action pattern) such as `Microsoft.Network/networkSecurityGroups/read`.
    pub deny_actions: Vec<(String, String)>,
    /// (subscription, action pattern) of what lists leave out without an error, as where rights were taken away
    /// for a part.
    pub left_out: Vec<(String, String)>,
    /// Action patterns that are all the caller holds, in every subscription; empty means `*/read`.
    pub grant_only: Vec<String>,
    /// How long ARM takes a token for valid. The token's own answer promises an hour all the same,
    /// as when a token is revoked or clocks differ.
    pub expire_tokens_after: Option<Duration>,
    /// Items on a page of an ARM list.
    pub page_size: usize,
    /// Rows on a page of Resource Graph at most; Azure's own bound is 1000.
    pub graph_page_size: usize,
    /// Bytes of a Resource Graph answer at most; Azure's own bound is 16 MiB.
    pub graph_response_cap: usize,
    /// Whether callers are throttled as Azure throttles them.
    pub rate_limits: bool,
    /// Reads that a principal can save up in a subscription; Azure's own is 250, refilled with 25 a second.
    pub read_burst: u32,
    /// Azure seconds per real second: allowances come back, and the slowness of a scenario passes, that much faster.
    /// Waits are told in whichever seconds are more.
    pub time_scale: f64,
    /// A wait before every answer.
    pub latency: Duration,
    /// Faults that wait for their request.
    pub fail_next: Vec<Fault>,
    /// What goes wrong, again and again.
    pub scenario: Scenario,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            deny: Vec::new(),
            hide: Vec::new(),
            readable_only: Vec::new(),
            deny_actions: Vec::new(),
            left_out: Vec::new(),
            grant_only: Vec::new(),
            expire_tokens_after: None,
            page_size: 50,
            graph_page_size: 1000,
            graph_response_cap: 16 * 1024 * 1024,
            rate_limits: true,
            read_burst: READ_BURST,
            time_scale: 1.0,
            latency: Duration::ZERO,
            fail_next: Vec::new(),
            scenario: Scenario::default(),
        }
    }
}
