//! Claims: one worker at a time, fenced by a token that no other claim ever has.
//!
//! Leases need no common clock. A challenger takes over only what it has itself watched standing still for the lease's length.

use std::time::Duration;

use fractal_core::contract::{Component, ComponentKey};

use crate::document::component::{ComponentDocument, Wake};
use crate::error::QueueError;
use crate::store::Revision;

/// Whether the worker has other claims in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// It has, or may have soon.
    Shared,
    /// It has none, and takes none until this one is settled.
    Alone,
}

/// How a worker wants to hold a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// The process: its presence's id, unique per process.
    pub holder: String,
    /// How long a claim may stand still before another worker takes it. Longer than the longest cloud call.
    pub length: Duration,
    /// What else the worker does.
    pub company: Company,
}

/// What a worker has to bring about.
#[derive(Debug, Clone, PartialEq)]
pub enum Desired {
    /// The component as this body says.
    Present(Box<Component>),
    /// Nothing.
    Absent,
    /// The body cannot be read, which keeps nobody from removing the component.
    Unreadable(String),
}

/// The right to work on one component, until it is settled, released or lost.
#[derive(Debug)]
pub struct Claim {
    pub(super) key: ComponentKey,
    pub(super) token: u64,
    pub(super) generation: u64,
    pub(super) revision: Revision,
    pub(super) document: ComponentDocument,
    pub(super) renewed: Duration,
    pub(super) length: Duration,
    pub(super) desired: Desired,
}

/// Why there is no claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such component any more.
    Gone,
    /// Another generation is desired than the one asked for.
    Generation {
        /// The one that is.
        found: u64,
    },
    /// Another worker holds it.
    Leased {
        /// The worker.
        holder: String,
        /// When to try again at the earliest, if it stands still until then.
        wait: Duration,
    },
    /// It killed workers: the next one must have nothing else in flight.
    MustBeAlone,
    /// It killed too many: it has to be woken or changed first.
    SetAside,
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Take {
    /// It is ours.
    Claimed(Box<Claim>),
    /// It is not.
    Refused(Refusal),
}

impl Claim {
    /// The component.
    #[must_use]
    pub const fn key(&self) -> &ComponentKey {
        &self.key
    }

    /// The fencing token: grows from claim to claim.
    #[must_use]
    pub const fn token(&self) -> u64 {
        self.token
    }

    /// The generation it was claimed at, which is the one being worked on.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The document, as of our last write.
    #[must_use]
    pub const fn document(&self) -> &ComponentDocument {
        &self.document
    }

    /// What has to be brought about.
    #[must_use]
    pub const fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Whether the worker before died, so that its last call may still be under way: a full pass has to run.
    #[must_use]
    pub const fn takeover(&self) -> bool {
        self.document.taken_over
    }

    /// The wake-ups it answers.
    #[must_use]
    pub fn wakes(&self) -> &[Wake] {
        &self.document.wakes
    }

    /// Whether something newer is desired, as far as our last write saw.
    #[must_use]
    pub const fn superseded(&self) -> bool {
        self.document.generation != self.generation
    }

    /// For how long nobody else can have taken it over, at `now` on the queue's monotonic clock. A call must end within.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> Duration {
        self.length.saturating_sub(now.saturating_sub(self.renewed))
    }

    pub(super) fn holds(&self, document: &ComponentDocument) -> bool {
        let ours = self
            .document
            .lease
            .as_ref()
            .map(|lease| lease.holder.as_str());
        document
            .lease
            .as_ref()
            .is_some_and(|lease| lease.token == self.token && Some(lease.holder.as_str()) == ours)
    }

    pub(super) fn lost(&self) -> QueueError {
        QueueError::Lost {
            component: self.key.to_string(),
        }
    }
}
