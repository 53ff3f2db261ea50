//! The pass's journal: a fenced note in the queue before each step, and its log line after.

use fractal_core::Fault;
use fractal_core::reconcile::{Applied, Journal, NoteError, Record};
use fractal_queue::{Claim, Queue, QueueError, Record as Stored};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::stop::Stop;
use crate::telemetry::metrics::Metrics;

/// Form of the records written by this release. One release back reads it.
const SCHEMA: u32 = 1;

/// A journal on a claim that is renewed elsewhere meanwhile.
pub(crate) struct ClaimJournal<'a> {
    pub(crate) queue: &'a Queue,
    pub(crate) claim: &'a Mutex<Claim>,
    pub(crate) stop: &'a Stop,
    pub(crate) metrics: &'a Metrics,
}

impl<L: Serialize + Sync, M: Serialize + Sync> Journal<L, M> for ClaimJournal<'_> {
    async fn note(&mut self, record: &Record<L, M>) -> Result<(), NoteError> {
        let stored = store(record).map_err(NoteError::Store)?;
        let mut claim = self.claim.lock().await;
        self.queue
            .note(&mut claim, stored)
            .await
            .map_err(|error| match error {
                QueueError::Lost { .. } => NoteError::Lost,
                other => NoteError::Store(Fault::from(&other)),
            })
    }

    fn stopping(&self) -> bool {
        self.stop.is_stopping()
    }

    fn applied(&mut self, step: &Applied) {
        self.metrics.step(step.effect, step.fault.as_ref());
        match &step.fault {
            None => {
                tracing::info!(place = %step.place, step = %step.step, effect = ?step.effect, "step applied")
            }
            Some(fault) => {
                tracing::warn!(place = %step.place, step = %step.step, effect = ?step.effect, reason = %fault.reason, fault = %fault, "step failed");
            }
        }
    }
}

/// A record as the queue keeps it.
pub(crate) fn store<L: Serialize, M: Serialize>(record: &Record<L, M>) -> Result<Stored, Fault> {
    let value = serde_json::to_value(record)
        .map_err(|error| internal("the record has no JSON form", &error))?;
    Ok(Stored {
        schema: SCHEMA,
        value,
    })
}

/// A record from the queue. One that a newer release wrote is left alone rather than misread.
pub(crate) fn load<L: DeserializeOwned, M: DeserializeOwned>(
    stored: Option<&Stored>,
) -> Result<Record<L, M>, Fault> {
    let Some(stored) = stored else {
        return Ok(Record::default());
    };
    if stored.schema > SCHEMA {
        let fault = Fault::blocked(
            fractal_core::Reason::new("RecordTooNew"),
            format!(
                "the record has schema {}, this agent reads up to {SCHEMA}",
                stored.schema
            ),
        );
        return Err(fault.next("upgrade this agent"));
    }
    serde_json::from_value(stored.value.clone())
        .map_err(|error| internal("the record cannot be read", &error))
}

fn internal(what: &str, error: &serde_json::Error) -> Fault {
    Fault::blocked(fractal_core::Reason::new("RecordUnreadable"), what)
        .because(error)
        .next("report this as a bug; nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h12_a_newer_record_is_left_alone() {
        let stored = Stored {
            schema: SCHEMA + 1,
            value: serde_json::json!({"places": []}),
        };
        let fault = load::<String, String>(Some(&stored)).unwrap_err();
        assert_eq!(fault.reason.as_str(), "RecordTooNew");
    }
}
