//! A component, and passes over it by hand.

use std::time::{Duration, Instant};

use caas_agent::{Config, Kubernetes, Memo, Place};
use fractal_core::Class;
use fractal_core::reconcile::{
    Consent, End, Goal, Inputs, Journal, NoContent, NoteError, Owner, PassReport, Preview, Record,
    Rollout, Task, preview, reconcile,
};
use serde_json::Value;

/// A component, with what an agent remembers of it.
pub(crate) struct Component {
    pub(crate) inputs: Inputs,
    pub(crate) owner: Owner,
    pub(crate) config: Config,
    pub(crate) rollout: Rollout,
    pub(crate) record: Record<Place, Memo>,
    pub(crate) consent: Consent,
}

pub(crate) type Report = PassReport<Place, Memo>;

impl Component {
    /// Sets parameters anew.
    pub(crate) fn set(&mut self, parameters: Value) {
        self.inputs.parameters = serde_json::from_value(parameters).unwrap();
    }

    /// One pass towards being there.
    pub(crate) async fn pass(&mut self, agent: &Kubernetes) -> Report {
        let goal = Goal::Present {
            inputs: &self.inputs,
            rollout: &self.rollout,
        };
        let report = run(
            agent,
            &self.owner,
            &self.config,
            goal,
            self.record.clone(),
            self.consent.clone(),
        )
        .await;
        self.record = report.record.clone();
        report
    }

    /// One pass towards being gone.
    pub(crate) async fn remove(&mut self, agent: &Kubernetes) -> Report {
        let report = run(
            agent,
            &self.owner,
            &self.config,
            Goal::Absent,
            self.record.clone(),
            self.consent.clone(),
        )
        .await;
        self.record = report.record.clone();
        report
    }

    /// Passes until `done` says so of one; panics with the last one's end where it never does.
    pub(crate) async fn until(
        &mut self,
        agent: &Kubernetes,
        done: impl Fn(&Report) -> bool,
    ) -> Report {
        let began = Instant::now();
        loop {
            let report = self.pass(agent).await;
            if done(&report) {
                return report;
            }
            let hopeless =
                matches!(&report.end, End::Fault(fault) if fault.class == Class::Terminal);
            assert!(!hopeless, "{:?} after {:?}", report.end, report.steps);
            assert!(
                began.elapsed().as_secs() < 60,
                "{:?} after {:?}",
                report.end,
                report.steps
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Passes until it runs.
    pub(crate) async fn ready(&mut self, agent: &Kubernetes) -> Report {
        self.until(agent, |report| matches!(report.end, End::Ready(_)))
            .await
    }

    /// Passes until nothing is left.
    pub(crate) async fn gone(&mut self, agent: &Kubernetes) {
        let began = Instant::now();
        loop {
            let report = self.remove(agent).await;
            if report.end == End::Absent {
                return;
            }
            assert!(
                began.elapsed().as_secs() < 60,
                "{:?} after {:?}",
                report.end,
                report.steps
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn preview(&self, agent: &Kubernetes) -> Result<Preview, fractal_core::Fault> {
        let goal = Goal::Present {
            inputs: &self.inputs,
            rollout: &self.rollout,
        };
        let task = Task {
            owner: &self.owner,
            config: &self.config,
            goal,
            record: self.record.clone(),
            consent: Consent::Withheld,
        };
        Box::pin(preview(agent, &task)).await
    }
}

/// The fault a pass ended with.
pub(crate) fn fault(report: &Report) -> &fractal_core::Fault {
    match &report.end {
        End::Fault(fault) => fault,
        end => panic!("no fault: {end:?} after {:?}", report.steps),
    }
}

async fn run(
    agent: &Kubernetes,
    owner: &Owner,
    config: &Config,
    goal: Goal<'_>,
    record: Record<Place, Memo>,
    consent: Consent,
) -> Report {
    let task = Task {
        owner,
        config,
        goal,
        record,
        consent,
    };
    Box::pin(reconcile(agent, task, &mut Memory, &NoContent)).await
}

/// A journal that always takes notes: what it is told is in the report too.
struct Memory;

impl Journal<Place, Memo> for Memory {
    async fn note(&mut self, _: &Record<Place, Memo>) -> Result<(), NoteError> {
        Ok(())
    }

    fn stopping(&self) -> bool {
        false
    }
}
