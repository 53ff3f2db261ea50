//! What people change by hand, and what they delete.

use fractal_core::Class;
use fractal_core::reconcile::End;
use serde_json::{Value, json};

use crate::KINDS;
use crate::rig::{Component, Rig, fault, id, text};

async fn running(rig: &Rig) -> Component {
    let mut orders = rig.workload(
        "orders",
        json!({
            "port": 8080, "replicas": 2, "env": { "LEVEL": "info" }, "cpu": "100m",
            "serviceAccount": true, "healthCheck": { "path": "/healthz" },
        }),
    );
    orders.ready(&rig.agent).await;
    orders
}

/// All objects as they were wanted: without what the API server counts and controllers note down.
async fn wanted(rig: &Rig) -> Vec<Value> {
    let mut objects = rig.objects(KINDS).await;
    for object in &mut objects {
        let all = object.as_object_mut().unwrap();
        all.remove("status");
        let metadata = all["metadata"].as_object_mut().unwrap();
        for key in ["resourceVersion", "generation", "managedFields"] {
            metadata.remove(key);
        }
        if let Some(annotations) = metadata.get_mut("annotations") {
            annotations
                .as_object_mut()
                .unwrap()
                .remove("deployment.kubernetes.io/revision");
        }
    }
    objects.sort_by_key(id);
    objects
}

fn inventory(objects: &[Value]) -> String {
    let is = |it: &&Value| text(it, "/metadata/name").starts_with("fractal-");
    text(objects.iter().find(is).unwrap(), "/metadata/name")
}

#[tokio::test]
async fn a_hand_edit_is_taken_back() {
    let rig = Rig::start("edits").await;
    let mut orders = running(&rig).await;
    let before = wanted(&rig).await;
    let inventory = inventory(&before);
    let owner = "fractal.cloud/owner-";
    let installation = "fractal.cloud/installation=someone-else";
    let patch = |kind: &'static str, patch: &'static str| {
        vec!["patch", kind, "orders", "--type=json", "-p", patch]
    };
    for edit in [
        vec!["set", "image", "deployment/orders", "orders=evil.test/x:1"],
        vec!["set", "env", "deployment/orders", "LEVEL=debug"],
        vec!["set", "resources", "deployment/orders", "--limits=cpu=2"],
        vec!["scale", "deployment", "orders", "--replicas=5"],
        patch(
            "deployment",
            r#"[{"op":"remove","path":"/spec/template/spec/containers/0/readinessProbe"}]"#,
        ),
        patch(
            "deployment",
            r#"[{"op":"remove","path":"/spec/template/spec/serviceAccountName"},{"op":"remove","path":"/spec/template/spec/serviceAccount"}]"#,
        ),
        patch(
            "service",
            r#"[{"op":"replace","path":"/spec/ports/0/targetPort","value":9999}]"#,
        ),
        patch(
            "service",
            r#"[{"op":"replace","path":"/spec/selector","value":{"app.kubernetes.io/name":"other"}}]"#,
        ),
        vec!["label", "service", "orders", "--overwrite", installation],
        vec!["annotate", "deployment", "orders", owner],
        vec!["annotate", "service", "orders", owner],
        vec!["annotate", "serviceaccount", "orders", owner],
        vec!["label", "configmap", &inventory, "fractal.cloud/inventory-"],
        vec![
            "label",
            "configmap",
            &inventory,
            "fractal.cloud/installation-",
        ],
    ] {
        let said = rig.kubectl(&edit).await;
        let drifted = wanted(&rig).await;
        assert_ne!(drifted, before, "{edit:?} changed nothing: {said}");
        orders.ready(&rig.agent).await;
        assert_eq!(wanted(&rig).await, before, "{edit:?}");
    }
    rig.stays(&mut orders, KINDS).await;
}

