//! A call that failed: what was asked, what the API server said, and the class that follows.

use std::time::Duration;

use fractal_core::{Class, Fault, Reason};
use kube::core::response::StatusCause;

use crate::api::Target;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The verb, as RBAC names it.
    pub(crate) verb: &'static str,
    /// What it is about.
    pub(crate) target: Target,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the API server did not {} {}", .call.verb, .call.subject())]
pub struct Failure {
    call: Call,
    cause: Cause,
}

#[derive(Debug, Clone, PartialEq)]
enum Cause {
    Answer(Answer),
    /// No answer, or none that can be read.
    Silence(String),
}

/// The API server's `Status`.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    code: u16,
    reason: String,
    message: String,
    causes: Vec<StatusCause>,
    retry_after: Option<Duration>,
}

/// A field that another manager has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contested {
    pub(crate) manager: String,
    pub(crate) field: String,
}

impl Call {
    /// `deployments.apps my-app/orders`.
    fn subject(&self) -> String {
        let Target {
            resource,
            namespace,
            name,
            ..
        } = &self.target;
        let mut text = match self.target.group.as_str() {
            "" => resource.clone(),
            group => format!("{resource}.{group}"),
        };
        let place = match (namespace, name) {
            (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
            (None, Some(name)) => Some(name.clone()),
            (Some(namespace), None) => Some(format!("in {namespace}")),
            (None, None) => None,
        };
        if let Some(place) = place {
            text.push(' ');
            text.push_str(&place);
        }
        text
    }
}

impl Failure {
    pub(crate) fn of(call: Call, error: kube::Error) -> Self {
        let cause = match error {
            kube::Error::Api(status) => {
                let details = status.details;
                let seconds = details.as_ref().map_or(0, |it| it.retry_after_seconds);
                Cause::Answer(Answer {
                    code: status.code,
                    reason: status.reason,
                    message: status.message,
                    causes: details.map(|it| it.causes).unwrap_or_default(),
                    retry_after: (seconds > 0).then(|| Duration::from_secs(u64::from(seconds))),
                })
            }
            other => Cause::Silence(fractal_core::fault::chain(&other)),
        };
        Self { call, cause }
    }

    pub(crate) fn late(call: Call, after: Duration) -> Self {
        let said = format!("no answer within {} seconds", after.as_secs());
        Self {
            call,
            cause: Cause::Silence(said),
        }
    }

    /// Whether the API server itself says so: a 404 of anything that stands before it says nothing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(&self.cause, Cause::Answer(answer) if answer.code == 404 && answer.reason == "NotFound")
    }

