//! States as the operator writes them, and drivers as Spark makes them.

use serde_json::json;

use super::super::{diagnose, looks_at};
use super::*;

const CHANGED: &str = "2026-11-21T10:00:00Z";

fn at(text: &str) -> Timestamp {
    moment(text).unwrap()
}

fn application(status: Value) -> Value {
    json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication",
        "metadata": {
            "name": "etl", "namespace": "lake", "creationTimestamp": "2026-11-20T10:00:00Z",
            "managedFields": [
                { "manager": "spark-operator", "operation": "Update", "subresource": "status", "time": "2026-11-21T10:00:09Z" },
                { "manager": MANAGER, "operation": "Apply", "time": CHANGED },
            ],
        },
        "status": status,
    })
}

fn run(state: &str, submitted: &str) -> Value {
    application(json!({
        "applicationState": { "state": state, "errorMessage": "driver container failed" },
        "lastSubmissionAttemptTime": submitted, "submissionID": "7f3c",
    }))
}

fn reason(standing: &Standing) -> &str {
    match standing {
        Standing::Failed { reason, .. } => reason.as_str(),
        Standing::Progressing(_) => "progressing",
        Standing::Ready => "ready",
    }
}

#[test]
fn states_of_a_run_are_told_apart() {
    for (state, expected) in [
        ("COMPLETED", "ready"),
        ("FAILED", "SparkDriverFailed"),
        ("SUBMISSION_FAILED", "SparkSubmissionFailed"),
        ("SUBMITTED", "progressing"),
        ("RUNNING", "progressing"),
        ("FAILING", "progressing"),
        ("PENDING_RERUN", "progressing"),
        ("INVALIDATING", "progressing"),
        ("SUSPENDED", "progressing"),
    ] {
        let standing = judged(
            &run(state, "2026-11-21T10:00:03Z"),
            at("2026-11-22T10:00:00Z"),
        );
        assert_eq!(reason(&standing), expected, "{state}");
    }
}

#[test]
fn what_an_operator_says_of_an_older_run_does_not_count() {
    for state in ["COMPLETED", "FAILED", "SUBMISSION_FAILED"] {
        let older = run(state, "2026-11-21T09:59:59Z");
        let soon = judged(&older, at("2026-11-21T10:01:00Z"));
        assert_eq!(reason(&soon), "progressing", "{state}");
        let late = judged(&older, at("2026-11-21T10:02:01Z"));
        assert_eq!(reason(&late), "SparkOperatorMissing", "{state}");
        assert!(
            matches!(late, Standing::Failed { why, .. } if why.ends_with("about the run before"))
        );
    }
}

#[test]
fn an_application_that_nobody_takes_lacks_an_operator_after_a_while() {
    let new = application(json!({}));
    assert_eq!(
        reason(&judged(&new, at("2026-11-21T10:02:00Z"))),
        "progressing"
    );
    assert_eq!(
        reason(&judged(&new, at("2026-11-21T10:02:01Z"))),
        "SparkOperatorMissing"
    );
}

#[test]
fn drivers_are_found_by_the_run_there_is() {
    let selector = "sparkoperator.k8s.io/app-name=etl,spark-role=driver,sparkoperator.k8s.io/submission-id=7f3c";
    assert_eq!(
        looks_at(&run("RUNNING", CHANGED)).as_deref(),
        Some(selector)
    );
    assert_eq!(looks_at(&run("FAILED", CHANGED)).as_deref(), Some(selector));
    for state in ["", "FAILING", "PENDING_RERUN", "INVALIDATING"] {
        assert_eq!(looks_at(&run(state, CHANGED)), None, "{state}");
    }
    let mut other = run("RUNNING", CHANGED);
    other["apiVersion"] = json!("spark.stackable.tech/v1alpha1");
    assert_eq!(looks_at(&other), None);
}

fn pod(labels: Value, init: &[&str], statuses: Value) -> Value {
    let init: Vec<_> = init.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "metadata": { "name": "etl-driver", "labels": labels },
        "spec": { "initContainers": init },
        "status": statuses,
    })
}

fn ended(name: &str, code: i64) -> Value {
    json!({ "name": name, "restartCount": 0, "state": { "terminated": { "exitCode": code, "reason": "Error" } } })
}

#[test]
fn a_driver_without_our_init_container_is_told_from_one_that_is_nobodys() {
    let labels = json!({ ROLE: "driver", RUNS: WHEEL });
    let bare = pod(labels.clone(), &[], json!({}));
    let found = diagnose(vec![bare.clone()]).unwrap();
    assert_eq!(found.reason.as_str(), "SparkWebhookMissing");
    assert!(found.text("").contains("fractal-pull") && found.next().contains("driver.template"));
    let mut leaving = bare;
    leaving["metadata"]["deletionTimestamp"] = json!(CHANGED);
    assert_eq!(diagnose(vec![leaving]), None);
    // Someone's own SparkApplication, out of a bundle.
    assert_eq!(
        diagnose(vec![pod(json!({ ROLE: "driver" }), &[], json!({}))]),
        None
    );
    assert_eq!(
        diagnose(vec![pod(labels, &[PULL, INSTALL], json!({}))]),
        None
    );
}

#[test]
fn each_container_of_a_driver_fails_for_a_reason_of_its_own() {
    let of = |statuses| {
        let labels = json!({ ROLE: "driver", RUNS: WHEEL });
        diagnose(vec![pod(labels, &[PULL, INSTALL], statuses)]).unwrap()
    };
    for (key, name, expected) in [
        ("initContainerStatuses", PULL, "SparkPullFailed"),
        ("initContainerStatuses", INSTALL, "SparkInstallFailed"),
        (
            "containerStatuses",
            "spark-kubernetes-driver",
            "SparkDriverFailed",
        ),
    ] {
        let found = of(json!({ key: [ended(name, 1)] }));
        assert_eq!(
            (
                found.reason.as_str(),
                found.container.as_deref(),
                found.has_log
            ),
            (expected, Some(name), true)
        );
        assert!(!found.next().is_empty());
    }
    let waiting = json!({ "name": PULL, "state": { "waiting": { "reason": "ErrImagePull" } } });
    let found = of(json!({ "initContainerStatuses": [waiting] }));
    assert_eq!(found.reason.as_str(), "ImageUnavailable");
}
