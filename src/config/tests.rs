use super::http::{Scope, Tls};
use super::*;

fn problems(text: &str) -> Vec<String> {
    Config::parse(text).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(Config::parse(""), Ok(Config::default()));
    assert_eq!(Config::parse("# nothing\n"), Ok(Config::default()));
}

#[test]
fn every_problem_is_reported_at_once_with_its_line() {
    let text = "\
cloud: mars
credentials: { type: azure_cli }
endpoints:
  resource_manager: http://192.0.2.1
scope:
  include:
    subscriptions: [not-a-guid]
expectations:
  default:
    callers: [10.1.2.3/8, banana]
    scoring: sometimes
  workspaces:
    my-workspace: { scoring: any }
schedule: { interval: 1s, jitter: 80% }
http: { listen: everywhere }
";
    assert_eq!(
        problems(text),
        [
            "1: cloud: `mars` is not known; use one of: public, us_government, china",
            "2: unknown key `credentials`; did you mean `credential`?",
            "3: endpoints: `resource_manager` and `authority` must be set together, else a token of one Azure would be sent to another",
            "4: endpoints.resource_manager: must be https; plain http is allowed on loopback only",
            "7: scope.include.subscriptions[0]: `not-a-guid` is no GUID such as 00000000-0000-0000-0000-000000000000",
            "10: expectations.default.callers[0]: `10.1.2.3/8` has host bits set; did you mean 10.0.0.0/8?",
            "10: expectations.default.callers[1]: `banana` is no address or prefix such as 203.0.113.0/24",
            "11: expectations.default.scoring: `sometimes` is not known; use one of: private, any",
            "13: expectations.workspaces.my-workspace: the key must be the ARM id of a workspace (/subscriptions/…/workspaces/NAME)",
            "14: schedule.interval: must be at least 10s",
            "14: schedule.jitter: `80%` is no share from 0% to 50%",
            "15: http.listen: `everywhere`: invalid socket address syntax",
        ]
    );
}

#[test]
fn a_secret_is_named_by_its_place() {
    let text = "credential: { type: client_secret, tenant_id: t, client_id: c, secret: hunter2 }";
    let found = problems(text);
    assert!(found.iter().any(|problem| problem.contains("`secret_env` and `secret_file`")), "{found:?}");
    assert!(found.iter().all(|problem| !problem.contains("hunter2")), "a secret was printed: {found:?}");
}

#[test]
fn duplicate_keys_and_second_documents_are_refused() {
    assert_eq!(problems("cloud: public\ncloud: china\n"), ["2: not YAML: duplicated key in mapping"]);
    assert!(problems("cloud: public\n---\ncloud: china\n")[0].contains("a second document"));
}

#[test]
fn a_text_that_ends_too_early_is_wrong_on_a_line_that_there_is() {
    assert_eq!(problems("http: _\nV"), ["2: not YAML: simple key expected"]);
    assert_eq!(problems("cloud: public\n--- "), ["2: a second document follows; put everything into one"]);
}

#[test]
fn workspace_declarations_lie_over_the_default_key_by_key() {
    let text = "\
expectations:
  default: { callers: [], scoring: private }
  workspaces:
    /subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W: { scoring: any }
";
    let config = Config::parse(text).expect("valid");
    let id = "/subscriptions/s/resourcegroups/g/providers/microsoft.machinelearningservices/workspaces/w";
    let declared = config.expectations.of(&ResourceId::parse(id).expect("an id"));
    assert_eq!((declared.scoring, declared.callers), (Some(Openness::Any), Some(vec![])));
}

#[test]
fn a_table_for_alertmanager_is_read_with_its_labels() {
    let text = "\
alertmanager:
  urls: ['http://a:9093', 'https://b/prefix/']
  minimum_severity: low
  resend: 5s
  labels_from_tags: [Owner, Cost Center, 2nd-line]
  external_url: https://mlfence.example
  digest_above: 0
";
    let read = Config::parse(text).expect("valid").alertmanager;
    let labels = [("owner", "owner"), ("cost center", "cost_center"), ("2nd-line", "_2nd_line")];
    let expected = Alertmanager {
        urls: ["http://a:9093", "https://b/prefix/"].map(|url| Url::parse(url).expect("a URL")).to_vec(),
        minimum_severity: Severity::Low,
        resend: Duration::from_secs(5),
        labels: labels.map(|(tag, label)| (tag.to_owned(), label.to_owned())).to_vec(),
        external_url: Some(Url::parse("https://mlfence.example").expect("a URL")),
        authorization: None,
        digest_above: 0,
    };
    assert_eq!(read, expected);
}

