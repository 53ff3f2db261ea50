//! What the cluster does not let in: each its own reason, before anything is written where that can be told.

use fractal_core::reconcile::End;
use fractal_core::{Class, Fault};
use serde_json::{Value, json};

use crate::listener;
use crate::rig::{Component, Rig, fault};

fn orders(rig: &Rig) -> Component {
    rig.workload("orders", json!({ "port": 8080 }))
}

/// Refused already when it is asked what would be: nothing of the component is there.
async fn refused_before_the_first_write(rig: &Rig) -> Fault {
    let mut orders = orders(rig);
    let report = orders.pass(&rig.agent).await;
    let fault = fault(&report).clone();
    assert_eq!(fault.class, Class::Blocked, "{fault}");
    assert!(
        rig.calls(0).iter().all(|it| !it.is_write()),
        "{:?}",
        rig.writes(0)
    );
    fault
}

/// The Deployment was taken, its pods are not.
async fn pods_refused(rig: &Rig) -> Fault {
    let mut orders = orders(rig);
    let report = orders
        .until(&rig.agent, |it| matches!(it.end, End::Fault(_)))
        .await;
    assert!(report.in_sync);
    fault(&report).clone()
}

#[tokio::test]
async fn a_quota_is_named() {
    let rig = Rig::start("quota").await;
    rig.kubectl(&["create", "quota", "few", "--hard=count/services=0"])
        .await;
    // The quota counts once its controller has seen it.
    rig.until("resourcequota", "few", |it| {
        it["status"]["hard"].is_object()
    })
    .await;
    let fault = refused_before_the_first_write(&rig).await;
    assert_eq!(fault.reason.as_str(), "QuotaExceeded", "{fault}");
    assert!(fault.why.unwrap().contains("exceeded quota: few"));
    rig.kubectl(&["delete", "quota", "few"]).await;
    orders(&rig).ready(&rig.agent).await;
}

#[tokio::test]
async fn a_quota_of_pods_is_named() {
    let rig = Rig::start("podquota").await;
    rig.kubectl(&["create", "quota", "none", "--hard=pods=0"])
        .await;
    rig.until("resourcequota", "none", |it| {
        it["status"]["hard"].is_object()
    })
    .await;
    let fault = pods_refused(&rig).await;
    assert_eq!(fault.reason.as_str(), "QuotaExceeded", "{fault}");
    assert!(fault.why.unwrap().contains("exceeded quota: none"));
}

#[tokio::test]
async fn a_pod_security_level_is_named() {
    let rig = Rig::start("restricted").await;
    let level = "pod-security.kubernetes.io/enforce=restricted";
    rig.kubectl(&["label", "namespace", &rig.namespace, level])
        .await;
    let fault = pods_refused(&rig).await;
    assert_eq!(fault.reason.as_str(), "PodSecurityViolation", "{fault}");
    assert!(fault.why.unwrap().contains("runAsNonRoot"));
}

fn here(rig: &Rig) -> Value {
    json!({ "matchLabels": { "kubernetes.io/metadata.name": rig.namespace } })
}

#[tokio::test]
async fn an_admission_policy_is_named() {
    let rig = Rig::start("policy").await;
    let name = format!("few-{}", rig.namespace);
    let group = "admissionregistration.k8s.io/v1";
    let policy = json!({
        "apiVersion": group, "kind": "ValidatingAdmissionPolicy", "metadata": { "name": name },
        "spec": {
            "matchConstraints": {
                "namespaceSelector": here(&rig),
                "resourceRules": [{ "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"] }],
            },
            "validations": [{ "expression": "has(object.metadata.labels) && 'team' in object.metadata.labels", "message": "every Deployment names its team" }],
        },
    });
    let binding = json!({
        "apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": name },
        "spec": { "policyName": name, "validationActions": ["Deny"] },
    });
    rig.apply(&format!("{policy}\n---\n{binding}")).await;
    // It holds once the API server has read it again.
    let probe = [
        "create",
        "deployment",
        "probe",
        "--image=a",
        "--dry-run=server",
    ];
    let began = std::time::Instant::now();
    while rig.try_kubectl(&probe).await.is_ok() {
        assert!(began.elapsed().as_secs() < 60, "the policy never holds");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let fault = refused_before_the_first_write(&rig).await;
    assert_eq!(fault.reason.as_str(), "AdmissionDenied", "{fault}");
    let why = fault.why.unwrap();
    assert!(
        why.contains("every Deployment names its team") && why.contains(&name),
        "{why}"
    );
}

#[tokio::test]
async fn an_admission_webhook_is_named() {
    let rig = Rig::start("webhook").await;
    let port = listener::port(rig.cluster).await;
    let authority = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(rig.cluster.ca_pem())
    };
    let hook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": format!("sundays-{}", rig.namespace) },
        "webhooks": [{
            "name": "sundays.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "clientConfig": { "url": format!("https://127.0.0.1:{port}/admit"), "caBundle": authority },
            "namespaceSelector": here(&rig),
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services"] }],
        }],
    });
    rig.apply(&hook.to_string()).await;
    let probe = [
        "create",
        "service",
        "clusterip",
        "probe",
        "--tcp=1:1",
        "--dry-run=server",
    ];
    let began = std::time::Instant::now();
    while rig.try_kubectl(&probe).await.is_ok() {
        assert!(began.elapsed().as_secs() < 60, "the webhook is never asked");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let fault = refused_before_the_first_write(&rig).await;
    assert_eq!(fault.reason.as_str(), "AdmissionDenied", "{fault}");
    let why = fault.why.unwrap();
    assert!(
        why.contains("no orders on Sundays") && why.contains("sundays.example.com"),
        "{why}"
    );
}

/// A field that Kubernetes does not know is an error in the bundle, not a warning nobody reads.
#[tokio::test]
async fn an_unknown_field_is_refused() {
    let rig = Rig::start("strict").await;
    let manifest = "
apiVersion: v1
kind: Service
metadata: {name: orders}
spec: {selecter: {app: a}, ports: [{port: 1}]}
";
    let mut orders = rig.bundle("orders", json!({}), &[("orders-fdeploy.yaml", manifest)]);
    let report = orders.pass(&rig.agent).await;
    let fault = fault(&report);
    assert_eq!(
        (fault.reason.as_str(), fault.class),
        ("SpecRefused", Class::Terminal)
    );
    assert!(fault.why.as_ref().unwrap().contains("selecter"), "{fault}");
    assert!(rig.calls(0).iter().all(|it| !it.is_write()));
}

#[tokio::test]
async fn a_kind_that_the_cluster_does_not_have_is_named() {
    let rig = Rig::start("kinds").await;
    let manifest = "
apiVersion: getambassador.io/v2
kind: Mapping
metadata: {name: orders}
spec: {prefix: /}
";
    let mut orders = rig.bundle("orders", json!({}), &[("orders-fdeploy.yaml", manifest)]);
    let report = orders.pass(&rig.agent).await;
    let fault = fault(&report);
    assert_eq!(
        (fault.reason.as_str(), fault.class),
        ("KindUnknown", Class::Blocked)
    );
    assert!(
        fault.what.contains("Mapping") && fault.what.contains("getambassador.io/v2"),
        "{fault}"
    );
    assert!(rig.calls(0).iter().all(|it| !it.is_write()));
}
