//! How a visit ends: status, record and due time, in one write.

use std::sync::Arc;
use std::time::Duration;

use fractal_core::artifact::Facts;
use fractal_core::contract::ComponentId;
use fractal_core::reconcile::{Artifact, End, PassReport, Platform};
use fractal_core::status::{ArtifactStatus, Condition, ConditionStatus, ConditionType, Status};
use fractal_core::{Class, Fault, Timestamp};
use fractal_queue::{Claim, NextDue, Outcome, QueueError, Settlement};

use super::{Visit, Worker};
use crate::{backoff, journal};

/// What ended a visit before the cloud was reached.
pub(crate) enum Look {
    /// A dependency is not ready.
    Waiting { on: ComponentId, why: String },
    /// Something is wrong with the component or its artifact.
    Faulty(Fault, Option<Artifact>),
}

/// How a visit ended.
pub(crate) enum Ended<P: Platform> {
    /// Before the cloud was reached.
    Early(Box<Look>),
    /// With a pass.
    Passed {
        report: Box<PassReport<P::Place, P::Memo>>,
        artifact: Option<(Artifact, Arc<Facts>)>,
    },
}

/// A settlement's parts that are a function of how the visit ended.
struct Verdict {
    conditions: [(ConditionType, ConditionStatus, String, String); 3],
    fault: Option<Fault>,
    due: NextDue,
    outcome: Outcome,
}

impl<P: Platform> Worker<P> {
    pub(super) async fn settle(
        &self,
        claim: Claim,
        ended: Ended<P>,
        took: Duration,
    ) -> Result<Visit, QueueError> {
        let (verdict, artifact, outputs, record) = match ended {
            Ended::Early(look) => {
                let (verdict, artifact) = self.early(*look, &claim);
                (
                    verdict,
                    artifact.map(|artifact| (artifact, None)),
                    None,
                    None,
                )
            }
            Ended::Passed { report, artifact } => {
                let PassReport {
                    record,
                    end,
                    in_sync,
                    ..
                } = *report;
                let stored = journal::store(&record).ok();
                let outputs = if let End::Ready(outputs) = &end {
                    Some(outputs.clone())
                } else {
                    None
                };
                match self.passed(end, in_sync, &claim) {
                    Ok(verdict) => (
                        verdict,
                        artifact.map(|(artifact, facts)| (artifact, Some(facts))),
                        outputs,
                        stored,
                    ),
                    Err(HandBack::Lost) => {
                        tracing::warn!("claim lost to another agent");
                        return Ok(Visit::Again(Duration::from_secs(1)));
                    }
                    Err(HandBack::Stopped) => {
                        return self.queue.release(claim).await.map(|()| Visit::Settled);
                    }
                }
            }
        };
        self.tell(&verdict, took);
        let status = self.status(&claim, &verdict, artifact, outputs);
        let settlement = Settlement {
            status,
            record,
            due: verdict.due,
            outcome: verdict.outcome,
        };
        match self.queue.settle(claim, settlement).await {
            Err(QueueError::Lost { .. }) => {
                tracing::warn!("claim lost to another agent");
                Ok(Visit::Again(Duration::from_secs(1)))
            }
            other => other.map(|()| Visit::Settled),
        }
    }

    fn early(&self, look: Look, claim: &Claim) -> (Verdict, Option<Artifact>) {
        match look {
            Look::Waiting { on, why } => {
                let due = NextDue::In(backoff::around(self.settings.interval, fastrand::f64()));
                let unknown = |kind| {
                    (
                        kind,
                        ConditionStatus::Unknown,
                        "DependencyNotReady".to_owned(),
                        why.clone(),
                    )
                };
                let conditions = [
                    ConditionType::Resolved,
                    ConditionType::Applied,
                    ConditionType::Ready,
                ]
                .map(unknown);
                tracing::info!(dependency = %on, "waiting for a dependency");
                (
                    Verdict {
                        conditions,
                        fault: None,
                        due,
                        outcome: Outcome::Waiting,
                    },
                    None,
                )
            }
            Look::Faulty(fault, artifact) => {
                let resolved = if artifact.is_some() {
                    ConditionStatus::True
                } else {
                    ConditionStatus::False
                };
                (
                    self.faulty(fault, resolved, claim, artifact.is_some()),
                    artifact,
                )
            }
        }
    }

