//! `maxReplicas`: an autoscaler, and the replicas that are left to it.

use fractal_core::reconcile::End;
use serde_json::{Value, json};

use crate::KINDS;
use crate::rig::{Component, Rig, text};

const SCALER: &str = "horizontalpodautoscaler";

async fn deployments(rig: &Rig) -> (String, String) {
    let path = format!("/apis/apps/v1/namespaces/{}/deployments", rig.namespace);
    let list: Value = serde_json::from_str(&rig.kubectl(&["get", "--raw", &path]).await).unwrap();
    (path, text(&list, "/metadata/resourceVersion"))
}

/// Every count the Deployment was ever told since.
async fn counts(rig: &Rig, (path, since): &(String, String)) -> Vec<i64> {
    let states = rig.history(path, since).await;
    states
        .iter()
        .map(|it| it["spec"]["replicas"].as_i64().unwrap())
        .collect()
}

/// Whether this agent manages the count, as the API server remembers it.
fn is_ours(deployment: &Value) -> bool {
    let managers = deployment["metadata"]["managedFields"].as_array().unwrap();
    managers.iter().any(|it| {
        it["manager"] == "fractal-caas-agent" && it.pointer("/fieldsV1/f:spec/f:replicas").is_some()
    })
}

async fn scaled(rig: &Rig, parameters: Value) -> Component {
    let mut orders = rig.workload("orders", parameters);
    orders.ready(&rig.agent).await;
    orders
}

#[tokio::test]
async fn max_replicas_is_an_autoscaler_and_leaves_the_count_to_it() {
    let rig = Rig::start("scaler").await;
    let parameters = json!({ "replicas": 2, "maxReplicas": 5, "cpuRequest": "100m" });
    let mut orders = scaled(&rig, parameters).await;
    let scaler = rig.object(SCALER, "orders").await;
    assert_eq!(
        scaler["spec"],
        json!({
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "orders" },
            "minReplicas": 2, "maxReplicas": 5,
            "metrics": [{ "type": "Resource", "resource": {
                "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 80 },
            } }],
        })
    );
    // The control plane's own autoscaler brings it to the floor.
    let deployment = rig
        .until("deployment", "orders", |it| {
            it["status"]["readyReplicas"] == 2
        })
        .await;
    assert!(!is_ours(&deployment));
    orders.ready(&rig.agent).await;
    rig.stays(&mut orders, KINDS).await;
    // What it decides is left alone.
    rig.kubectl(&["scale", "deployment", "orders", "--replicas=4"])
        .await;
    rig.until("deployment", "orders", |it| {
        it["status"]["readyReplicas"] == 4
    })
    .await;
    orders.ready(&rig.agent).await;
    assert_eq!(
        rig.object("deployment", "orders").await["spec"]["replicas"],
        4
    );
}

/// Dropping a field that was applied takes it back to its default, which is one pod: it has to change hands first.
#[tokio::test]
async fn an_autoscaler_that_is_added_later_takes_over_the_count_as_it_is() {
    let rig = Rig::start("handover").await;
    let mut orders = scaled(&rig, json!({ "replicas": 3, "cpu": "100m" })).await;
    assert!(is_ours(&rig.object("deployment", "orders").await));
    let since = deployments(&rig).await;
    orders.set(json!({ "replicas": 3, "maxReplicas": 6, "cpu": "100m" }));
    orders.ready(&rig.agent).await;
    let deployment = rig.object("deployment", "orders").await;
    assert!(!is_ours(&deployment), "{:#}", deployment["metadata"]);
    let counts = counts(&rig, &since).await;
    assert!(
        !counts.is_empty() && counts.iter().all(|it| *it == 3),
        "{counts:?}"
    );
    rig.stays(&mut orders, KINDS).await;
}

#[tokio::test]
async fn without_the_autoscaler_the_count_is_the_components_again() {
    let rig = Rig::start("takeback").await;
    let mut orders = scaled(&rig, json!({ "replicas": 3, "cpu": "100m" })).await;
    let mut count = 3;
    for scaled in [None, Some("--replicas=5")] {
        orders.set(json!({ "replicas": 3, "maxReplicas": 6, "cpu": "100m" }));
        orders.ready(&rig.agent).await;
        if let Some(scaled) = scaled {
            rig.kubectl(&["scale", "deployment", "orders", scaled])
                .await;
            count = 5;
        }
        let since = deployments(&rig).await;
        orders.set(json!({ "replicas": 2, "cpu": "100m" }));
        orders.ready(&rig.agent).await;
        let deployment = rig.object("deployment", "orders").await;
        assert_eq!(deployment["spec"]["replicas"], 2);
        assert!(is_ours(&deployment), "{:#}", deployment["metadata"]);
        let counts = counts(&rig, &since).await;
        assert!(
            counts.iter().all(|it| [2, count].contains(it)),
            "{counts:?}"
        );
    }
    let scalers = rig.versions("horizontalpodautoscalers.autoscaling").await;
    assert!(scalers.is_empty(), "{scalers:?}");
    rig.stays(&mut orders, KINDS).await;
}

#[tokio::test]
async fn an_autoscaler_that_someone_else_made_keeps_its_count() {
    let rig = Rig::start("theirs").await;
    let mut orders = scaled(&rig, json!({ "replicas": 2, "cpu": "100m" })).await;
    rig.kubectl(&[
        "autoscale",
        "deployment",
        "orders",
        "--min=4",
        "--max=8",
        "--cpu=80%",
    ])
    .await;
    rig.until("deployment", "orders", |it| {
        it["status"]["readyReplicas"] == 4
    })
    .await;
    let before = rig.object(SCALER, "orders").await;
    let since = deployments(&rig).await;
    orders.ready(&rig.agent).await;
    orders.set(json!({ "replicas": 2, "cpu": "100m", "env": { "A": "1" } }));
    orders.ready(&rig.agent).await;
    let deployment = rig.object("deployment", "orders").await;
    assert_eq!(deployment["spec"]["replicas"], 4);
    assert_eq!(
        deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["name"],
        "A"
    );
    let counts = counts(&rig, &since).await;
    assert!(counts.iter().all(|it| *it == 4), "{counts:?}");
    rig.stays(&mut orders, KINDS).await;
    assert_eq!(rig.object(SCALER, "orders").await["spec"], before["spec"]);
    orders.gone(&rig.agent).await;
    assert_eq!(rig.object(SCALER, "orders").await["spec"], before["spec"]);
}

/// An autoscaler without a request to measure by never scales: said, not refused.
#[tokio::test]
async fn an_autoscaler_that_cannot_see_is_a_notice() {
    let rig = Rig::start("blind").await;
    let mut orders = rig.workload("orders", json!({ "maxReplicas": 3 }));
    let report = orders.ready(&rig.agent).await;
    assert!(matches!(report.end, End::Ready(_)));
    let [notice] = &report.notices[..] else {
        panic!("{:?}", report.notices)
    };
    assert_eq!(notice.reason.as_str(), "AutoscalerBlind");
    assert!(notice.message.contains("cpuRequest"), "{}", notice.message);
}
