//! Where a SparkApplication stands, by its operator's states.

use fractal_core::Reason;
use serde_json::Value;

use super::{Standing, failed};

/// <https://github.com/kubeflow/spark-operator/blob/master/docs/api-docs.md>, `ApplicationStateType`.
pub(super) fn standing(object: &Value) -> Standing {
    let text = |pointer| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let state = text("/status/applicationState/state");
    let why = text("/status/applicationState/errorMessage").to_owned();
    match state {
        "COMPLETED" => Standing::Ready,
        "FAILED" => failed(
            Reason::new("SparkDriverFailed"),
            why,
            "look at the driver's log above, then publish a wheel that runs",
        ),
        "SUBMISSION_FAILED" => failed(
            Reason::new("SparkSubmissionFailed"),
            why,
            "look at the operator's message, and at the driver's service account and image",
        ),
        "" => Standing::Progressing("SparkApplication: no operator has taken it yet".to_owned()),
        state => Standing::Progressing(format!("SparkApplication: {}", state.to_lowercase())),
    }
}