    fn passed(&self, end: End, in_sync: bool, claim: &Claim) -> Result<Verdict, HandBack> {
        let applied = if in_sync {
            ConditionStatus::True
        } else {
            ConditionStatus::False
        };
        let good = |kind| {
            (
                kind,
                ConditionStatus::True,
                "AsDesired".to_owned(),
                String::new(),
            )
        };
        match end {
            End::Lost => Err(HandBack::Lost),
            End::Stopped => Err(HandBack::Stopped),
            End::Ready(_) => {
                let due = NextDue::In(backoff::around(self.settings.interval, fastrand::f64()));
                let conditions = [
                    ConditionType::Resolved,
                    ConditionType::Applied,
                    ConditionType::Ready,
                ]
                .map(good);
                Ok(Verdict {
                    conditions,
                    fault: None,
                    due,
                    outcome: Outcome::InSync,
                })
            }
            End::Absent => {
                let conditions = [
                    ConditionType::Resolved,
                    ConditionType::Applied,
                    ConditionType::Ready,
                ]
                .map(good);
                Ok(Verdict {
                    conditions,
                    fault: None,
                    due: NextDue::WhenWoken,
                    outcome: Outcome::Gone,
                })
            }
            End::Wait(reason) => {
                let waited = claim.document().status.waiting_since.map_or(0, |since| {
                    self.now().unix_millis().saturating_sub(since.unix_millis())
                });
                let due = NextDue::In(backoff::while_waiting(Duration::from_millis(waited)));
                let wait = |kind, status| {
                    (
                        kind,
                        status,
                        "OperationInProgress".to_owned(),
                        reason.clone(),
                    )
                };
                let conditions = [
                    good(ConditionType::Resolved),
                    wait(ConditionType::Applied, applied),
                    wait(ConditionType::Ready, ConditionStatus::False),
                ];
                Ok(Verdict {
                    conditions,
                    fault: None,
                    due,
                    outcome: Outcome::Waiting,
                })
            }
            End::Fault(fault) => Ok(self.faulty(fault, ConditionStatus::True, claim, true)),
        }
    }

    /// `movable`: a new digest may mend what this one cannot, so even a terminal fault is looked at again, for its tag only.
    fn faulty(
        &self,
        fault: Fault,
        resolved: ConditionStatus,
        claim: &Claim,
        movable: bool,
    ) -> Verdict {
        let pause = backoff::after_fault(fault.class, claim.document().attempts, fastrand::f64());
        let due = match pause {
            Some(pause) => NextDue::In(pause),
            None if movable => {
                NextDue::In(backoff::around(self.settings.interval, fastrand::f64()))
            }
            None => NextDue::WhenWoken,
        };
        let message = fault.to_string();
        let bad = |kind, status| (kind, status, fault.reason.to_string(), message.clone());
        let reached = if resolved == ConditionStatus::True {
            ConditionStatus::False
        } else {
            ConditionStatus::Unknown
        };
        let first = if resolved == ConditionStatus::True {
            (
                ConditionType::Resolved,
                resolved,
                "AsDesired".to_owned(),
                String::new(),
            )
        } else {
            bad(ConditionType::Resolved, resolved)
        };
        let conditions = [
            first,
            bad(ConditionType::Applied, reached),
            bad(ConditionType::Ready, ConditionStatus::False),
        ];
        Verdict {
            conditions,
            fault: Some(fault),
            due,
            outcome: Outcome::Failed,
        }
    }

    fn status(
        &self,
        claim: &Claim,
        verdict: &Verdict,
        artifact: Option<(Artifact, Option<Arc<Facts>>)>,
        outputs: Option<fractal_core::reconcile::Outputs>,
    ) -> Status {
        let now = self.now();
        let generation = claim.generation();
        let mut status = claim.document().status.clone();
        let waiting = verdict.outcome != Outcome::InSync;
        let new = status.observed_generation != generation;
        status.observed_generation = generation;
        for (kind, condition, reason, message) in &verdict.conditions {
            let next = verdict
                .fault
                .as_ref()
                .filter(|_| *condition != ConditionStatus::True)
                .and_then(|fault| fault.next.clone());
            let (reason, message) = (reason.clone(), message.clone());
            status.set(Condition {
                kind: *kind,
                status: *condition,
                reason,
                message,
                next,
                observed_generation: generation,
                since: now,
            });
        }
        if let Some((artifact, facts)) = artifact {
            let running = status.artifact.take().and_then(|known| known.running);
            let running = if waiting {
                running
            } else {
                Some(artifact.digest.clone())
            };
            let image = facts.and_then(|facts| image_of(&facts, &artifact));
            status.artifact = Some(ArtifactStatus {
                reference: artifact.reference,
                desired: artifact.digest,
                image,
                running,
            });
        }
        status.outputs = outputs.unwrap_or(status.outputs);
        status.fault.clone_from(&verdict.fault);
        status.attempts = if verdict.outcome == Outcome::Failed {
            claim.document().attempts
        } else {
            0
        };
        status.waiting_since = if !waiting {
            None
        } else if new {
            Some(now)
        } else {
            status.waiting_since.or(Some(now))
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
            Some(fault) => match fault.class {
                Class::Terminal => {
                    tracing::error!(outcome, took_ms, reason, class = "Terminal", fault = %fault, "reconcile failed")
                }
                class => {
                    tracing::warn!(outcome, took_ms, reason, class = class.as_str(), fault = %fault, "reconcile failed")
                }
            },
        }
    }
}

/// Why nothing is settled.
enum HandBack {
    Lost,
    Stopped,
}

fn next_attempt(verdict: &Verdict, now: Timestamp) -> Option<Timestamp> {
    if verdict.outcome == Outcome::InSync {
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

/// Of an index, the image that is deployed.
fn image_of(facts: &Facts, artifact: &Artifact) -> Option<fractal_core::artifact::Digest> {
    match facts {
        Facts::Image(image) if image.manifest != artifact.digest => Some(image.manifest.clone()),
        _ => None,
    }
}
