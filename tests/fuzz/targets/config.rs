//! A configuration's text: it is valid or each problem has its line, and what is valid is within its bounds.

#![cfg_attr(fuzzing, no_main)]

use std::time::Duration;

use mlfence::config::{Config, is_guid};

/// What must hold of any text.
pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (config, problems) = Config::read(text);
    // YAML breaks lines at carriage returns too, and an error may stand after the last break.
    let lines = text.replace("\r\n", "\n").matches(['\n', '\r']).count() + 1;
    for problem in &problems {
        assert!((1..=lines).contains(&problem.line) && !problem.message.is_empty(), "of {lines}: {problem}");
    }
    assert!(problems.is_sorted());
    assert_eq!(Config::parse(text).is_ok(), problems.is_empty());
    within_bounds(&config);
    if problems.is_empty() {
        assert_eq!(Config::listen_of(text), (config.http.listen, config.http.tls.is_some()));
        let more = format!("{text}\nno_such_key: 1\n");
        assert!(Config::parse(&more).is_err(), "a key that nobody knows is passed over");
    }
}

fn within_bounds(config: &Config) {
    assert!((1..=64).contains(&config.collection.concurrency));
    assert!(config.collection.deadline >= Duration::from_secs(1));
    assert!(config.collection.request_timeout >= Duration::from_secs(1));
    assert!(config.schedule.interval >= Duration::from_secs(10));
    assert!((0.0..=0.5).contains(&config.schedule.jitter));
    for selection in [&config.scope.include, &config.scope.exclude] {
        assert!(selection.subscriptions.iter().all(|id| is_guid(id)));
    }
    if let Some(endpoints) = &config.endpoints {
        for url in [&endpoints.resource_manager, &endpoints.authority] {
            let host = url.host_str().unwrap_or_default();
            let loopback = host == "localhost" || host == "[::1]" || host.starts_with("127.");
            assert!(url.scheme() == "https" || loopback, "a token would travel in the clear to {url}");
        }
    }
    let declared = [&config.expectations.default].into_iter().chain(config.expectations.workspaces.values());
    for expectations in declared {
        for net in expectations.callers.iter().flatten() {
            assert_eq!(net.addr(), net.network());
        }
        assert!(expectations.deployers.iter().flatten().all(|id| is_guid(id)));
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| check(input));
