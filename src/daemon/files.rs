//! Reads the setup anew when its files have changed, and have settled since, or when somebody asks.
//!
//! A task of its own, with one reading at a time: files that do not answer, as on a network mount that hangs, hold up no
//! sweep, and a sweep that takes long does not keep them from being looked at. What becomes of a setup is the daemon's
//! affair.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tracing::info;

use super::Options;
use crate::audit::{Setup, SetupError, Sources};

/// How often the files are read. They are small; asking the kernel to tell would not reach network file systems, and
/// would have to follow Kubernetes' links.
const EVERY: Duration = Duration::from_secs(2);

/// After which a reading that has not ended is told of.
const PATIENCE: Duration = Duration::from_secs(60);

type Loaded = Result<Setup, SetupError>;

/// The setup as the files hold it now, whenever that is another one.
pub(super) struct Files {
    newest: Arc<Newest>,
    task: JoinSet<()>,
}

/// What was read last and is not taken yet: one that is followed by another is of no use to anybody.
#[derive(Default)]
struct Newest {
    loaded: Mutex<Option<Loaded>>,
    came: Notify,
}

impl Newest {
    fn put(&self, loaded: Loaded) {
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        self.came.notify_one();
    }

    fn take(&self) -> Option<Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Files {
    /// Watches the files that the daemon was started with. Each message on `asked` reads them whether they changed or not.
    pub(super) fn watch(options: Arc<Options>, asked: mpsc::Receiver<()>) -> Self {
        let sources = options.sources;
        let to_look = Arc::clone(&options);
        let look = Arc::new(move || to_look.sources());
        // Policies are checked by running their tests, which may take its time.
        let load = Arc::new(move || Setup::load(Some(&options.config), &options.policies));
        Self::run(look, load, sources, asked)
    }

    fn run(look: Arc<Look>, load: Arc<Load>, sources: Sources, asked: mpsc::Receiver<()>) -> Self {
        let newest = Arc::new(Newest::default());
        let watcher =
            Watcher { look, load, read: sources, last: sources, late: false, newest: Arc::clone(&newest) };
        let mut task = JoinSet::new();
        task.spawn(watcher.run(asked));
        Self { newest, task }
    }

    /// Waits until something was read; none once nobody watches any more. Nothing is lost if this is dropped.
    pub(super) async fn loaded(&mut self) -> Option<Loaded> {
        loop {
            if let Some(loaded) = self.newest.take() {
                return Some(loaded);
            }
            tokio::select! {
                () = self.newest.came.notified() => {}
                _ = self.task.join_next() => return None,
            }
        }
    }
}

type Look = dyn Fn() -> Sources + Send + Sync;
type Load = dyn Fn() -> Loaded + Send + Sync;

struct Watcher {
    look: Arc<Look>,
    load: Arc<Load>,
    /// What the daemon has read, or tried to.
    read: Sources,
    /// What was there at the last look.
    last: Sources,
    /// Whether a look was so late that it was told of.
    late: bool,
    newest: Arc<Newest>,
}

impl Watcher {
    async fn run(mut self, mut asked: mpsc::Receiver<()>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(()) = asked.recv() => {}
                _ = ticks.tick() => if !self.changed().await { continue },
            }
            self.load().await;
        }
    }

    /// Whether the files differ from what was read, and two looks find them the same: a file that is being written is not
    /// read half.
    async fn changed(&mut self) -> bool {
        let look = Arc::clone(&self.look);
        let Ok(now) = self.wait_for(move || look()).await else { return false };
        let settled = now == self.last;
        self.last = now;
        if now != self.read && settled {
            info!("the files of configuration and policies changed");
            return true;
        }
        // They answer again, so what was told of them is not true any more.
        settled && std::mem::take(&mut self.late)
    }

    async fn load(&mut self) {
        let (look, load) = (Arc::clone(&self.look), Arc::clone(&self.load));
        // Looked at first: what changes in between is seen as a change.
        match self.wait_for(move || (look(), load())).await {
            Ok((sources, loaded)) => {
                // It is tried once, whatever comes of it.
                (self.read, self.last, self.late) = (sources, sources, false);
                self.newest.put(loaded);
            }
            Err(error) => {
                self.read = self.last;
                self.newest.put(Err(SetupError(vec![format!("the reload broke off: {error}")])));
            }
        }
    }

    /// Waits for a reading as long as it takes, for there is never more than one, and tells if that is long.
    async fn wait_for<T: Send + 'static>(
        &mut self,
        reading: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let mut reading = tokio::task::spawn_blocking(reading);
        match tokio::time::timeout(PATIENCE, &mut reading).await {
            Ok(read) => read,
            Err(_) => {
                let waited = PATIENCE.as_secs();
                let problem = format!("the files have not answered for {waited} s; they are waited for");
                self.newest.put(Err(SetupError(vec![problem])));
                self.late = true;
                reading.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc as blocking;

    use super::*;
    use crate::audit::PolicyArguments;

    fn loads() -> Arc<Load> {
        Arc::new(|| Setup::load(None, &PolicyArguments::default()))
    }

    /// Time stands still while a look is under way, so it is moved by hand.
    #[tokio::test(start_paused = true)]
    async fn files_that_do_not_answer_are_told_of_and_waited_for() {
        let (answer, answers) = blocking::channel::<()>();
        let (begin, mut begun) = mpsc::unbounded_channel();
        let answers = Mutex::new(answers);
        let sources = Sources::read(Path::new("none"), &PolicyArguments::default());
        let look = Arc::new(move || {
            begin.send(()).expect("the test is there");
            let _ = answers.lock().expect("not poisoned").recv();
            sources
        });
        let (_ask, asked) = mpsc::channel(1);
        let mut files = Files::run(look, loads(), sources, asked);
        begun.recv().await.expect("a look");
        assert!(files.newest.take().is_none());
        tokio::time::advance(PATIENCE + EVERY).await;
        let told = files.loaded().await.expect("it watches").err().expect("refused").to_string();
        assert!(told.contains("have not answered for 60 s"), "{told}");
        // No second look is begun behind the first.
        tokio::time::advance(PATIENCE).await;
        tokio::task::yield_now().await;
        assert!(begun.try_recv().is_err());
        assert!(files.newest.take().is_none(), "it was told twice");
        // They answer, and nothing changed: what was refused is taken back all the same.
        drop(answer);
        assert!(files.loaded().await.expect("it watches").is_ok());
    }

    /// A daemon in a long sweep is not told of what was there for a moment.
    #[test]
    fn only_the_newest_is_taken() {
        let newest = Newest::default();
        newest.put(Err(SetupError(vec!["first".to_owned()])));
        newest.put(Err(SetupError(vec!["second".to_owned()])));
        let told = newest.take().expect("something").err().expect("refused").to_string();
        assert_eq!((told.as_str(), newest.take().is_none()), ("second", true));
    }
}
