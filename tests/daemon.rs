//! The daemon as an operator meets it: a process, its signals, its listener. Real `promtool` judges its metrics.

#[path = "support/serving.rs"]
mod serving;

use std::fs;
use std::io::Write;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use armsim::{Fault, Options, RunningServer, Server, company};
use serving::{Serving, samples};
use tempfile::TempDir;

/// A daemon on an armsim, and its configuration.
struct Daemon {
    serving: Serving,
    config: PathBuf,
    _folder: TempDir,
}

impl Daemon {
    /// Starts a daemon that sweeps every `interval`, with `more` at the end of its configuration.
    fn start(server: &RunningServer, interval: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("mlfence.yaml");
        fs::write(&config, Self::config(server, interval, more)).expect("written");
        Self { serving: Serving::start(server, &config), config, _folder: folder }
    }

    /// With what the demo's operator declares, unless `more` declares something else.
    fn config(server: &RunningServer, interval: &str, more: &str) -> String {
        let url = server.base_url();
        let own = more.contains("expectations:");
        let declared = if own { String::new() } else { company::declarations(&company::demo().0) };
        format!(
            "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\ncredential: {{ type: managed_identity }}\n\
             schedule: {{ interval: {interval}, jitter: 0% }}\nhttp: {{ listen: '127.0.0.1:0' }}\n{declared}{more}"
        )
    }

    fn end(self) -> i32 {
        self.serving.end()
    }
}

impl Deref for Daemon {
    type Target = Serving;

    fn deref(&self) -> &Serving {
        &self.serving
    }
}

async fn demo(options: Options) -> RunningServer {
    Server::start(company::demo().0, options).await.expect("armsim starts")
}

/// The sum of a metric's samples whose labels hold all of `labels`.
fn sum(exposition: &str, metric: &str, labels: &[&str]) -> f64 {
    samples(exposition, metric, labels).iter().sum()
}

fn promtool(exposition: &str) {
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("promtool does not run ({error}); `make test` installs the Debian package prometheus")
        });
    check.stdin.take().expect("piped").write_all(exposition.as_bytes()).expect("sent");
    let output = check.wait_with_output().expect("it ends");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim().is_empty(), "promtool says: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_sweep_is_exported_and_sigterm_ends_it() {
    let server = demo(Options::default()).await;
    let daemon = Daemon::start(&server, "1h", "");
    let line = daemon.log("last sweep");
    assert!(line.contains("34 fail") && line.contains("35 unknown"), "{line}");
    let (status, exposition) = daemon.get("/metrics");
    assert_eq!(status, 200);
    promtool(&exposition);
    assert_eq!(
        sum(&exposition, "mlfence_results", &["policy=\"AKS-001\"", "severity=\"high\"", "status=\"fail\""]),
        1.0
    );
    assert_eq!(sum(&exposition, "mlfence_results", &["status=\"fail\""]), 34.0);
    assert_eq!(sum(&exposition, "mlfence_open_findings", &["state=\"confirmed\""]), 42.0);
    assert_eq!(sum(&exposition, "mlfence_unknown_results", &["code=\"denied\""]), 30.0);
    assert_eq!(sum(&exposition, "mlfence_sweep_complete", &[]), 0.0);
    assert_eq!(sum(&exposition, "mlfence_findings_opened_total", &[]), 42.0);
    let (status, detail) = daemon.get("/readyz");
    assert_eq!((status, detail.contains("34 fail")), (200, true), "{detail}");
    assert_eq!(daemon.get("/healthz").0, 200);
    assert_eq!(daemon.get("/nothing").0, 404);
    assert_eq!(daemon.end(), 0);
}

/// Whom grants to groups reach is asked in every sweep, and counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_declared_deployer_is_asked_about() {
    let server = demo(Options::default()).await;
    let declared = "expectations: { default: { deployers: [aaaaaaaa-0000-0000-0000-000000000001] } }\n";
    let daemon = Daemon::start(&server, "1h", declared);
    daemon.log("last sweep");
    let asked = server.stats().of("assigned_to");
    assert!(asked > 0);
    let (_, exposition) = daemon.get("/metrics");
    let counted = sum(&exposition, "mlfence_azure_requests_total", &["source=\"assigned_to\""]);
    assert_eq!(counted, asked as f64);
    assert_eq!(daemon.end(), 0);
}

