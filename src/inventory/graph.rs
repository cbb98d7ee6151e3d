//! x
/// x
pub struct Inventory;
