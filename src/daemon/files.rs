//! Whether the files of the setup changed, and have settled since. What becomes of it is the daemon's affair.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};

use super::Options;
use crate::audit::Sources;

/// How often the files are read. They are small; asking the kernel to tell would not reach network file systems, and
/// would have to follow Kubernetes' links.
const EVERY: Duration = Duration::from_secs(2);

/// Watches the files that the daemon was started with.
pub(super) struct Files {
    options: Arc<Options>,
    /// What the daemon has read, or tried to.
    read: Sources,
    /// What was there at the last look.
    last: Sources,
    ticks: Interval,
}

impl Files {
    pub(super) fn new(options: Arc<Options>) -> Self {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { read: options.sources, last: options.sources, ticks, options }
    }

    /// Waits until the files differ from what was read, and two looks find them the same: a file that is being written
    /// is not read half. Nothing is lost if this is dropped.
    pub(super) async fn changed(&mut self) {
        loop {
            self.ticks.tick().await;
            let options = Arc::clone(&self.options);
            let looking = tokio::task::spawn_blocking(move || options.sources());
            let Ok(now) = looking.await else { continue };
            if now != self.read && now == self.last {
                // It is tried once, whatever comes of it.
                self.read = now;
                return;
            }
            self.last = now;
        }
    }

    /// Notes what a reload has read.
    pub(super) fn reads(&mut self, sources: Sources) {
        self.read = sources;
        self.last = sources;
    }
}
