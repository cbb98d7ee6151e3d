//! The named scenarios, and random mixes of them.

use super::Scenario;
use super::dice::{Dice, hash};
use super::trouble::Trouble;
use serde_json::{Map, Value, json};

type Entry = (&'static str, &'static [&'static str]);

const CATALOGUE: &[Entry] = &[
    // Throttling.
    ("throttled", &["throttle,retry_after=1,probability=0.3,tries=3"]),
    ("throttled_by_date", &["throttle,retry_after=date:1,probability=0.3,tries=3"]),
    ("throttled_without_a_wait", &["throttle,retry_after=none,probability=0.3,tries=2"]),
    ("throttled_soon", &["throttle,retry_after=soon,probability=0.3,tries=2"]),
    ("throttled_negatively", &["throttle,retry_after=-5,probability=0.3,tries=2"]),
    ("throttled_for_a_day", &["throttle,retry_after=86400,probability=0.1,tries=1"]),
    ("throttled_for_ages", &["throttle,retry_after=999999999999,probability=0.1,tries=1"]),
    ("throttle_storm", &["throttle,retry_after=1,tries=3"]),
    ("throttled_for_ever", &["throttle,kind=computes,retry_after=1"]),
    ("graph_throttled", &["throttle,kind=resource_graph,retry_after=1,probability=0.5,tries=2"]),
    // Failures of the server.
    ("burst_of_500", &["answer,status=500,probability=0.3,tries=2"]),
    ("burst_of_502_html", &["answer,status=502,body=html,probability=0.3,tries=3"]),
    ("burst_of_503_empty", &["answer,status=503,body=empty,probability=0.3,tries=1"]),
    ("burst_of_503_with_a_wait", &["answer,status=503,retry_after=1,probability=0.3,tries=2"]),
    ("burst_of_504", &["answer,status=504,probability=0.3,tries=2"]),
    ("outage", &["answer,status=503,after=20"]),
    ("computes_fail", &["answer,status=500,kind=computes"]),
    ("graph_fails", &["answer,status=502,body=empty,kind=resource_graph,probability=0.3"]),
    // The connection and the body's way.
    ("closed_before_headers", &["close,probability=0.3,tries=3"]),
    ("closed_for_ever", &["close,kind=computes"]),
    ("bodies_break_off", &["break_off,at=100,probability=0.3,tries=3"]),
    ("bodies_cut_short", &["cut_short,at=50,probability=0.3,tries=3"]),
    ("bodies_cut_short_for_ever", &["cut_short,at=1,kind=resource_graph,probability=0.3"]),
    ("body_stalls", &["stall,at=20,probability=0.1,times=2"]),
    ("slow_bodies", &["slow,seconds=2,pieces=20,probability=0.2"]),
    ("body_drips_for_ever", &["endless,pace=drip,probability=0.1,times=2"]),
    ("body_floods", &["endless,pace=flood,probability=0.1,times=2"]),
    ("gzip_garbage", &["gzip,how=garbage,probability=0.2"]),
    ("gzip_truncated", &["gzip,how=truncated,probability=0.2"]),
    ("gzip_bomb", &["gzip,how=bomb,probability=0.2,times=3"]),
    // What is no answer.
    ("html_with_200", &["answer,status=200,body=html,probability=0.2"]),
    ("nested_with_200", &["answer,status=200,body=nested,probability=0.2"]),
    ("empty_with_200", &["answer,status=200,body=empty,probability=0.2"]),
    ("null_with_200", &["answer,status=200,body=null,probability=0.2"]),
    ("string_with_200", &["answer,status=200,body=string,probability=0.2"]),
    ("huge_row", &["huge_row,mebibytes=4,probability=0.2"]),
    ("redirected_302", &["redirect,status=302,probability=0.2"]),
    ("redirected_307", &["redirect,status=307,probability=0.2"]),
    ("redirected_308", &["redirect,status=308,probability=0.2"]),
    // Pages of ARM.
    ("empty_pages", &["empty_page,probability=0.5"]),
    ("next_link_loops", &["next_link,to=loop,probability=0.3"]),
    ("next_link_to_other_host", &["next_link,to=other_host,probability=0.3"]),
    ("next_link_over_other_scheme", &["next_link,to=other_scheme,probability=0.3"]),
    ("next_link_to_other_port", &["next_link,to=other_port,probability=0.3"]),
    ("next_link_is_no_url", &["next_link,to=no_url,probability=0.3"]),
    ("next_link_is_a_number", &["next_link,to=number,probability=0.3"]),
    ("pages_repeat_rows_arm", &["repeat_rows,api=arm,share=0.3"]),
    ("pages_lose_rows_arm", &["lose_rows,api=arm,share=0.3"]),
    // Pages of Resource Graph.
    ("pages_lose_rows_graph", &["lose_rows,api=graph,share=0.3"]),
    ("pages_repeat_rows_graph", &["repeat_rows,api=graph,share=0.3"]),
    ("pages_repeat_rows_instead_graph", &["repeat_rows,api=graph,share=0.3,instead=true"]),
    ("graph_truncated_text", &["graph_says,lie=truncated_text,probability=0.5"]),
    ("graph_truncated_flag", &["graph_says,lie=truncated_flag,probability=0.5"]),
    ("graph_token_loops", &["graph_says,lie=token_loop,path=virtualnetworks"]),
    ("graph_miscounts", &["graph_says,lie=wrong_count,probability=0.5"]),
    ("graph_without_total", &["graph_says,lie=no_total,probability=0.5"]),
    ("graph_without_data", &["graph_says,lie=no_data,probability=0.5"]),
    // Rows.
    ("casing_noise", &["casing"]),
    ("rows_repeated_in_other_case", &["repeat_rows,share=0.3,other_case=true"]),
    ("extra_fields", &["extra_fields"]),
    ("novel_values", &["novel_values,share=0.2"]),
    ("fields_missing", &["damage,how=missing,share=0.2"]),
    ("fields_null", &["damage,how=null,share=0.2"]),
    ("fields_of_other_type", &["damage,how=type,share=0.2"]),
    ("rows_without_id", &["damage,how=missing,share=0.2,field=id"]),
    // Rights.
    ("subscription_vanishes", &["vanish,after=20"]),
    ("computes_forbidden", &["refuse,code=AuthorizationFailed,kind=computes"]),
    ("kinds_denied", &["deny,of=network_security_groups+computes+role_assignments"]),
    ("kinds_denied_midway", &["deny,of=computes+deny_assignments,after=20"]),
    ("everything_denied_midway", &["deny,of=all,after=20"]),
    ("rights_shrink", &["shrink_rights,of=network_security_groups+computes,after=10"]),
    ("rights_shrink_on_call", &["shrink_rights,of=network_security_groups+computes,on_call=true"]),
    // Tokens.
    ("token_expires", &["expire_tokens,after=10"]),
    ("token_revoked", &["refuse,code=InvalidAuthenticationToken,after=10"]),
    ("token_endpoint_fails", &["answer,kind=token,status=500"]),
    ("token_endpoint_is_html", &["answer,kind=token,status=200,body=html"]),
    ("token_endpoint_slow", &["slow,kind=token,seconds=3,pieces=3"]),
    ("token_expired_at_birth", &["token_expiry,kind=token,offset=-3600,refused=true"]),
    ("token_clock_behind", &["token_expiry,kind=token,offset=-7200"]),
    ("token_clock_ahead", &["token_expiry,kind=token,offset=315360000"]),
    // v1 services.
    ("services_of_unknown_type", &["refuse,code=InvalidResourceType,kind=services"]),
    ("services_without_provider", &["refuse,code=NoRegisteredProviderFound,kind=services"]),
    // Time.
    ("clock_ahead", &["clock,seconds=10800"]),
    (
        "clock_behind_while_throttled",
        &["clock,seconds=-18000", "throttle,retry_after=date:1,probability=0.2,tries=2"],
    ),
    ("late_answers", &["latency,milliseconds=300"]),
    // Several at once, and still everything can be read.
    (
        "bad_day",
        &[
            "throttle,retry_after=1,probability=0.05,tries=3",
            "answer,status=503,body=empty,probability=0.1,tries=3",
            "close,probability=0.1,tries=3",
            "cut_short,at=30,probability=0.1,tries=3",
            "empty_page,probability=0.2",
            "casing",
            "latency,milliseconds=50",
            "expire_tokens,after=15",
        ],
    ),
];

pub(super) const NAMES: &[&str] = &{
    let mut names = [""; CATALOGUE.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = CATALOGUE[at].0;
        at += 1;
    }
    names
};

pub(super) fn named(name: &str, seed: u64) -> Option<Scenario> {
    let (name, lines) = CATALOGUE.iter().find(|(entry, _)| *entry == name)?;
    // A test reads every line.
    let troubles = lines.iter().filter_map(|line| line.parse().ok()).collect();
    Some(Scenario { name: (*name).to_owned(), seed, troubles })
}

pub(super) fn random(seed: u64) -> Scenario {
    let mut dice = Dice::new(&[seed, hash(&[b"random"])]);
    let lines = CATALOGUE.iter().flat_map(|(_, lines)| *lines);
    let mut pool: Vec<Trouble> = lines.filter_map(|line| line.parse().ok()).collect();
    // One trouble that cannot be borne spoils the whole, so half of the scenarios are drawn without any.
    if dice.chance(0.5) {
        pool.retain(Trouble::recoverable);
    }
    let count = 1 + dice.below(4);
    let troubles = (0..count).map(|_| varied(&pool[dice.below(pool.len())], &mut dice)).collect();
    Scenario { name: format!("random_{seed}"), seed, troubles }
}

/// The same trouble with other numbers, where they mean something.
fn varied(trouble: &Trouble, dice: &mut Dice) -> Trouble {
    let mut source: Map<String, Value> = trouble.source().clone();
    let mut vary = |key: &str, among: &[Value]| {
        if let Some(told) = source.get_mut(key) {
            *told = among[dice.below(among.len())].clone();
        }
    };
    vary("probability", &[json!(0.05), json!(0.2), json!(0.5), json!(1)]);
    vary("share", &[json!(0.02), json!(0.2), json!(1)]);
    vary("tries", &[json!(1), json!(2), json!(3)]);
    vary("after", &[json!(0), json!(5), json!(15), json!(40), json!(100)]);
    vary("at", &[json!(0), json!(1), json!(60), json!(1000)]);
    Trouble::from_object(source).unwrap_or_else(|_| trouble.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_catalogue_is_a_trouble() {
        for (name, lines) in CATALOGUE {
            for line in *lines {
                if let Err(error) = line.parse::<Trouble>() {
                    panic!("{name}: {error}");
                }
            }
        }
    }

    #[test]
    fn random_scenarios_differ_and_can_be_written_down() {
        let mut seen = std::collections::BTreeSet::new();
        let mut bearable = 0;
        for seed in 0..500 {
            let scenario = random(seed);
            assert!((1..=4).contains(&scenario.troubles.len()), "{scenario}");
            assert_eq!(Scenario::parse(&scenario.to_string()), Ok(scenario.clone()));
            bearable += usize::from(scenario.recoverable());
            seen.extend(scenario.troubles.iter().map(|trouble| trouble.name.clone()));
        }
        assert!((200..400).contains(&bearable), "{bearable}");
        // So many sorts of trouble has the catalogue.
        let all: std::collections::BTreeSet<&str> = CATALOGUE
            .iter()
            .flat_map(|(_, lines)| *lines)
            .filter_map(|line| line.split(',').next())
            .collect();
        assert_eq!(seen.len(), all.len());
    }
}