#[test]
fn what_would_leak_or_confuse_alerts_is_refused() {
    let text = "\
alertmanager:
  urls: ['ftp://a', 'http://user:hunter2@b', 'http://c?x=1', 'http://d', 'http://d/']
  resend: 9h
  labels_from_tags: [Severity, a-b, a.b, __meta]
  bearer_token_file: token
";
    let found = problems(text);
    assert!(found.iter().all(|problem| !problem.contains("hunter2")), "a secret was printed: {found:?}");
    assert_eq!(
        found,
        [
            "1: alertmanager: a secret would travel in the clear: use https where there is a token or password",
            "2: alertmanager.urls: names an instance twice",
            "2: alertmanager.urls[0]: must be an http or https address",
            "2: alertmanager.urls[1]: must hold no user or password; name a file with `basic_auth_file`",
            "2: alertmanager.urls[2]: must end with the path",
            "3: alertmanager.resend: must be at most 8h: an alert lives for a day, and must be renewed in time",
            "4: alertmanager.labels_from_tags: two of these tags make the same label",
            "4: alertmanager.labels_from_tags[0]: the tag `severity` would make the label `severity`, which is taken",
            "4: alertmanager.labels_from_tags[3]: the tag `__meta` would make the label `__meta`, which is taken",
        ]
    );
    let both = "alertmanager: { bearer_token_file: a, basic_auth_file: b }";
    assert_eq!(
        problems(both),
        ["1: alertmanager: use only one of `bearer_token_file` and `basic_auth_file`"]
    );
}

#[test]
fn the_address_is_read_off_a_file_that_is_wrong_elsewhere() {
    let listen = |text: &str| {
        let (address, tls) = Config::listen_of(text);
        (address.to_string(), tls)
    };
    assert_eq!(listen("cloud: mars\nhttp: { listen: '0.0.0.0:80' }\n"), ("0.0.0.0:80".to_owned(), false));
    assert_eq!(listen("http: { listen: '0.0.0.0:80', tls: { key: k } }\n"), ("0.0.0.0:80".to_owned(), true));
    assert_eq!(listen(""), ("127.0.0.1:9464".to_owned(), false));
    assert_eq!(listen("http: [\n"), ("127.0.0.1:9464".to_owned(), false));
}

#[test]
fn a_ledger_is_in_memory_unless_a_file_is_named() {
    let ledger = |text: &str| Config::parse(text).unwrap_or_else(|found| panic!("{found:?}")).ledger;
    assert_eq!(ledger("").path, None);
    assert_eq!(ledger("ledger: { path: memory }").path, None);
    let named = ledger("ledger: { path: l.db, retention: 2h, confirmations: { open: 3, resolve: 4 } }");
    let expected = Ledger {
        path: Some("l.db".into()),
        retention: Duration::from_secs(7200),
        open_after: 3,
        resolve_after: 4,
    };
    assert_eq!(named, expected);
    assert_eq!(
        problems("ledger: { retention: 5m, confirmations: { open: 0, close: 2 }, file: x }").len(),
        4,
        "too short, too few, and two unknown keys"
    );
}

