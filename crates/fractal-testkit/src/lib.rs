//! What tests share: the conformance suite, a reference cloud with a correct agent for it, agents broken on purpose, and a lying registry.
//!
//! A dev-dependency only. It never judges an agent by what the agent says of itself: the truth is the cloud's ledger.

pub mod broken;
pub mod cluster;
pub mod conformance;
pub mod content;
pub mod liar;
pub mod logs;
pub mod reference;
pub mod registry;
pub mod tls_front;
