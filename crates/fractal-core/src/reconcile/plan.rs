//! Plans: what is to be done, as values.

use std::fmt::{Debug, Display};

use serde::Serialize;

use crate::fault::Fault;

/// One visible effect on a cloud.
pub trait Step: Debug + Display + Serialize + PartialEq + Clone + Send + Sync {
    /// What kind of effect it is.
    fn effect(&self) -> Effect;

    /// What changes in detail, a line each, for people who ask.
    fn details(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Kinds of effect. What an operator allows is said in these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Effect {
    /// Puts bytes where the target will read them; changes nothing that runs.
    Stage,
    /// Makes an object.
    Create,
    /// Changes an object in place.
    Update,
    /// Takes an object away to make it anew: what runs stops in between.
    Replace,
    /// Takes an object away.
    Delete,
}

/// What stands between observed and desired.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan<S> {
    /// Nothing.
    InSync,
    /// An operation of the cloud's own: look again later.
    Wait(String),
    /// These steps.
    Apply {
        /// To be done now, in this order. Never empty.
        now: Vec<S>,
        /// What will follow, for people: not known as values yet.
        later: Vec<String>,
    },
}

impl<S> Plan<S> {
    /// A plan of one step.
    #[must_use]
    pub fn step(step: S) -> Self {
        Self::Apply {
            now: vec![step],
            later: Vec::new(),
        }
    }

    /// A plan of these steps; in sync when there are none.
    #[must_use]
    pub fn steps(now: Vec<S>) -> Self {
        if now.is_empty() {
            Self::InSync
        } else {
            Self::Apply {
                now,
                later: Vec::new(),
            }
        }
    }
}

/// Whether what is in sync also runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It runs.
    Ready,
    /// It is starting.
    Progressing(String),
    /// It does not run, and will not by itself.
    Failed(Box<Fault>),
}