/// A daemon that cannot reach Azure stays up, says so, and shows no zeros that would look like a healthy estate.
#[tokio::test(flavor = "multi_thread")]
async fn without_azure_it_stays_up_and_claims_nothing() {
    let server = demo(Options::default()).await;
    server.fail_next(Fault { path: "/subscriptions".to_owned(), status: 403, retry_after: None, times: 100 });
    let daemon = Daemon::start(&server, "1h", "");
    daemon.log("the sweep failed");
    let (status, detail) = daemon.get("/readyz");
    assert_eq!(status, 503);
    assert!(detail.contains("none has finished yet"), "{detail}");
    assert_eq!(daemon.get("/healthz").0, 200);
    let (_, exposition) = daemon.get("/metrics");
    promtool(&exposition);
    for metric in [
        "mlfence_results",
        "mlfence_open_findings",
        "mlfence_unknown_results",
        "mlfence_sweep_last_success_timestamp_seconds",
    ] {
        assert!(!exposition.contains(&format!("\n{metric}")), "{metric} shows something:\n{exposition}");
    }
    assert_eq!(daemon.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_reload_keeps_what_ran_and_a_good_one_takes_effect() {
    let server = demo(Options::default()).await;
    let daemon = Daemon::start(&server, "1h", "");
    daemon.log("last sweep");
    let before = daemon.get("/metrics").1;

    fs::write(&daemon.config, "cloud: mars\nsurprise: 1\n").expect("written");
    daemon.signal("HUP");
    daemon.log("the reload was refused");
    daemon.log("last sweep");
    let after = daemon.get("/metrics").1;
    for metric in ["mlfence_results", "mlfence_open_findings", "mlfence_policy_bundle_info"] {
        let of = |text: &str| {
            text.lines().filter(|line| line.starts_with(metric)).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(of(&after), of(&before), "{metric}");
    }

    let folder = daemon.config.parent().expect("a folder").join("policies");
    fs::create_dir(&folder).expect("made");
    fs::write(folder.join("broken.rego"), "package broken\n\nx := ").expect("written");
    fs::write(&daemon.config, Daemon::config(&server, "1h", "policies: { directories: [policies] }\n"))
        .expect("written");
    daemon.signal("HUP");
    assert!(daemon.log("the reload was refused").contains("broken.rego"));
    daemon.log("last sweep");

    fs::write(&daemon.config, Daemon::config(&server, "1h", "policies: { disabled: [AKS-001] }\n"))
        .expect("written");
    daemon.signal("HUP");
    daemon.log("were reloaded");
    daemon.log("last sweep");
    let after = daemon.get("/metrics").1;
    assert_eq!(sum(&after, "mlfence_open_findings", &["policy=\"AKS-001\""]), 0.0);
    assert_eq!(sum(&after, "mlfence_findings_resolved_total", &["reason=\"policy_removed\""]), 1.0);
    assert_eq!(sum(&after, "mlfence_open_findings", &["state=\"confirmed\""]), 41.0);
    assert_eq!(daemon.end(), 0);
}

/// Kubernetes mounts a ConfigMap as links through `..data`, which is itself a link that is exchanged at once. Nothing but
/// the contents tells that.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_change_are_read_anew_through_the_links_of_kubernetes() {
    let server = demo(Options::default()).await;
    let daemon = Daemon::start(&server, "1h", "");
    daemon.log("last sweep");
    let folder = daemon.config.parent().expect("a folder").to_owned();
    let mount = |version: &str, text: &str| {
        fs::create_dir(folder.join(version)).expect("made");
        fs::write(folder.join(version).join("mlfence.yaml"), text).expect("written");
        let exchange = |to: &str, at: &str| {
            std::os::unix::fs::symlink(to, folder.join("..new")).expect("linked");
            fs::rename(folder.join("..new"), folder.join(at)).expect("exchanged");
        };
        exchange(version, "..data");
        exchange("..data/mlfence.yaml", "mlfence.yaml");
    };
    let metric = |name: &str| sum(&daemon.get("/metrics").1, name, &[]);
    // The same text in another place is no change; the next is.
    mount("..1", &Daemon::config(&server, "1h", ""));
    mount("..2", &Daemon::config(&server, "1h", "policies: { disabled: [AKS-001] }\n"));
    daemon.log("were reloaded");
    daemon.log("last sweep");
    assert_eq!(sum(&daemon.get("/metrics").1, "mlfence_open_findings", &["policy=\"AKS-001\""]), 0.0);
    assert_eq!(metric("mlfence_config_last_reload_successful"), 1.0);
    let read_at = metric("mlfence_config_last_reload_success_timestamp_seconds");

    mount("..3", "cloud: mars\nsurprise: 1\n");
    daemon.log("the reload was refused");
    daemon.log("last sweep");
    let (status, detail) = daemon.get("/readyz");
    assert_eq!(status, 200);
    assert!(detail.starts_with("last sweep") && detail.contains("`mars` is not known"), "{detail}");
    assert_eq!(detail.lines().count(), 1);
    assert_eq!(metric("mlfence_config_last_reload_successful"), 0.0);
    assert_eq!(metric("mlfence_config_last_reload_success_timestamp_seconds"), read_at);

    // A folder of policies is watched too, even if it was refused.
    let policies = folder.join("policies");
    fs::create_dir(&policies).expect("made");
    fs::write(policies.join("broken.rego"), "package broken\n\nx := ").expect("written");
    mount("..4", &Daemon::config(&server, "1h", "policies: { directories: [policies] }\n"));
    daemon.log("broken.rego");
    fs::write(policies.join("other.rego"), "package other\n\nx := ").expect("written");
    daemon.log("other.rego");
    mount("..5", &Daemon::config(&server, "1h", ""));
    daemon.log("were reloaded");
    daemon.log("last sweep");
    assert!(!daemon.get("/readyz").1.contains("refused"));
    assert_eq!(metric("mlfence_config_last_reload_successful"), 1.0);
    assert_eq!(daemon.end(), 0);
}

/// A sweep of this takes longer than its interval, so one follows the other without a pause.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_change_are_read_anew_although_sweeps_leave_no_pause() {
    let latency = Duration::from_millis(50);
    let server = demo(Options { latency, rate_limits: false, ..Options::default() }).await;
    let daemon = Daemon::start(&server, "100ms", "");
    daemon.log("last sweep");
    fs::write(&daemon.config, Daemon::config(&server, "100ms", "policies: { disabled: [AKS-001] }\n"))
        .expect("written");
    daemon.log("were reloaded");
    daemon.log("last sweep");
    assert_eq!(sum(&daemon.get("/metrics").1, "mlfence_open_findings", &["policy=\"AKS-001\""]), 0.0);
    assert_eq!(daemon.end(), 0);
}

/// A sweep that takes longer than anybody waits does not keep a change from being seen.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_looked_at_while_a_sweep_is_under_way() {
    let server = demo(Options { latency: Duration::from_secs(20), ..Options::default() }).await;
    let daemon = Daemon::start(&server, "1h", "");
    fs::write(&daemon.config, Daemon::config(&server, "1h", "policies: { disabled: [AKS-001] }\n"))
        .expect("written");
    daemon.log("the files of configuration and policies changed");
    let detail = daemon.get("/readyz").1;
    assert!(detail.contains("the first sweep has not finished yet"), "{detail}");
    assert_eq!(daemon.end(), 0);
}

