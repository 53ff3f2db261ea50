//! Other field managers: what they add is theirs, what they take is named.

use fractal_core::Class;
use serde_json::{Value, json};

use crate::KINDS;
use crate::rig::{Component, Rig, fault};

async fn running(rig: &Rig) -> Component {
    let mut orders = rig.workload(
        "orders",
        json!({ "port": 8080, "replicas": 2, "cpu": "100m" }),
    );
    orders.ready(&rig.agent).await;
    orders
}

/// Applies as another manager.
async fn apply_as(rig: &Rig, manager: &str, object: &Value) {
    let manager = format!("--field-manager={manager}");
    let args = [
        "-n",
        &rig.namespace,
        "apply",
        "--server-side",
        "--force-conflicts",
        &manager,
        "-f",
        "-",
    ];
    let output = rig.cluster.kubectl(&args, Some(&object.to_string())).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn deployment(spec: Value) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "orders" }, "spec": spec })
}

#[tokio::test]
async fn what_others_add_is_left_alone() {
    let rig = Rig::start("added").await;
    let mut orders = running(&rig).await;
    rig.kubectl(&["label", "deployment", "orders", "team=payments"])
        .await;
    rig.kubectl(&[
        "annotate",
        "service",
        "orders",
        "mesh.example.com/inject=true",
    ])
    .await;
    let proxy = json!({ "template": { "spec": {
        "nodeSelector": { "kubernetes.io/os": "linux" },
        "containers": [{ "name": "proxy", "image": "mesh.test/proxy:1" }],
    } } });
    apply_as(&rig, "mesh", &deployment(proxy)).await;
    let variable = r#"[{"op":"add","path":"/spec/template/spec/containers/0/env","value":[{"name":"THEIRS","value":"1"}]}]"#;
    rig.kubectl(&[
        "patch",
        "deployment",
        "orders",
        "--type=json",
        "-p",
        variable,
    ])
    .await;
    orders.ready(&rig.agent).await;
    rig.stays(&mut orders, KINDS).await;
    // A change of ours does not take it away either.
    orders.set(json!({ "port": 8080, "replicas": 1, "cpu": "200m", "env": { "OURS": "2" } }));
    orders.ready(&rig.agent).await;
    let live = rig.object("deployment", "orders").await;
    assert_eq!(live["metadata"]["labels"]["team"], "payments");
    let pod = &live["spec"]["template"]["spec"];
    assert_eq!(pod["nodeSelector"], json!({ "kubernetes.io/os": "linux" }));
    let containers = pod["containers"].as_array().unwrap();
    let find = |name: &str| containers.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(find("proxy")["image"], "mesh.test/proxy:1");
    let mut env: Vec<_> = find("orders")["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["name"])
        .collect();
    env.sort_by_key(|it| it.to_string());
    assert_eq!(env, ["OURS", "THEIRS"]);
    let service = rig.object("service", "orders").await;
    assert_eq!(
        service["metadata"]["annotations"]["mesh.example.com/inject"],
        "true"
    );
    rig.stays(&mut orders, KINDS).await;
}

#[tokio::test]
async fn a_field_that_another_manager_applied_is_a_conflict_that_names_it() {
    let rig = Rig::start("conflict").await;
    let mut orders = running(&rig).await;
    apply_as(&rig, "gitops-tool", &deployment(json!({ "replicas": 7 }))).await;
    rig.until("deployment", "orders", |it| {
        it["status"]["readyReplicas"] == 7
    })
    .await;
    let before = rig.settled(KINDS).await;
    let mark = rig.mark();
    for _ in 0..2 {
        let report = orders.pass(&rig.agent).await;
        let conflict = fault(&report);
        assert_eq!(conflict.reason.as_str(), "FieldConflict");
        assert_eq!(conflict.class, Class::Blocked);
        let said = conflict.to_string();
        for part in ["gitops-tool", ".spec.replicas", "Deployment", "orders"] {
            assert!(said.contains(part), "no {part} in: {said}");
        }
    }
    assert_eq!(rig.versions(KINDS).await, before);
    assert!(rig.calls(mark).iter().all(|it| !it.is_write()));
    // It heals by itself once the other one lets go.
    apply_as(&rig, "gitops-tool", &deployment(json!({}))).await;
    orders.ready(&rig.agent).await;
    assert_eq!(
        rig.object("deployment", "orders").await["spec"]["replicas"],
        2
    );
}

/// One field of one object stops the whole component: half a change would be worse than none.
#[tokio::test]
async fn a_conflict_anywhere_stops_every_write() {
    let rig = Rig::start("halves").await;
    let mut orders = running(&rig).await;
    let ports = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "orders" },
        "spec": { "ports": [{ "port": 8080, "protocol": "TCP", "targetPort": 1 }] },
    });
    apply_as(&rig, "gitops-tool", &ports).await;
    let before = rig.settled(KINDS).await;
    orders.set(json!({ "port": 8080, "replicas": 1, "serviceAccount": true }));
    let report = orders.pass(&rig.agent).await;
    assert_eq!(fault(&report).reason.as_str(), "FieldConflict");
    assert_eq!(rig.versions(KINDS).await, before);
}

/// Taking a field over with the very value it has is no conflict, and is shared without a quarrel.
#[tokio::test]
async fn the_same_value_of_two_managers_is_no_conflict() {
    let rig = Rig::start("shared").await;
    let mut orders = running(&rig).await;
    apply_as(&rig, "gitops-tool", &deployment(json!({ "replicas": 2 }))).await;
    rig.stays(&mut orders, KINDS).await;
    apply_as(&rig, "gitops-tool", &deployment(json!({}))).await;
    rig.stays(&mut orders, KINDS).await;
    assert_eq!(
        rig.object("deployment", "orders").await["spec"]["replicas"],
        2
    );
}
