//! One place: rounds of observe, plan and apply, each step noted before it is carried out.

use super::super::content::Content;
use super::super::inputs::Inputs;
use super::super::plan::{Effect, Plan, Step};
use super::super::platform::{At, Notice, Owner, Platform};
use super::super::record::Record;
use super::{
    Applied, Consent, End, Journal, NOT_CONVERGING, NoteError, REPLACE_NEEDS_CONSENT, SETTLING,
    may_pass,
};
use crate::fault::Fault;
use crate::fingerprint::Fingerprint;

/// Most rounds of one pass: no platform needs more steps one after the other.
const ROUNDS_MAX: u32 = 16;
/// How often the same plan may be carried out without effect before nobody believes in it any more.
const REPEATS_MAX: u32 = 4;

/// A pass under way.
pub(super) struct Converging<'a, P: Platform, J> {
    pub(super) platform: &'a P,
    pub(super) owner: &'a Owner,
    pub(super) consent: Consent,
    pub(super) journal: &'a mut J,
    pub(super) content: &'a dyn Content,
    pub(super) record: Record<P::Place, P::Memo>,
    /// What is wanted was made from these; their secrets appear in no fault.
    pub(super) inputs: Option<&'a Inputs>,
    pub(super) steps: Vec<Applied>,
    pub(super) notices: Vec<Notice>,
    pub(super) in_sync: bool,
}

/// What is wanted at a place, and the fingerprint of what that was made from.
pub(super) struct Aim<P: Platform> {
    pub(super) desired: P::Desired,
    pub(super) fingerprint: Fingerprint,
}

/// A place whose plan is empty.
pub(super) struct Converged<P: Platform> {
    pub(super) observed: P::Observed,
    pub(super) at: At<P::Place, P::Memo>,
}

