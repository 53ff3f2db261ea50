//! Which object of a bundle is the component's workload.

use serde::Serialize;
use serde_json::Value;

use super::error::{ManifestError, TargetProblem};
use super::object::{Identity, Object};

/// The group of the kinds that are laid over.
const APPS: &str = "apps";
/// A workload that may have an autoscaler or be laid over.
const DAEMON_SET: &str = "DaemonSet";

/// Whether what the SDK set has found its workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Match {
    /// It was laid over this object.
    Applied(Identity),
    /// No Deployment, StatefulSet or `DaemonSet` is named like the component: everything stays as the bundle has it.
    Unmatched {
        /// Those there are.
        seen: Vec<Identity>,
    },
}

/// The one workload named like the component.
pub(super) fn find(objects: &[Object], component: &str) -> Result<Option<usize>, ManifestError> {
    let mut matches = objects
        .iter()
        .enumerate()
        .filter(|(_, object)| is_workload(object) && object.name() == component);
    let Some((index, object)) = matches.next() else {
        return Ok(None);
    };
    if let Some((_, second)) = matches.next() {
        return Err(ManifestError::Target(TargetProblem::Two {
            first: Box::new(object.identity()),
            second: Box::new(second.identity()),
        }));
    }
    if first_container(object.value()).is_none() {
        let object = object.identity();
        return Err(ManifestError::Target(TargetProblem::NoContainer { object }));
    }
    Ok(Some(index))
}

/// The workloads of a bundle, whatever their names.
pub(super) fn identities(objects: &[Object]) -> Vec<Identity> {
    objects
        .iter()
        .filter(|object| is_workload(object))
        .map(Object::identity)
        .collect()
}

fn is_workload(object: &Object) -> bool {
    object.group() == APPS && matches!(object.kind(), "Deployment" | "StatefulSet" | DAEMON_SET)
}

pub(super) fn is_daemon_set(object: &Object) -> bool {
    object.kind() == DAEMON_SET
}

fn first_container(value: &Value) -> Option<&Value> {
    let pod = value.get("spec")?.get("template")?.get("spec")?;
    pod.get("containers")?
        .as_array()?
        .first()
        .filter(|container| container.is_object())
}

/// The autoscaler of the bundle that sets the workload's replicas: a `HorizontalPodAutoscaler`, or KEDA's `ScaledObject`.
pub(super) fn autoscaler(objects: &[Object], workload: usize) -> Option<Identity> {
    let workload = objects.get(workload)?;
    objects
        .iter()
        .find(|object| scales(object, workload))
        .map(Object::identity)
}

fn scales(scaler: &Object, workload: &Object) -> bool {
    let default_kind = match (scaler.group(), scaler.kind()) {
        ("autoscaling", "HorizontalPodAutoscaler") => "",
        ("keda.sh", "ScaledObject") => "Deployment",
        _ => return false,
    };
    let Some(target) = scaler
        .value()
        .get("spec")
        .and_then(|spec| spec.get("scaleTargetRef"))
    else {
        return false;
    };
    let text = |field: &str| target.get(field).and_then(Value::as_str);
    text("name") == Some(workload.name())
        && text("kind").unwrap_or(default_kind) == workload.kind()
        && scaler.namespace() == workload.namespace()
}
