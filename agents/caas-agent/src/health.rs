//! Whether an object works, by the rules Kubernetes' own tools go by.

use fractal_core::Reason;
use serde_json::Value;

mod pods;
mod spark;

pub(crate) use pods::{diagnose, looks_at};

/// Whether an object works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Ready,
    /// Not yet.
    Progressing(String),
    /// It does not, and will not by itself.
    Failed {
        /// A stable PascalCase word.
        reason: Reason,
        /// What the cluster says.
        why: String,
        /// What a person does next.
        next: &'static str,
    },
}

/// A rollout did not come to run.
const ROLLOUT_FAILED: Reason = Reason::new("RolloutFailed");
/// A job ended without success.
pub(crate) const JOB_FAILED: Reason = Reason::new("JobFailed");
const SEE_PODS: &str = "look at the pod's reason and log above, then publish a digest that runs or correct the component";

/// Where an object stands.
pub(crate) fn standing(object: &Value) -> Standing {
    let kind = object
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let group = object
        .get("apiVersion")
        .and_then(Value::as_str)
        .and_then(|version| version.split_once('/'))
        .map_or("", |(group, _)| group);
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return Standing::Progressing(format!("{kind} is being deleted"));
    }
    let status = Status(object);
    if let Some(standing) = status.behind(kind) {
        return standing;
    }
    match (group, kind) {
        ("apps", "Deployment") => deployment(&status),
        ("apps", "StatefulSet") => stateful_set(&status),
        ("apps", "DaemonSet") => daemon_set(&status),
        ("apps", "ReplicaSet") => counted(&status, "ReplicaSet"),
        ("batch", "Job") => job(&status),
        ("", "Pod") => pod(&status),
        ("", "PersistentVolumeClaim") => phase(&status, "Bound", "the volume claim is not bound"),
        ("", "Namespace") => phase(&status, "Active", "the namespace is not active"),
        ("", "Service") => service(&status),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(&status),
        ("sparkoperator.k8s.io", "SparkApplication") => spark::standing(object),
        // Kinds whose conditions say other things than whether they are there.
        ("", _) | ("batch" | "autoscaling" | "policy" | "networking.k8s.io", _) => Standing::Ready,
        _ => custom(&status),
    }
}

struct Status<'a>(&'a Value);

impl Status<'_> {
    fn spec(&self, key: &str) -> Option<i64> {
        self.0.get("spec")?.get(key)?.as_i64()
    }

    fn count(&self, key: &str) -> i64 {
        let status = self.0.get("status").and_then(|status| status.get(key));
        status.and_then(Value::as_i64).unwrap_or(0)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get("status")?.get(key)?.as_str()
    }

    fn condition(&self, kind: &str) -> Option<&Value> {
        let conditions = self.0.pointer("/status/conditions")?.as_array()?;
        conditions
            .iter()
            .find(|it| it.get("type").and_then(Value::as_str) == Some(kind))
    }

    fn holds(&self, kind: &str) -> Option<bool> {
        match self.condition(kind)?.get("status")?.as_str()? {
            "True" => Some(true),
            "False" => Some(false),
            _ => None,
        }
    }

    /// What a condition says: its reason and message.
    fn says(&self, kind: &str) -> String {
        let text = |key| {
            let value = self.condition(kind).and_then(|it| it.get(key));
            value.and_then(Value::as_str).unwrap_or_default()
        };
        match (text("reason"), text("message")) {
            ("", message) => message.to_owned(),
            (reason, "") => reason.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }

    /// A status that is about an older generation says nothing.
    fn behind(&self, kind: &str) -> Option<Standing> {
        let generation = self.0.pointer("/metadata/generation")?.as_i64()?;
        let observed = self.0.pointer("/status/observedGeneration")?.as_i64()?;
        (observed < generation).then(|| {
            Standing::Progressing(format!(
                "{kind}: its controller has not seen the change yet"
            ))
        })
    }

    fn is_blank(&self) -> bool {
        self.0
            .get("status")
            .and_then(Value::as_object)
            .is_none_or(serde_json::Map::is_empty)
    }
}

fn deployment(status: &Status<'_>) -> Standing {
    if status.is_blank() {
        return Standing::Progressing("Deployment: its controller has not seen it yet".to_owned());
    }
    // Said before the deadline passes, and more than it says then.
    if status.holds("ReplicaFailure") == Some(true) {
        return refused_pods(status.says("ReplicaFailure"));
    }
    let deadline = status
        .condition("Progressing")
        .and_then(|it| it.get("reason")?.as_str())
        == Some("ProgressDeadlineExceeded");
    if deadline {
        return failed(ROLLOUT_FAILED, status.says("Progressing"), SEE_PODS);
    }
    let wanted = status.spec("replicas").unwrap_or(1);
    let of = |count: i64, what: &str| {
        Standing::Progressing(format!("Deployment: {count} of {wanted} pods {what}"))
    };
    let updated = status.count("updatedReplicas");
    let all = status.count("replicas");
    let available = status.count("availableReplicas");
    if updated < wanted {
        of(updated, "updated")
    } else if all > updated {
        Standing::Progressing(format!("Deployment: {} old pods still run", all - updated))
    } else if available < wanted {
        of(available, "available")
    } else {
        Standing::Ready
    }
}

/// Pods that the API server does not take, in its own words.
fn refused_pods(why: String) -> Standing {
    match refusal(&why) {
        Some((reason, next)) => failed(reason, why, next),
        None => failed(
            ROLLOUT_FAILED,
            why,
            "the cluster refuses the pods: change what it refuses",
        ),
    }
}

