//! The one pass: desired, observe, plan, apply, observe again; until the plan is empty.
//!
//! It decides when a place is written, left alone or taken away. It has no clock: how long to wait is the caller's business.

use std::future::Future;

use serde::Serialize;

use super::content::Content;
use super::inputs::{Inputs, Outputs, Rollout};
use super::plan::{Effect, Health, Plan, Step};
use super::platform::{At, Notice, Owner, Platform, fingerprint};
use super::record::{Record, Synced};
use crate::fault::{Class, Fault, Reason};
use crate::fingerprint::Fingerprint;

mod place;
use place::{Aim, Converged, Converging};

/// A plan was carried out several times and still is not empty.
pub const NOT_CONVERGING: Reason = Reason::new("NotConverging");
/// The cloud does not show what was just written.
pub const SETTLING: Reason = Reason::new("Settling");
/// A change cannot be made in place, and nobody allowed to replace the object.
pub const REPLACE_NEEDS_CONSENT: Reason = Reason::new("ReplaceNeedsConsent");

/// One component's pass.
pub struct Task<'a, P: Platform> {
    /// Whose objects these are.
    pub owner: &'a Owner,
    /// The agent's static settings.
    pub config: &'a P::Config,
    /// What is wanted.
    pub goal: Goal<'a>,
    /// What is remembered.
    pub record: Record<P::Place, P::Memo>,
    /// Whether objects may be replaced.
    pub consent: Consent,
}

/// What is wanted of a component.
#[derive(Debug, Clone, Copy)]
pub enum Goal<'a> {
    /// That it is there.
    Present {
        /// Its inputs.
        inputs: &'a Inputs,
        /// What is to run.
        rollout: &'a Rollout,
    },
    /// That nothing of it is left. Needs no readable specification.
    Absent,
}

/// Whether what cannot be changed in place may be taken away and made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// Nobody said so.
    Withheld,
    /// The operator allows it in this environment.
    Environment,
    /// Someone approved exactly this plan.
    Plan(Fingerprint),
}

/// Where the pass writes down what it is about to do.
pub trait Journal<L, M>: Send {
    /// Makes the record durable, and proves that the component is still ours to change.
    fn note(&mut self, record: &Record<L, M>)
    -> impl Future<Output = Result<(), NoteError>> + Send;

    /// Whether the agent is shutting down: no further step is begun then.
    fn stopping(&self) -> bool;

    /// Told of each step as it ends, for logs and metrics.
    fn applied(&mut self, _step: &Applied) {}
}

/// Why a note could not be made. No step follows without its note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteError {
    /// Another agent has the component now.
    Lost,
    /// The store did not answer.
    Store(Fault),
}

/// A step that was carried out or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Where.
    pub place: String,
    /// What, for people.
    pub step: String,
    /// Its kind of effect.
    pub effect: Effect,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everything is as desired, and it runs.
    Ready(Outputs),
    /// Nothing is left.
    Absent,
    /// The cloud is busy with it: look again soon.
    Wait(String),
    /// Something stands in the way.
    Fault(Fault),
    /// Another agent has the component now.
    Lost,
    /// The agent is shutting down.
    Stopped,
}

/// What a pass did, and what is to be remembered.
#[derive(Debug)]
pub struct PassReport<L, M> {
    /// The record after the pass.
    pub record: Record<L, M>,
    /// Whether what is wanted has been applied, healthy or not.
    pub in_sync: bool,
    /// Steps in the order they were carried out.
    pub steps: Vec<Applied>,
    /// What people should know of what is wanted.
    pub notices: Vec<Notice>,
    /// How it ended.
    pub end: End,
}

