//! Pods that do not come to run: the reason, the last lines, and the release to go back to.

use fractal_core::reconcile::End;
use fractal_core::{Class, Fault};
use serde_json::json;

use crate::listener::{self, LINES};
use crate::rig::{Component, Rig, fault, image};

async fn failing(rig: &Rig, component: &mut Component) -> Fault {
    let report = component
        .until(&rig.agent, |it| matches!(it.end, End::Fault(_)))
        .await;
    let fault = fault(&report).clone();
    assert_eq!(fault.class, Class::Blocked, "{fault}");
    // What is wanted is there: it is only not well.
    assert!(report.in_sync, "{fault}");
    fault
}

#[tokio::test]
async fn a_crashing_release_carries_its_last_lines_and_names_the_last_good_one() {
    let rig = Rig::start("crashing").await;
    listener::port(rig.cluster).await;
    let mut orders = rig.workload("orders", json!({ "port": 8080, "containerName": "main" }));
    orders.ready(&rig.agent).await;
    let good = orders.rollout.target.artifact.digest.to_string();
    orders.rollout.target = image("registry.test/crashing/orders:2");
    let fault = failing(&rig, &mut orders).await;
    assert_eq!(fault.reason.as_str(), "ContainerCrashed");
    assert!(
        fault.what.contains("Deployment") && fault.what.contains("orders"),
        "{fault}"
    );
    let why = fault.why.as_ref().unwrap();
    for part in [
        "container main",
        "CrashLoopBackOff",
        "exit code 1",
        "5 restarts",
    ] {
        assert!(why.contains(part), "no {part} in: {why}");
    }
    // The last run's, since it waits to be started again; the last lines, not the first.
    assert!(
        why.contains(&format!("main of the last run, line {LINES}")),
        "{why}"
    );
    assert!(!why.contains("line 1\n"), "{why}");
    let next = fault.next.as_ref().unwrap();
    assert!(
        next.contains(&format!("the last release that ran is {good}")),
        "{next}"
    );
    // What ran before still does: a rollout takes nothing away until its successor is ready.
    let live = rig.object("deployment", "orders").await;
    assert_eq!(live["status"]["availableReplicas"], 1);

    orders.rollout.target = image("registry.test/orders:1");
    orders.ready(&rig.agent).await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_said_so() {
    let rig = Rig::start("pulls").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080 }));
    orders.rollout.target = image("registry.test/missing/orders:1");
    let fault = failing(&rig, &mut orders).await;
    assert_eq!(fault.reason.as_str(), "ImageUnavailable");
    let why = fault.why.unwrap();
    assert!(
        why.contains("ImagePullBackOff") && why.contains("registry.test/missing/orders@sha256:"),
        "{why}"
    );
    // Nothing ever ran: there is no release to go back to, and no log to show.
    assert!(!why.contains("last lines") && !fault.next.unwrap().contains("last release"));
}

#[tokio::test]
async fn a_pod_that_fits_no_node_is_said_so() {
    let rig = Rig::start("fits").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080, "cpuRequest": "100000" }));
    let fault = failing(&rig, &mut orders).await;
    assert_eq!(fault.reason.as_str(), "Unschedulable");
    assert!(fault.why.unwrap().contains("Insufficient cpu"));
}

/// Pods that nobody starts and nobody complains of: only the deadline tells.
#[tokio::test]
async fn a_rollout_past_its_deadline_has_failed() {
    let rig = Rig::start("deadline").await;
    let manifest = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  progressDeadlineSeconds: 1
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders}}
    spec: {schedulerName: nobody, containers: [{name: app, image: 'registry.test/a:1'}]}
";
    let mut orders = rig.bundle("orders", json!({}), &[("orders-fdeploy.yaml", manifest)]);
    let fault = failing(&rig, &mut orders).await;
    assert_eq!(fault.reason.as_str(), "RolloutFailed");
    assert!(fault.why.unwrap().contains("ProgressDeadlineExceeded"));
}

#[tokio::test]
async fn a_slow_start_is_waited_for_and_is_no_fault() {
    let rig = Rig::start("slow").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080, "replicas": 2 }));
    orders.rollout.target = image("registry.test/slow/orders:1");
    let mut said = Vec::new();
    let began = std::time::Instant::now();
    loop {
        let report = orders.pass(&rig.agent).await;
        match report.end {
            End::Ready(_) => break,
            End::Wait(why) => said.push(why),
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed().as_secs() < 60, "{said:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(
        said.iter().any(|it| it.contains("of 2 pods available")),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_failed_job_says_so_with_its_pods_last_lines() {
    let rig = Rig::for_bundles("jobs", &json!([])).await;
    listener::port(rig.cluster).await;
    let manifest = "
apiVersion: batch/v1
kind: Job
metadata: {name: migrate}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: 'registry.test/failing/migrate:1'}]
";
    let mut worker = rig.bundle("worker", json!({}), &[("worker-fdeploy.yaml", manifest)]);
    let fault = failing(&rig, &mut worker).await;
    assert_eq!(fault.reason.as_str(), "JobFailed", "{fault}");
    let why = fault.why.unwrap();
    assert!(why.contains("BackoffLimitExceeded"), "{why}");
    assert!(
        why.contains(&format!("migrate of this run, line {LINES}")),
        "{why}"
    );
}
