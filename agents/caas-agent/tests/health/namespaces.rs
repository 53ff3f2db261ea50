//! A namespace that is not there, or not any more.

use fractal_core::Class;
use serde_json::json;

use crate::rig::{Component, Rig, fault};

/// The agent may work in every namespace: in one that does not exist it would otherwise be told that it may not.
async fn everywhere(prefix: &str) -> Rig {
    let rig = Rig::start(prefix).await;
    let account = format!("--serviceaccount={}:caas-agent", rig.namespace);
    let name = format!("everywhere-{}", rig.namespace);
    rig.kubectl(&[
        "create",
        "clusterrolebinding",
        &name,
        "--clusterrole=admin",
        &account,
    ])
    .await;
    rig
}

fn at(rig: &Rig, namespace: &str) -> Component {
    rig.workload("orders", json!({ "port": 8080, "namespace": namespace }))
}

#[tokio::test]
async fn a_missing_namespace_is_named_with_the_way_to_make_it() {
    let rig = everywhere("missing").await;
    let namespace = format!("{}-later", rig.namespace);
    let mut orders = at(&rig, &namespace);
    let report = orders.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(
        (refusal.reason.as_str(), refusal.class),
        ("NamespaceMissing", Class::Blocked)
    );
    assert!(refusal.what.contains(&namespace), "{refusal}");
    let next = refusal.next.as_ref().unwrap();
    assert!(
        next.contains("create") && next.contains(&namespace),
        "{refusal}"
    );
    // Whoever makes it lets the component heal by itself.
    rig.kubectl(&["create", "namespace", &namespace]).await;
    orders.ready(&rig.agent).await;
    // With the namespace everything of ours is gone: nothing is left to wait for.
    rig.kubectl(&["delete", "namespace", &namespace]).await;
    orders.gone(&rig.agent).await;
}

#[tokio::test]
async fn a_namespace_that_is_going_takes_nothing_new() {
    let rig = everywhere("going").await;
    let namespace = format!("{}-going", rig.namespace);
    rig.kubectl(&["create", "namespace", &namespace]).await;
    // Something of somebody's keeps it from going.
    let hold = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "hold", "namespace": namespace, "finalizers": ["example.com/hold"] } });
    let output = rig
        .cluster
        .kubectl(&["apply", "-f", "-"], Some(&hold.to_string()))
        .await;
    assert!(output.status.success());
    rig.kubectl(&["delete", "namespace", &namespace, "--wait=false"])
        .await;
    let mut orders = at(&rig, &namespace);
    let report = orders.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(
        (refusal.reason.as_str(), refusal.class),
        ("NamespaceMissing", Class::Blocked),
        "{refusal}"
    );
    assert!(
        refusal.why.as_ref().unwrap().contains("being terminated"),
        "{refusal}"
    );
    assert!(
        refusal.next.as_ref().unwrap().contains("wait until"),
        "{refusal}"
    );
    let release = [
        "patch",
        "configmap",
        "hold",
        "-n",
        &namespace,
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ];
    rig.kubectl(&release).await;
}
