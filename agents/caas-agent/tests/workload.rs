//! Workloads without a bundle, on a real control plane.

#[cfg(test)]
#[path = "support/rig.rs"]
mod rig;

use fractal_core::reconcile::End;
use rig::Rig;
use serde_json::json;

#[tokio::test]
async fn a_workload_rolls_out_to_ready_pods_and_then_nothing_is_written() {
    let rig = Rig::start("rollout").await;
    let mut orders = rig.workload(
        "orders",
        json!({ "port": 8080, "replicas": 2, "env": { "GREETING": "hello" } }),
    );
    let report = orders.ready(&rig.agent).await;
    let End::Ready(outputs) = &report.end else {
        unreachable!()
    };
    assert_eq!(
        outputs["url"],
        format!("http://orders.{}.svc:8080", rig.namespace)
    );
    let deployment = rig.object("deployment", "orders").await;
    assert_eq!(deployment["status"]["readyReplicas"], 2, "{deployment:#}");

    let before = rig
        .kubectl(&[
            "get",
            "deployments,services,configmaps",
            "-o",
            "jsonpath={.items[*].metadata.resourceVersion}",
        ])
        .await;
    let mark = rig.mark();
    for _ in 0..3 {
        let report = orders.pass(&rig.agent).await;
        assert!(
            matches!(report.end, End::Ready(_)) && report.steps.is_empty(),
            "{:?}",
            report.steps
        );
    }
    let after = rig
        .kubectl(&[
            "get",
            "deployments,services,configmaps",
            "-o",
            "jsonpath={.items[*].metadata.resourceVersion}",
        ])
        .await;
    assert_eq!(before, after);
    let writes: Vec<_> = rig
        .calls(mark)
        .into_iter()
        .filter(|call| call.is_accepted_write())
        .collect();
    assert!(
        !rig.calls(mark).is_empty() && writes.is_empty(),
        "{writes:?}"
    );

    orders.gone(&rig.agent).await;
    let left = rig.everything().await;
    assert!(
        left.iter()
            .all(|it| it.starts_with("pod/") || it.starts_with("replicaset")),
        "{left:?}"
    );
}
