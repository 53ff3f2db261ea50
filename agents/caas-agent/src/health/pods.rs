//! Why a workload's pods do not run, in the words of the one that fails.

use fractal_core::Reason;
use serde_json::Value;

use super::spark;

/// A pod that does not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// The pod.
    pub(crate) pod: String,
    /// The container, where it is one container's fault.
    pub(crate) container: Option<String>,
    /// A stable PascalCase word.
    pub(crate) reason: Reason,
    /// What the kubelet or the scheduler says.
    pub(crate) says: String,
    /// Whether it has been started before: then the log of that run tells.
    pub(crate) restarted: bool,
    /// Whether it has written a log at all.
    pub(crate) has_log: bool,
}

impl Diagnosis {
    /// For people, with the last lines of the log.
    pub(crate) fn text(&self, log: &str) -> String {
        let mut text = format!("pod {}", self.pod);
        if let Some(container) = &self.container {
            text.push_str(&format!(", container {container}"));
        }
        text.push_str(&format!(": {}", self.says));
        let log = log.trim_end();
        if !log.is_empty() {
            text.push_str(&format!("; its last lines: {log}"));
        }
        text
    }

    /// What a person does next.
    pub(crate) fn next(&self) -> &'static str {
        if let Some(next) = spark::next(&self.reason) {
            return next;
        }
        match self.reason.as_str() {
            "ImageUnavailable" => {
                "push the image to this registry, or let the nodes pull from it (imagePullSecrets, or the nodes' own identity)"
            }
            "ContainerConfig" => {
                "make the Secret or ConfigMap the container refers to, or correct its command"
            }
            "Unschedulable" => "ask for less, or add nodes that fit",
            _ => "read the last lines of its log above, then publish a digest that runs",
        }
    }
}

/// The labels by which a workload finds its pods, as a selector; nothing for kinds without pods.
pub(crate) fn looks_at(object: &Value) -> Option<String> {
    if let Some(driver) = spark::driver(object) {
        return Some(driver);
    }
    let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    let terms: Vec<_> = labels
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    (!terms.is_empty()).then(|| terms.join(","))
}

/// The youngest pod that fails tells best: it runs what is being rolled out.
pub(crate) fn diagnose(mut pods: Vec<Value>) -> Option<Diagnosis> {
    let made = |pod: &Value| {
        let at = pod.pointer("/metadata/creationTimestamp");
        at.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    pods.sort_by_key(|pod| std::cmp::Reverse(made(pod)));
    pods.iter().find_map(|pod| spark::explain(pod, of_pod(pod)))
}

fn of_pod(pod: &Value) -> Option<Diagnosis> {
    let name = pod.pointer("/metadata/name")?.as_str()?;
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    let statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|key| pod.get("status")?.get(key)?.as_array())
        .flatten();
    let mut statuses = statuses.filter_map(|status| of_container(name, status));
    statuses.next().or_else(|| unschedulable(name, pod))
}

fn of_container(pod: &str, status: &Value) -> Option<Diagnosis> {
    let text = |pointer| status.pointer(pointer).and_then(Value::as_str);
    let restarts = status
        .get("restartCount")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    let waiting = text("/state/waiting/reason");
    let code = |state: &str| {
        let code = status.pointer(&format!("{state}/terminated/exitCode"));
        code.and_then(Value::as_i64).filter(|code| *code != 0)
    };
    let ended = code("/state").or_else(|| code("/lastState"));
    let (reason, has_log) = match waiting {
        Some(
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "RegistryUnavailable"
            | "ImageInspectError",
        ) => (Reason::new("ImageUnavailable"), false),
        Some("CreateContainerConfigError" | "CreateContainerError" | "RunContainerError") => {
            (Reason::new("ContainerConfig"), false)
        }
        Some("CrashLoopBackOff") => (Reason::new("ContainerCrashed"), true),
        _ if code("/state").is_some() => (Reason::new("ContainerCrashed"), true),
        _ => return None,
    };
    let mut says = waiting.unwrap_or("Error").to_owned();
    if let Some(message) =
        text("/state/waiting/message").or_else(|| text("/state/terminated/message"))
    {
        says.push_str(&format!(": {message}"));
    }
    if let (Some(code), true) = (ended, has_log) {
        says.push_str(&format!(", exit code {code}, {restarts} restarts"));
    }
    Some(Diagnosis {
        pod: pod.to_owned(),
        container: status
            .get("name")
            .and_then(Value::as_str)
            .map(str::to_owned),
        reason,
        says,
        restarted: restarts > 0 && waiting.is_some(),
        has_log,
    })
}

fn unschedulable(name: &str, pod: &Value) -> Option<Diagnosis> {
    let conditions = pod.pointer("/status/conditions")?.as_array()?;
    let is =
        |it: &&Value, key: &str, value: &str| it.get(key).and_then(Value::as_str) == Some(value);
    let scheduled = conditions.iter().find(|it| {
        is(it, "type", "PodScheduled")
            && is(it, "status", "False")
            && is(it, "reason", "Unschedulable")
    })?;
    let message = scheduled.get("message").and_then(Value::as_str);
    Some(Diagnosis {
        pod: name.to_owned(),
        container: None,
        reason: Reason::new("Unschedulable"),
        says: message.unwrap_or("no node fits").to_owned(),
        restarted: false,
        has_log: false,
    })
}
