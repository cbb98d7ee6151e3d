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
fn a_table_for_alertmanager_is_read() {
    let text = "\
alertmanager:
  urls: ['http://a:9093', 'https://b/prefix/']
  minimum_severity: low
  resend: 5s
  external_url: https://mlfence.example
  digest_above: 0
";
    let read = Config::parse(text).expect("valid").alertmanager;
    let expected = Alertmanager {
        urls: ["http://a:9093", "https://b/prefix/"].map(|url| Url::parse(url).expect("a URL")).to_vec(),
        minimum_severity: Severity::Low,
        resend: Duration::from_secs(5),
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
        ]
    );
    let both = "alertmanager: { bearer_token_file: a, basic_auth_file: b }";
    assert_eq!(
        problems(both),
        ["1: alertmanager: use only one of `bearer_token_file` and `basic_auth_file`"]
    );
}

#[test]
fn a_list_of_receivers_is_read_with_its_defaults() {
    let text = "\
webhooks:
- { name: tickets, url: 'https://tickets.example/hooks/1', secret_env: TICKETS }
- { name: local, url: 'http://127.0.0.1:8000/', minimum_severity: low, secret_file: s, digest_above: 0, keep: 1h }
";
    let tickets = Webhook {
        name: "tickets".to_owned(),
        url: Url::parse("https://tickets.example/hooks/1").expect("a URL"),
        minimum_severity: Severity::High,
        secret: SecretSource::Environment("TICKETS".to_owned()),
        digest_above: 20,
        keep: Duration::from_secs(604_800),
    };
    let local = Webhook {
        name: "local".to_owned(),
        url: Url::parse("http://127.0.0.1:8000/").expect("a URL"),
        minimum_severity: Severity::Low,
        secret: SecretSource::File("s".into()),
        digest_above: 0,
        keep: Duration::from_secs(3600),
    };
    assert_eq!(Config::parse(text).expect("valid").webhooks, [tickets, local]);
}

#[test]
fn receivers_that_cannot_be_or_would_leak_are_refused_all_at_once() {
    let text = "\
webhooks:
- { name: a, url: 'https://user:hunter2@a', secret_env: A }
- { name: b, url: 'https://b/?code=hunter2', secret_env: A }
- { name: c, url: 'http://c', secret_env: A }
- { name: d, url: 'https://169.254.169.254/', secret_env: A }
- { name: e, url: 'https://[::ffff:a9fe:a9fe]/', secret_env: A }
- { name: f, url: 'https://0xa83f8110/', secret_env: A }
- { name: g, url: 'https://g/#x', secret_env: A, secret_file: b }
- { name: 'h i', url: 'https://h', secret: hunter2 }
- { url: 'hunter2 nonsense', minimum_severity: dire, keep: 1m, secret_env: A }
- { name: j, url: 'https://j', secret_env: A }
- { name: j, url: 'https://jj', secret_env: A }
- nothing
- { name: k, secret_env: A, digest_above: -1 }
";
    let found = problems(text);
    assert!(found.iter().all(|problem| !problem.contains("hunter2")), "a secret was printed: {found:?}");
    assert_eq!(
        found,
        [
            "1: webhooks: two receivers have the name `j`",
            "2: webhooks[0].url: must hold no user, password or query, which may be secrets; events are signed instead",
            "3: webhooks[1].url: must hold no user, password or query, which may be secrets; events are signed instead",
            "4: webhooks[2].url: must be https; plain http is allowed on loopback only",
            "5: webhooks[3].url: leads to a link-local address, or a cloud's metadata service, where no receiver is",
            "6: webhooks[4].url: leads to a link-local address, or a cloud's metadata service, where no receiver is",
            "7: webhooks[5].url: leads to Azure's wire server, where no receiver is",
            "8: webhooks[6]: name the secret's place by exactly one of `secret_env` and `secret_file`",
            "8: webhooks[6].url: must end with the path",
            "9: unknown key `secret` in `webhooks[7]`; known here: name, url, minimum_severity, secret_file, secret_env, digest_above, keep",
            "9: webhooks[7]: name the secret's place by exactly one of `secret_env` and `secret_file`",
            "9: webhooks[7].name: must be at most 64 letters, digits, `-`, `_` and `.`",
            "10: webhooks[8]: `name` is missing; the ledger knows the receiver by it",
            "10: webhooks[8].keep: must be at least 1h",
            "10: webhooks[8].minimum_severity: `dire`: `dire` is no severity; use low, medium, high or critical",
            "10: webhooks[8].url: must be an address such as https://tickets.example/hooks/mlfence",
            "13: webhooks[11]: must be a table of keys and values",
            "14: webhooks[12]: `url` is missing",
            "14: webhooks[12].digest_above: must be a whole number from 0 to 1000000",
        ]
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

#[test]
fn tags_become_labels_by_names_that_prometheus_takes() {
    let config = Config::parse("labels_from_tags: [Owner, Cost Center, 2nd-line]").expect("valid");
    let labels = [("owner", "owner"), ("cost center", "cost_center"), ("2nd-line", "_2nd_line")];
    assert_eq!(config.labels, labels.map(|(tag, label)| (tag.to_owned(), label.to_owned())));
    assert_eq!(
        problems("labels_from_tags: [Severity, a-b, a.b, __meta, state, ' ']"),
        [
            "1: labels_from_tags: two of these tags make the same label",
            "1: labels_from_tags[0]: the tag `severity` would make the label `severity`, which is taken",
            "1: labels_from_tags[3]: the tag `__meta` would make the label `__meta`, which is taken",
            "1: labels_from_tags[4]: the tag `state` would make the label `state`, which is taken",
            "1: labels_from_tags[5]: must not be empty",
        ]
    );
}

#[test]
fn the_detail_of_metrics_is_a_word_under_a_limit() {
    let config = Config::parse("metrics: { detail: failing, detail_limit: 5 }").expect("valid");
    assert_eq!(config.metrics, Metrics { detail: Detail::Failing, detail_limit: 5 });
    assert_eq!(Config::default().metrics.detail, Detail::Off);
    let found = problems("metrics:\n  detail: some\n  detail_limit: 0\n  more: 1");
    assert_eq!(found.len(), 3, "{found:?}");
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
