//! The two ends of a question, cut by where their addresses may live.

use super::bounds::Bounds;
use super::family::Family;
use super::operand::World;
use super::packets::Addresses;
use crate::inventory::{Code, Reason};

/// One end of the question's packets: a part of it, and what is given of it.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) addresses: Addresses,
    /// The piece is about addresses in `VirtualNetwork`, wherever that is.
    pub(super) in_vnet: bool,
    /// The piece is about the addresses of this unread tag.
    pub(super) tag: Option<String>,
    /// Why these packets may not be part of the question; none if they certainly are.
    pub(super) doubt: Option<Reason>,
}

impl Piece {
    /// A part that is certainly asked about.
    pub(super) fn sure(addresses: Addresses) -> Self {
        Self { addresses, in_vnet: false, tag: None, doubt: None }
    }
}

/// A part of an end, with the worlds that its addresses may live in.
pub(super) struct Region<'a> {
    pub(super) addresses: Addresses,
    pub(super) worlds: Vec<World>,
    pub(super) piece: &'a Piece,
    pub(super) doubts: Vec<Reason>,
    /// Why the piece's condition may not hold here; empty if it does.
    pub(super) condition_doubts: Vec<Reason>,
}

const VNET: World = World { vnet: true, internet: false };
const INTERNET: World = World { vnet: false, internet: true };
const BOTH: World = World { vnet: true, internet: true };
const NEITHER: World = World { vnet: false, internet: false };

/// Cuts an end by where its addresses may live.
pub(super) fn regions<'a>(family: Family, vnet: &Bounds, pieces: &'a [Piece]) -> Vec<Region<'a>> {
    let public = family.public();
    let mut regions = Vec::new();
    for piece in pieces {
        let inside = piece.addresses.intersection(&vnet.lower);
        let rest = piece.addresses.difference(&vnet.lower);
        let perhaps = rest.intersection(&vnet.upper);
        let outside = rest.difference(&vnet.upper);
        let of_vnet = &vnet.doubts;
        let reserved = vec![Reason::new(
            Code::Undecidable,
            "whether `Internet` holds private and reserved addresses outside the VNet is not documented",
        )];
        let mut add = |addresses: Addresses, worlds: &[World], doubts: Vec<Reason>, perhaps: bool| {
            let worlds: Vec<World> =
                worlds.iter().copied().filter(|world| world.vnet || !piece.in_vnet).collect();
            if !addresses.is_empty() && !worlds.is_empty() {
                let condition_doubts =
                    if piece.in_vnet && perhaps { vnet.doubts.clone() } else { Vec::new() };
                regions.push(Region { addresses, worlds, piece, doubts, condition_doubts });
            }
        };
        add(inside, &[VNET], Vec::new(), false);
        add(perhaps.intersection(&public), &[VNET, INTERNET, BOTH], of_vnet.clone(), true);
        let either = [of_vnet.as_slice(), &reserved].concat();
        add(perhaps.difference(&public), &[VNET, INTERNET, BOTH, NEITHER], either, true);
        add(outside.intersection(&public), &[INTERNET], Vec::new(), false);
        add(outside.difference(&public), &[INTERNET, NEITHER], reserved, false);
    }
    regions
}
