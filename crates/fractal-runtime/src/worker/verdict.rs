//! What a visit comes to: how far it got, what stands in the way, and when to look again. Pure; the clock's and the dice's word is passed in.

use std::time::Duration;

use fractal_core::Fault;
use fractal_core::reconcile::{Applied, Effect, End};
use fractal_core::status::{ConditionStatus, ConditionType};
use fractal_queue::{NextDue, Outcome};

use crate::backoff;

/// The conditions, in the order in which they come true.
const ORDER: [ConditionType; 4] = [
    ConditionType::Resolved,
    ConditionType::Staged,
    ConditionType::Applied,
    ConditionType::Ready,
];

/// What pauses depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// How often a component in sync is looked at.
    pub(super) interval: Duration,
    /// Failed attempts in a row, this one included.
    pub(super) attempts: u32,
    /// How long the component has been waiting or failing.
    pub(super) waited: Duration,
    /// Drawn evenly from 0 to 1.
    pub(super) jitter: f64,
}

/// What a visit comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    /// The last condition that holds.
    reached: Option<ConditionType>,
    reason: String,
    message: String,
    pub(super) fault: Option<Fault>,
    pub(super) due: NextDue,
    pub(super) outcome: Outcome,
}

/// One condition as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) kind: ConditionType,
    pub(super) status: ConditionStatus,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Verdict {
    /// A dependency is not ready.
    pub(super) fn dependency(why: String, pace: Pace) -> Self {
        let due = NextDue::In(backoff::around(pace.interval, pace.jitter));
        Self {
            reached: None,
            reason: "DependencyNotReady".to_owned(),
            message: why,
            fault: None,
            due,
            outcome: Outcome::Waiting,
        }
    }

    /// Something stands in the way.
    ///
    /// Once the artifact is known, even a terminal fault is looked at again: another digest under its tag may mend it.
    pub(super) fn faulty(fault: Fault, reached: Option<ConditionType>, pace: Pace) -> Self {
        let due = match backoff::after_fault(fault.class, pace.attempts, pace.jitter) {
            Some(pause) => NextDue::In(pause),
            None if reached.is_some() => NextDue::In(backoff::around(pace.interval, pace.jitter)),
            None => NextDue::WhenWoken,
        };
        Self {
            reached,
            reason: fault.reason.to_string(),
            message: fault.to_string(),
            fault: Some(fault),
            due,
            outcome: Outcome::Failed,
        }
    }

    /// How a pass ended; `None` where the claim is not ours to settle.
    pub(super) fn of_pass(
        end: End,
        steps: &[Applied],
        in_sync: bool,
        pace: Pace,
    ) -> Result<Self, HandBack> {
        let reached = reached(steps, in_sync);
        let (outcome, due) = match end {
            End::Lost => return Err(HandBack::Lost),
            End::Stopped => return Err(HandBack::Stopped),
            End::Fault(fault) => return Ok(Self::faulty(fault, Some(reached), pace)),
            End::Wait(reason) => return Ok(Self::busy(reason, reached, pace)),
            End::Ready(_) => (
                Outcome::InSync,
                NextDue::In(backoff::around(pace.interval, pace.jitter)),
            ),
            End::Absent => (Outcome::Gone, NextDue::WhenWoken),
        };
        Ok(Self {
            reached: Some(ConditionType::Ready),
            reason: String::new(),
            message: String::new(),
            fault: None,
            due,
            outcome,
        })
    }

    fn busy(reason: String, reached: ConditionType, pace: Pace) -> Self {
        Self {
            reached: Some(reached),
            reason: "OperationInProgress".to_owned(),
            message: reason,
            fault: None,
            due: NextDue::In(backoff::while_waiting(pace.waited)),
            outcome: Outcome::Waiting,
        }
    }

    /// All conditions: those reached hold, the next one does not, and what comes after is unknown; what is not ready is never unknown.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Shown> {
        let next = ORDER.into_iter().find(|kind| Some(*kind) > self.reached);
        ORDER.into_iter().map(move |kind| {
            if Some(kind) <= self.reached {
                return Shown {
                    kind,
                    status: ConditionStatus::True,
                    reason: "AsDesired".to_owned(),
                    message: String::new(),
                };
            }
            let is_false = Some(kind) == next || kind == ConditionType::Ready;
            Shown {
                kind,
                status: if is_false {
                    ConditionStatus::False
                } else {
                    ConditionStatus::Unknown
                },
                reason: self.reason.clone(),
                message: self.message.clone(),
            }
        })
    }
}

/// Why nothing is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandBack {
    /// Another agent has the claim.
    Lost,
    /// The agent is shutting down.
    Stopped,
}

/// How far a pass got: staging counts as done once something that needs it was tried.
fn reached(steps: &[Applied], in_sync: bool) -> ConditionType {
    match steps.last() {
        _ if in_sync => ConditionType::Applied,
        Some(step) if step.effect != Effect::Stage || step.fault.is_none() => ConditionType::Staged,
        _ => ConditionType::Resolved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fractal_core::Reason;

    const PACE: Pace = Pace {
        interval: Duration::from_secs(30),
        attempts: 1,
        waited: Duration::ZERO,
        jitter: 1.0,
    };

    fn shown(verdict: &Verdict) -> String {
        let letter = |shown: Shown| match shown.status {
            ConditionStatus::True => 'T',
            ConditionStatus::False => 'F',
            ConditionStatus::Unknown => '?',
        };
        verdict.conditions().map(letter).collect()
    }

    fn step(effect: Effect, fault: Option<Fault>) -> Applied {
        Applied {
            place: "here".into(),
            step: "do it".into(),
            effect,
            fault,
        }
    }

    #[test]
    fn conditions_come_true_in_order() {
        let fault = || Fault::blocked(Reason::new("Denied"), "denied");
        let pass = |end, steps: &[Applied], in_sync| {
            shown(&Verdict::of_pass(end, steps, in_sync, PACE).unwrap())
        };
        let failed = |effect| [step(effect, Some(fault()))];
        assert_eq!(shown(&Verdict::dependency("b".into(), PACE)), "F??F");
        assert_eq!(shown(&Verdict::faulty(fault(), None, PACE)), "F??F");
        assert_eq!(pass(End::Fault(fault()), &[], false), "TF?F");
        assert_eq!(
            pass(End::Fault(fault()), &failed(Effect::Stage), false),
            "TF?F"
        );
        assert_eq!(
            pass(End::Fault(fault()), &failed(Effect::Create), false),
            "TTFF"
        );
        assert_eq!(
            pass(
                End::Wait("busy".into()),
                &[step(Effect::Create, None)],
                false
            ),
            "TTFF"
        );
        assert_eq!(pass(End::Wait("starting".into()), &[], true), "TTTF");
        assert_eq!(pass(End::Ready(Default::default()), &[], true), "TTTT");
    }

    #[test]
    fn a_terminal_fault_is_looked_at_again_only_once_the_artifact_is_known() {
        let fault = || Fault::terminal(Reason::new("Wrong"), "wrong");
        let unknown = Verdict::faulty(fault(), None, PACE);
        assert_eq!(unknown.due, NextDue::WhenWoken);
        let known = Verdict::faulty(fault(), Some(ConditionType::Resolved), PACE);
        assert_eq!(known.due, NextDue::In(Duration::from_millis(31_500)));
    }

    #[test]
    fn what_is_not_ours_is_not_settled() {
        let hand_back = |end| Verdict::of_pass(end, &[], false, PACE).unwrap_err();
        assert_eq!(hand_back(End::Lost), HandBack::Lost);
        assert_eq!(hand_back(End::Stopped), HandBack::Stopped);
    }
}
