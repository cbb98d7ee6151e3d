//! From a violation in Azure to somebody's pager: the daemon beside the real Alertmanager and the real Prometheus, both of
//! Debian, with the shipped rules made quick.

#[path = "support/serving.rs"]
mod serving;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use armsim::{Estate, Fault, Options, RunningServer, Server, company};
use serde_json::Value;
use serving::Serving;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::form_urlencoded::byte_serialize;

/// How long anything may take before the test gives up. Nothing here should come near it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again and again until there is an answer.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < give_up, "not in time: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The body of an answer with status 200. By HTTP/1.0, so that no answer comes in chunks.
fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.split(' ').nth(1).filter(|status| *status == "200").map(|_| body.to_owned())
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// A program that ends with the test, in a folder of its own.
struct Program {
    process: Child,
    address: String,
    _folder: TempDir,
}

impl Program {
    /// Starts a program on a free port and waits until it is ready. `files` are written into its folder, which stands for
    /// `{}` in the arguments.
    fn start(names: &[&str], files: &[(&str, String)], arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("written");
        }
        let address = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
        let place = folder.path().display().to_string();
        let start = |name: &&str| {
            let mut command = Command::new(name);
            command.args(arguments.iter().map(|argument| argument.replace("{}", &place)));
            command.arg(format!("--web.listen-address={address}"));
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        };
        let process = names.iter().find_map(start).unwrap_or_else(|| {
            panic!("{} cannot be run; `make tools` installs Debian's package of that name", names[0])
        });
        let program = Self { process, address: address.to_string(), _folder: folder };
        until(names[0], || get(&program.address, "/-/ready"));
        program
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What reached the pager: the status and the labels of each alert, message by message.
#[derive(Clone, Default)]
struct Pager(Arc<Mutex<Vec<(String, Value)>>>);

impl Pager {
    /// Starts a receiver of Alertmanager's webhooks, and gives its address.
    fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let pager = Self::default();
        let log = pager.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let log = log.clone();
                thread::spawn(move || log.receive(stream));
            }
        });
        (pager, address)
    }

    fn receive(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut writer = stream;
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let message: Value = serde_json::from_slice(&body).ok()?;
            for alert in message["alerts"].as_array()? {
                let status = alert["status"].as_str()?.to_owned();
                self.0.lock().ok()?.push((status, alert["labels"].clone()));
            }
            write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
        }
    }

    fn count(&self, status: &str, label: &str, value: &str) -> usize {
        let log = self.0.lock().expect("unpoisoned");
        log.iter().filter(|(of, labels)| of == status && labels[label] == value).count()
    }
}

/// Alertmanager, with every alert in a group of its own, so that each is one message.
fn alertmanager(pager: &str) -> Program {
    let config = format!(
        "route: {{ receiver: pager, group_by: ['...'], group_wait: 100ms, group_interval: 200ms, repeat_interval: 1d }}\n\
         receivers: [{{ name: pager, webhook_configs: [{{ url: 'http://{pager}/' }}] }}]\n"
    );
    Program::start(
        &["prometheus-alertmanager", "alertmanager"],
        &[("config.yaml", config)],
        &["--config.file={}/config.yaml", "--storage.path={}/data", "--cluster.listen-address="],
    )
}

/// Prometheus with the shipped rules, whose waits are made as short as scrapes allow.
fn prometheus(daemon: &str, alertmanager: &str) -> Program {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/mlfence.rules.yaml");
    let quick = |line: &str| match line.trim_start().strip_prefix("for: ") {
        Some(_) => line.replace(line.trim_start(), "for: 1s"),
        None => {
            line.replace("interval: 1m", "interval: 1s").replace("[10m]", "[5s]").replace("[15m]", "[5s]")
        }
    };
    let rules: Vec<String> = fs::read_to_string(path).expect("the rules").lines().map(quick).collect();
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [rules.yaml]\n\
         scrape_configs: [{{ job_name: mlfence, static_configs: [{{ targets: ['{daemon}'] }}] }}]\n\
         alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ['{alertmanager}'] }}] }}] }}\n"
    );
    Program::start(
        &["prometheus"],
        &[("config.yaml", config), ("rules.yaml", rules.join("\n"))],
        &["--config.file={}/config.yaml", "--storage.tsdb.path={}/data"],
    )
}

/// The alerts that Alertmanager holds as active, by a label.
fn active(alertmanager: &Program, label: &str, value: &str) -> Vec<Value> {
    let path = format!("/api/v2/alerts?filter={}", encoded(&format!("{label}=\"{value}\"")));
    let body = get(&alertmanager.address, &path).expect("Alertmanager answers");
    serde_json::from_str(&body).expect("JSON")
}

fn ends_in(alert: &Value) -> time::Duration {
    let end = alert["endsAt"].as_str().expect("a time");
    OffsetDateTime::parse(end, &Rfc3339).expect("a time") - OffsetDateTime::now_utc()
}

