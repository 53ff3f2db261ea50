//! What the cluster does by itself, let go and waited for; and a quota that keeps it from succeeding.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::admin::Admin;

const PATIENCE: Duration = Duration::from_secs(90);
const INTERVAL: Duration = Duration::from_millis(15);
/// Lets a pod of a held namespace go.
const RELEASED: &str = "testkit.fractal/released";
const QUOTA: &str = "starved";

/// Lets held pods go, and waits until every rollout is complete or has failed.
pub(super) async fn settle(admin: &'static Admin, namespaces: Vec<String>) {
    for namespace in namespaces {
        let wait = Wait::until("every rollout is complete or has failed");
        while !is_settled(admin, &namespace).await {
            wait.more().await;
        }
    }
}

async fn is_settled(admin: &Admin, namespace: &str) -> bool {
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    let deployments = admin.list(&path).await;
    if deployments.iter().all(is_done) {
        return true;
    }
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    for pod in admin.list(&pods).await {
        let metadata = &pod["metadata"];
        let held = metadata["annotations"][RELEASED].is_null();
        if !held || !metadata["deletionTimestamp"].is_null() {
            continue;
        }
        let path = format!("{pods}/{}", metadata["name"].as_str().unwrap());
        let change = json!({ "metadata": { "annotations": { RELEASED: "true" } } });
        // A pod that its ReplicaSet took away meanwhile needs no letting go.
        drop(admin.call(http::Method::PATCH, &path, Some(&change)).await);
    }
    false
}

fn is_done(deployment: &Value) -> bool {
    let (spec, status) = (&deployment["spec"], &deployment["status"]);
    let counts = ["replicas", "updatedReplicas", "availableReplicas"];
    let seen = status["observedGeneration"] == deployment["metadata"]["generation"];
    let reached = counts.iter().all(|count| status[count] == spec["replicas"]);
    seen && (reached || is_refused(deployment))
}

/// Whether the cluster refuses its pods.
fn is_refused(deployment: &Value) -> bool {
    let conditions = deployment["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|it| it["type"] == "ReplicaFailure" && it["status"] == "True")
}

/// No further pod is taken in the namespace.
pub(super) async fn starve(admin: &'static Admin, namespace: String) {
    let pods = admin
        .list(&format!("/api/v1/namespaces/{namespace}/pods"))
        .await;
    let quotas = format!("/api/v1/namespaces/{namespace}/resourcequotas");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": { "name": QUOTA }, "spec": { "hard": { "pods": pods.len().to_string() } },
    });
    admin.post(&quotas, &quota).await;
    let path = format!("{quotas}/{QUOTA}");
    let wait = Wait::until("the quota is counted");
    while admin.get_object(&path).await["status"]["used"].is_null() {
        wait.more().await;
    }
}

/// Pods are taken again, and those that were refused are there.
pub(super) async fn feed(admin: &'static Admin, namespace: String) {
    let quota = format!("/api/v1/namespaces/{namespace}/resourcequotas/{QUOTA}");
    admin.delete(&quota).await;
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    let wait = Wait::until("refused pods are there");
    while admin.list(&path).await.iter().any(is_refused) {
        wait.more().await;
    }
}

/// A wait with an end.
struct Wait {
    what: &'static str,
    began: Instant,
}

impl Wait {
    fn until(what: &'static str) -> Self {
        let began = Instant::now();
        Self { what, began }
    }

    async fn more(&self) {
        let waited = self.began.elapsed();
        assert!(waited < PATIENCE, "waited in vain until {}", self.what);
        sleep(INTERVAL).await;
    }
}