/// Opening a pipe waits for somebody who writes into it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_answer_is_refused_and_stops_no_sweep() {
    let server = demo(Options { rate_limits: false, ..Options::default() }).await;
    let daemon = Daemon::start(&server, "100ms", "");
    daemon.log("last sweep");
    let folder = daemon.config.parent().expect("a folder").to_owned();
    let pipe = folder.join("waivers.yaml");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let more = "waivers: { files: [waivers.yaml] }\n";
    fs::write(&daemon.config, Daemon::config(&server, "100ms", more)).expect("written");
    let told = daemon.log("the reload was refused");
    assert!(told.contains("waivers.yaml: is no regular file but a pipe"), "{told}");
    daemon.fresh_sweep();
    assert!(daemon.get("/readyz").1.contains("waivers.yaml: is no regular file"));
    fs::remove_file(&pipe).expect("removed");
    fs::write(&pipe, "waivers: []\n").expect("written");
    daemon.log("were reloaded");
    daemon.fresh_sweep();
    assert!(!daemon.get("/readyz").1.contains("refused"));
    // The configuration itself.
    fs::remove_file(&daemon.config).expect("removed");
    assert!(Command::new("mkfifo").arg(&daemon.config).status().expect("mkfifo runs").success());
    let told = daemon.log("the reload was refused");
    assert!(told.contains("mlfence.yaml: is no regular file but a pipe"), "{told}");
    daemon.fresh_sweep();
    assert_eq!(daemon.end(), 0);
}

