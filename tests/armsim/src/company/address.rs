//! IPv4 address plans: a block and its parts.

use std::fmt;
use std::net::Ipv4Addr;

/// An IPv4 prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    base: u32,
    bits: u32,
}

impl Block {
    /// The prefix at that address; bits behind the prefix length are cleared.
    pub fn new(base: [u8; 4], bits: u32) -> Self {
        let bits = bits.min(32);
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or_default();
        Self { base: u32::from_be_bytes(base) & mask, bits }
    }

    /// `10.second.0.0/16`.
    pub const fn wide(second: u8) -> Self {
        Self { base: (10 << 24) | ((second as u32) << 16), bits: 16 }
    }

    /// The n-th of the prefixes of that length inside.
    pub fn part(self, bits: u32, n: u32) -> Self {
        Self { base: self.base + (n << (32 - bits)), bits }
    }

    /// The n-th quarter.
    pub fn quarter(self, n: u32) -> Self {
        self.part(self.bits + 2, n)
    }

    /// The n-th address; Azure keeps 0 to 3 of a subnet for itself.
    pub fn address(self, n: u32) -> String {
        Ipv4Addr::from(self.base + n).to_string()
    }

    /// A public address that goes with the block: no other block has it.
    pub fn public_address(self, last: u8) -> String {
        let [_, second, third, _] = self.base.to_be_bytes();
        Ipv4Addr::new(20, second, third, last).to_string()
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::Block;

    #[test]
    fn a_block_falls_into_quarters() {
        let block = Block::new([10, 10, 0, 0], 16);
        assert_eq!(block.quarter(3).to_string(), "10.10.192.0/18");
        assert_eq!(block.quarter(0).part(26, 1).to_string(), "10.10.0.64/26");
        assert_eq!(block.quarter(1).address(4), "10.10.64.4");
    }
}
