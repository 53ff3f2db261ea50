//! What tests of agents share: the conformance suite, a reference cloud with a correct agent for it, and agents broken on purpose.
//!
//! A dev-dependency only. It never judges an agent by what the agent says of itself: the truth is the cloud's ledger.

pub mod broken;
pub mod cluster;
pub mod conformance;
pub mod content;
pub mod logs;
pub mod reference;