/// Without a fault the plan says which field, what it is and what it is to be.
#[tokio::test]
async fn a_hand_edit_is_shown_before_it_is_taken_back() {
    let rig = Rig::start("shown").await;
    let orders = running(&rig).await;
    rig.kubectl(&["scale", "deployment", "orders", "--replicas=5"])
        .await;
    let before = rig.settled(KINDS).await;
    let preview = orders.preview(&rig.agent).await.unwrap();
    let [step] = &preview.now[..] else {
        panic!("{preview:?}")
    };
    assert!(step.step.contains("spec.replicas"), "{}", step.step);
    assert_eq!(step.details, ["spec.replicas: 5 -> 2"]);
    assert_eq!(rig.versions(KINDS).await, before);
}

#[tokio::test]
async fn what_is_deleted_comes_back() {
    let rig = Rig::start("deleted").await;
    let mut orders = running(&rig).await;
    let before = wanted(&rig).await;
    let inventory = inventory(&before);
    let spec = |objects: &[Value]| -> Vec<(String, Value)> {
        let without_server = |it: &Value| {
            let mut it = it.clone();
            if let Some(spec) = it["spec"].as_object_mut() {
                for key in ["clusterIP", "clusterIPs"] {
                    spec.remove(key);
                }
            }
            json!([
                it["spec"],
                it["data"],
                it["metadata"]["labels"],
                it["metadata"]["annotations"]
            ])
        };
        objects
            .iter()
            .map(|it| (id(it), without_server(it)))
            .collect()
    };
    for (kind, name) in [
        ("deployment", "orders"),
        ("service", "orders"),
        ("serviceaccount", "orders"),
        ("configmap", inventory.as_str()),
    ] {
        let gone = text(&rig.object(kind, name).await, "/metadata/uid");
        rig.kubectl(&["delete", kind, name]).await;
        orders.ready(&rig.agent).await;
        let back = rig.object(kind, name).await;
        assert_ne!(text(&back, "/metadata/uid"), gone);
        assert_eq!(spec(&wanted(&rig).await), spec(&before), "{kind}");
    }
    rig.stays(&mut orders, KINDS).await;
}

/// A finalizer of somebody's holds the deletion up: nothing is made anew before it is over, and nothing fails.
#[tokio::test]
async fn what_is_being_deleted_is_waited_for() {
    let rig = Rig::start("leaving").await;
    let mut orders = running(&rig).await;
    let finalizers = r#"{"metadata":{"finalizers":["example.com/hold"]}}"#;
    rig.kubectl(&[
        "patch",
        "service",
        "orders",
        "--type=merge",
        "-p",
        finalizers,
    ])
    .await;
    rig.kubectl(&["delete", "service", "orders", "--wait=false"])
        .await;
    let mark = rig.mark();
    let report = orders.pass(&rig.agent).await;
    let End::Wait(why) = &report.end else {
        panic!("{:?}", report.end)
    };
    assert!(why.contains("orders is being deleted"), "{why}");
    assert!(rig.writes(mark).is_empty());
    rig.kubectl(&[
        "patch",
        "service",
        "orders",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ])
    .await;
    orders.ready(&rig.agent).await;
    let service = rig.object("service", "orders").await;
    assert_eq!(service["metadata"].get("deletionTimestamp"), None);
}

/// A Service whose port was changed by hand holds that port and ours, and no Service may hold two without names: nothing can be
/// applied until the other one goes. It is said so, and nothing is given up on.
#[tokio::test]
async fn a_second_port_made_by_hand_is_named_and_heals_once_it_goes() {
    let rig = Rig::start("ports").await;
    let mut orders = running(&rig).await;
    let before = wanted(&rig).await;
    let edit =
        |port: u16| format!(r#"[{{"op":"replace","path":"/spec/ports/0/port","value":{port}}}]"#);
    rig.kubectl(&["patch", "service", "orders", "--type=json", "-p", &edit(81)])
        .await;
    let report = orders.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(
        (refusal.reason.as_str(), refusal.class),
        ("SpecRefused", Class::Blocked)
    );
    assert!(refusal.to_string().contains("spec.ports"), "{refusal}");
    assert!(report.steps.is_empty());
    rig.kubectl(&[
        "patch",
        "service",
        "orders",
        "--type=json",
        "-p",
        &edit(8080),
    ])
    .await;
    orders.ready(&rig.agent).await;
    assert_eq!(wanted(&rig).await, before);
}
