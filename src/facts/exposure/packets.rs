//! Sets of packets as products of five sets, and how one is cut by another.

use std::sync::LazyLock;

use super::intervals::Intervals;
use super::protocol::Protocols;

/// Addresses of one family, as numbers.
pub(super) type Addresses = Intervals<u128>;
/// Ports.
pub(super) type Ports = Intervals<u16>;

static EVERY_PORT: LazyLock<Ports> = LazyLock::new(|| Ports::between(u16::MIN, u16::MAX));

/// Every port.
pub(super) fn every_port() -> Ports {
    EVERY_PORT.clone()
}

/// Every packet whose five parts lie in these sets ("box" in the literature).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packets {
    /// Where it comes from.
    pub(super) source: Addresses,
    /// Where it goes to.
    pub(super) destination: Addresses,
    /// The port that it comes from.
    pub(super) source_ports: Ports,
    /// The port that it goes to.
    pub(super) ports: Ports,
    /// What it speaks.
    pub(super) protocols: Protocols,
}

impl Packets {
    /// Whether there is no packet.
    pub(super) fn is_empty(&self) -> bool {
        self.source.is_empty()
            || self.destination.is_empty()
            || self.source_ports.is_empty()
            || self.ports.is_empty()
            || self.protocols.is_empty()
    }

    /// Whether the two share a packet.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.protocols.meets(other.protocols)
            && self.ports.meets(&other.ports)
            && self.source_ports.meets(&other.source_ports)
            && self.source.meets(&other.source)
            && self.destination.meets(&other.destination)
    }

    /// The packets that lie in both, and those of this set that do not, in at most five products; none if
    /// nothing lies in both.
    ///
    /// The addresses of the far side are cut last: they are the long sets, and what was cut off before them
    /// then shares one slice.
    pub(super) fn cut(&self, by: &Self) -> Option<(Self, Vec<Self>)> {
        if !self.meets(by) {
            return None;
        }
        let mut rest = self.clone();
        let mut outside = Vec::new();
        let left = rest.protocols.difference(by.protocols);
        if !left.is_empty() {
            outside.push(Self { protocols: left, ..rest.clone() });
            rest.protocols = rest.protocols.intersection(by.protocols);
        }
        macro_rules! cut {
            ($($part:ident),+) => {$(
                let left = rest.$part.difference(&by.$part);
                if !left.is_empty() {
                    outside.push(Self { $part: left, ..rest.clone() });
                    rest.$part = rest.$part.intersection(&by.$part);
                }
            )+};
        }
        cut!(ports, source_ports, source, destination);
        Some((rest, outside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses() -> impl Strategy<Value = Addresses> {
        prop::collection::vec((0..6u128, 0..6u128), 1..3).prop_map(Intervals::of)
    }
    fn ports() -> impl Strategy<Value = Ports> {
        prop::collection::vec((0..4u16, 0..4u16), 1..3).prop_map(Intervals::of)
    }
    fn packets() -> impl Strategy<Value = Packets> {
        (addresses(), addresses(), ports(), ports(), 0..8u8).prop_map(
            |(source, destination, source_ports, ports, bits)| Packets {
                source,
                destination,
                source_ports,
                ports,
                protocols: Protocols::of_bits(bits),
            },
        )
    }

    fn all(set: &Packets) -> Vec<(u128, u128, u16, u16, u8)> {
        let mut all = Vec::new();
        for source in (0..6).filter(|value| set.source.contains(*value)) {
            for destination in (0..6).filter(|value| set.destination.contains(*value)) {
                for from in (0..4).filter(|value| set.source_ports.contains(*value)) {
                    for to in (0..4).filter(|value| set.ports.contains(*value)) {
                        let spoken = (0..3).filter(|bit| set.protocols.meets(Protocols::of_bits(1 << bit)));
                        all.extend(spoken.map(|bit| (source, destination, from, to, bit)));
                    }
                }
            }
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn a_cut_loses_and_doubles_nothing(set in packets(), by in packets()) {
            let cut = set.cut(&by);
            prop_assert_eq!(cut.is_some(), all(&set).iter().any(|packet| all(&by).contains(packet)));
            if let Some((inside, outside)) = cut {
                prop_assert!(outside.len() <= 5);
                prop_assert!(all(&inside).iter().all(|packet| all(&by).contains(packet)));
                let mut pieces = all(&inside);
                for piece in &outside {
                    prop_assert!(!piece.is_empty() && !piece.meets(&by));
                    pieces.extend(all(piece));
                }
                pieces.sort_unstable();
                let mut whole = all(&set);
                whole.sort_unstable();
                prop_assert_eq!(pieces, whole);
            }
        }
    }
}