impl<P: Platform, J: Journal<P::Place, P::Memo>> Converging<'_, P, J> {
    pub(super) async fn converge(
        &mut self,
        place: &P::Place,
        aim: Option<&Aim<P>>,
    ) -> Result<Converged<P>, End> {
        let desired = aim.map(|aim| &aim.desired);
        let mut applied_here = None;
        for _ in 0..ROUNDS_MAX {
            let mut at = At {
                owner: self.owner.clone(),
                place: place.clone(),
                memo: self.record.memo(place),
            };
            let observed = self
                .platform
                .observe(&at, desired)
                .await
                .map_err(|error| End::Fault(self.fault(error, place)))?;
            P::learn(&mut at.memo, desired, &observed);
            self.keep(&at);
            match P::plan(&at, desired, &observed) {
                Err(error) => return Err(self.refused(&mut at, error)),
                Ok(Plan::Wait(reason)) => return Err(End::Wait(reason)),
                Ok(Plan::InSync) => {
                    self.record.unsettled = None;
                    // A record that was lost knows of nothing that is in sync: it has to be found again when that is to go.
                    if aim.is_some() {
                        self.record.remember(place, at.memo.clone());
                    }
                    return Ok(Converged { observed, at });
                }
                Ok(Plan::Apply { now, .. }) => {
                    let hash = plan_hash(place, &now, aim).map_err(super::unprintable)?;
                    self.consented(&at, &now, &hash)?;
                    if applied_here.as_ref() == Some(&hash) {
                        return Err(self.unsettled(place, hash));
                    }
                    self.carry_out(&mut at, desired, &now).await?;
                    applied_here = Some(hash);
                }
            }
        }
        Err(End::Fault(
            Fault::transient(SETTLING, format!("not in sync after {ROUNDS_MAX} rounds")).at(place),
        ))
    }

    /// What was learnt is kept only of places that are in the record already: looking at one is no reason to remember it.
    fn keep(&mut self, at: &At<P::Place, P::Memo>) {
        if self.record.knows(&at.place) {
            self.record.remember(&at.place, at.memo.clone());
        }
    }

    fn refused(&mut self, at: &mut At<P::Place, P::Memo>, error: P::Error) -> End {
        let fault = self.fault(error, &at.place);
        if may_pass(&fault) {
            P::relent(&mut at.memo);
            self.keep(at);
        }
        End::Fault(fault)
    }

    /// The very plan that was just carried out has come up again. A stale read passes; a plan that never takes does not.
    fn unsettled(&mut self, place: &P::Place, hash: Fingerprint) -> End {
        let times = match &self.record.unsettled {
            Some((known, times)) if *known == hash => times + 1,
            _ => 1,
        };
        self.record.unsettled = Some((hash, times));
        if times >= REPEATS_MAX {
            let fault = Fault::terminal(
                NOT_CONVERGING,
                format!("the same steps were carried out {times} times without effect"),
            );
            return End::Fault(fault.at(place).next("something else changes the object, or the service ignores a setting: run `plan` to see the steps"));
        }
        End::Fault(
            Fault::transient(SETTLING, "the cloud does not show the last change yet").at(place),
        )
    }

    fn consented(
        &self,
        at: &At<P::Place, P::Memo>,
        now: &[P::Step],
        hash: &Fingerprint,
    ) -> Result<(), End> {
        let Some(step) = now.iter().find(|step| step.effect() == Effect::Replace) else {
            return Ok(());
        };
        let given = match &self.consent {
            Consent::Withheld => false,
            Consent::Environment => true,
            Consent::Plan(approved) => approved == hash,
        };
        if given {
            return Ok(());
        }
        let key = &at.owner.component;
        Err(End::Fault(
            Fault::blocked(REPLACE_NEEDS_CONSENT, format!("{step} takes the running object away first"))
                .at(&at.place)
                .next(format!("allow it once with `fractal approve {key} {hash}`, or allow replacing in this environment")),
        ))
    }

    async fn carry_out(
        &mut self,
        at: &mut At<P::Place, P::Memo>,
        desired: Option<&P::Desired>,
        now: &[P::Step],
    ) -> Result<(), End> {
        for step in now {
            if self.journal.stopping() {
                return Err(End::Stopped);
            }
            P::intend(step, desired, &mut at.memo);
            self.record.remember(&at.place, at.memo.clone());
            self.record.synced = None;
            self.journal
                .note(&self.record)
                .await
                .map_err(|error| match error {
                    NoteError::Lost => End::Lost,
                    NoteError::Store(fault) => End::Fault(fault),
                })?;
            let result = self
                .platform
                .apply(at, desired, step, self.content)
                .await
                .map_err(|error| self.fault(error, &at.place));
            self.log(at, step, result.as_ref().err());
            at.memo = result.map_err(End::Fault)?;
            self.record.remember(&at.place, at.memo.clone());
        }
        Ok(())
    }

    fn log(&mut self, at: &At<P::Place, P::Memo>, step: &P::Step, fault: Option<&Fault>) {
        let applied = Applied {
            place: at.place.to_string(),
            step: step.to_string(),
            effect: step.effect(),
            fault: fault.cloned(),
        };
        self.journal.applied(&applied);
        self.steps.push(applied);
    }
}

impl<P: Platform, J> Converging<'_, P, J> {
    /// An error as a fault: it says where, and shows no secret that the cloud may have repeated.
    fn fault(&self, error: P::Error, place: &P::Place) -> Fault {
        self.shown(error.into(), place)
    }

    /// A fault that says where, without the inputs' secrets.
    pub(super) fn shown(&self, fault: Fault, place: &P::Place) -> Fault {
        let fault = match &fault.place {
            Some(_) => fault,
            None => fault.at(place),
        };
        match self.inputs {
            Some(inputs) => inputs.hide(fault),
            None => fault,
        }
    }
}

/// What someone approves: these steps at this place, for exactly this aim.
pub(super) fn plan_hash<P: Platform>(
    place: &P::Place,
    now: &[P::Step],
    aim: Option<&Aim<P>>,
) -> Result<Fingerprint, serde_json::Error> {
    Fingerprint::of(&(place, now, aim.map(|aim| &aim.fingerprint)))
}
