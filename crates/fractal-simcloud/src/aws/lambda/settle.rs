//! When writes settle and reads are stale. Counted in memory: a restart begins counting again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::function::Function;
use crate::config::Settling;

pub(super) struct Watches {
    settling: Settling,
    state: Mutex<HashMap<String, Watch>>,
}

#[derive(Default)]
struct Watch {
    reads: u32,
    stale: u32,
    previous: Option<Function>,
}

/// What a read sees.
pub(super) enum Sight {
    /// The state as it is; `settles` when this read is the first to see the write finished.
    Now { settles: bool },
    /// What was there before the last write.
    Before(Option<Box<Function>>),
}

impl Watches {
    pub(super) fn new(settling: Settling) -> Self {
        Self {
            settling,
            state: Mutex::default(),
        }
    }

    /// Notes a write, and how many reads still see what was there before it.
    pub(super) fn wrote(&self, key: &str, previous: Option<Function>, stale: u32) {
        let previous = if stale > 0 { previous } else { None };
        self.with(|state| {
            state.insert(
                key.to_owned(),
                Watch {
                    reads: 0,
                    stale,
                    previous,
                },
            )
        });
    }

    /// Counts one read of a function.
    pub(super) fn read(&self, key: &str, function: Option<&Function>, now_ms: u64) -> Sight {
        self.with(|state| {
            let watch = state.entry(key.to_owned()).or_default();
            if let Some(left) = watch.stale.checked_sub(1) {
                watch.stale = left;
                return Sight::Before(watch.previous.clone().map(Box::new));
            }
            let in_progress = function.filter(|function| function.in_progress());
            let by_reads = self
                .settling
                .reads
                .is_some_and(|reads| watch.reads >= reads);
            let settles =
                in_progress.is_some_and(|function| by_reads || self.by_time(function, now_ms));
            watch.reads = watch.reads.saturating_add(u32::from(in_progress.is_some()));
            Sight::Now { settles }
        })
    }

    /// Takes one stale read of a function in a list, if one is left.
    pub(super) fn listed(&self, key: &str) -> Option<Option<Function>> {
        self.with(|state| {
            let watch = state.get_mut(key)?;
            watch.stale = watch.stale.checked_sub(1)?;
            Some(watch.previous.clone())
        })
    }

    /// Functions that are to be seen in a list although they are gone.
    pub(super) fn deleted(&self, prefix: &str) -> Vec<String> {
        let stale = |watch: &Watch| watch.stale > 0 && watch.previous.is_some();
        self.with(|state| {
            state
                .iter()
                .filter(|(key, watch)| key.starts_with(prefix) && stale(watch))
                .map(|(key, _)| key.clone())
                .collect()
        })
    }

    pub(super) fn by_time(&self, function: &Function, now_ms: u64) -> bool {
        let age = now_ms.saturating_sub(function.written_ms);
        function.in_progress() && self.settling.milliseconds.is_some_and(|limit| age >= limit)
    }

    fn with<T>(&self, f: impl FnOnce(&mut HashMap<String, Watch>) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
