//! The correct agent with a flaw around it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fractal_core::reconcile::{
    At, Content, Finding, Grant, Health, Inputs, Needs, Outputs, Owner, Plan, Platform, Rollout,
};
use fractal_core::{Class, Fault};
use serde::Serialize;

use super::flaw::Flaw;
use crate::reference::{self, Memo, Operation, Place, Reference, Seen, Step};

/// Settings, with the flaw that pure code shows.
#[derive(Debug, Clone, Serialize)]
pub struct Config {
    pub(super) flaw: Flaw,
    pub(super) inner: reference::Config,
}

/// The object wanted, by an agent with a flaw.
#[derive(Debug, Clone)]
pub struct Desired {
    flaw: Flaw,
    inner: reference::Desired,
}

/// What an agent with a flaw sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    flaw: Flaw,
    inner: reference::Observed,
    /// What the process remembers to have staged.
    staged_by_process: BTreeSet<String>,
}

/// What can go wrong, as a flaw tells it.
#[derive(Debug)]
pub struct Failure(Flaw, reference::Failure);

/// An agent that is broken in one way.
#[derive(Debug)]
pub struct Broken {
    flaw: Flaw,
    inner: Reference,
    process: Mutex<Process>,
}

/// What dies with the process.
#[derive(Debug, Default)]
struct Process {
    zone: Option<String>,
    known: BTreeSet<Place>,
    staged: BTreeSet<String>,
}

