//! What a flow question costs: 1,000 groups of 50 rules, and `AzureCloud` with 10,000 prefixes.
//!
//! `cargo bench --bench flow` first tells ratios: of each median to the millisecond that a question may take, and of a
//! question's cost to that of half as many rules. Then divan tells the spread of each question.

// What a benchmark finds goes to the terminal.
#![allow(clippy::print_stdout)]

#[path = "../tests/flow/estate.rs"]
#[allow(dead_code)]
mod estate;

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use estate::{Estate, group, id, resource, rule};
use mlfence::facts::exposure::{Exposure, Flow, PortRange, Protocols, Term};
use mlfence::inventory::security::Direction;
use mlfence::inventory::{Inventory, ResourceId};
use serde_json::{Value, json};

const GROUPS: usize = 1000;
const PREFIXES: usize = 10_000;

fn main() {
    ratios();
    divan::main();
}

fn build(rules: usize) -> Inventory {
    let mut estate = Estate::new().with_tags(&tags());
    estate.records.extend((0..GROUPS).flat_map(|n| network(n, rules)));
    estate.inventory()
}

#[divan::bench(args = questions().map(|(name, _)| name))]
fn question(bencher: divan::Bencher<'_, '_>, name: &str) {
    static INVENTORY: LazyLock<Inventory> = LazyLock::new(|| build(50));
    static EXPOSURE: LazyLock<Exposure<'static>> = LazyLock::new(|| Exposure::of(&INVENTORY));
    let flow =
        questions().into_iter().find(|(known, _)| *known == name).map(|(_, flow)| flow).expect("known");
    let mut at = (0..GROUPS).cycle();
    bencher
        .with_inputs(|| subnet(at.next().expect("endless")))
        .bench_local_refs(|at| EXPOSURE.ask_flow(at, &flow, None));
}

fn ratios() {
    let inventory = build(50);
    // The first large allocation after so many records were freed pays for tidying up behind them.
    drop(Exposure::of(&inventory));
    let (loading, exposure) = timed(|| Exposure::of(&inventory));
    println!("{GROUPS} groups of 50 rules, {PREFIXES} prefixes in AzureCloud; tags loaded in {loading:?}");
    for (name, flow) in questions() {
        let median = median(&exposure, &flow);
        let share = median.as_secs_f64() / Duration::from_millis(1).as_secs_f64();
        println!("{name:<28} median {median:>10.1?}   {share:>6.3} of a millisecond");
    }
    println!(
        "growth with the rules of a group (a question about AzureContainerRegistry, and about Internet):"
    );
    let mut last: Option<[Duration; 2]> = None;
    for rules in [25, 50, 100, 200, 400] {
        let inventory = build(rules);
        let exposure = Exposure::of(&inventory);
        let now =
            ["AzureContainerRegistry", "Internet"].map(|remote| median(&exposure, &outbound(remote, "443")));
        let ratio = last.map_or_else(String::new, |last| {
            let ratios = [0, 1].map(|at| now[at].as_secs_f64() / last[at].as_secs_f64());
            format!("   x {:.2}, x {:.2} for twice the rules", ratios[0], ratios[1])
        });
        println!("{rules:>4} rules   {:>10.1?} {:>10.1?}{ratio}", now[0], now[1]);
        last = Some(now);
    }
}

fn outbound(remote: &str, ports: &str) -> Flow {
    let remote: Term = remote.parse().expect("a term");
    let ports: PortRange = ports.parse().expect("ports");
    Flow::tcp(Direction::Outbound, vec![remote], vec![ports])
}

fn questions() -> [(&'static str, Flow); 6] {
    let any = Flow { protocols: Protocols::ANY, ..outbound("Internet", "*") };
    let inbound = Flow { direction: Direction::Inbound, ..outbound("Internet", "443") };
    [
        ("outbound registry:443", outbound("AzureContainerRegistry", "443")),
        ("outbound AzureCloud:443", outbound("AzureCloud", "443")),
        ("outbound Internet:443", outbound("Internet", "443")),
        ("outbound Internet, anything", any),
        ("outbound VirtualNetwork:443", outbound("VirtualNetwork", "443")),
        ("inbound Internet:443", inbound),
    ]
}

/// The median over the groups, each asked once.
fn median(exposure: &Exposure<'_>, flow: &Flow) -> Duration {
    let subnets: Vec<ResourceId> = (0..GROUPS).map(subnet).collect();
    let ask =
        |at: &ResourceId| timed(|| black_box(exposure.ask_flow(black_box(at), black_box(flow), None))).0;
    subnets.iter().take(50).for_each(|at| {
        ask(at);
    });
    let mut times: Vec<Duration> = subnets.iter().map(ask).collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = work();
    (start.elapsed(), value)
}

fn subnet(n: usize) -> ResourceId {
    resource(&format!("{}/subnets/nodes", id("virtualNetworks", &format!("vnet{n}"))))
}

/// A VNet with one subnet and its group. The rules are of every kind that people write, and no two groups are alike.
fn network(n: usize, rules: usize) -> [Value; 2] {
    let name = format!("nsg{n}");
    let own = format!("10.{}.{}.0/24", n / 250, n % 250);
    let far =
        ["AzureCloud", "AzureContainerRegistry.R7", "Storage", "VirtualNetwork", "Internet", "AzureCloud.r3"];
    let rule = |k: usize| {
        let way = if k.is_multiple_of(3) { "Inbound" } else { "Outbound" };
        let does = if (k + n).is_multiple_of(4) { "Deny" } else { "Allow" };
        let speaks = ["Tcp", "Udp", "*", "Tcp"][k % 4];
        let prefix = format!("20.{}.{}.0/24", (k * 7 + n) % 256, (k * 13) % 256);
        let remote = if k.is_multiple_of(2) { prefix.as_str() } else { far[(k + n) % far.len()] };
        let ports = ["443", "80-90", "5671-5672", "1433", "22"][(k + n) % 5];
        let (from, to) = if way == "Inbound" { (remote, "*") } else { ("*", remote) };
        rule(&format!("rule{k}"), 100 + i64::try_from(k).expect("small"), way, does, speaks, from, to, ports)
    };
    let vnet = json!({
        "id": id("virtualNetworks", &format!("vnet{n}")), "type": "Microsoft.Network/virtualNetworks",
        "properties": {
            "provisioningState": "Succeeded", "addressSpace": {"addressPrefixes": [own]},
            "subnets": [{"id": subnet(n).as_spelled(), "properties": {
                "provisioningState": "Succeeded", "addressPrefix": own, "networkSecurityGroup": {"id": id("networkSecurityGroups", &name)},
            }}],
        },
    });
    [vnet, group(&name, (0..rules).map(rule).collect())]
}

/// Tags of the real sizes: scattered /28 and /24 prefixes that do not merge.
fn tags() -> Value {
    let prefix =
        |n: usize| format!("{}.{}.{}.{}/28", 20 + n / 5000, (n / 32) % 256, (n % 32) * 8, 16 * (n % 3));
    let cloud: Vec<String> = (0..PREFIXES).map(prefix).collect();
    let every =
        |step: usize, from: usize| -> Vec<&String> { cloud.iter().skip(from).step_by(step).collect() };
    json!({
        "AzureCloud": &cloud,
        "AzureCloud.r3": every(20, 3),
        "AzureContainerRegistry": every(17, 0),
        "AzureContainerRegistry.R7": every(850, 7),
        "Storage": every(20, 5),
    })
}
