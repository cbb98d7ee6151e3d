//! Rights that go while a client is reading. What a caller without them sees is left to the world.

use super::dice::Dice;
use super::trouble::{Kinds, What};
use crate::kinds;
use crate::server::options::Options;
use crate::world::World;

const WORKSPACES: &str = "microsoft.machinelearningservices/workspaces";

/// Takes the rights of that trouble away; false if it is about something else.
pub(super) fn take(what: &What, mut dice: Dice, world: &World, options: &mut Options) -> bool {
    match what {
        What::Vanish { subscription } => {
            let gone = subscription.clone().or_else(|| any_subscription(world, &mut dice));
            options.hide.extend(gone);
        }
        What::Deny { of, subscription } => {
            for id in meant(subscription.as_deref(), world) {
                match of {
                    Kinds::All => options.deny.push(format!("/subscriptions/{id}")),
                    Kinds::These(these) => options.deny_actions.extend(actions(these, &id)),
                }
            }
        }
        What::ShrinkRights { of, subscription, .. } => {
            for id in meant(subscription.as_deref(), world) {
                match of {
                    Kinds::All => options.left_out.push((id, "*/read".to_owned())),
                    Kinds::These(these) => options.left_out.extend(actions(these, &id)),
                }
            }
        }
        _ => return false,
    }
    true
}

fn actions(of: &[&'static kinds::Kind], subscription: &str) -> Vec<(String, String)> {
    of.iter().flat_map(|kind| kind.actions()).map(|action| (subscription.to_owned(), action)).collect()
}

fn meant(subscription: Option<&str>, world: &World) -> Vec<String> {
    match subscription {
        Some(id) => vec![id.to_owned()],
        None => world.subscriptions.keys().cloned().collect(),
    }
}

/// One of those that are missed: with a workspace, if any has one.
fn any_subscription(world: &World, dice: &mut Dice) -> Option<String> {
    let mut missed: Vec<&str> =
        world.of_type(WORKSPACES).filter_map(|(_, place)| place.id.subscription()).collect();
    missed.sort_unstable();
    missed.dedup();
    if missed.is_empty() {
        missed = world.subscriptions.keys().map(String::as_str).collect();
    }
    let at = dice.below(missed.len());
    missed.get(at).map(|id| (*id).to_owned())
}
