//! The programs themselves, as processes: killed, stopped, misled and read out. What one crate can show alone is tested there.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod agreement;
mod demo;
mod faults;
mod image;
mod kill;
mod logs;
mod rows;
mod signals;
mod support;
