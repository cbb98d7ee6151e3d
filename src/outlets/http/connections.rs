//! Connections: who is taken in, how long they may take, and who gives way when all places are taken.
//!
//! The place that was used the longest time ago, with no request under way, goes to who comes next. So neither clients that
//! send their headers drop by drop, nor many idle ones, keep anybody out.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

/// What a client may take of the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, on each listener.
    pub connections: usize,
    /// Requests under way at once.
    pub requests: usize,
    /// How long TLS may take to begin, a request's headers to arrive, and a connection to be idle.
    pub headers_within: Duration,
    /// How long an answer may take.
    pub answer_within: Duration,
    /// The bytes of a request's line and headers, beyond which no more is read; what was read at once may be twice that.
    pub headers: usize,
    /// The bytes of a request's body.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            requests: 64,
            headers_within: Duration::from_secs(15),
            answer_within: Duration::from_secs(30),
            headers: 16 << 10,
            body: 16 << 10,
        }
    }
}

/// How long an answer under way may take once the daemon ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves a listener until `stopped` turns true, or its sender is gone.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Places::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut stop = pin!(wait(stopped.clone()));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // All are at work: whoever comes must come again.
                    let Some(place) = places.take() else { continue };
                    let (tls, router, stopped) = (tls.clone(), router.clone(), stopped.clone());
                    connections.spawn(converse(stream, tls, router, limits, place, stopped));
                }
                // Out of descriptors, say. What is open goes on; a moment later there may be some.
                Err(error) => {
                    debug!("a connection could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = &mut stop => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn wait(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn converse(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    place: Place,
    stopped: watch::Receiver<bool>,
) {
    let place = Arc::new(place);
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return speak(stream, router, limits, place, stopped).await };
    let hello = tokio::time::timeout(limits.headers_within, tls.accept(stream));
    let hello = tokio::select! {
        hello = hello => hello,
        () = place.evicted() => return,
        () = wait(stopped.clone()) => return,
    };
    match hello {
        Ok(Ok(stream)) => speak(stream, router, limits, place, stopped).await,
        Ok(Err(error)) => debug!("TLS failed: {error}"),
        Err(_) => debug!("TLS did not begin in time"),
    }
}

async fn speak<S>(
    stream: S,
    router: Router,
    limits: Limits,
    place: Arc<Place>,
    stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let router = TowerToHyperService::new(router);
    let at_work = Arc::clone(&place);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (router, place) = (router.clone(), Arc::clone(&at_work));
        async move {
            place.begin();
            let response: Result<Response, Infallible> = router.call(request).await;
            place.end();
            response
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers_within)
        .max_buf_size(limits.headers)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // Whatever ended it, the client is gone.
        _ = &mut connection => return,
        () = place.evicted() => return,
        () = wait(stopped) => connection.as_mut().graceful_shutdown(),
    }
    // What is under way may end; a request that never comes whole would not.
    let _ = tokio::time::timeout(LAST_WORDS, connection).await;
}

/// The places of one listener.
struct Places {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// Counts every use of a place.
    uses: u64,
    /// Those with no request under way, by their last use, with how to tell them to leave.
    idle: BTreeMap<u64, Arc<Notify>>,
    /// How many have a request under way.
    busy: usize,
}

/// One connection's place.
struct Place {
    places: Arc<Places>,
    leave: Arc<Notify>,
    /// Its last use; none while a request is under way.
    last: Mutex<Option<u64>>,
}

impl Places {
    fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    fn take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = lock(&self.taken);
        if taken.idle.len() + taken.busy >= self.most {
            let (_, longest) = taken.idle.pop_first()?;
            longest.notify_one();
        }
        let leave = Arc::new(Notify::new());
        let last = taken.idle(&leave);
        Some(Place { places: Arc::clone(self), leave, last: Mutex::new(Some(last)) })
    }
}

impl Taken {
    fn idle(&mut self, leave: &Arc<Notify>) -> u64 {
        self.uses += 1;
        self.idle.insert(self.uses, Arc::clone(leave));
        self.uses
    }
}

impl Place {
    fn begin(&self) {
        let mut taken = lock(&self.places.taken);
        if let Some(last) = lock(&self.last).take() {
            taken.idle.remove(&last);
            taken.busy += 1;
        }
    }

    fn end(&self) {
        let mut taken = lock(&self.places.taken);
        taken.busy = taken.busy.saturating_sub(1);
        *lock(&self.last) = Some(taken.idle(&self.leave));
    }

    fn evicted(&self) -> impl Future<Output = ()> + '_ {
        self.leave.notified()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        match *lock(&self.last) {
            Some(last) => drop(taken.idle.remove(&last)),
            None => taken.busy = taken.busy.saturating_sub(1),
        }
    }
}

/// What is under the lock is whole after every statement, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Place, Places, lock};

    fn taken(places: &Places) -> (usize, usize) {
        let taken = lock(&places.taken);
        (taken.idle.len(), taken.busy)
    }

    fn told_to_leave(place: &Place) -> bool {
        futures_util::FutureExt::now_or_never(place.evicted()).is_some()
    }

    #[test]
    fn the_place_that_was_used_the_longest_time_ago_goes_to_who_comes_next() {
        let places = Arc::new(Places::new(3));
        let first = places.take().expect("free");
        let second = places.take().expect("free");
        let third = places.take().expect("free");
        second.begin();
        first.begin();
        first.end();
        // `second` is at work, `third` has been idle longer than `first`.
        let fourth = places.take().expect("one gives way");
        assert!(told_to_leave(&third) && !told_to_leave(&first) && !told_to_leave(&second));
        assert_eq!(taken(&places), (2, 1));
        drop(third);
        assert_eq!(taken(&places), (2, 1), "a place that was given away is not given up again");
        first.begin();
        fourth.begin();
        assert!(places.take().is_none(), "all are at work");
        drop(second);
        assert_eq!(taken(&places), (0, 2));
        first.end();
        drop((first, fourth));
        assert_eq!(taken(&places), (0, 0));
    }
}
