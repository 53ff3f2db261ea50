//! What is refused, for how long, and what asks first.

use fractal_artifact::manifests::Policy;
use fractal_core::Class;
use fractal_core::reconcile::Consent;
use serde_json::json;

use crate::account::{admin, deployment, of, publish, uid};
use crate::rig::{Component, Rig, fault, text};

#[tokio::test]
async fn a_field_that_no_kind_has_is_named_and_final() {
    let rig = Rig::start("typo").await;
    let typo = deployment("orders", "replicas: 1", ", imagePullPolice: Always");
    let mut orders = of(&rig, "orders", &[&typo]);
    let report = orders.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(
        (refusal.reason.as_str(), refusal.class),
        ("SpecRefused", Class::Terminal),
        "{refusal}"
    );
    assert!(refusal.to_string().contains("imagePullPolice"), "{refusal}");
    assert_eq!(rig.everything().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_policy_binds_workloads_without_a_bundle_too() {
    let rig = Rig::start("bound").await;
    let elsewhere = format!("namespaces: [not-{}]", rig.namespace);
    for policy in ["kinds: [ConfigMap]", &elsewhere] {
        let mut orders = rig.workload("orders", json!({ "port": 8080 }));
        orders.config.policy = Some(Policy::parse(policy).unwrap());
        let report = orders.pass(&rig.agent).await;
        let refusal = fault(&report);
        assert_eq!(
            (refusal.reason.as_str(), refusal.class),
            ("PolicyDenied", Class::Terminal),
            "{policy}: {refusal}"
        );
        assert!(rig.calls(0).is_empty(), "{:?}", rig.calls(0));
    }
}

fn service(port: u32, more: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: orders}}
spec: {{selector: {{app: orders}}, ports: [{{port: {port}}}]{more}}}
"
    )
}

/// What is there may be what stands in its way, and may change: only where nothing is there is a refusal final.
#[tokio::test]
async fn a_refused_change_of_what_is_there_may_heal() {
    let rig = Rig::start("heals").await;
    let mut orders = of(&rig, "orders", &[&service(80, "")]);
    orders.ready(&rig.agent).await;
    let before = rig.object("service", "orders").await;
    publish(&mut orders, &[&service(70_000, "")]);
    let report = orders.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(
        (refusal.reason.as_str(), refusal.class),
        ("SpecRefused", Class::Blocked),
        "{refusal}"
    );
    assert_eq!(rig.object("service", "orders").await, before);
    orders.gone(&rig.agent).await;
    let report = orders.pass(&rig.agent).await;
    assert_eq!(fault(&report).class, Class::Terminal);
}

#[tokio::test]
async fn an_object_named_like_the_inventory_is_refused() {
    let rig = Rig::start("inventory").await;
    let mut orders = rig.workload("orders", json!({}));
    let name = format!("fractal-{}", orders.owner.component.hash());
    let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    orders = of(&rig, "orders", &[&map]);
    let report = orders.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(
        (refusal.reason.as_str(), refusal.class),
        ("BundleObject", Class::Terminal),
        "{refusal}"
    );
    assert!(refusal.what.contains(&name), "{refusal}");
    assert_eq!(rig.everything().await, Vec::<String>::new());
}

/// Blocked until someone allows it, then made anew.
async fn asks_first(rig: &Rig, component: &mut Component, kind: &str, name: &str) {
    let before = uid(rig, kind, name).await;
    let report = component.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert_eq!(
        (refusal.reason.as_str(), refusal.class),
        ("ReplaceNeedsConsent", Class::Blocked),
        "{refusal}"
    );
    assert_eq!(uid(rig, kind, name).await, before);
    component.consent = Consent::Environment;
    component.ready(&rig.agent).await;
    assert_ne!(uid(rig, kind, name).await, before);
}

#[tokio::test]
async fn a_service_that_becomes_headless_asks_first() {
    let rig = Rig::start("headless").await;
    let mut orders = of(&rig, "orders", &[&service(80, "")]);
    orders.ready(&rig.agent).await;
    publish(&mut orders, &[&service(80, ", clusterIP: None")]);
    asks_first(&rig, &mut orders, "service", "orders").await;
    let live = rig.object("service", "orders").await;
    assert_eq!(live["spec"]["clusterIP"], "None");
}

#[tokio::test]
async fn a_binding_of_another_role_asks_first() {
    let rig = admin("roleref").await;
    let binding = |role: &str| {
        format!(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: orders}}
subjects: [{{kind: ServiceAccount, name: default}}]
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}
"
        )
    };
    let mut orders = of(&rig, "orders", &[&binding("view")]);
    orders.ready(&rig.agent).await;
    publish(&mut orders, &[&binding("edit")]);
    asks_first(&rig, &mut orders, "rolebinding", "orders").await;
    let live = rig.object("rolebinding", "orders").await;
    assert_eq!(text(&live, "/roleRef/name"), "edit");
}
