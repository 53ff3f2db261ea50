//! How a visit ends: status, record and due time, in one write.

use std::sync::Arc;
use std::time::Duration;

use fractal_core::artifact::{Digest, Facts};
use fractal_core::contract::ComponentId;
use fractal_core::reconcile::{Artifact, End, Notice, Outputs, PassReport, Platform};
use fractal_core::status::{ArtifactStatus, Condition, ConditionStatus, ConditionType, Status};
use fractal_core::{Class, Fault, Timestamp};
use fractal_queue::{Claim, NextDue, Outcome, QueueError, Record, Settlement};

use super::verdict::{HandBack, Pace, Verdict};
use super::{Resolved, Visit, Worker};
use crate::journal;

/// What ended a visit before the cloud was reached.
pub(crate) enum Look {
    /// A dependency is not ready.
    Waiting { on: ComponentId, why: String },
    /// Something is wrong with the component or its artifact.
    Faulty(Fault, Option<Box<Resolved>>),
}

/// How a visit ended.
pub(crate) enum Ended<P: Platform> {
    /// Before the cloud was reached.
    Early(Box<Look>),
    /// With a pass.
    Passed {
        report: Box<PassReport<P::Place, P::Memo>>,
        artifact: Option<(Resolved, Arc<Facts>)>,
    },
}

/// What a settlement says besides the verdict.
#[derive(Default)]
struct Known {
    artifact: Option<(Resolved, Option<Arc<Facts>>)>,
    outputs: Option<Outputs>,
    notices: Option<Vec<Notice>>,
    record: Option<Record>,
}

impl<P: Platform> Worker<P> {
    pub(super) async fn settle(
        &self,
        claim: Claim,
        ended: Ended<P>,
        took: Duration,
    ) -> Result<Visit, QueueError> {
        let judged = match ended {
            Ended::Early(look) => Ok(self.early(*look, &claim)),
            Ended::Passed { report, artifact } => self.passed(*report, artifact, &claim),
        };
        let (verdict, mut known) = match judged {
            Ok(judged) => judged,
            Err(HandBack::Lost) => return Ok(lost()),
            Err(HandBack::Stopped) => {
                return self.queue.release(claim).await.map(|()| Visit::Settled);
            }
        };
        self.tell(&verdict, took);
        let settlement = Settlement {
            status: self.status(&claim, &verdict, &mut known),
            record: known.record,
            due: verdict.due,
            outcome: verdict.outcome,
        };
        match self.queue.settle(claim, settlement).await {
            Err(QueueError::Lost { .. }) => Ok(lost()),
            other => other.map(|()| Visit::Settled),
        }
    }

    fn early(&self, look: Look, claim: &Claim) -> (Verdict, Known) {
        match look {
            Look::Waiting { on, why } => {
                tracing::info!(dependency = %on, "waiting for a dependency");
                (Verdict::dependency(why, self.pace(claim)), Known::default())
            }
            Look::Faulty(fault, artifact) => {
                let reached = artifact.as_ref().map(|_| ConditionType::Resolved);
                let artifact = artifact.map(|artifact| (*artifact, None));
                let known = Known {
                    artifact,
                    ..Known::default()
                };
                (Verdict::faulty(fault, reached, self.pace(claim)), known)
            }
        }
    }

    fn passed(
        &self,
        report: PassReport<P::Place, P::Memo>,
        artifact: Option<(Resolved, Arc<Facts>)>,
        claim: &Claim,
    ) -> Result<(Verdict, Known), HandBack> {
        let outputs = match &report.end {
            End::Ready(outputs) => Some(outputs.clone()),
            _ => None,
        };
        let verdict =
            Verdict::of_pass(report.end, &report.steps, report.in_sync, self.pace(claim))?;
        let known = Known {
            artifact: artifact.map(|(artifact, facts)| (artifact, Some(facts))),
            outputs,
            notices: Some(report.notices),
            record: journal::store(&report.record).ok(),
        };
        Ok((verdict, known))
    }

    fn pace(&self, claim: &Claim) -> Pace {
        let document = claim.document();
        let waiting = document.status.waiting_since;
        // Time spent blocked says nothing of how long an operation takes.
        let since = waiting.filter(|_| document.status.fault.is_none());
        let now = self.now().unix_millis();
        let waited = since.map_or(0, |since| now.saturating_sub(since.unix_millis()));
        Pace {
            interval: self.settings.interval,
            attempts: failures(claim),
            waited: Duration::from_millis(waited),
            jitter: fastrand::f64(),
        }
    }

