//! Connections: plain HTTP, and the HTTPS proxy behind whose CONNECT this server answers as Azure itself.
//!
//! A stock client with `HTTPS_PROXY` set to us and our certificate authority trusted believes that it
//! talks to Azure. Nothing leaves the machine: other hosts are refused. What a request answers is left to the router.

use super::tls::HOSTS;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, StatusCode, Uri, uri};
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// What each connection needs.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) router: Router,
    pub(super) acceptor: TlsAcceptor,
    /// Where we listen: the one host besides Azure's that a request may name.
    pub(super) own: SocketAddr,
    /// Ends with its sender.
    pub(super) stop: watch::Receiver<()>,
}

/// Takes connections until the sender of `stop` is gone, then waits for the answers under way.
pub(super) async fn listen(listener: TcpListener, front: Front) {
    let mut connections = JoinSet::new();
    let mut stop = front.stop.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(front.clone().serve(stream));
                }
                // Out of file handles, most likely: others will be given back.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = connections.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// A CONNECT that was agreed to: the host, and the stream once the answer is out.
type Tunnel = (&'static str, OnUpgrade);

impl Front {
    async fn serve(self, stream: TcpStream) {
        // Answers are small, and a client waits for each.
        let _ = stream.set_nodelay(true);
        let opened = Arc::new(Mutex::new(None));
        let front = self.clone();
        let keep = Arc::clone(&opened);
        self.converse(TokioIo::new(stream), move |request| front.clone().answer(request, Arc::clone(&keep)))
            .await;
        let opened = opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(tunnel) = opened {
            self.serve_tunnel(tunnel).await;
        }
    }

    async fn answer(self, mut request: Request<Incoming>, opened: Arc<Mutex<Option<Tunnel>>>) -> Response {
        let named = request.uri().authority();
        if request.method() == Method::CONNECT {
            let Some(host) = named.and_then(azure_host) else {
                return no_way_out(request.uri());
            };
            let tunnel = (host, hyper::upgrade::on(&mut request));
            *opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
            return Response::new(Body::empty());
        }
        if named.is_some_and(|named| !self.answers_for(named)) {
            return no_way_out(request.uri());
        }
        route(self.router, request).await
    }

    /// What follows a CONNECT: TLS, and in it requests whose URI we complete, as if they had come by a plain proxy.
    async fn serve_tunnel(&self, (host, tunnel): Tunnel) {
        let handshake = async { self.acceptor.accept(TokioIo::new(tunnel.await.ok()?)).await.ok() };
        let mut stop = self.stop.clone();
        let stream = tokio::select! {
            stream = handshake => stream,
            _ = stop.changed() => None,
        };
        let Some(stream) = stream else { return };
        let router = self.router.clone();
        self.converse(TokioIo::new(stream), move |mut request| {
            let mut parts = request.uri().clone().into_parts();
            parts.scheme = Some(uri::Scheme::HTTPS);
            parts.authority = Some(uri::Authority::from_static(host));
            if let Ok(complete) = Uri::from_parts(parts) {
                *request.uri_mut() = complete;
            }
            route(router.clone(), request)
        })
        .await;
    }

    /// Serves HTTP on the stream until either side has enough. A client that hangs up is no error here.
    async fn converse<S, F>(&self, stream: S, answer: impl Fn(Request<Incoming>) -> F)
    where
        S: Read + Write + Unpin + Send + 'static,
        F: Future<Output = Response>,
    {
        let service = service_fn(|request| {
            let answer = answer(request);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let mut connection = pin!(http1::Builder::new().serve_connection(stream, service).with_upgrades());
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = connection.as_mut() => {}
            _ = stop.changed() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }

    fn answers_for(&self, named: &uri::Authority) -> bool {
        let local =
            matches!(named.host(), "127.0.0.1" | "localhost") && named.port_u16() == Some(self.own.port());
        azure_host(named).is_some() || local
    }
}

async fn route(router: Router, request: Request<Incoming>) -> Response {
    let Ok(response) = router.oneshot(request).await;
    response
}

/// The host of Azure's that is named, in our spelling.
fn azure_host(named: &uri::Authority) -> Option<&'static str> {
    let port = named.port_u16();
    HOSTS
        .iter()
        .copied()
        .find(|host| host.eq_ignore_ascii_case(named.host()) && matches!(port, None | Some(80 | 443)))
}

fn no_way_out(uri: &Uri) -> Response {
    let host = uri.authority().map_or_else(|| uri.to_string(), ToString::to_string);
    let mut response =
        Response::new(Body::from(format!("armsim leads nowhere but to itself; not to {host}\n")));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
