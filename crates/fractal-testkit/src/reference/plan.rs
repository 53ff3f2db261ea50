//! What stands between the object that is there and the one that is wanted.

use std::collections::BTreeMap;
use std::fmt;

use fractal_core::reconcile::{self, At, Effect, Plan};
use serde::Serialize;

use super::agent::{Desired, Failure, Memo, Observed, Place};
use super::cloud::{Operation, Seen};

/// One visible effect.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "step")]
pub enum Step {
    /// Puts the bytes where the cloud reads them.
    Stage {
        /// Where.
        key: String,
    },
    /// Makes the object, both markers included.
    Create,
    /// Changes settings to all of these, foreign ones included.
    Settings {
        /// What they become.
        settings: BTreeMap<String, String>,
    },
    /// Changes what runs.
    Code {
        /// The staged bytes.
        key: String,
    },
    /// Writes the digest marker.
    Mark {
        /// The digest.
        digest: String,
    },
    /// Deletes the object.
    Delete,
    /// Deletes staged bytes.
    Unstage {
        /// Where.
        key: String,
    },
}

impl reconcile::Step for Step {
    fn effect(&self) -> Effect {
        match self {
            Self::Stage { .. } => Effect::Stage,
            Self::Create => Effect::Create,
            Self::Settings { .. } | Self::Code { .. } | Self::Mark { .. } => Effect::Update,
            Self::Delete | Self::Unstage { .. } => Effect::Delete,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

type Here = At<Place, Memo>;

pub(super) fn plan(
    at: &Here,
    desired: Option<&Desired>,
    observed: &Observed,
) -> Result<Plan<Step>, Failure> {
    match (desired, &observed.object) {
        (None, None) if at.memo.unseen > 0 => {
            Ok(Plan::Wait("what was just made may not be visible".into()))
        }
        (None, Some(object)) if is_ours(at, object) => Ok(Plan::step(Step::Delete)),
        (None, _) => Ok(Plan::steps(unstage(at).collect())),
        (Some(desired), None) => {
            let mut now = stage(at, desired, observed);
            now.push(Step::Create);
            Ok(Plan::steps(now))
        }
        (Some(_), Some(object)) if !is_ours(at, object) => Err(Failure::Foreign),
        (Some(desired), Some(object)) => change(at, desired, object, observed),
    }
}

pub(crate) fn is_ours(at: &Here, object: &Seen) -> bool {
    object.owner.as_deref() == Some(at.owner.marker().as_str())
}

fn change(
    at: &Here,
    desired: &Desired,
    object: &Seen,
    observed: &Observed,
) -> Result<Plan<Step>, Failure> {
    let tried = at.memo.attempt.as_deref() == Some(desired.attempt().as_str());
    match &object.operation {
        Operation::Running => return Ok(Plan::Wait("the cloud is busy with the object".into())),
        Operation::CreateFailed(why) | Operation::UpdateFailed(why) if tried => {
            return Err(Failure::Late(why.clone()));
        }
        Operation::CreateFailed(_) => return Ok(Plan::step(Step::Delete)),
        Operation::UpdateFailed(_) | Operation::Done => {}
    }
    // After a failed update the object shows what was asked for and runs what was there before: everything is written anew.
    let failed = object.operation != Operation::Done;
    let settings = settings(at, desired, object);
    if settings != object.latest.settings {
        return Ok(Plan::step(Step::Settings { settings }));
    }
    if failed || object.latest.code != desired.code {
        let mut now = stage(at, desired, observed);
        now.push(Step::Code {
            key: desired.key(&at.place),
        });
        return Ok(Plan::steps(now));
    }
    let marked = object.digest.as_ref() == Some(&desired.digest);
    let mark = (!marked).then(|| Step::Mark {
        digest: desired.digest.clone(),
    });
    Ok(Plan::steps(mark.into_iter().chain(unstage(at)).collect()))
}

/// Others' settings stay, ours become what is desired.
fn settings(at: &Here, desired: &Desired, object: &Seen) -> BTreeMap<String, String> {
    let foreign = object.latest.settings.iter();
    let mut settings: BTreeMap<_, _> = foreign
        .filter(|(name, _)| !at.memo.owned.contains(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    settings.extend(desired.settings.clone());
    settings
}

fn stage(at: &Here, desired: &Desired, observed: &Observed) -> Vec<Step> {
    let stage = (!observed.staged).then(|| Step::Stage {
        key: desired.key(&at.place),
    });
    stage.into_iter().collect()
}

fn unstage(at: &Here) -> impl Iterator<Item = Step> {
    at.memo
        .staged
        .iter()
        .map(|key| Step::Unstage { key: key.clone() })
}
