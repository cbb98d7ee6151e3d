//! Route tables.

use super::field::{self, Part};
use super::state::State;
use super::{Known, Record, ResourceId};

/// A route table.
#[derive(Clone, Debug)]
pub struct RouteTable {
    /// Its id.
    pub id: ResourceId,
    /// Its provisioning state.
    pub state: Known<State>,
    /// Its routes.
    pub routes: Known<Vec<Route>>,
    /// Whether routes that a gateway learns are kept out of its subnets.
    pub keeps_learned_out: Known<bool>,
}

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The prefix or service tag that it is for, as Azure told it.
    pub prefix: Known<String>,
    /// Where packets go next, folded: `virtualappliance`, `virtualnetworkgateway`, `vnetlocal`, `internet`, `none`.
    pub next_hop: Known<String>,
    /// The appliance's address, where there is one.
    pub next_hop_address: Known<Option<String>>,
}

impl RouteTable {
    pub(super) fn read(record: &Record) -> Self {
        let read = |part| Route {
            prefix: field::ROUTE_PREFIX.told_text(part).map(str::to_owned),
            next_hop: field::ROUTE_NEXT_HOP.told_text(part).map(str::to_ascii_lowercase),
            next_hop_address: field::ROUTE_NEXT_HOP_ADDRESS.text(part).map(|text| text.map(str::to_owned)),
        };
        let list = field::ROUTES.list(Part::of(record));
        Self {
            id: record.id().clone(),
            state: State::read(&field::ROUTES_STATE, Part::of(record)),
            routes: list.map(|list| list.into_iter().map(read).collect()),
            keeps_learned_out: field::ROUTES_NOT_LEARNED
                .flag(Part::of(record))
                .map(|flag| flag == Some(true)),
        }
    }
}
