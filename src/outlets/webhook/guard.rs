//! Which addresses a receiver's name may lead to, looked at when it is connected to: what a name says in the configuration is
//! not what it says later.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use crate::config::webhook::{forbidden, literal};

/// Names as the system resolves them.
pub fn system() -> Arc<dyn Resolve> {
    Arc::new(System)
}

struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// Gives of what another resolver finds only where a receiver may be.
pub(super) struct Guarded {
    inner: Arc<dyn Resolve>,
    plain: bool,
}

impl Guarded {
    /// Names for requests to `url`. One in plain text never leaves this machine.
    pub(super) fn new(inner: Arc<dyn Resolve>, url: &Url) -> Self {
        Self { inner, plain: url.scheme() != "https" }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (plain, told) = (self.plain, name.as_str().to_owned());
        let found = self.inner.resolve(name);
        Box::pin(async move {
            let (mut allowed, mut refused) = (Vec::new(), Vec::new());
            for address in found.await? {
                match reason(address.ip(), plain) {
                    None => allowed.push(address),
                    Some(why) => refused.push(format!("{}, {why}", address.ip())),
                }
            }
            if allowed.is_empty() && !refused.is_empty() {
                return Err(format!("{told} leads to {}: refused", refused.join("; ")).into());
            }
            Ok(Box::new(allowed.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

/// Checks an address that stands in the URL itself, for which nobody asks a resolver.
pub(super) fn check(url: &Url) -> Result<(), String> {
    match literal(url).and_then(|ip| reason(ip, url.scheme() != "https")) {
        Some(why) => Err(format!("its address is {why}: refused")),
        None => Ok(()),
    }
}

fn reason(ip: IpAddr, plain: bool) -> Option<&'static str> {
    let elsewhere = plain && !ip.to_canonical().is_loopback();
    forbidden(ip).or(elsewhere.then_some("not this machine, to which alone plain http may go"))
}
