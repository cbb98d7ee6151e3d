//! Protocols as a small set. What is none of the five that Azure names is one member, "other".

/// A set of protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols(u8);

const NAMES: [&str; 6] = ["Tcp", "Udp", "Icmp", "Esp", "Ah", "other"];

impl Protocols {
    /// TCP.
    pub const TCP: Self = Self(1);
    /// UDP.
    pub const UDP: Self = Self(1 << 1);
    /// ICMP.
    pub const ICMP: Self = Self(1 << 2);
    /// Every protocol.
    pub const ANY: Self = Self(0b11_1111);
    /// The protocols for which ports mean something.
    pub const WITH_PORTS: Self = Self(0b11);

    /// No protocol.
    pub const NONE: Self = Self(0);

    #[cfg(test)]
    pub(super) fn of_bits(bits: u8) -> Self {
        Self(bits & Self::ANY.0)
    }

    /// Reads a protocol as a rule or a question names it, without regard to case; none for one that is not
    /// known, which may be any.
    pub fn named(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" || text.eq_ignore_ascii_case("any") || text.eq_ignore_ascii_case("all") {
            return Some(Self::ANY);
        }
        let named = &NAMES[..5];
        named.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| Self(1 << at))
    }

    /// The name of the first member.
    pub fn first_name(self) -> Option<&'static str> {
        NAMES.get(usize::try_from(self.0.trailing_zeros()).ok()?).copied()
    }

    /// The members of both.
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members of either.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The members of this one that are not in the other.
    pub fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the two share a member.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
