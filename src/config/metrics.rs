//! The table `metrics`: whether single findings have series of their own, and how many.

use crate::yaml::Node;

/// Which verdicts have series of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// None: series count by policy and subscription.
    #[default]
    Off,
    /// Each open finding.
    Failing,
    /// Each open finding and each unknown verdict.
    All,
}

/// How detailed the metrics are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Which verdicts have series of their own.
    pub detail: Detail,
    /// How many such series there are at most.
    pub detail_limit: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { detail: Detail::Off, detail_limit: 1000 }
    }
}

pub(super) fn read(node: &Node<'_>) -> Metrics {
    let mut into = Metrics::default();
    let Some(mut table) = node.table() else { return into };
    if let Some(node) = table.take("detail") {
        let words = [("off", Detail::Off), ("failing", Detail::Failing), ("all", Detail::All)];
        into.detail = node.one_of(&words).unwrap_or(into.detail);
    }
    if let Some(n) = table.take("detail_limit").and_then(|node| node.integer(1..=100_000)) {
        into.detail_limit = usize::try_from(n).unwrap_or(into.detail_limit);
    }
    table.finish();
    into
}
