//! The heart of the house: the artifact contract, the canonical component model, the `Platform` trait every cloud implements,
//! and the one reconcile pass that drives it.
//!
//! Everything here is a function of its arguments.
//! No async runtime, no HTTP, no clock and no environment variable is reached from this crate: `clippy.toml` beside it refuses them.

pub mod artifact;
pub mod contract;
pub mod exit;
pub mod fault;
pub mod fingerprint;
pub mod json;
pub mod name;
pub mod reconcile;
pub mod status;
pub mod timestamp;

pub use exit::Exit;
pub use fault::{Class, Fault, Reason};
pub use fingerprint::Fingerprint;
pub use timestamp::Timestamp;
