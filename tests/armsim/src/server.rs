//! The server: start, dispatch, counting, faults, shutdown.
//!
//! How connections come in is left to `connection`, what an ARM or Resource Graph call answers to the
//! modules `arm` and `graph`.

mod arm;
mod clock;
mod connection;
mod discovery;
mod errors;
mod faults;
mod graph;
mod kql;
mod options;
mod paging;
mod quota;
mod reply;
mod request;
mod roles;
mod scenario;
mod shape;
mod stats;
mod tls;
mod tokens;

pub use faults::Fault;
pub use options::{Options, SECRET};
pub use scenario::{Scenario, Trouble};
pub use stats::Stats;

use crate::Estate;
use crate::world::World;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use reply::Reply;
use request::Request;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a shutdown waits for answers under way.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Starts servers.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Serves the estate on the loopback interface, in the caller's runtime. The address is bound
    /// when this returns.
    pub async fn start(estate: Estate, options: Options) -> std::io::Result<RunningServer> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port))).await?;
        let own = listener.local_addr()?;
        let tls = tls::Tls::new()?;
        let shared = Arc::new(Shared {
            world: RwLock::new(Arc::new(World::new(estate, &options))),
            tokens: Mutex::new(tokens::Tokens::new(options.expire_tokens_after)),
            quotas: Mutex::new(quota::Quotas::new()),
            faults: Mutex::new(options.fail_next.clone()),
            stats: Mutex::new(Stats::default()),
            course: Mutex::new(Arc::new(scenario::Course::new(options.scenario.clone()))),
            base_url: format!("http://{own}"),
            options: Mutex::new(options),
        });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let (stop, stopped) = watch::channel(());
        let front = connection::Front { router, acceptor: tls.acceptor, own, stop: stopped };
        let task = tokio::spawn(connection::listen(listener, front));
        Ok(RunningServer { shared, authority_pem: tls.authority_pem, stop, task })
    }
}

/// A server at work; dropping it stops it.
#[derive(Debug)]
pub struct RunningServer {
    shared: Arc<Shared>,
    authority_pem: String,
    /// Never sent on: its end is the signal.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl RunningServer {
    /// The ARM endpoint, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// The value of `IDENTITY_ENDPOINT` for a client; `IDENTITY_HEADER` is [`SECRET`].
    pub fn identity_endpoint(&self) -> String {
        format!("{}/msi/token", self.shared.base_url)
    }

    /// The certificate authority that a client trusts who comes through us as its HTTPS proxy, as PEM.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// What was served so far.
    pub fn stats(&self) -> Stats {
        lock(&self.shared.stats).clone()
    }

    /// Forgets what was served so far.
    pub fn reset_stats(&self) {
        *lock(&self.shared.stats) = Stats::default();
    }

    /// Serves another estate from the next request on; options, tokens and counts stay.
    pub fn replace_estate(&self, estate: Estate) {
        let world = Arc::new(World::new(estate, &lock(&self.shared.options)));
        *self.shared.world.write().unwrap_or_else(PoisonError::into_inner) = world;
    }

    /// Serves the same estate under other options from the next request on. The port stays, tokens
    /// and waiting faults too; the scenario begins anew, and allowances are whole again.
    pub fn replace_options(&self, options: Options) {
        *lock(&self.shared.course) = Arc::new(scenario::Course::new(options.scenario.clone()));
        *lock(&self.shared.quotas) = quota::Quotas::new();
        lock(&self.shared.tokens).set_validity(options.expire_tokens_after);
        let estate = self.shared.world().estate.clone();
        *lock(&self.shared.options) = options;
        self.replace_estate(estate);
    }

    /// Adds a fault to those that wait for their request.
    pub fn fail_next(&self, fault: Fault) {
        lock(&self.shared.faults).push(fault);
    }

    /// Refuses all tokens handed out so far as expired.
    pub fn expire_tokens(&self) {
        lock(&self.shared.tokens).expire_all();
    }

    /// Takes away the rights that the scenario's `shrink_rights,on_call=true` names.
    pub fn shrink_rights(&self) {
        let strikes = lock(&self.shared.course).on_call();
        self.shared.take_away(&strikes);
    }