/// What stands behind a refusal by admission: the reason, and what a person does.
pub(crate) fn refusal(message: &str) -> Option<(Reason, &'static str)> {
    let says = |text: &str| message.contains(text);
    if says("exceeded quota") {
        Some((
            Reason::new("QuotaExceeded"),
            "raise the namespace's ResourceQuota, or ask for less",
        ))
    } else if says("violates PodSecurity") {
        Some((
            Reason::new("PodSecurityViolation"),
            "give the containers what the namespace's Pod Security level asks for, in a manifest bundle, or change the level",
        ))
    } else if says("admission webhook") || says("AdmissionPolicy '") {
        Some((
            Reason::new("AdmissionDenied"),
            "change the workload to what the cluster's policy allows, or the policy",
        ))
    } else {
        None
    }
}

fn stateful_set(status: &Status<'_>) -> Standing {
    if status.is_blank() {
        return Standing::Progressing("StatefulSet: its controller has not seen it yet".to_owned());
    }
    let wanted = status.spec("replicas").unwrap_or(1);
    let ready = status.count("readyReplicas");
    let strategy = status.0.pointer("/spec/updateStrategy/type");
    if ready < wanted {
        return Standing::Progressing(format!("StatefulSet: {ready} of {wanted} pods ready"));
    }
    if strategy.and_then(Value::as_str) == Some("OnDelete") {
        return Standing::Ready;
    }
    let partition = status
        .0
        .pointer("/spec/updateStrategy/rollingUpdate/partition");
    let updates = wanted - partition.and_then(Value::as_i64).unwrap_or(0).min(wanted);
    let updated = status.count("updatedReplicas");
    if status.text("updateRevision") != status.text("currentRevision") && updated < updates {
        return Standing::Progressing(format!("StatefulSet: {updated} of {updates} pods updated"));
    }
    Standing::Ready
}

fn daemon_set(status: &Status<'_>) -> Standing {
    if status.is_blank() {
        return Standing::Progressing("DaemonSet: its controller has not seen it yet".to_owned());
    }
    let wanted = status.count("desiredNumberScheduled");
    let updated = status.count("updatedNumberScheduled");
    let available = status.count("numberAvailable");
    if updated < wanted {
        Standing::Progressing(format!("DaemonSet: {updated} of {wanted} pods updated"))
    } else if available < wanted {
        Standing::Progressing(format!("DaemonSet: {available} of {wanted} pods available"))
    } else {
        Standing::Ready
    }
}

fn counted(status: &Status<'_>, kind: &str) -> Standing {
    let wanted = status.spec("replicas").unwrap_or(1);
    let available = status.count("availableReplicas");
    if available < wanted {
        return Standing::Progressing(format!("{kind}: {available} of {wanted} pods available"));
    }
    Standing::Ready
}

fn job(status: &Status<'_>) -> Standing {
    if status.holds("Complete") == Some(true) {
        return Standing::Ready;
    }
    if status.holds("Failed") == Some(true) {
        return failed(JOB_FAILED, status.says("Failed"), SEE_PODS);
    }
    let suspended = status.0.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true);
    if suspended {
        return Standing::Ready;
    }
    let wanted = status.spec("completions").unwrap_or(1);
    Standing::Progressing(format!(
        "Job: {} of {wanted} completions, {} active",
        status.count("succeeded"),
        status.count("active")
    ))
}

fn pod(status: &Status<'_>) -> Standing {
    match status.text("phase") {
        Some("Succeeded") => Standing::Ready,
        Some("Failed") => failed(
            Reason::new("PodFailed"),
            status.text("message").unwrap_or_default().to_owned(),
            SEE_PODS,
        ),
        Some("Running") if status.holds("Ready") == Some(true) => Standing::Ready,
        phase => Standing::Progressing(format!("Pod: {}", phase.unwrap_or("not scheduled yet"))),
    }
}

fn phase(status: &Status<'_>, wanted: &str, otherwise: &str) -> Standing {
    match status.text("phase") {
        Some(phase) if phase == wanted => Standing::Ready,
        Some(phase) => Standing::Progressing(format!("{otherwise}: it is {phase}")),
        None => Standing::Progressing(otherwise.to_owned()),
    }
}

fn service(status: &Status<'_>) -> Standing {
    let balanced = status.0.pointer("/spec/type").and_then(Value::as_str) == Some("LoadBalancer");
    let ingress = status
        .0
        .pointer("/status/loadBalancer/ingress")
        .and_then(Value::as_array);
    if balanced && ingress.is_none_or(Vec::is_empty) {
        return Standing::Progressing("Service: its load balancer has no address yet".to_owned());
    }
    Standing::Ready
}

fn definition(status: &Status<'_>) -> Standing {
    if status.holds("NamesAccepted") == Some(false) {
        return failed(
            Reason::new("KindUnknown"),
            status.says("NamesAccepted"),
            "another CustomResourceDefinition has the name: rename the kind",
        );
    }
    if status.holds("Established") == Some(true) {
        return Standing::Ready;
    }
    Standing::Progressing("CustomResourceDefinition: not established yet".to_owned())
}

/// Any other kind, by the conditions most controllers use. One that has none counts as ready.
fn custom(status: &Status<'_>) -> Standing {
    if status.holds("Stalled") == Some(true) {
        return failed(
            Reason::new("Stalled"),
            status.says("Stalled"),
            "read what its controller says above",
        );
    }
    if status.holds("Reconciling") == Some(true) {
        return Standing::Progressing(status.says("Reconciling"));
    }
    if status.holds("Ready") == Some(false) {
        return Standing::Progressing(format!("not ready: {}", status.says("Ready")));
    }
    Standing::Ready
}

fn failed(reason: Reason, why: String, next: &'static str) -> Standing {
    Standing::Failed { reason, why, next }
}