/// The names of the alerts that fire under Prometheus.
fn firing(prometheus: &Program) -> Vec<String> {
    let query = encoded("ALERTS{alertstate=\"firing\"}");
    let body = get(&prometheus.address, &format!("/api/v1/query?query={query}")).expect("Prometheus answers");
    let answer: Value = serde_json::from_str(&body).expect("JSON");
    let name = |series: &Value| series["metric"]["alertname"].as_str().map(str::to_owned);
    answer["data"]["result"].as_array().expect("a vector").iter().filter_map(name).collect()
}

/// A daemon on an armsim. A sweep is asked for by SIGHUP.
struct Daemon {
    serving: Serving,
    folder: TempDir,
}

impl Daemon {
    fn start(server: &RunningServer, alertmanager: &Program) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (url, address) = (server.base_url(), &alertmanager.address);
        let text = format!(
            "endpoints: {{ resource_manager: '{url}', authority: '{url}' }}\ncredential: {{ type: managed_identity }}\n\
             schedule: {{ interval: 1h, jitter: 0% }}\nhttp: {{ listen: '127.0.0.1:0' }}\nledger: {{ path: ledger.db }}\n\
             alertmanager: {{ urls: ['http://{address}'], minimum_severity: high, resend: 1s }}\n\
             labels_from_tags: [owner]\n{}",
            company::declarations(&company::healthy()),
        );
        fs::write(folder.path().join("mlfence.yaml"), text).expect("written");
        Self::start_in(folder, server)
    }

    fn start_in(folder: TempDir, server: &RunningServer) -> Self {
        let serving = Serving::start(server, &folder.path().join("mlfence.yaml"));
        serving.log("last sweep");
        Self { serving, folder }
    }

    fn sweep(&self) -> String {
        self.serving.signal("HUP");
        self.serving.log("last sweep")
    }

    /// How many requests Alertmanager has taken so far; one holds all alerts of this estate.
    fn told(&self) -> f64 {
        let metrics = get(&self.serving.address, "/metrics").expect("it listens");
        let counter = "mlfence_notifications_total{outlet=\"alertmanager\"} ";
        let told = metrics.lines().find_map(|line| line.strip_prefix(counter)?.parse().ok());
        told.expect("the counter is there")
    }

    /// Waits until everything that stands was sent once more: after a request that may be under way, a whole one.
    fn told_again(&self) {
        let before = self.told();
        until("alerts are sent again", || (self.told() >= before + 2.0).then_some(()));
    }

    /// Ends it as a crash does.
    fn kill(self) -> TempDir {
        self.serving.kill();
        self.folder
    }
}