    /// Stops listening and waits, for a bounded time, for answers under way.
    pub async fn shutdown(self) -> std::io::Result<()> {
        let Self { stop, mut task, .. } = self;
        drop(stop);
        match tokio::time::timeout(SHUTDOWN_GRACE, &mut task).await {
            Ok(joined) => joined.map_err(std::io::Error::other),
            Err(_) => {
                task.abort();
                Ok(())
            }
        }
    }
}

struct Shared {
    world: RwLock<Arc<World>>,
    tokens: Mutex<tokens::Tokens>,
    quotas: Mutex<quota::Quotas>,
    faults: Mutex<Vec<Fault>>,
    stats: Mutex<Stats>,
    course: Mutex<Arc<scenario::Course>>,
    base_url: String,
    options: Mutex<Options>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

// A handler that panicked leaves nothing half done behind these locks, so poison is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = scenario::Asked::new(&method, &uri, &body);
    let body = scenario::without_loop(body);
    let mut request = Request::new(&method, &uri, &headers, &body);
    let marked = scenario::unmark(&mut request);
    if request.path.eq_ignore_ascii_case("/_armsim/stats") {
        return Reply::json(200, &serde_json::json!(*lock(&shared.stats))).into_response(0);
    }
    let course = Arc::clone(&lock(&shared.course));
    let strikes = course.meet(asked, &request, marked);
    shared.take_away(&strikes);
    let options = lock(&shared.options).clone();
    let late = options.latency + scenario::scaled(strikes.latency(), options.time_scale);
    if !late.is_zero() {
        tokio::time::sleep(late).await;
    }
    let reply = match strikes.instead(&request) {
        Some(reply) => reply.kind(request::kind_of(&request)),
        None => shared.reply(&request, &options),
    };
    course.answered(&strikes, reply.status);
    if strikes.refuses_the_new_token()
        && let Some(answer) = reply.as_json()
    {
        lock(&shared.tokens).expire(&answer);
    }
    let reply = strikes.shape(reply, &request.base_url, options.time_scale);
    let served = lock(&shared.stats).count(reply.kind, reply.status);
    reply.into_response(served)
}

impl Shared {
    fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tokens and rights that a scenario takes away.
    fn take_away(&self, strikes: &scenario::Strikes) {
        if strikes.is_empty() {
            return;
        }
        if strikes.expires_tokens() {
            lock(&self.tokens).expire_all();
        }
        let mut stats = lock(&self.stats);
        strikes.names().for_each(|name| stats.struck(name));
        drop(stats);
        let mut options = lock(&self.options);
        if strikes.take_rights(&self.world(), &mut options) {
            let world = Arc::new(World::new(self.world().estate.clone(), &options));
            *self.world.write().unwrap_or_else(PoisonError::into_inner) = world;
        }
    }

    fn reply(&self, request: &Request<'_>, options: &Options) -> Reply {
        if let Some(fault) = faults::take(&mut lock(&self.faults), request) {
            return fault.reply(request).kind(request::kind_of(request));
        }
        if let Some(reply) = discovery::answer(request) {
            return reply.kind(request::kind_of(request));
        }
        match request.lower_segments().as_slice() {
            ["msi", "token"] => lock(&self.tokens).managed_identity(request).kind("token"),
            [_, "oauth2", "v2.0", "token"] | [_, "oauth2", "token"] => {
                lock(&self.tokens).entra(request).kind("token")
            }
            _ => self.authorized(request, options).kind(request::kind_of(request)),
        }
    }

    fn authorized(&self, request: &Request<'_>, options: &Options) -> Reply {
        let caller = match lock(&self.tokens).check(request) {
            Ok(caller) => caller,
            Err(refused) => return refused,
        };
        if request.is_of_directory() {
            return errors::directory_denied();
        }
        let world = self.world();
        let page = paging::Pages { size: options.page_size.max(1) };
        if request.lower_segments() == ["providers", "microsoft.resourcegraph", "resources"] {
            let allowance = lock(&self.quotas).query(&caller, options);
            return match allowance {
                Ok(left) => left.told_in(graph::answer(&world, request, options)),
                Err(throttled) => throttled,
            };
        }
        if request.method != Method::GET {
            return errors::method_not_allowed(request);
        }
        let allowance = lock(&self.quotas).read(request.subscription(), &caller, options);
        match allowance {
            Ok(left) => left.told_in(arm::answer(&world, request, &page)),
            Err(throttled) => throttled,
        }
    }
}
