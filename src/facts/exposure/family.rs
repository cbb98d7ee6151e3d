//! The two address families as spaces of numbers, and the parts of them that rules give a meaning to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

use super::packets::Addresses;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The platform's own address for DNS, DHCP and health probes (`AzureLoadBalancer`).
pub(super) const PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// The platform's instance metadata service.
pub(super) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// IPv4 space that the public internet does not route (IANA special-purpose registry).
const RESERVED_V4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
];
/// What is allocated for public IPv6, and what of it is not routed.
const PUBLIC_V6: &str = "2000::/3";
const RESERVED_V6: &[&str] = &["2001:2::/48", "2001:10::/28", "2001:20::/28", "2001:db8::/32", "3fff::/20"];

static EVERYTHING_V4: LazyLock<Addresses> = LazyLock::new(|| Addresses::between(0, u128::from(u32::MAX)));
static EVERYTHING_V6: LazyLock<Addresses> = LazyLock::new(|| Addresses::between(0, u128::MAX));
static NOTHING: LazyLock<Addresses> = LazyLock::new(Addresses::none);
static PUBLIC: LazyLock<[Addresses; 2]> = LazyLock::new(|| {
    let reserved = |family, texts: &[&str]| {
        addresses(family, &texts.iter().filter_map(|text| net(text)).collect::<Vec<IpNet>>())
    };
    [
        EVERYTHING_V4.difference(&reserved(Family::V4, RESERVED_V4)),
        reserved(Family::V6, &[PUBLIC_V6]).difference(&reserved(Family::V6, RESERVED_V6)),
    ]
});

impl Family {
    /// Both.
    pub(super) const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// The family of a prefix.
    pub(super) fn of(net: &IpNet) -> Self {
        if net.addr().is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// Every address.
    pub(super) fn everything(self) -> Addresses {
        match self {
            Family::V4 => EVERYTHING_V4.clone(),
            Family::V6 => EVERYTHING_V6.clone(),
        }
    }

    /// No address.
    pub(super) fn nothing(self) -> Addresses {
        NOTHING.clone()
    }

    /// The addresses that the public internet routes.
    pub(super) fn public(self) -> Addresses {
        match self {
            Family::V4 => PUBLIC[0].clone(),
            Family::V6 => PUBLIC[1].clone(),
        }
    }

    /// The platform's addresses.
    pub(super) fn platform(self) -> Addresses {
        match self {
            Family::V4 => Addresses::of([PLATFORM, METADATA].map(|address| {
                let number = number(address.into());
                (number, number)
            })),
            Family::V6 => self.nothing(),
        }
    }

    /// The address of a number.
    pub(super) fn address(self, number: u128) -> IpAddr {
        match self {
            // Numbers of this family come from addresses of it.
            Family::V4 => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
            Family::V6 => Ipv6Addr::from(number).into(),
        }
    }
}

/// Reads a prefix or a single address; host bits are cleared. An IPv4 address in the guise of an IPv6 one is of neither
/// family.
pub(super) fn net(text: &str) -> Option<IpNet> {
    let (address, length) = match text.trim().split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text.trim(), None),
    };
    let address: IpAddr = address.parse().ok()?;
    if matches!(address, IpAddr::V6(six) if six.to_ipv4_mapped().is_some()) {
        return None;
    }
    let length = match length {
        None if address.is_ipv4() => 32,
        None => 128,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    IpNet::new(address, length).ok().map(|net| net.trunc())
}

/// The number of an address within its family.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The addresses of those prefixes that are of this family.
pub(super) fn addresses<'a>(family: Family, nets: impl IntoIterator<Item = &'a IpNet>) -> Addresses {
    let own = nets.into_iter().filter(|net| Family::of(net) == family);
    Addresses::of(own.map(|net| (number(net.network()), number(net.broadcast()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(text: &str) -> bool {
        let address: IpAddr = text.parse().expect("an address");
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        family.public().contains(number(address))
    }

    #[test]
    fn public_is_what_the_internet_routes() {
        for text in ["1.1.1.1", "9.255.255.255", "11.0.0.0", "20.51.10.7", "168.63.129.16", "2603:1020::1"] {
            assert!(public(text), "{text}");
        }
        for text in
            ["0.0.0.1", "10.1.0.4", "100.64.0.1", "172.31.0.1", "255.255.255.255", "fd00::1", "2001:db8::1"]
        {
            assert!(!public(text), "{text}");
        }
    }

    #[test]
    fn host_bits_are_cleared() {
        let net = net("10.1.2.3/16").expect("a prefix");
        let expected = (number("10.1.0.0".parse().expect("a")), number("10.1.255.255".parse().expect("a")));
        assert_eq!(addresses(Family::V4, &[net]).iter().collect::<Vec<_>>(), [expected]);
        assert!(addresses(Family::V6, &[net]).is_empty());
    }
}
