//! Kubernetes extensions, of which one makes a cluster serve models.

use super::field::{self, Part};
use super::state::State;
use super::{Code, Known, Record, ResourceId};

/// A cluster extension.
#[derive(Clone, Debug)]
pub struct Extension {
    /// Its id, which lies below its cluster's.
    pub id: ResourceId,
    /// Whether it is the one of Azure Machine Learning.
    pub machine_learning: Known<bool>,
    /// Its provisioning state; settled where it is not told.
    pub state: Known<State>,
    /// `inferenceRouterServiceType`, folded: `loadbalancer`, `nodeport`, `clusterip`.
    pub router: Known<String>,
    /// `internalLoadBalancerProvider`, folded.
    pub balancer_provider: Known<Option<String>>,
    /// Whether scoring by plain HTTP is on.
    pub insecure: Known<bool>,
}

impl Extension {
    pub(super) fn read(record: &Record) -> Self {
        let part = Part::of(record);
        Self {
            id: record.id().clone(),
            machine_learning: field::EXTENSION_TYPE
                .told_text(part)
                .map(|text| text.eq_ignore_ascii_case("Microsoft.AzureML.Kubernetes")),
            state: match State::read(&field::EXTENSION_STATE, part) {
                Err(reason) if reason.code == Code::NotTold => Ok(State::Settled),
                state => state,
            },
            router: field::EXTENSION_ROUTER.told_text(part).map(str::to_ascii_lowercase),
            balancer_provider: field::EXTENSION_PROVIDER
                .text(part)
                .map(|text| text.map(str::to_ascii_lowercase)),
            insecure: field::EXTENSION_INSECURE.flag(part).map(|flag| flag == Some(true)),
        }
    }
}
