//! What cannot be changed in place: taken away and made anew only where someone allows it, and never where data would go.

use fractal_core::Class;
use fractal_core::reconcile::{Consent, Effect, End};
use serde_json::{Value, json};

use crate::rig::{Component, Rig, bundle, fault, text};

const NAME: &str = "worker-fdeploy.yaml";

fn job(argument: &str, more: &str) -> String {
    format!(
        "
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate}}
spec:
  {more}
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: migrate, image: 'registry.test/migrate:1', args: [{argument}]}}]
"
    )
}

fn publish(component: &mut Component, text: &str) {
    component.rollout.target = bundle(&[(NAME, text)]);
}

async fn uid(rig: &Rig, kind: &str, name: &str) -> String {
    text(&rig.object(kind, name).await, "/metadata/uid")
}

/// Blocked until the very plan that is shown is approved; then done, and done once.
async fn replaced_with_consent(rig: &Rig, worker: &mut Component, kind: &str, name: &str) {
    let before = uid(rig, kind, name).await;
    let mark = rig.mark();
    let report = worker.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(
        (refusal.reason.as_str(), refusal.class),
        ("ReplaceNeedsConsent", Class::Blocked)
    );
    assert!(refusal.what.contains(name), "{refusal}");
    assert!(rig.calls(mark).iter().all(|it| !it.is_write()));
    let preview = worker.preview(&rig.agent).await.unwrap();
    assert!(
        preview.now.iter().any(|it| it.effect == Effect::Replace),
        "{preview:?}"
    );
    let approval = preview.approval.unwrap();
    assert!(
        refusal
            .next
            .as_ref()
            .unwrap()
            .contains(&approval.to_string()),
        "{refusal}"
    );

    worker.consent = Consent::Plan(approval);
    worker.ready(&rig.agent).await;
    let after = uid(rig, kind, name).await;
    assert_ne!(after, before);
    // The consent is used up: nothing is replaced again.
    worker.ready(&rig.agent).await;
    assert_eq!(uid(rig, kind, name).await, after);
}

#[tokio::test]
async fn a_job_is_replaced_with_consent_only() {
    let rig = Rig::for_bundles("job", &json!([])).await;
    let mut worker = rig.bundle("worker", json!({}), &[(NAME, &job("one", ""))]);
    worker.ready(&rig.agent).await;
    publish(&mut worker, &job("two", ""));
    replaced_with_consent(&rig, &mut worker, "job", "migrate").await;
    let live = rig.object("job", "migrate").await;
    assert_eq!(
        live["spec"]["template"]["spec"]["containers"][0]["args"],
        json!(["two"])
    );
    // What can be changed in place is.
    let before = uid(&rig, "job", "migrate").await;
    worker.consent = Consent::Withheld;
    publish(&mut worker, &job("two", "suspend: false"));
    worker.ready(&rig.agent).await;
    assert_eq!(uid(&rig, "job", "migrate").await, before);
}

#[tokio::test]
async fn a_stateful_sets_volumes_are_replaced_with_consent_only() {
    let rig = Rig::for_bundles("set", &json!([])).await;
    let set = |size: &str| {
        format!("
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: worker}}
spec:
  serviceName: worker
  selector: {{matchLabels: {{app: worker}}}}
  template: {{metadata: {{labels: {{app: worker}}}}, spec: {{containers: [{{name: a, image: 'registry.test/a:1'}}]}}}}
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: {size}}}}}}}
")
    };
    let mut worker = rig.bundle("worker", json!({}), &[(NAME, &set("1Gi"))]);
    worker.ready(&rig.agent).await;
    let claim = uid(&rig, "persistentvolumeclaim", "data-worker-0").await;
    publish(&mut worker, &set("2Gi"));
    replaced_with_consent(&rig, &mut worker, "statefulset", "worker").await;
    // The data outlives the set.
    assert_eq!(
        uid(&rig, "persistentvolumeclaim", "data-worker-0").await,
        claim
    );
}

#[tokio::test]
async fn a_claim_is_never_replaced() {
    let rig = Rig::for_bundles("claim", &json!([])).await;
    let claim = |mode: &str| {
        format!(
            "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{accessModes: [{mode}], resources: {{requests: {{storage: 1Gi}}}}}}
"
        )
    };
    let mut worker = rig.bundle("worker", json!({}), &[(NAME, &claim("ReadWriteOnce"))]);
    worker.ready(&rig.agent).await;
    let before = rig.object("persistentvolumeclaim", "data").await;
    publish(&mut worker, &claim("ReadWriteMany"));
    worker.consent = Consent::Environment;
    let report = worker.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(
        (refusal.reason.as_str(), refusal.class),
        ("ImmutableField", Class::Blocked)
    );
    assert!(
        refusal.what.contains("data") && refusal.what.contains("immutable"),
        "{refusal}"
    );
    assert_eq!(rig.object("persistentvolumeclaim", "data").await, before);
}

#[tokio::test]
async fn a_job_that_its_ttl_removed_is_not_run_again() {
    let rig = Rig::for_bundles("ttl", &json!([])).await;
    let ttl = "ttlSecondsAfterFinished: 0";
    let mut worker = rig.bundle("worker", json!({}), &[(NAME, &job("one", ttl))]);
    worker
        .until(&rig.agent, |report| {
            matches!(report.end, End::Ready(_)) || report.steps.is_empty()
        })
        .await;
    rig.until("job", "migrate", Value::is_null).await;
    let mark = rig.mark();
    for _ in 0..3 {
        worker.ready(&rig.agent).await;
    }
    assert!(
        rig.calls(mark).iter().all(|it| !it.is_write()),
        "{:?}",
        rig.writes(mark)
    );
    // Another job under the same name is another run, and needs nobody's consent: nothing stands in its way.
    publish(&mut worker, &job("two", ttl));
    let began = rig.mark();
    worker.ready(&rig.agent).await;
    rig.until("job", "migrate", Value::is_null).await;
    worker.ready(&rig.agent).await;
    let runs = rig
        .writes(began)
        .iter()
        .filter(|it| it.resource == "jobs")
        .count();
    assert_eq!(runs, 1, "{:?}", rig.writes(began));
}

/// A job that ended badly says why, and is not started over.
#[tokio::test]
async fn a_job_that_failed_stays_as_it_is() {
    let rig = Rig::for_bundles("failed", &json!([])).await;
    let failing = job("one", "backoffLimit: 0").replace("registry.test/", "registry.test/failing/");
    let mut worker = rig.bundle("worker", json!({}), &[(NAME, &failing)]);
    let report = worker
        .until(&rig.agent, |report| matches!(report.end, End::Fault(_)))
        .await;
    let refusal = fault(&report);
    assert!(
        ["JobFailed", "ContainerCrashed"].contains(&refusal.reason.as_str()),
        "{refusal}"
    );
    let began = rig.mark();
    rig.until("job", "migrate", |it| it["status"]["failed"] == 1)
        .await;
    let report = worker.pass(&rig.agent).await;
    assert!(report.steps.is_empty() && rig.writes(began).is_empty());
}
