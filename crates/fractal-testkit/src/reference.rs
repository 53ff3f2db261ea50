//! A small cloud in memory, and a correct agent for it: what the suite itself is tested with, and what a new agent can be read against.
//!
//! The cloud has what makes real ones hard: operations that take their time and can fail late, stale reads, lost answers, and bytes
//! that are staged before an object refers to them. It speaks no wire protocol.

mod agent;
mod api;
mod cloud;
mod harness;
mod plan;

pub use agent::{Config, Desired, Failure, Memo, Observed, Place, Reference};
pub use cloud::{Cloud, Operation, Seen, Version};
pub use harness::ReferenceCloud;
pub use plan::Step;