/// Waivers are read at the start and at a reload, and a bad file of them changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn waivers_come_with_a_reload_and_a_bad_file_of_them_is_refused() {
    let server = demo(Options::default()).await;
    let daemon = Daemon::start(&server, "1h", "");
    daemon.log("last sweep");
    let waived = |daemon: &Daemon| sum(&daemon.get("/metrics").1, "mlfence_results", &["status=\"waived\""]);
    let states = |daemon: &Daemon| sum(&daemon.get("/metrics").1, "mlfence_waivers", &[]);
    assert_eq!((waived(&daemon), states(&daemon)), (0.0, 0.0));

    let estate = company::demo().0;
    let cluster = estate.records.iter().find(|record| record["name"] == "k8s-mlw-telematics-prod");
    let scope = cluster.and_then(|record| record["id"].as_str()).expect("the cluster");
    let expires = time::OffsetDateTime::now_utc().date() + time::Duration::days(100);
    let text = format!(
        "waivers:\n- policy: AKS-001\n  scope: {scope}\n  reason: r\n  owner: o\n  expires: {expires}\n"
    );
    let file = daemon.config.parent().expect("a folder").join("waivers.yaml");
    fs::write(&file, &text).expect("written");
    let config = Daemon::config(&server, "1h", "waivers: { files: [waivers.yaml] }\n");
    fs::write(&daemon.config, config).expect("written");
    daemon.signal("HUP");
    daemon.log("were reloaded");
    daemon.log("last sweep");
    let (_, exposition) = daemon.get("/metrics");
    promtool(&exposition);
    assert_eq!((waived(&daemon), states(&daemon)), (1.0, 1.0));
    assert_eq!(sum(&exposition, "mlfence_waivers", &["state=\"active\""]), 1.0);
    assert_eq!(sum(&exposition, "mlfence_results", &["policy=\"AKS-001\"", "status=\"fail\""]), 0.0);

    fs::write(&file, text.replace("owner", "ower")).expect("written");
    daemon.signal("HUP");
    let told = daemon.log("the reload was refused");
    assert!(told.contains("waivers.yaml:2: waivers[0]: `owner` is missing"), "{told}");
    daemon.log("last sweep");
    assert_eq!((waived(&daemon), states(&daemon)), (1.0, 1.0));
    assert_eq!(daemon.end(), 0);
}

/// Sweeps never overlap: however slow Azure is against the interval, one identity asks for its subscriptions once
/// per finished sweep.
#[tokio::test(flavor = "multi_thread")]
async fn sweeps_follow_each_other_and_never_overlap() {
    let server = demo(Options { latency: Duration::from_millis(20), ..Options::default() }).await;
    let daemon = Daemon::start(&server, "10s", "");
    daemon.log("last sweep");
    daemon.signal("HUP");
    daemon.log("last sweep");
    daemon.signal("HUP");
    daemon.log("last sweep");
    assert_eq!(server.stats().of("subscriptions"), 3);
    assert_eq!(daemon.end(), 0);
}

/// SIGTERM in the middle of a sweep that waits for Azure ends the daemon all the same.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_during_a_sweep_ends_it() {
    let server = demo(Options { latency: Duration::from_secs(20), ..Options::default() }).await;
    let daemon = Daemon::start(&server, "1h", "");
    assert_eq!(daemon.get("/readyz").0, 503);
    assert_eq!(daemon.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_asks_the_local_daemon() {
    let server = demo(Options::default()).await;
    let daemon = Daemon::start(&server, "1h", "");
    daemon.log("last sweep");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("health.yaml");
    let health = |config: &Path, more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_mlfence"))
            .args(["health", "--config"])
            .arg(config)
            .args(more)
            .output();
        output.expect("mlfence runs").status.code().expect("not by a signal")
    };
    // A file that somebody broke does not make the daemon ill.
    fs::write(&config, format!("cloud: mars\nhttp: {{ listen: '{}' }}\n", daemon.address)).expect("written");
    assert_eq!((health(&config, &[]), health(&config, &["--ready"])), (0, 0));
    assert_eq!(daemon.end(), 0);
    assert_eq!(health(&config, &[]), 3);
}
