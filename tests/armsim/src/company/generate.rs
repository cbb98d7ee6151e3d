//! Large estates with known violations.

use super::hub::{Landscape, REGION};
use super::pattern::{Pattern, Serving};
use super::{Block, Expected, Flaw, mix};
use crate::Estate;

/// How large, and which.
#[derive(Debug, Clone)]
pub struct Size {
    /// How many workspaces; each takes a /22 of 10.0.0.0/8, of which there are 16,320.
    pub workspaces: u32,
    /// Same seed, same bytes.
    pub seed: u64,
    /// Over how many subscriptions they are spread; the hub has one more.
    pub subscriptions: u32,
}

/// Spokes of one hub; Azure allows 500 peerings per network.
const SPOKES: u32 = 400;
/// Blocks of 10.0.0.0/8 before the hub's.
const BLOCKS: u32 = 255 * 64;
/// One workspace in so many is flawed.
const FLAWED: u64 = 4;

/// An estate of that size, and every violation in it. From twice as many workspaces on as there are flaws, each occurs.
pub fn generate(size: &Size) -> (Estate, Vec<Expected>) {
    let mut land = Landscape::new("generated.example", size.seed);
    let mut expected = Vec::new();
    let mut dice = Dice(size.seed);
    let subscriptions: Vec<String> =
        (0..size.subscriptions.max(1)).map(|n| land.subscription(&format!("ml-{n:02}"))).collect();
    for (n, subscription) in (0..size.workspaces).zip(subscriptions.iter().cycle()) {
        if n > 0 && n % SPOKES == 0 {
            land.add_hub();
        }
        let flaw = flaw_of(n, size.workspaces, &mut dice);
        let serving = serving_for(flaw, &mut dice);
        let scope = land.company.group(subscription, &format!("rg-ws{n:05}"), REGION);
        // Beyond the last block the plan starts anew: such spokes hang on another hub.
        let block = Block::new([10, 0, 0, 0], 8).part(22, n % BLOCKS);
        let (name, flaws) = (format!("mlw-ws{n:05}"), flaw.as_slice());
        Pattern {
            scope: &scope,
            name: &name,
            block,
            serving: &[serving],
            flaws,
            callers: None,
            closed: false,
        }
        .build(&mut land, &mut expected);
    }
    expected.sort();
    (land.finish(), expected)
}

fn flaw_of(n: u32, all: u32, dice: &mut Dice) -> Option<Flaw> {
    let kinds = Flaw::ALL.len();
    let first = usize::try_from(n).unwrap_or(usize::MAX);
    if usize::try_from(all).unwrap_or(usize::MAX) >= 2 * kinds && first < kinds {
        return Flaw::ALL.get(first).copied();
    }
    (dice.roll(FLAWED) == 0).then(|| dice.pick(&Flaw::ALL))
}

fn serving_for(flaw: Option<Flaw>, dice: &mut Dice) -> Serving {
    match flaw {
        Some(flaw) if flaw.is_of_aci() => Serving::Aci,
        Some(Flaw::DockerBridge) => Serving::AksV1Created,
        Some(Flaw::BalancerSubnetGone) => Serving::AksV1,
        Some(flaw) if flaw.is_of_deployer() => {
            dice.pick(&[Serving::AksV1, Serving::KubernetesV2, Serving::Aci])
        }
        Some(_) => dice.pick(&[Serving::AksV1, Serving::KubernetesV2]),
        None => dice.pick(&[Serving::AksV1, Serving::KubernetesV2, Serving::KubernetesV2, Serving::Aci]),
    }
}

/// SplitMix64: small, and the same everywhere and for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0) % sides
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        let at = self.roll(among.len() as u64);
        among[usize::try_from(at).unwrap_or_default()]
    }
}
