//! Load balancers and public addresses.

use super::field::{self, Part};
use super::network::subnet_id;
use super::state::State;
use super::{Known, Record, ResourceId};

/// A load balancer.
#[derive(Clone, Debug)]
pub struct LoadBalancer {
    /// Its id.
    pub id: ResourceId,
    /// Its provisioning state.
    pub state: Known<State>,
    /// Its SKU, folded: `basic`, `standard`, `gateway`.
    pub sku: Known<String>,
    /// Its frontends.
    pub frontends: Known<Vec<Frontend>>,
    /// Its rules. A frontend without one serves nothing; AKS keeps such a one for outbound traffic.
    pub rules: Known<Vec<BalancingRule>>,
    /// The frontends that lead to single machines by address translation.
    pub translated: Known<Vec<ResourceId>>,
}

/// A NAT gateway.
#[derive(Clone, Debug)]
pub struct NatGateway {
    /// Its id.
    pub id: ResourceId,
    /// Its provisioning state.
    pub state: Known<State>,
    /// Whether it has a public address to send from.
    pub has_address: Known<bool>,
}

/// A frontend.
#[derive(Clone, Debug)]
pub struct Frontend {
    /// Its id.
    pub id: Known<ResourceId>,
    /// Its name.
    pub name: Known<String>,
    /// Its subnet; an internal frontend has one, a public one has none.
    pub subnet: Known<Option<ResourceId>>,
    /// The private address of an internal frontend.
    pub private_address: Known<String>,
    /// The public address resource of a public one.
    pub public_address: Known<Option<ResourceId>>,
    /// The prefix that a public one for outbound traffic takes its addresses from.
    pub public_prefix: Known<Option<ResourceId>>,
}

/// A rule that leads from a frontend to the backends.
#[derive(Clone, Debug)]
pub struct BalancingRule {
    /// The frontend.
    pub frontend: Known<ResourceId>,
    /// The port that is served.
    pub port: Known<u16>,
    /// The port of the backends.
    pub backend_port: Known<u16>,
    /// Whether packets keep the frontend's address as their destination.
    pub floating_ip: Known<bool>,
}

/// A public address.
#[derive(Clone, Debug)]
pub struct PublicAddress {
    /// Its id.
    pub id: ResourceId,
    /// The address.
    pub address: Known<String>,
}

impl LoadBalancer {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let port = |field: &field::Field, part| {
            let number = field.number(part)?.and_then(|number| u16::try_from(number).ok());
            number.ok_or_else(|| field.not_understood(part, "a port"))
        };
        let frontend = |part| Frontend {
            id: field::FRONTEND_ID.told_id(part),
            name: field::FRONTEND_NAME.told_text(part).map(str::to_owned),
            subnet: subnet_id(&field::FRONTEND_SUBNET, part),
            private_address: field::FRONTEND_ADDRESS.told_text(part).map(str::to_owned),
            public_address: field::FRONTEND_PUBLIC.id(part),
            public_prefix: field::FRONTEND_PREFIX.id(part),
        };
        let rule = |part| BalancingRule {
            frontend: field::BALANCING_FRONTEND.told_id(part),
            port: port(&field::BALANCING_PORT, part),
            backend_port: port(&field::BALANCING_BACKEND_PORT, part),
            floating_ip: field::BALANCING_FLOATING.told_flag(part),
        };
        let translated = || {
            let mut frontends = Vec::new();
            for part in field::BALANCER_NAT_RULES.list(part)? {
                frontends.push(field::NAT_RULE_FRONTEND.told_id(part)?);
            }
            for part in field::BALANCER_NAT_POOLS.list(part)? {
                frontends.push(field::NAT_POOL_FRONTEND.told_id(part)?);
            }
            Ok(frontends)
        };
        Self {
            translated: translated(),
            id: record.id().clone(),
            state: State::read(&field::BALANCER_STATE, part),
            sku: field::BALANCER_SKU.told_text(part).map(str::to_ascii_lowercase),
            frontends: field::BALANCER_FRONTENDS
                .list(part)
                .map(|list| list.into_iter().map(frontend).collect()),
            rules: field::BALANCING_RULES.list(part).map(|list| list.into_iter().map(rule).collect()),
        }
    }
}

impl NatGateway {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        let has = |field: &field::Field| field.list(part).map(|list| !list.is_empty());
        Self {
            id: record.id().clone(),
            state: State::read(&field::NAT_STATE, part),
            has_address: has(&field::NAT_ADDRESSES)
                .and_then(|addresses| Ok(addresses || has(&field::NAT_PREFIXES)?)),
        }
    }
}

impl PublicAddress {
    pub(super) fn read(record: &Record) -> Self {
        let address = field::PUBLIC_ADDRESS.told_text(Part::of(record)).map(str::to_owned);
        Self { id: record.id().clone(), address }
    }
}
