//! The queue's rules, on the SQLite engine and a clock that moves by hand. Nothing here sleeps to wait.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod agendas;
mod crashes;
mod flow;
mod gates;
mod processes;
mod random;
mod rig;
mod rows;
mod scale;
mod taking_in;
