//! Who a browser speaks for. A page of elsewhere must neither read what this machine may read without a token, by turning
//! its own name into a loopback address (DNS rebinding), nor use a password that the browser keeps (CSRF).

use std::net::{IpAddr, SocketAddr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};

use super::problem::Problem;

const REBOUND: &str = "who brings no token is served on this machine only, by the names localhost, 127.0.0.1 and [::1]; \
    `http.tokens` in the configuration names tokens, and who brings one may use any name";
const ELSEWHERE: &str = "the browser says that another site asks this";

/// Whether the request names this machine, where that is what keeps others out.
pub(super) fn names_this_machine(bound: SocketAddr, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let refused = || Problem::new(StatusCode::FORBIDDEN, REBOUND);
    let host = host(headers).ok_or_else(refused)?;
    let named = [Some(&host), uri.authority()];
    if named.into_iter().flatten().all(|authority| is_here(authority, bound.ip())) {
        Ok(())
    } else {
        Err(refused())
    }
}

/// Whether no page of elsewhere asks. With `write` what a browser says of itself counts too: a plain link from elsewhere may
/// read, and its reader is the browser's user.
pub(super) fn same_origin(headers: &HeaderMap, write: bool) -> Result<(), Problem> {
    let refused = || Problem::new(StatusCode::FORBIDDEN, ELSEWHERE);
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        let (_, origin) = origin.ok_or_else(refused)?;
        let host = host(headers).ok_or_else(refused)?;
        // The scheme may differ, for TLS may end before this listener.
        if !host.as_str().eq_ignore_ascii_case(origin) {
            return Err(refused());
        }
    }
    let site = headers.get("sec-fetch-site").filter(|_| write);
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(refused());
    }
    Ok(())
}

/// The one host that is asked.
fn host(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok()?.parse().ok(),
        _ => None,
    }
}

fn is_here(authority: &Authority, bound: IpAddr) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    // An address cannot be turned; only names can.
    let known = address.is_ok_and(|address| address.to_canonical().is_loopback() || address == bound);
    (known || host.eq_ignore_ascii_case("localhost")) && !authority.as_str().contains('@')
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, Uri, header};

    use super::{names_this_machine, same_origin};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_names_of_this_machine_are_served() {
        let check = |bound: &str, uri: &'static str, hosts: &[&'static str]| {
            let pairs: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            let bound = bound.parse().expect("an address");
            names_this_machine(bound, &Uri::from_static(uri), &headers(&pairs)).is_ok()
        };
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:9464", "127.8.8.8", "[::1]", "[::1]:80"] {
            assert!(check("127.0.0.1:9464", "/", &[host]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "",
            "a@localhost",
            "localhost,evil",
            "evil.localhost",
            "0x7f000001",
        ] {
            assert!(!check("127.0.0.1:9464", "/", &[host]), "{host}");
        }
        assert!(!check("127.0.0.1:1", "/", &[]), "nobody is named");
        assert!(!check("127.0.0.1:1", "/", &["localhost", "localhost"]), "two are named");
        assert!(!check("127.0.0.1:1", "http://evil.example/", &["localhost"]), "the target names another");
        assert!(check("127.0.0.1:1", "http://localhost:1/", &["localhost:1"]));
    }

    #[test]
    fn pages_of_elsewhere_are_refused() {
        let check =
            |write: bool, pairs: &[(&'static str, &'static str)]| same_origin(&headers(pairs), write).is_ok();
        for write in [true, false] {
            assert!(check(write, &[("host", "a:1")]));
            assert!(check(write, &[("host", "a:1"), ("origin", "https://A:1")]));
            assert!(!check(write, &[("host", "a:1"), ("origin", "http://a:2")]));
            assert!(!check(write, &[("host", "a:1"), ("origin", "http://evil.example")]));
            assert!(!check(write, &[("host", "a:1"), ("origin", "null")]));
            assert!(!check(write, &[("origin", "http://a")]));
            assert!(check(write, &[("host", "a"), ("sec-fetch-site", "same-origin")]));
            assert!(check(write, &[("host", "a"), ("sec-fetch-site", "none")]));
            assert_eq!(check(write, &[("host", "a"), ("sec-fetch-site", "cross-site")]), !write);
            assert_eq!(check(write, &[("host", "a"), ("sec-fetch-site", "same-site")]), !write);
        }
        assert_eq!(header::ORIGIN, "origin");
    }
}
