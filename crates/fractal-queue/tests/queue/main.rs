//! The queue's rules, on the SQLite engine and a clock that moves by hand. Nothing here sleeps to wait.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod crashes;
mod flow;
mod gates;
mod random;
mod rig;
mod rows;
mod taking_in;