/// Whoever reads a real Azure shares its limits with others.
#[test]
fn sweeps_follow_each_other_fast_on_a_simulated_azure_only() {
    assert_eq!(problems("schedule: { interval: 1s }"), ["1: schedule.interval: must be at least 10s"]);
    let simulated =
        "endpoints: { resource_manager: 'http://127.0.0.1:1', authority: 'http://127.0.0.1:1' }\n";
    assert_eq!(problems(&format!("{simulated}schedule: {{ interval: 100ms }}")), [] as [&str; 0]);
    assert_eq!(
        problems(&format!("{simulated}schedule: {{ interval: 1ms }}")),
        ["2: schedule.interval: must be at least 100ms"]
    );
}

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn a_table_for_http_is_read_with_its_tokens() {
    let text = format!(
        "http:\n  listen: 0.0.0.0:80\n  metrics: {{ listen: '[::]:81' }}\n  anonymous: [metrics]\n  snapshot: true\n  \
         tls: {{ certificate: c.pem, key: k.pem }}\n  tokens:\n  - {{ name: grafana, sha256: {DIGEST} }}\n  \
         - {{ name: ops-1, sha256: {}, scopes: [trigger, read] }}\n",
        DIGEST.to_uppercase()
    );
    let read = Config::parse(&text).unwrap_or_else(|found| panic!("{found:?}")).http;
    assert_eq!(read.listen.to_string(), "0.0.0.0:80");
    assert_eq!(read.metrics.map(|address| address.to_string()).as_deref(), Some("[::]:81"));
    assert_eq!(read.anonymous(), BTreeSet::from([Scope::Metrics]));
    assert!(read.snapshot);
    assert_eq!(read.tls, Some(Tls { certificate: "c.pem".into(), key: "k.pem".into() }));
    let [grafana, ops] = read.tokens.as_slice() else { panic!("{:?}", read.tokens) };
    assert_eq!((grafana.name.as_str(), &grafana.scopes), ("grafana", &BTreeSet::from([Scope::Read])));
    assert_eq!((ops.name.as_str(), &ops.scopes), ("ops-1", &BTreeSet::from([Scope::Read, Scope::Trigger])));
    assert_eq!((grafana.sha256[0], grafana.sha256[31], ops.sha256), (0xe3, 0x55, grafana.sha256));
}

/// What nobody allowed must not be open: elsewhere than on loopback no finding can be read without a token.
#[test]
fn without_a_word_those_without_a_token_read_metrics_at_most_unless_they_are_on_this_machine() {
    let anonymous = |text: &str| {
        let http = Config::parse(text).unwrap_or_else(|found| panic!("{found:?}")).http;
        http.anonymous().into_iter().map(Scope::name).collect::<Vec<_>>()
    };
    assert_eq!(anonymous(""), ["metrics", "read", "trigger"]);
    assert_eq!(anonymous("http: { listen: '[::1]:80' }"), ["metrics", "read", "trigger"]);
    assert_eq!(anonymous("http: { listen: '0.0.0.0:80' }"), ["metrics"]);
    assert_eq!(anonymous("http: { listen: '192.0.2.1:80', anonymous: [read] }"), ["read"]);
    let tokens = format!("tokens: [{{ name: a, sha256: {DIGEST} }}]");
    assert_eq!(anonymous(&format!("http: {{ {tokens} }}")), [] as [&str; 0]);
    assert_eq!(anonymous(&format!("http: {{ {tokens}, anonymous: [metrics] }}")), ["metrics"]);
}

#[test]
fn what_would_lock_out_or_open_the_wrong_door_is_refused_and_no_token_is_said_back() {
    let text = format!(
        "\
http:
  listen: 0.0.0.0:80
  metrics: {{ listen: 0.0.0.0:80, tokens: [] }}
  anonymous: [findings]
  tls: {{ certificate: c.pem }}
  tokens:
  - {{ name: a, sha256: hunter2 }}
  - {{ name: \"a\\nb\", sha256: {DIGEST} }}
  - {{ name: c, sha256: {DIGEST}, scopes: [] }}
  - {{ name: c, sha256: {DIGEST}, token: hunter2 }}
  - {{ name: d }}
"
    );
    let found = problems(&text);
    assert!(found.iter().all(|problem| !problem.contains("hunter2")), "a token was said back: {found:?}");
    assert_eq!(
        found,
        [
            "1: http: `tls` needs `certificate` and `key`, the names of two PEM files",
            "3: unknown key `tokens` in `http.metrics`; known here: listen",
            "3: http.metrics.listen: is the address of `http.listen`; leave it out, or choose another port",
            "4: http.anonymous[0]: `findings` is not known; use one of: metrics, read, trigger",
            "6: http.tokens: two tokens have the same name",
            "7: http.tokens[0].sha256: must be the 64 hex digits of a token's SHA-256; `mlfence token` prints them",
            "8: http.tokens[1]: a token needs `name` and `sha256`; `mlfence token` prints both",
            "8: http.tokens[1].name: must be at most 64 letters, digits, dots, dashes and underscores",
            "9: http.tokens[2]: `scopes` is empty, so the token is good for nothing; use read, metrics or trigger",
            "10: unknown key `token` in `http.tokens[3]`; known here: name, sha256, scopes",
            "11: http.tokens[4]: a token needs `name` and `sha256`; `mlfence token` prints both",
        ]
    );
    assert_eq!(
        problems("http: { anonymous: [] }"),
        ["1: http.anonymous: nobody could read anything: name `tokens`, or leave this out"]
    );
}
