//! Work that has run and is gone: how it ended is remembered, and it is not run again.

use fractal_core::reconcile::End;
use serde_json::Value;

use crate::account::{admin, of, publish};
use crate::rig::fault;

fn job(labels: &str, ttl: u32, image: &str) -> String {
    format!(
        "
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate, labels: {{{labels}}}}}
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: {ttl}
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: migrate, image: '{image}'}}]
"
    )
}

#[tokio::test]
async fn a_job_that_failed_stays_failed_when_its_ttl_has_removed_it() {
    let rig = admin("lost").await;
    let failing = job("", 4, "registry.test/failing/migrate:1");
    let mut worker = of(&rig, "worker", &[&failing]);
    worker
        .until(&rig.agent, |it| matches!(it.end, End::Fault(_)))
        .await;
    rig.until("job", "migrate", Value::is_null).await;
    let mark = rig.mark();
    for _ in 0..3 {
        let report = worker.pass(&rig.agent).await;
        let failure = fault(&report);
        assert!(
            ["JobFailed", "ContainerCrashed"].contains(&failure.reason.as_str()),
            "{failure}"
        );
        assert!(report.steps.is_empty(), "{:?}", report.steps);
    }
    assert!(rig.writes(mark).is_empty(), "{:?}", rig.writes(mark));
}

#[tokio::test]
async fn a_label_does_not_run_a_job_again_that_has_run_and_is_gone() {
    let rig = admin("label").await;
    let image = "registry.test/migrate:1";
    let mut worker = of(&rig, "worker", &[&job("a: one", 0, image)]);
    worker.ready(&rig.agent).await;
    rig.until("job", "migrate", Value::is_null).await;
    worker.ready(&rig.agent).await;
    let mark = rig.mark();
    publish(&mut worker, &[&job("a: two", 60, image)]);
    for _ in 0..3 {
        worker.ready(&rig.agent).await;
    }
    let runs: Vec<_> = { rig.writes(mark) }
        .into_iter()
        .filter(|it| it.resource == "jobs")
        .collect();
    assert!(runs.is_empty(), "{runs:?}");
    // Another image is other work.
    publish(&mut worker, &[&job("a: two", 0, "registry.test/migrate:2")]);
    worker.ready(&rig.agent).await;
    assert!(rig.writes(mark).iter().any(|it| it.resource == "jobs"));
}