/// The healthy estate with one cluster in another region, which is AKS-001; and that cluster's subscription.
fn violated() -> (Estate, String) {
    let mut estate = company::healthy();
    let cluster = estate.records.iter_mut().find(|record| {
        record["type"]
            .as_str()
            .is_some_and(|of| of.eq_ignore_ascii_case("microsoft.containerservice/managedclusters"))
    });
    let cluster = cluster.expect("a cluster");
    cluster["location"] = "brazilsouth".into();
    let id = cluster["id"].as_str().expect("an id").to_owned();
    for record in &mut estate.records {
        if record["type"]
            .as_str()
            .is_some_and(|of| of.eq_ignore_ascii_case("microsoft.machinelearningservices/workspaces"))
        {
            record["tags"] = serde_json::json!({"Owner": "ann"});
        }
    }
    (estate, id.split('/').nth(2).expect("a subscription").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_fires_outlives_gaps_and_a_restart_and_is_resolved_by_proof_alone() {
    let server = Server::start(company::healthy(), Options::default()).await.expect("armsim starts");
    let (pager, address) = Pager::start();
    let alertmanager = alertmanager(&address);
    let daemon = Daemon::start(&server, &alertmanager);
    assert_eq!(active(&alertmanager, "policy", "AKS-001"), [] as [Value; 0]);

    let (estate, subscription) = violated();
    server.replace_estate(estate);
    daemon.sweep();
    let first = until("the alert is active", || active(&alertmanager, "policy", "AKS-001").pop());
    assert_eq!((&first["labels"]["owner"], &first["labels"]["severity"]), (&"ann".into(), &"high".into()));
    assert_eq!(first["labels"]["subscription"], *subscription);
    assert!(ends_in(&first) > time::Duration::hours(23), "{first}");
    until("the pager rings", || (pager.count("firing", "policy", "AKS-001") == 1).then_some(()));
    let amtool = Command::new("amtool")
        .args([
            "--alertmanager.url",
            &format!("http://{}", alertmanager.address),
            "alert",
            "query",
            "-o",
            "json",
        ])
        .arg("policy=AKS-001")
        .output()
        .expect("amtool runs; it is part of the Debian package prometheus-alertmanager");
    let queried: Vec<Value> = serde_json::from_slice(&amtool.stdout).expect("JSON");
    assert_eq!((queried.len(), &queried[0]["fingerprint"]), (1, &first["fingerprint"]));

    let stands = |daemon: &Daemon, stale: bool| {
        daemon.told_again();
        let now = active(&alertmanager, "policy", "AKS-001");
        assert_eq!(now.len(), 1);
        assert_eq!(
            (&now[0]["fingerprint"], &now[0]["startsAt"]),
            (&first["fingerprint"], &first["startsAt"])
        );
        assert!(ends_in(&now[0]) > time::Duration::hours(23), "{}", now[0]);
        assert_eq!(now[0]["annotations"]["stale"].is_string(), stale, "{}", now[0]);
        assert_eq!(pager.count("resolved", "policy", "AKS-001"), 0);
        assert_eq!(pager.count("firing", "policy", "AKS-001"), 1);
    };
    server.replace_options(Options {
        deny: vec![format!("/subscriptions/{subscription}")],
        ..Options::default()
    });
    daemon.sweep();
    stands(&daemon, true);
    server.replace_options(Options { hide: vec![subscription.clone()], ..Options::default() });
    daemon.sweep();
    stands(&daemon, true);
    server.replace_options(Options::default());
    // Azure refuses everything at a restart: what stands is renewed before any sweep has ended.
    let folder = daemon.kill();
    server.fail_next(Fault { path: "/subscriptions".to_owned(), status: 403, retry_after: None, times: 1 });
    let serving = Serving::start(&server, &folder.path().join("mlfence.yaml"));
    serving.log("the sweep failed");
    let daemon = Daemon { serving, folder };
    stands(&daemon, true);
    daemon.sweep();
    stands(&daemon, false);
    let daemon = Daemon::start_in(daemon.kill(), &server);
    stands(&daemon, false);
    // Out of sight at a restart: no sweep of this process saw its tags, which are among the labels.
    server.replace_options(Options { hide: vec![subscription], ..Options::default() });
    let daemon = Daemon::start_in(daemon.kill(), &server);
    stands(&daemon, true);
    server.replace_options(Options::default());

    let ends = |times: usize| {
        until("the alert is gone", || active(&alertmanager, "policy", "AKS-001").is_empty().then_some(()));
        until("the pager is told", || (pager.count("resolved", "policy", "AKS-001") == times).then_some(()));
        assert_eq!(pager.count("firing", "policy", "AKS-001"), times);
    };
    server.replace_estate(company::healthy());
    daemon.sweep();
    ends(1);

    // Fixed while the daemon is down: the first sweep after the restart ends it.
    server.replace_estate(violated().0);
    daemon.sweep();
    until("the pager rings again", || (pager.count("firing", "policy", "AKS-001") == 2).then_some(()));
    let folder = daemon.kill();
    server.replace_estate(company::healthy());
    let _daemon = Daemon::start_in(folder, &server);
    ends(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_dies_is_told_by_the_watchdog_while_its_findings_stand_and_nothing_pages_twice() {
    let (estate, subscription) = violated();
    let server = Server::start(estate, Options::default()).await.expect("armsim starts");
    let (pager, address) = Pager::start();
    let alertmanager = alertmanager(&address);
    let daemon = Daemon::start(&server, &alertmanager);
    let prometheus = prometheus(&daemon.serving.address, &alertmanager.address);
    until("the finding fires", || active(&alertmanager, "policy", "AKS-001").pop());

    // What cannot be read: the finding stands, and its staleness and its source have alerts of their own.
    server.replace_options(Options {
        deny: vec![format!("/subscriptions/{subscription}")],
        ..Options::default()
    });
    daemon.sweep();
    for name in ["MlfenceSourceDown", "MlfenceFindingStale"] {
        until(name, || active(&alertmanager, "alertname", name).pop());
    }
    assert_eq!(
        active(&alertmanager, "alertname", "MlfenceFinding")
            .iter()
            .filter(|a| a["labels"]["policy"] == "AKS-001")
            .count(),
        1
    );
    let counted = |name: &str| firing(&prometheus).iter().filter(|firing| *firing == name).count();
    assert_eq!((counted("MlfenceHighFinding"), counted("MlfenceCriticalFinding")), (0, 0));
    assert_eq!(counted("MlfenceAbsent"), 0);

    daemon.kill();
    until("the watchdog barks", || active(&alertmanager, "alertname", "MlfenceAbsent").pop());
    let stands = active(&alertmanager, "policy", "AKS-001");
    let finding =
        stands.iter().find(|alert| alert["labels"]["alertname"] == "MlfenceFinding").expect("it stands");
    assert!(ends_in(finding) > time::Duration::hours(23), "{finding}");
    until("the pager tells of the watchdog", || {
        (pager.count("firing", "alertname", "MlfenceAbsent") == 1).then_some(())
    });
    assert_eq!(pager.count("resolved", "alertname", "MlfenceFinding"), 0);
    assert_eq!((counted("MlfenceHighFinding"), counted("MlfenceCriticalFinding")), (0, 0));
    let rang = |name: &str| pager.count("firing", "alertname", name);
    assert_eq!((rang("MlfenceHighFinding"), rang("MlfenceCriticalFinding")), (0, 0));
}