/// Brings one component to its goal, as far as it goes without waiting.
pub async fn reconcile<P: Platform>(
    platform: &P,
    task: Task<'_, P>,
    journal: &mut impl Journal<P::Place, P::Memo>,
    content: &dyn Content,
) -> PassReport<P::Place, P::Memo> {
    let Task {
        owner,
        config,
        goal,
        record,
        consent,
    } = task;
    let mut pass = Converging {
        platform,
        owner,
        consent,
        journal,
        content,
        record,
        inputs: None,
        steps: Vec::new(),
        notices: Vec::new(),
        in_sync: false,
    };
    let ended = match goal {
        Goal::Absent => clear(&mut pass, None).await.map(|()| End::Absent),
        Goal::Present { inputs, rollout } => {
            pass.inputs = Some(inputs);
            present(&mut pass, config, inputs, rollout).await
        }
    };
    PassReport {
        record: pass.record,
        in_sync: pass.in_sync,
        steps: pass.steps,
        notices: pass.notices,
        end: ended.unwrap_or_else(|stop| stop),
    }
}

async fn present<P: Platform, J: Journal<P::Place, P::Memo>>(
    pass: &mut Converging<'_, P, J>,
    config: &P::Config,
    inputs: &Inputs,
    rollout: &Rollout,
) -> Result<End, End> {
    let fingerprint =
        fingerprint::<P>(config, inputs, &rollout.artifacts()).map_err(unprintable)?;
    let ended = match aim(pass, config, inputs, rollout, fingerprint.clone()) {
        Ok((place, aim)) => {
            pass.notices = P::notices(&aim.desired);
            settle(pass, &place, &aim, rollout).await
        }
        Err(end) => Err(end),
    };
    let hopeless = matches!(&ended, Err(End::Fault(fault)) if !may_pass(fault));
    pass.record.rejected = hopeless.then_some(fingerprint);
    ended.map(End::Ready)
}

fn aim<P: Platform, J: Journal<P::Place, P::Memo>>(
    pass: &Converging<'_, P, J>,
    config: &P::Config,
    inputs: &Inputs,
    rollout: &Rollout,
    fingerprint: Fingerprint,
) -> Result<(P::Place, Aim<P>), End> {
    let fault = |error: P::Error| End::Fault(inputs.hide(error.into()));
    let place = P::place(config, inputs, pass.owner).map_err(fault)?;
    let desired = P::desired(config, &place, inputs, rollout).map_err(fault)?;
    Ok((
        place,
        Aim {
            desired,
            fingerprint,
        },
    ))
}

async fn settle<P: Platform, J: Journal<P::Place, P::Memo>>(
    pass: &mut Converging<'_, P, J>,
    place: &P::Place,
    aim: &Aim<P>,
    rollout: &Rollout,
) -> Result<Outputs, End> {
    let Converged { observed, at } = pass.converge(place, Some(aim)).await?;
    pass.record.synced = Some(Synced {
        fingerprint: aim.fingerprint.clone(),
        stamp: P::stamp(&observed),
    });
    pass.in_sync = true;
    match P::report(&at, &aim.desired, &observed) {
        (Health::Ready, outputs) => {
            pass.record.stable = Some(rollout.target.artifact.digest.clone());
            // The old place goes only once the new one runs.
            clear(pass, Some(place)).await?;
            Ok(outputs)
        }
        (Health::Progressing(reason), _) => Err(End::Wait(reason)),
        (Health::Failed(fault), _) => Err(End::Fault(unhealthy(pass, *fault, place, rollout))),
    }
}

/// Says where, hides secrets that an application may have logged, and names the release to go back to.
fn unhealthy<P: Platform, J>(
    pass: &Converging<'_, P, J>,
    fault: Fault,
    place: &P::Place,
    rollout: &Rollout,
) -> Fault {
    let mut fault = pass.shown(fault, place);
    let stable = pass.record.stable.as_ref();
    if let Some(stable) = stable.filter(|stable| **stable != rollout.target.artifact.digest) {
        let next = fault.next.take();
        let first = next.map(|next| format!("{next}; ")).unwrap_or_default();
        fault = fault.next(format!("{first}the last release that ran is {stable}"));
    }
    fault
}

