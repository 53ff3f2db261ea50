//! The suite's journal: keeps the last durable record, loses the component at a given note, stops after another.

use fractal_core::reconcile::{Journal, NoteError, Record};
use serde::Serialize;
use serde_json::Value;

use super::harness::Harness;

/// When a pass is interrupted. Notes are counted over all passes, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    Never,
    /// Another agent has the component when this note is made.
    LostAt(usize),
    /// The agent shuts down once so many notes are made.
    StopAfter(usize),
}

/// What survives the agent.
pub(super) struct Diary<'a, H> {
    cloud: &'a H,
    interrupt: Interrupt,
    /// The last record that was made durable, in the form it is stored in.
    pub(super) durable: Value,
    /// Where the ledger stood at each note, the refused one last.
    pub(super) marks: Vec<u64>,
    /// Whether the component was lost.
    pub(super) lost: bool,
}

impl<'a, H: Harness> Diary<'a, H> {
    pub(super) fn new(cloud: &'a H, durable: Value, interrupt: Interrupt) -> Self {
        Self {
            cloud,
            interrupt,
            durable,
            marks: Vec::new(),
            lost: false,
        }
    }

    /// The end of a pass: what the pass learnt becomes durable with its outcome.
    pub(super) fn settle<L: Serialize, M: Serialize>(&mut self, record: &Record<L, M>) {
        if !self.lost {
            self.durable = stored(record);
        }
    }
}

impl<H: Harness, L: Serialize + Sync, M: Serialize + Sync> Journal<L, M> for Diary<'_, H> {
    async fn note(&mut self, record: &Record<L, M>) -> Result<(), NoteError> {
        self.marks.push(self.cloud.mark());
        self.lost = self.lost || self.interrupt == Interrupt::LostAt(self.marks.len());
        if self.lost {
            return Err(NoteError::Lost);
        }
        self.durable = stored(record);
        Ok(())
    }

    fn stopping(&self) -> bool {
        matches!(self.interrupt, Interrupt::StopAfter(notes) if self.marks.len() >= notes)
    }
}

/// A record that has no JSON form becomes null, which no agent can start from: the clause at hand fails.
fn stored<L: Serialize, M: Serialize>(record: &Record<L, M>) -> Value {
    serde_json::to_value(record).unwrap_or_default()
}
