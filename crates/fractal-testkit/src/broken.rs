//! Agents that are broken on purpose, one way each: what shows that the suite can fail, and at which clause.
//!
//! Each is the correct agent of [`crate::reference`] with one flaw around it; see [`Flaw`].

mod agent;
mod flaw;
mod harness;

pub use agent::Broken;
pub use flaw::Flaw;
pub use harness::BrokenCloud;
