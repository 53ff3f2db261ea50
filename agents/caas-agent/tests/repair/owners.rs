//! Objects of the same name that are someone else's: refused before the first write, and never touched.

use fractal_core::Class;
use serde_json::json;

use crate::KINDS;
use crate::rig::{Rig, fault};

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  replicas: 1
  selector: {matchLabels: {app: theirs}}
  template:
    metadata: {labels: {app: theirs}}
    spec: {containers: [{name: theirs, image: 'theirs.test/x:1'}]}
";
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: orders}
spec: {selector: {app: theirs}, ports: [{port: 1}]}
";
const ACCOUNT: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: orders}
";
const SCALER: &str = "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: orders}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: unrelated}
  maxReplicas: 2
";

#[tokio::test]
async fn an_object_without_our_mark_is_not_ours() {
    for (prefix, kind, theirs) in [
        ("theirs-a", "Deployment", DEPLOYMENT),
        ("theirs-b", "Service", SERVICE),
        ("theirs-c", "ServiceAccount", ACCOUNT),
        ("theirs-d", "HorizontalPodAutoscaler", SCALER),
    ] {
        let rig = Rig::start(prefix).await;
        rig.apply(theirs).await;
        let before = rig.object(kind, "orders").await;
        let all = rig.everything().await;
        let mut orders = rig.workload(
            "orders",
            json!({ "port": 8080, "serviceAccount": true, "maxReplicas": 3, "cpu": "100m" }),
        );
        let report = orders.pass(&rig.agent).await;
        let refusal = fault(&report);
        assert_eq!(refusal.reason.as_str(), "OwnedByOther", "{refusal}");
        assert_eq!(refusal.class, Class::Blocked);
        assert!(
            refusal.what.contains(kind) && refusal.what.contains("orders"),
            "{refusal}"
        );
        assert!(report.steps.is_empty());
        let after = rig.object(kind, "orders").await;
        // Its own controller may have written its status meanwhile.
        assert_eq!(after["spec"], before["spec"]);
        assert_eq!(
            after["metadata"]["annotations"],
            before["metadata"]["annotations"]
        );
        let others = |all: Vec<String>| -> Vec<String> {
            all.into_iter()
                .filter(|it| !it.starts_with("pod/") && !it.starts_with("replicaset"))
                .collect()
        };
        assert_eq!(others(rig.everything().await), others(all));
        // Removing the component does not remove what was never its own.
        orders.gone(&rig.agent).await;
        assert_eq!(
            rig.object(kind, "orders").await["metadata"]["uid"],
            before["metadata"]["uid"]
        );
    }
}

#[tokio::test]
async fn an_object_of_another_component_is_named_with_its_owner() {
    let rig = Rig::start("siblings").await;
    let mut first = rig.workload("orders", json!({ "port": 8080 }));
    first.ready(&rig.agent).await;
    let before = rig.settled(KINDS).await;
    let mut second = rig.workload("orders", json!({ "port": 9090, "replicas": 3 }));
    second.owner.component.live_system = "Personal/suite/another".parse().unwrap();
    let report = second.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(refusal.reason.as_str(), "OwnedByOther");
    let marker = first.owner.marker();
    assert!(refusal.why.as_ref().unwrap().contains(&marker), "{refusal}");
    second.gone(&rig.agent).await;
    assert_eq!(rig.versions(KINDS).await, before);
    // Another installation in the same cluster is another owner too.
    let mut third = rig.workload("orders", json!({ "port": 8080 }));
    third.owner.installation = "elsewhere".parse().unwrap();
    let report = third.pass(&rig.agent).await;
    assert_eq!(fault(&report).reason.as_str(), "OwnedByOther");
    assert_eq!(rig.versions(KINDS).await, before);
}

#[tokio::test]
async fn an_inventory_that_is_not_ours_is_refused() {
    let rig = Rig::start("inventories").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080 }));
    let name = format!("fractal-{}", orders.owner.component.hash());
    rig.kubectl(&["create", "configmap", &name, "--from-literal=objects=[]"])
        .await;
    let before = rig.settled(KINDS).await;
    let report = orders.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(refusal.reason.as_str(), "OwnedByOther");
    assert!(refusal.what.contains(&name), "{refusal}");
    assert_eq!(rig.versions(KINDS).await, before);
}

/// An inventory that someone wrote nonsense into is not guessed at: what it listed could be anything.
#[tokio::test]
async fn an_inventory_that_cannot_be_read_stops_the_component() {
    let rig = Rig::start("unreadable").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080 }));
    orders.ready(&rig.agent).await;
    let name = format!("fractal-{}", orders.owner.component.hash());
    let nonsense = r#"[{"op":"replace","path":"/data/objects.json","value":"not a list"}]"#;
    rig.kubectl(&["patch", "configmap", &name, "--type=json", "-p", nonsense])
        .await;
    let before = rig.settled(KINDS).await;
    let report = orders.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(refusal.reason.as_str(), "InventoryUnreadable");
    assert!(refusal.what.contains(&name), "{refusal}");
    assert_eq!(rig.versions(KINDS).await, before);
    rig.kubectl(&["delete", "configmap", &name]).await;
    orders.ready(&rig.agent).await;
    orders.gone(&rig.agent).await;
}
