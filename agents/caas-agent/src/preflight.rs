//! Whether the agent can work: the API server answers, and its role holds every rule that a workload needs.

use fractal_core::reconcile::Finding;
use serde_json::Value;

use crate::api::{Api, Resource};
use crate::error::GRANTS;

pub(crate) async fn findings(api: &Api, namespace: &str) -> Vec<Finding> {
    let mut findings = vec![server(api).await];
    if findings.iter().any(|finding| finding.problem.is_some()) {
        return findings;
    }
    for grant in GRANTS {
        findings.push(rule(api, namespace, grant.permission, grant.purpose).await);
    }
    findings
}

async fn server(api: &Api) -> Finding {
    let answer = api.document("/version").await;
    let (problem, detail) = match &answer {
        Err(error) => (Some(error.to_string()), String::new()),
        Ok(version) => {
            let version = version.as_ref().and_then(|it| it.get("gitVersion"));
            let version = version
                .and_then(Value::as_str)
                .unwrap_or("an unknown version");
            (None, format!("answers, {version}"))
        }
    };
    Finding {
        subject: "API server".to_owned(),
        problem,
        detail,
    }
}

async fn rule(api: &Api, namespace: &str, permission: &str, purpose: &str) -> Finding {
    let (verb, resource) = permission.split_once(' ').unwrap_or((permission, ""));
    let answer = api.may(&Resource::named(resource), verb, namespace).await;
    let problem = match answer {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "the agent may not {permission} in namespace {namespace}: add the rule to its Role ({purpose})"
        )),
        Err(error) => Some(error.to_string()),
    };
    Finding {
        subject: format!("may {permission}"),
        problem,
        detail: purpose.to_owned(),
    }
}
