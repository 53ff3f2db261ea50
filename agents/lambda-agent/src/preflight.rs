//! Whether the agent can work at all. Reads only.

use fractal_core::Fault;
use fractal_core::reconcile::Finding;

use crate::api::Api;

/// One finding for each thing that can be looked at without changing anything.
pub(crate) async fn findings(api: &Api, bucket: Option<&str>) -> Vec<Finding> {
    let mut findings = vec![finding("lambda:ListFunctions", api.probe().await)];
    if let Some(bucket) = bucket {
        findings.push(finding("staging bucket", api.probe_bucket(bucket).await));
    }
    findings
}

fn finding(subject: &str, result: Result<String, crate::error::Error>) -> Finding {
    let (problem, detail) = match result {
        Ok(detail) => (None, detail),
        Err(error) => (Some(Fault::from(error).to_string()), String::new()),
    };
    Finding {
        subject: subject.to_owned(),
        problem,
        detail,
    }
}