    /// Whether a path is not served. For what is no object the API server says so in plain text, as anything else would.
    pub(crate) fn is_unserved(&self) -> bool {
        self.code() == Some(404)
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// The namespace that an object was to be made in and that is not there.
    pub(crate) fn missing_namespace(&self) -> Option<&str> {
        let Cause::Answer(answer) = &self.cause else {
            return None;
        };
        let says = answer.message.starts_with("namespaces \"");
        self.call
            .target
            .namespace
            .as_deref()
            .filter(|_| answer.code == 404 && says)
    }

    /// The fields that other managers have, where that is why it failed.
    pub(crate) fn contested(&self) -> Option<Vec<Contested>> {
        let Cause::Answer(answer) = &self.cause else {
            return None;
        };
        let conflict = |cause: &&StatusCause| cause.reason == "FieldManagerConflict";
        let fields: Vec<_> = answer
            .causes
            .iter()
            .filter(conflict)
            .map(|cause| Contested {
                manager: quoted(&cause.message).to_owned(),
                field: cause.field.clone(),
            })
            .collect();
        (answer.code == 409 && !fields.is_empty()).then_some(fields)
    }

    /// Why an object cannot be changed in place, where that is why it failed.
    pub(crate) fn immutable(&self) -> Option<String> {
        let Cause::Answer(answer) = &self.cause else {
            return None;
        };
        let forbids =
            |cause: &StatusCause| IMMUTABLE.iter().any(|says| cause.message.contains(says));
        let found: Vec<_> = answer
            .causes
            .iter()
            .filter(|cause| forbids(cause))
            .map(|cause| format!("{}: {}", cause.field, brief(&cause.message)))
            .collect();
        (answer.code == 422 && !found.is_empty()).then(|| found.join("; "))
    }

    fn code(&self) -> Option<u16> {
        match &self.cause {
            Cause::Answer(answer) => Some(answer.code),
            Cause::Silence(_) => None,
        }
    }

    pub(crate) fn into_fault(self) -> Fault {
        let (class, reason, next) = self.judged();
        let why = match &self.cause {
            Cause::Answer(answer) if answer.message.is_empty() => {
                format!("{} {}", answer.code, answer.reason)
            }
            Cause::Answer(answer) => self.says(answer),
            Cause::Silence(said) => said.clone(),
        };
        Fault::new(class, reason, self.to_string())
            .at(self.call.subject())
            .because(why)
            .next(next)
    }

    /// What the API server says, without what it repeats of an object: that may be a secret, and is long.
    fn says(&self, answer: &Answer) -> String {
        let secret = self.call.target.resource == "secrets";
        if answer.code == 422 && !answer.causes.is_empty() {
            let causes = answer.causes.iter().map(|cause| match secret {
                true => format!("{}: {}", cause.field, cause.reason),
                false => format!("{}: {}", cause.field, brief(&cause.message)),
            });
            return causes.collect::<Vec<_>>().join("; ");
        }
        if secret && matches!(answer.code, 400 | 500) {
            return "the Secret's fields are not of the types they must be".to_owned();
        }
        answer.message.lines().next().unwrap_or_default().to_owned()
    }

    fn judged(&self) -> (Class, Reason, String) {
        let transient = |retry_after| Class::Transient { retry_after };
        let Cause::Answer(answer) = &self.cause else {
            let next = "nothing to do: it is tried again; look whether the API server can be reached from the agent";
            return (
                transient(None),
                Reason::new("ApiServerUnreachable"),
                next.to_owned(),
            );
        };
        let says = |text: &str| answer.message.contains(text);
        // A policy chooses the code it refuses with; 422 is what the API server's own policies say.
        if let (400 | 403 | 422, Some((reason, next))) =
            (answer.code, crate::health::refusal(&answer.message))
        {
            return (Class::Blocked, reason, next.to_owned());
        }
        match answer.code {
            401 => (
                Class::Blocked,
                Reason::new("PermissionDenied"),
                "give the agent valid credentials: its service account's token was refused"
                    .to_owned(),
            ),
            403 if says("is being terminated") => (
                Class::Blocked,
                Reason::new("NamespaceMissing"),
                "wait until the namespace is gone, then create it again".to_owned(),
            ),
            403 if says(" cannot ") => (
                Class::Blocked,
                Reason::new("PermissionDenied"),
                self.grant(&answer.message),
            ),
            403 => (
                Class::Blocked,
                Reason::new("AdmissionDenied"),
                "change the workload to what the cluster's policy allows, or the policy".to_owned(),
            ),
            409 => (
                transient(None),
                Reason::new("CloudConflict"),
                "nothing to do: the object changed meanwhile and is read again".to_owned(),
            ),
            429 => (
                transient(answer.retry_after),
                Reason::new("Throttled"),
                "nothing to do: it is tried again".to_owned(),
            ),
            // A field that a kind does not have, in server-side apply: the API server calls it an error of its own.
            500 if says("failed to create typed patch object")
                || says("failed to convert new object") =>
            {
                (
                    Class::Terminal,
                    Reason::new("SpecRefused"),
                    "correct the field, it is no field of this kind".to_owned(),
                )
            }
            400 | 413 | 415 | 422 => (
                Class::Terminal,
                Reason::new("SpecRefused"),
                "correct the component's parameters or its bundle".to_owned(),
            ),
            404 | 410 => (
                transient(None),
                Reason::new("Settling"),
                "nothing to do: it is read again".to_owned(),
            ),
            code if code >= 500 => (
                transient(answer.retry_after),
                Reason::new("ApiServerUnreachable"),
                "nothing to do: it is tried again".to_owned(),
            ),
            _ => (
                Class::Blocked,
                Reason::new("SpecRefused"),
                "read the API server's answer above".to_owned(),
            ),
        }
    }

    /// The rule that is missing. The answer names the verb that was denied: applying an object that is not there needs `create` too.
    fn grant(&self, message: &str) -> String {
        let verb = message
            .split_once(" cannot ")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .unwrap_or(self.call.verb);
        let Target {
            group,
            resource,
            namespace,
            ..
        } = &self.call.target;
        let group = if group.is_empty() { "\"\"" } else { group };
        let scope = namespace.as_ref().map_or_else(
            || "the ClusterRole".to_owned(),
            |namespace| format!("its Role in namespace {namespace}"),
        );
        format!(
            "let the agent {verb} it: add to {scope} apiGroups [{group}], resources [{resource}], verbs [{verb}]"
        )
    }
}

/// How validation says that a field cannot be changed in place.
const IMMUTABLE: [&str; 7] = [
    "immutable",
    "updates to statefulset spec",
    "may not be changed",
    "may not change once set",
    "cannot change roleRef",
    "pod updates may not change fields",
    "cannot be changed",
];

/// The first quoted text: the manager's name in `conflict with "x" using apps/v1`.
fn quoted(message: &str) -> &str {
    message.split('"').nth(1).unwrap_or(message)
}

/// Without the dump of a whole value that validation puts first.
fn brief(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.rsplit_once("}: ").map_or(line, |(_, says)| says);
    match line.char_indices().nth(SHOWN) {
        None => line.to_owned(),
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
    }
}

/// Longest text of one cause, in characters.
const SHOWN: usize = 200;
