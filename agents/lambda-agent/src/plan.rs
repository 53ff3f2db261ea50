//! What stands between the function that is there and the one that is wanted.

use fractal_core::reconcile::{At, Plan};

use crate::desired::{Code, DIGEST_TAG, Desired, OWNER_TAG};
use crate::error::Error;
use crate::observed::{Function, Observed, Operation};
use crate::place::{Memo, Place, Staged};

mod changes;
mod step;

pub use step::{Deletion, Step};

type Here = At<Place, Memo>;

/// Reads in which a function that was just created may still be missing, before its absence is believed.
pub(crate) const UNSEEN_READS: u8 = 3;

/// Plans towards `desired`; `None` desires absence.
pub(crate) fn plan(
    at: &Here,
    desired: Option<&Desired>,
    observed: &Observed,
) -> Result<Plan<Step>, Error> {
    match (desired, &observed.function) {
        (None, None) => Ok(absent(at)),
        (None, Some(function)) if !is_ours(at, function) => leave(at, function),
        (None, Some(function)) => Ok(remove(function)),
        (Some(desired), None) => Ok(create(desired, observed)),
        (Some(desired), Some(function)) => change(at, desired, function, observed),
    }
}

fn is_ours(at: &Here, function: &Function) -> bool {
    function
        .tags
        .get(OWNER_TAG)
        .is_some_and(|marker| *marker == at.owner.marker())
}

/// Someone else's function stays. One that we made and whose tag was taken away stays too, but not silently.
fn leave(at: &Here, function: &Function) -> Result<Plan<Step>, Error> {
    if at.memo.made && !function.tags.contains_key(OWNER_TAG) {
        return Err(Error::Unmarked);
    }
    Ok(Plan::steps(unstage(at)))
}

/// A create whose answer was lost may show late: absence is believed after a few reads only.
fn absent(at: &Here) -> Plan<Step> {
    if at.memo.unseen > 0 {
        return Plan::Wait("a function that was just created may not be visible yet".into());
    }
    Plan::steps(unstage(at))
}

fn remove(function: &Function) -> Plan<Step> {
    match &function.state {
        Operation::Running(state) if state == "Deleting" => {
            Plan::Wait("Lambda deletes the function".into())
        }
        _ => Plan::step(Step::Delete {
            because: Deletion::Undeploy,
        }),
    }
}

fn create(desired: &Desired, observed: &Observed) -> Plan<Step> {
    let mut now = stage(desired, observed);
    now.push(Step::Create {
        code: changes::describe(&desired.code),
    });
    Plan::steps(now)
}

fn change(
    at: &Here,
    desired: &Desired,
    function: &Function,
    observed: &Observed,
) -> Result<Plan<Step>, Error> {
    if !is_ours(at, function) {
        return Err(Error::Foreign {
            place: at.place.clone(),
            marker: function.tags.get(OWNER_TAG).cloned(),
        });
    }
    if let Some(wait) = busy(function) {
        return Ok(wait);
    }
    if let Operation::Failed { code, message } = &function.state {
        not_again(at, desired, "create the function", code, message)?;
        return Ok(again(Deletion::FailedCreation));
    }
    if function.is_image != matches!(desired.code, Code::Image { .. }) {
        return Ok(again(Deletion::PackageChange));
    }
    if let Operation::Failed { code, message } = &function.update {
        not_again(at, desired, "update the function", code, message)?;
    }
    update(at, desired, function, observed)
}

fn busy(function: &Function) -> Option<Plan<Step>> {
    [&function.state, &function.update]
        .into_iter()
        .find_map(|operation| match operation {
            Operation::Running(state) => Some(Plan::Wait(format!(
                "Lambda is busy with the function: {state}"
            ))),
            Operation::Settled | Operation::Failed { .. } => None,
        })
}

/// The same attempt has failed already: to repeat it at once would fail again.
fn not_again(
    at: &Here,
    desired: &Desired,
    operation: &'static str,
    code: &str,
    message: &str,
) -> Result<(), Error> {
    if at.memo.attempt.is_some() && at.memo.attempt == desired.attempt() {
        return Err(Error::Operation {
            operation,
            code: code.to_owned(),
            message: message.to_owned(),
        });
    }
    Ok(())
}

fn again(because: Deletion) -> Plan<Step> {
    Plan::Apply {
        now: vec![Step::Delete { because }],
        later: vec!["create the function anew".into()],
    }
}

/// One write at a time: Lambda refuses a second one until the first has settled.
///
/// Settings come first, since new code may need them; those that only go away come after the code that no longer needs them.
fn update(
    at: &Here,
    desired: &Desired,
    function: &Function,
    observed: &Observed,
) -> Result<Plan<Step>, Error> {
    let settings = changes::settings(at, desired, function)?;
    // After a failed update Lambda reports what was asked for and runs what was there before: only another update tells them apart.
    let code = matches!(function.update, Operation::Failed { .. })
        || function.running() != desired.code.sha256()
        || function.architecture != desired.settings.architecture;
    let code_step = || Step::Code {
        code: changes::describe(&desired.code),
        revision: function.revision.clone(),
    };
    Ok(match (settings, code) {
        (Some(settings), false) => Plan::step(settings.step),
        (Some(settings), true) if !settings.only_removes => Plan::Apply {
            now: vec![settings.step],
            later: vec![code_step().to_string()],
        },
        (_, true) => {
            let mut now = stage(desired, observed);
            now.push(code_step());
            Plan::Apply {
                now,
                later: vec!["mark the digest".into()],
            }
        }
        (None, false) => Plan::steps(finish(at, desired, function)),
    })
}

/// The digest marker comes after its effect, never before; what was staged has then been copied by Lambda and can go.
fn finish(at: &Here, desired: &Desired, function: &Function) -> Vec<Step> {
    let marked = function
        .tags
        .get(DIGEST_TAG)
        .is_some_and(|digest| *digest == desired.digest.to_string());
    let mark = (!marked).then(|| Step::Mark {
        digest: desired.digest.clone(),
    });
    mark.into_iter().chain(unstage(at)).collect()
}

fn stage(desired: &Desired, observed: &Observed) -> Vec<Step> {
    let Code::Zip {
        layer,
        staged: Some(staged),
        ..
    } = &desired.code
    else {
        return Vec::new();
    };
    if observed.staged {
        return Vec::new();
    }
    vec![Step::Stage {
        object: staged.clone(),
        digest: layer.digest.clone(),
        size: layer.size,
    }]
}

fn unstage(at: &Here) -> Vec<Step> {
    let object = |object: &Staged| Step::Unstage {
        object: object.clone(),
    };
    at.memo.staged.iter().map(object).collect()
}