    fn status(&self, claim: &Claim, verdict: &Verdict, known: &mut Known) -> Status {
        let (now, generation) = (self.now(), claim.generation());
        let mut status = claim.document().status.clone();
        let is_new = status.observed_generation != generation;
        let is_running = verdict.outcome == Outcome::InSync;
        let goes_on = !is_new && status.fault.is_some() == verdict.fault.is_some();
        status.observed_generation = generation;
        set_conditions(&mut status, verdict, generation, now);
        if let Some((artifact, facts)) = known.artifact.take() {
            status.artifact = Some(artifact_status(&status, artifact, facts, is_running));
        }
        status.outputs = known.outputs.take().unwrap_or(status.outputs);
        status.notices = known.notices.take().unwrap_or(status.notices);
        status.fault.clone_from(&verdict.fault);
        status.attempts = match verdict.outcome {
            Outcome::Failed => failures(claim),
            Outcome::InSync | Outcome::Waiting | Outcome::Gone => 0,
        };
        status.waiting_since = match status.waiting_since {
            _ if is_running => None,
            Some(since) if goes_on => Some(since),
            _ => Some(now),
        };
        status.next_attempt = next_attempt(verdict, now);
        status.agent = format!("{} {}", self.metrics.agent(), env!("CARGO_PKG_VERSION"));
        status
    }

    fn now(&self) -> Timestamp {
        self.queue.clock().wall()
    }

    fn tell(&self, verdict: &Verdict, took: Duration) {
        let outcome = format!("{:?}", verdict.outcome);
        let reason = verdict
            .fault
            .as_ref()
            .map_or("", |fault| fault.reason.as_str());
        self.metrics.reconciled(&outcome, reason, took);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match &verdict.fault {
            None => tracing::info!(outcome, took_ms, "reconciled"),
            Some(fault) if fault.class == Class::Terminal => {
                tracing::error!(outcome, took_ms, reason, class = "Terminal", fault = %fault, "reconcile failed");
            }
            Some(fault) => {
                tracing::warn!(outcome, took_ms, reason, class = fault.class.as_str(), fault = %fault, "reconcile failed");
            }
        }
    }
}

fn lost() -> Visit {
    tracing::warn!("claim lost to another agent");
    Visit::Again(Duration::from_secs(1))
}

/// Failed visits in a row on this generation, this one included. The queue's count is another: it begins anew at each note, which
/// comes before its step, so that a step that always fails would be tried again without ever a longer pause.
fn failures(claim: &Claim) -> u32 {
    let status = &claim.document().status;
    if status.observed_generation == claim.generation() {
        status.attempts.saturating_add(1)
    } else {
        1
    }
}

fn set_conditions(status: &mut Status, verdict: &Verdict, generation: u64, now: Timestamp) {
    for shown in verdict.conditions() {
        let holds = shown.status == ConditionStatus::True;
        let fault = verdict.fault.as_ref().filter(|_| !holds);
        status.set(Condition {
            kind: shown.kind,
            status: shown.status,
            reason: shown.reason,
            message: shown.message,
            next: fault.and_then(|fault| fault.next.clone()),
            observed_generation: generation,
            since: now,
        });
    }
}

fn artifact_status(
    status: &Status,
    resolved: Resolved,
    facts: Option<Arc<Facts>>,
    is_running: bool,
) -> ArtifactStatus {
    let before = status
        .artifact
        .as_ref()
        .and_then(|known| known.running.clone());
    let beside = resolved.pinned_beside();
    let artifact = resolved.target;
    ArtifactStatus {
        beside,
        coordinates: resolved.coordinates,
        image: facts.and_then(|facts| image_of(&facts, &artifact)),
        running: if is_running {
            Some(artifact.digest.clone())
        } else {
            before
        },
        reference: artifact.reference,
        desired: artifact.digest,
    }
}

/// Of an index, the image that is deployed.
fn image_of(facts: &Facts, artifact: &Artifact) -> Option<Digest> {
    match facts {
        Facts::Image(image) if image.manifest != artifact.digest => Some(image.manifest.clone()),
        _ => None,
    }
}

fn next_attempt(verdict: &Verdict, now: Timestamp) -> Option<Timestamp> {
    let fault = verdict.fault.as_ref();
    if verdict.outcome == Outcome::InSync
        || fault.is_some_and(|fault| fault.class == Class::Terminal)
    {
        return None;
    }
    match verdict.due {
        NextDue::At(at) => Some(at),
        NextDue::In(pause) => {
            Some(now.plus_millis(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)))
        }
        NextDue::WhenWoken => None,
    }
}
