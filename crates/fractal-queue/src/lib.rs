//! The control-plane queue: a small document store, its SQLite engine, and the queue's rules once above it.
//!
//! Agents and control plane share nothing else. Work is keys, never payloads: what is desired is read when a key is taken,
//! so that late, repeated and reordered messages are harmless.
//! This crate knows no cloud, no artifact and no record's inside; time is passed in through [`Clock`].

pub mod clock;
mod document;
mod error;
pub mod intake;
mod queue;
pub mod store;
mod url;

pub use clock::{Clock, ManualClock, SystemClock};
pub use document::agent::{Environments, Presence, Scope};
pub use document::ask::{Ask, Question};
pub use document::component::{
    ComponentDocument, DEATHS_ALONE_MAX, DEATHS_SHARED_MAX, LeaseState, Record, SetAside, Wake,
};
pub use document::live_system::{Entry, LiveSystemDocument};
pub use error::{CLAIM_LOST, DOCUMENT_UNREADABLE, QueueError};
pub use queue::Queue;
pub use queue::agenda::{Agenda, Due};
pub use queue::changes::{Event, Events};
pub use queue::claim::{Claim, Company, Desired, Refusal, Take, Tenure};
pub use queue::gate::{DependencyOutputs, Gate};
pub use queue::presence::{Agent, NO_AGENT_FOR_OFFER};
pub use queue::settle::{NextDue, Outcome, Settlement};
pub use queue::sweep::Sweeper;
pub use queue::view::{ComponentView, LiveSystemView, SET_ASIDE};
pub use queue::wake::Selector;
pub use url::{QueueUrl, QueueUrlError};