/// Takes away every remembered place but `keep`. One that fails does not keep the others.
async fn clear<P: Platform, J: Journal<P::Place, P::Memo>>(
    pass: &mut Converging<'_, P, J>,
    keep: Option<&P::Place>,
) -> Result<(), End> {
    let places: Vec<P::Place> = pass
        .record
        .places
        .iter()
        .map(|(place, _)| place.clone())
        .filter(|place| Some(place) != keep)
        .collect();
    let mut first = Ok(());
    for place in places {
        match pass.converge(&place, None).await {
            Ok(_) => pass.record.forget(&place),
            Err(end @ (End::Lost | End::Stopped)) => return Err(end),
            Err(end) => first = first.and(Err(end)),
        }
    }
    first
}

fn unprintable(error: serde_json::Error) -> End {
    End::Fault(internal(&error))
}

fn internal(error: &serde_json::Error) -> Fault {
    Fault::terminal(Reason::new("Internal"), "the inputs have no canonical form").because(error)
}

/// What a pass would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Steps that would be carried out first.
    pub now: Vec<Planned>,
    /// What would follow, for people.
    pub later: Vec<String>,
    /// Why it would wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// What people should know of what is wanted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// What someone approves who allows the plan's replacements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Fingerprint>,
}

/// A step that would be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// Where.
    pub place: String,
    /// What, for people.
    pub step: String,
    /// Its kind of effect.
    pub effect: Effect,
    /// What changes in detail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// Says what [`reconcile`] would do next. Reads the cloud; changes nothing.
///
/// # Errors
/// Where the pass would end in a fault before its first step.
pub async fn preview<P: Platform>(platform: &P, task: &Task<'_, P>) -> Result<Preview, Fault> {
    let mut preview = Preview {
        now: Vec::new(),
        later: Vec::new(),
        wait: None,
        notices: Vec::new(),
        approval: None,
    };
    let mut keep = None;
    if let Goal::Present { inputs, rollout } = task.goal {
        let fault = |error: P::Error| inputs.hide(error.into());
        let place = P::place(task.config, inputs, task.owner).map_err(fault)?;
        let desired = P::desired(task.config, &place, inputs, rollout).map_err(fault)?;
        preview.notices = P::notices(&desired);
        let fingerprint = fingerprint::<P>(task.config, inputs, &rollout.artifacts());
        let fingerprint = fingerprint.map_err(|error| internal(&error))?;
        let aim = Aim {
            desired,
            fingerprint,
        };
        let looked = look(platform, task, &place, Some(&aim), &mut preview).await;
        looked.map_err(fault)?;
        keep = Some(place);
    }
    let places = task.record.places.iter().map(|(place, _)| place);
    for place in places.filter(|place| Some(*place) != keep.as_ref()) {
        let looked = look(platform, task, place, None, &mut preview).await;
        looked.map_err(Into::into)?;
    }
    Ok(preview)
}

async fn look<P: Platform>(
    platform: &P,
    task: &Task<'_, P>,
    place: &P::Place,
    aim: Option<&Aim<P>>,
    preview: &mut Preview,
) -> Result<(), P::Error> {
    let desired = aim.map(|aim| &aim.desired);
    let mut at = At {
        owner: task.owner.clone(),
        place: place.clone(),
        memo: task.record.memo(place),
    };
    let observed = platform.observe(&at, desired).await?;
    P::learn(&mut at.memo, desired, &observed);
    match P::plan(&at, desired, &observed)? {
        Plan::InSync => {}
        Plan::Wait(reason) => preview.wait = Some(reason),
        Plan::Apply { now, later } => {
            if now.iter().any(|step| step.effect() == Effect::Replace) {
                preview.approval = place::plan_hash(place, &now, aim).ok();
            }
            preview.now.extend(now.iter().map(|step| Planned {
                place: place.to_string(),
                step: step.to_string(),
                effect: step.effect(),
                details: step.details(),
            }));
            preview.later.extend(later);
        }
    }
    Ok(())
}

/// Whether a fault is one that trying again may mend.
const fn may_pass(fault: &Fault) -> bool {
    !matches!(fault.class, Class::Terminal)
}
