//! What a snapshot says of itself: its record, its state, its receipts and what it had to hold.

pub mod copy;
pub mod expected;
pub mod keep;
pub mod receipts;
pub mod record;
pub mod state;
