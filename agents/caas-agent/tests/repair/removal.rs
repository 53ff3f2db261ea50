//! A component that goes: all of it, and nothing else.

use std::time::{Duration, Instant};

use fractal_core::reconcile::Value as Setting;
use serde_json::json;

use crate::rig::{Rig, id};

const ALL: &str = "deployments,statefulsets,daemonsets,replicasets,services,serviceaccounts,configmaps,secrets,horizontalpodautoscalers.autoscaling,networkpolicies,cronjobs,jobs,persistentvolumeclaims,pods,roles,rolebindings,endpointslices";

const NEIGHBOURS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: orders, labels: {app.kubernetes.io/name: orders, fractal.cloud/installation: suite}}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: orders-env-00000000}
stringData: {a: b}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: orders}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: neighbour}
spec: {selector: {app.kubernetes.io/name: orders}, ports: [{port: 1}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: neighbour, labels: {fractal.cloud/installation: suite}}
spec:
  selector: {matchLabels: {app: neighbour}}
  template:
    metadata: {labels: {app: neighbour}}
    spec: {containers: [{name: app, image: 'theirs.test/x:1'}]}
";

/// Labels and names that look like ours prove nothing: only the inventory and the owner's mark do.
#[tokio::test]
async fn nothing_of_ours_is_left_and_nothing_else_is_touched() {
    let rig = Rig::start("removal").await;
    rig.apply(NEIGHBOURS).await;
    rig.until("deployment", "neighbour", |it| {
        it["status"]["readyReplicas"] == 1
    })
    .await;
    rig.until("persistentvolumeclaim", "orders", |it| {
        it["status"]["phase"] == "Bound"
    })
    .await;
    // A Service's slices follow the pods it finds: those of ours come and go with them.
    let follows = |it: &String| it.starts_with("EndpointSlice/neighbour-");
    let mut before = rig.settled(ALL).await;
    before.retain(|it, _| !follows(it));

    let mut orders = rig.workload(
        "orders",
        json!({
            "port": 8080, "serviceAccount": true, "maxReplicas": 3, "cpu": "100m",
            "env": { "PASSWORD": { "$envSecret": "db" } },
        }),
    );
    let sealed = Setting::Sealed {
        name: "db".into(),
        version: "1".into(),
        value: "hunter2-hunter2".into(),
    };
    orders.inputs.secrets.insert("db".into(), sealed);
    orders.ready(&rig.agent).await;
    let made = rig.objects(ALL).await.len();
    assert!(made > before.len() + 6, "{made}");
    orders.gone(&rig.agent).await;

    let began = Instant::now();
    loop {
        let mut after = rig.versions(ALL).await;
        after.retain(|it, _| !follows(it));
        // Pods and replica sets are the garbage collector's, a moment later.
        if after == before {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{after:#?} instead of {before:#?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Someone took our object away and made one of theirs in its place: it is not ours to delete.
#[tokio::test]
async fn what_someone_made_anew_in_our_place_stays_with_them() {
    let rig = Rig::start("replaced").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080 }));
    orders.ready(&rig.agent).await;
    rig.kubectl(&["delete", "service", "orders"]).await;
    rig.kubectl(&["create", "service", "clusterip", "orders", "--tcp=1:1"])
        .await;
    let theirs = rig.object("service", "orders").await;
    orders.gone(&rig.agent).await;
    assert_eq!(rig.object("service", "orders").await, theirs);
    let left: Vec<_> = rig
        .objects("deployments,configmaps")
        .await
        .iter()
        .map(id)
        .collect();
    assert_eq!(left, ["ConfigMap/kube-root-ca.crt"]);
}

/// Removal needs no specification, and asking for it twice is no fault.
#[tokio::test]
async fn removal_is_repeatable() {
    let rig = Rig::start("twice").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080 }));
    orders.ready(&rig.agent).await;
    let known = orders.record.clone();
    orders.set(json!({ "port": "not a port" }));
    orders.gone(&rig.agent).await;
    orders.record = known;
    orders.gone(&rig.agent).await;
}
