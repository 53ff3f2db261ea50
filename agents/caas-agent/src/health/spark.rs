//! Where a SparkApplication stands: by its operator's states, by whether an operator takes it at all, and by its driver's pod.

use std::time::{Duration, SystemTime};

use fractal_core::{Reason, Timestamp};
use serde_json::Value;

use super::pods::Diagnosis;
use super::{Standing, failed};
use crate::api::MANAGER;
use crate::desired::spark::{INSTALL, PULL, RUNS, WHEEL};

/// The driver ended without success.
const DRIVER_FAILED: Reason = Reason::new("SparkDriverFailed");
const INSTALL_FAILED: Reason = Reason::new("SparkInstallFailed");
const OPERATOR_MISSING: Reason = Reason::new("SparkOperatorMissing");
const PULL_FAILED: Reason = Reason::new("SparkPullFailed");
const SUBMISSION_FAILED: Reason = Reason::new("SparkSubmissionFailed");
/// The driver's pod was made without what prepares it.
const WEBHOOK_MISSING: Reason = Reason::new("SparkWebhookMissing");

/// A running operator takes a SparkApplication within seconds, its own submissions queueing included.
const PATIENCE: Duration = Duration::from_secs(120);

/// Labels the operator gives to drivers.
const ROLE: &str = "spark-role";
const APPLICATION: &str = "sparkoperator.k8s.io/app-name";
const SUBMISSION: &str = "sparkoperator.k8s.io/submission-id";

/// <https://github.com/kubeflow/spark-operator/blob/master/docs/api-docs.md>, `ApplicationStateType`.
pub(super) fn standing(object: &Value) -> Standing {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
    judged(object, Timestamp::from_unix_millis(millis))
}

fn judged(object: &Value, now: Timestamp) -> Standing {
    if let Some(standing) = untaken(object, now) {
        return standing;
    }
    let why = text(object, "/status/applicationState/errorMessage").to_owned();
    match state(object) {
        "COMPLETED" => Standing::Ready,
        "FAILED" => failed(DRIVER_FAILED, why, next(&DRIVER_FAILED).unwrap_or_default()),
        "SUBMISSION_FAILED" => failed(
            SUBMISSION_FAILED,
            why,
            "read the operator's message above; it may lack rights in the namespace, or the driver's service account is not there",
        ),
        state => Standing::Progressing(state.to_lowercase()),
    }
}

/// Whether no operator has taken the specification there is. Its status names no generation, so what it says of an ended run counts
/// only if that run was submitted after our last change.
fn untaken(object: &Value, now: Timestamp) -> Option<Standing> {
    let state = state(object);
    let changed = changed(object);
    let submitted = moment(text(object, "/status/lastSubmissionAttemptTime"));
    let ended = matches!(state, "COMPLETED" | "FAILED" | "SUBMISSION_FAILED");
    let older =
        matches!((submitted, changed), (Some(submitted), Some(changed)) if submitted < changed);
    if !(state.is_empty() || ended && older) {
        return None;
    }
    let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
    if changed.is_none_or(|changed| now <= changed.plus_millis(patience)) {
        return Some(Standing::Progressing(
            "no operator has taken it yet".to_owned(),
        ));
    }
    // Operators see updates, not states: one that was away during a change never takes it.
    let still = if ended {
        "; its status is still about the run before"
    } else {
        ""
    };
    let why = format!(
        "no operator has taken it within {} s{still}",
        PATIENCE.as_secs()
    );
    Some(failed(
        OPERATOR_MISSING,
        why,
        next(&OPERATOR_MISSING).unwrap_or_default(),
    ))
}

/// When this agent last changed it.
fn changed(object: &Value) -> Option<Timestamp> {
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    let ours = |entry: &&Value| {
        text(entry, "/manager") == MANAGER
            && text(entry, "/operation") == "Apply"
            && text(entry, "/subresource").is_empty()
    };
    let applied = entries
        .and_then(|entries| entries.iter().find(ours))
        .map(|entry| text(entry, "/time"));
    applied
        .and_then(moment)
        .or_else(|| moment(text(object, "/metadata/creationTimestamp")))
}

/// The labels of the driver of the run there is. While a run is being ended or repeated, its driver's end says nothing.
pub(super) fn driver(object: &Value) -> Option<String> {
    let group = text(object, "/apiVersion").split('/').next();
    let is_ours =
        group == Some("sparkoperator.k8s.io") && text(object, "/kind") == "SparkApplication";
    if !is_ours
        || !matches!(
            state(object),
            "SUBMITTED" | "RUNNING" | "FAILED" | "UNKNOWN"
        )
    {
        return None;
    }
    let name = text(object, "/metadata/name");
    let selector = format!("{APPLICATION}={name},{ROLE}=driver");
    Some(match text(object, "/status/submissionID") {
        "" => selector,
        id => format!("{selector},{SUBMISSION}={id}"),
    })
}

/// What a pod's diagnosis means if it is a driver's: the containers before Spark have reasons of their own, and without them nothing
/// can run.
pub(super) fn explain(pod: &Value, found: Option<Diagnosis>) -> Option<Diagnosis> {
    let label = |key: &str| {
        let labels = pod.pointer("/metadata/labels");
        labels
            .and_then(|labels| labels.get(key)?.as_str())
            .unwrap_or_default()
    };
    if label(ROLE) != "driver" {
        return found;
    }
    if label(RUNS) == WHEEL
        && !is_prepared(pod)
        && text(pod, "/metadata/deletionTimestamp").is_empty()
    {
        return Some(Diagnosis {
            pod: text(pod, "/metadata/name").to_owned(),
            container: None,
            reason: WEBHOOK_MISSING,
            says: format!("made without the init container {PULL}, so the wheel is not in it"),
            restarted: false,
            has_log: false,
        });
    }
    found.map(|found| {
        let crashed = found.reason.as_str() == "ContainerCrashed";
        let reason = match found.container.as_deref() {
            Some(PULL) if crashed => PULL_FAILED,
            Some(INSTALL) if crashed => INSTALL_FAILED,
            _ if crashed => DRIVER_FAILED,
            _ => found.reason,
        };
        Diagnosis { reason, ..found }
    })
}

fn is_prepared(pod: &Value) -> bool {
    let containers = pod
        .pointer("/spec/initContainers")
        .and_then(Value::as_array);
    let is = |it: &Value| text(it, "/name") == PULL;
    containers.is_some_and(|containers| containers.iter().any(is))
}

/// What a person does next.
pub(super) fn next(reason: &Reason) -> Option<&'static str> {
    Some(match reason.as_str() {
        "SparkDriverFailed" => {
            "read the last lines of the driver's log above, then publish a wheel that runs or correct `entryPointArgs`"
        }
        "SparkInstallFailed" => {
            "read pip's last lines above; the wheel has to install on the Python of the Spark image"
        }
        "SparkOperatorMissing" => {
            "install the Spark operator (Helm chart spark-operator, 2.0 or later), or let it watch this namespace (spark.jobNamespaces); if it was away during the change, make another one"
        }
        "SparkPullFailed" => {
            "let the pod read the wheel's repository: put a pull secret of its registry first in `imagePullSecrets`"
        }
        "SparkWebhookMissing" => {
            "upgrade the Spark operator to 2.0 or later: it has to hand on `driver.template` and `executor.template` without its webhook"
        }
        _ => return None,
    })
}

fn state(object: &Value) -> &str {
    text(object, "/status/applicationState/state")
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::try_from(text.to_owned()).ok()
}

#[cfg(test)]
mod tests;