impl Broken {
    pub(super) fn new(flaw: Flaw, inner: Reference) -> Self {
        Self {
            flaw,
            inner,
            process: Mutex::default(),
        }
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the flaw keeps the agent from seeing what is at a place.
    fn is_blind(&self, place: &Place, wanted: bool) -> bool {
        let mut process = self.process();
        if wanted {
            process.zone = Some(place.zone.clone());
            process.known.insert(place.clone());
        }
        match self.flaw {
            Flaw::DeletesKnownOnly => !process.known.contains(place),
            Flaw::OneZoneClient => process
                .zone
                .as_ref()
                .is_some_and(|zone| *zone != place.zone),
            _ => false,
        }
    }

    fn failed(&self, failure: reference::Failure) -> Failure {
        Failure(self.flaw, failure)
    }

    /// What the flaw does beside the step.
    async fn beside(&self, step: &Step, memo: &mut Memo) -> Result<(), Failure> {
        match (self.flaw, step) {
            (Flaw::TwoWritesAtOnce, Step::Mark { .. }) => {
                for key in &memo.staged {
                    self.inner
                        .unstage(key)
                        .await
                        .map_err(|error| self.failed(error))?;
                }
            }
            (Flaw::StagedAfterwards | Flaw::RemembersInProcess, Step::Stage { key }) => {
                memo.staged.insert(key.clone());
            }
            (Flaw::RemembersInProcess, Step::Unstage { key }) => {
                self.process().staged.remove(key);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Platform for Broken {
    const OFFERS: &'static [&'static str] = Reference::OFFERS;
    const REVISION: u32 = 1;
    const GRANTS: &'static [Grant] = Reference::GRANTS;

    type Config = Config;
    type Place = Place;
    type Memo = Memo;
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Error = Failure;

    fn provider(config: &Config) -> &str {
        Reference::provider(&config.inner)
    }

    fn place(config: &Config, inputs: &Inputs, owner: &Owner) -> Result<Place, Failure> {
        Reference::place(&config.inner, inputs, owner).map_err(|error| Failure(config.flaw, error))
    }

    fn needs(config: &Config, inputs: &Inputs) -> Result<Needs, Failure> {
        Reference::needs(&config.inner, inputs).map_err(|error| Failure(config.flaw, error))
    }

    fn desired(
        config: &Config,
        place: &Place,
        inputs: &Inputs,
        rollout: &Rollout,
    ) -> Result<Desired, Failure> {
        let flaw = config.flaw;
        let inner = if flaw == Flaw::LetsCloudRefuse {
            Reference::unchecked(inputs, rollout)
        } else {
            Reference::desired(&config.inner, place, inputs, rollout)
        };
        inner
            .map(|inner| Desired { flaw, inner })
            .map_err(|error| Failure(flaw, error))
    }

    async fn observe(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
    ) -> Result<Observed, Failure> {
        let blind = self.is_blind(&at.place, desired.is_some());
        let inner = self
            .inner
            .observe(at, desired.map(|desired| &desired.inner))
            .await;
        let mut inner = match inner {
            Err(reference::Failure::Call(_)) if self.flaw == Flaw::ReadErrorIsAbsence => {
                reference::Observed {
                    object: None,
                    staged: false,
                }
            }
            other => other.map_err(|error| self.failed(error))?,
        };
        if blind {
            inner.object = None;
        }
        if let (Flaw::WritesWhileReading, Some(object)) = (self.flaw, &inner.object) {
            self.inner.mark_again(&at.place, object).await;
        }
        Ok(Observed {
            flaw: self.flaw,
            inner,
            staged_by_process: self.process().staged.clone(),
        })
    }

    fn plan(
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
        observed: &Observed,
    ) -> Result<Plan<Step>, Failure> {
        let flaw = observed.flaw;
        let (mut at, mut observed) = (at.clone(), observed.inner.clone());
        let desired = desired.map(|desired| &desired.inner);
        if let Some(object) = &mut observed.object {
            misread(flaw, &mut at, desired, object);
        }
        let plan =
            Reference::plan(&at, desired, &observed).map_err(|error| Failure(flaw, error))?;
        Ok(misplan(flaw, desired.is_some(), &observed, plan))
    }

    async fn apply(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
        step: &Step,
        content: &dyn Content,
    ) -> Result<Memo, Failure> {
        if let (Flaw::RemembersInProcess, Step::Stage { key }) = (self.flaw, step) {
            self.process().staged.insert(key.clone());
        }
        let inner = desired.map(|desired| &desired.inner);
        let memo = self.inner.apply(at, inner, step, content).await;
        let mut memo = memo.map_err(|error| self.failed(error))?;
        let settles = matches!(
            step,
            Step::Create | Step::Settings { .. } | Step::Code { .. }
        );
        if self.flaw == Flaw::OwnsAfterwards && settles {
            let names = inner
                .into_iter()
                .flat_map(|desired| desired.settings.keys());
            memo.owned.extend(names.cloned());
        }
        self.beside(step, &mut memo).await?;
        Ok(memo)
    }

    fn report(at: &At<Place, Memo>, desired: &Desired, observed: &Observed) -> (Health, Outputs) {
        Reference::report(at, &desired.inner, &observed.inner)
    }

    fn intend(step: &Step, desired: Option<&Desired>, memo: &mut Memo) {
        let before = memo.clone();
        Reference::intend(step, desired.map(|desired| &desired.inner), memo);
        match desired.map(|desired| desired.flaw) {
            Some(Flaw::StagedAfterwards | Flaw::RemembersInProcess) => memo.staged = before.staged,
            Some(Flaw::OwnsAfterwards) => memo.owned = before.owned,
            Some(Flaw::BelievesAbsence) => memo.unseen = 0,
            _ => {}
        }
    }

    fn learn(memo: &mut Memo, desired: Option<&Desired>, observed: &Observed) {
        Reference::learn(memo, desired.map(|desired| &desired.inner), &observed.inner);
        memo.staged
            .extend(observed.staged_by_process.iter().cloned());
    }

    fn relent(memo: &mut Memo) {
        Reference::relent(memo);
    }

    fn lane(place: &Place) -> String {
        Reference::lane(place)
    }

    async fn preflight(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// What the flaw reads into the object before anything is planned.
fn misread(
    flaw: Flaw,
    at: &mut At<Place, Memo>,
    desired: Option<&reference::Desired>,
    object: &mut Seen,
) {
    let found = object.latest.settings.keys();
    match (flaw, desired) {
        (Flaw::KeepsDropped, _) => at.memo.owned.clear(),
        (Flaw::DropsForeign, _) => at.memo.owned.extend(found.cloned()),
        (Flaw::TrustsMarker, Some(desired)) if object.digest.as_ref() == Some(&desired.digest) => {
            object.latest.code.clone_from(&desired.code);
        }
        (Flaw::TrustsMemory, Some(desired)) if at.memo.attempt == Some(desired.attempt()) => {
            object.latest.settings.extend(desired.settings.clone());
        }
        (Flaw::ReadySoon, _) if object.operation == Operation::Running => {
            object.operation = Operation::Done;
        }
        (Flaw::WritesWhileBusy, Some(desired)) if object.operation == Operation::Running => {
            let found = &object.latest.settings;
            let mut wanted = desired.settings.iter();
            let differs = object.latest.code != desired.code
                || wanted.any(|(name, value)| found.get(name) != Some(value));
            if differs {
                object.operation = Operation::Done;
            }
        }
        (Flaw::ForgetsFailure, _) => at.memo.attempt = None,
        (Flaw::AdoptsOthers, _) => {
            let hash = at.owner.component.hash();
            if object
                .owner
                .as_ref()
                .is_some_and(|owner| owner.ends_with(&hash))
            {
                object.owner = Some(at.owner.marker());
            }
        }
        (Flaw::DeletesForeign, None) => object.owner = Some(at.owner.marker()),
        _ => {}
    }
}

/// What the flaw makes of a plan.
fn misplan(
    flaw: Flaw,
    wanted: bool,
    observed: &reference::Observed,
    plan: Plan<Step>,
) -> Plan<Step> {
    let Plan::Apply { mut now, later } = plan else {
        return plan;
    };
    match flaw {
        Flaw::PlansNothing => return Plan::InSync,
        Flaw::NeverDeletes if !wanted => return Plan::InSync,
        Flaw::RecreatesForSettings if matches!(now.as_slice(), [Step::Settings { .. }]) => {
            now = vec![Step::Delete];
        }
        Flaw::SettingsWithCode if matches!(now.first(), Some(Step::Mark { .. })) => {
            let settings = observed
                .object
                .as_ref()
                .map(|object| object.latest.settings.clone());
            now.push(Step::Settings {
                settings: settings.unwrap_or_default(),
            });
        }
        _ => {}
    }
    Plan::Apply { now, later }
}

impl From<Failure> for Fault {
    fn from(Failure(flaw, failure): Failure) -> Self {
        let failure = match failure {
            reference::Failure::Late(_) if flaw == Flaw::HidesReason => {
                reference::Failure::Late("it failed".to_owned())
            }
            other => other,
        };
        let mut fault: Self = failure.into();
        let passes = Class::Transient { retry_after: None };
        match (flaw, fault.class) {
            (Flaw::ErrorsAreFinal, Class::Transient { retry_after: None }) => {
                fault.class = Class::Terminal;
            }
            (Flaw::DropsRetryAfter, Class::Transient { .. }) => fault.class = passes,
            (Flaw::ForbiddenIsTransient, Class::Blocked)
                if fault.reason.as_str() == "PermissionDenied" =>
            {
                fault.class = passes;
            }
            (Flaw::NamesNoPermission, Class::Blocked) => fault.next = None,
            _ => {}
        }
        fault
    }
}
