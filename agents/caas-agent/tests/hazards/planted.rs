//! Secrets in clear text that the API server repeats: none comes through in what people read.

use fractal_core::reconcile::End;
use serde_json::json;

use crate::account::{admin, deployment, of, publish};
use crate::rig::{Component, Report, Rig, fault};

/// Everything that is said of a pass and of the plan before it.
async fn said(rig: &Rig, component: &mut Component) -> (Report, String) {
    let preview = component.preview(&rig.agent).await;
    let mut all = format!("{preview:?}");
    match &preview {
        Ok(preview) => all.push_str(&serde_json::to_string(preview).unwrap()),
        Err(fault) => all.push_str(&fault.to_string()),
    }
    let report = component.pass(&rig.agent).await;
    all.push_str(&format!("{report:?}"));
    if let End::Fault(fault) = &report.end {
        all.push_str(&fault.to_string());
    }
    (report, all)
}

fn secret(texts: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Secret
metadata: {{name: keys}}
stringData: {texts}
"
    )
}

#[tokio::test]
async fn a_number_in_a_secret_is_refused_and_not_repeated() {
    let rig = Rig::start("number").await;
    let mut orders = of(&rig, "orders", &[&secret("{pin: 47114711}")]);
    let (report, said) = said(&rig, &mut orders).await;
    let refusal = fault(&report);
    assert!(
        refusal.to_string().contains("Secret") || refusal.to_string().contains("secrets"),
        "{refusal}"
    );
    assert!(!said.contains("47114711"), "{said}");
    // The same where a Secret is there already.
    let mut orders = of(&rig, "orders", &[&secret("{pin: fine}")]);
    orders.ready(&rig.agent).await;
    publish(&mut orders, &[&secret("{pin: 47114711}")]);
    let (report, said) = self::said(&rig, &mut orders).await;
    fault(&report);
    assert!(!said.contains("47114711"), "{said}");
}

#[tokio::test]
async fn a_variable_named_like_a_secret_changes_unseen() {
    let rig = Rig::start("variable").await;
    let with = |password: &str, level: &str| {
        let env = format!(
            ", env: [{{name: DB_PASSWORD, value: {password}}}, {{name: LEVEL, value: {level}}}]"
        );
        deployment("orders", "replicas: 1", &env)
    };
    let mut orders = of(&rig, "orders", &[&with("hunter2-old", "debug")]);
    orders.ready(&rig.agent).await;
    publish(&mut orders, &[&with("hunter2-new", "info")]);
    let (report, said) = said(&rig, &mut orders).await;
    assert!(!report.steps.is_empty(), "{report:?}");
    assert!(
        said.contains("DB_PASSWORD") && said.contains("debug") && said.contains("info"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn a_refused_pod_is_not_repeated() {
    let rig = admin("pod").await;
    let pod = |password: &str, restart: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "one" },
            "spec": { "restartPolicy": restart, "containers": [{
                "name": "app", "image": "registry.test/a:1", "env": [{ "name": "DB_PASSWORD", "value": password }],
            }] },
        })
        .to_string()
    };
    // Refused before it is there, and once it is.
    let mut one = of(&rig, "one", &[&pod("hunter2-new", "Sometimes")]);
    let (report, told) = said(&rig, &mut one).await;
    assert_eq!(fault(&report).reason.as_str(), "SpecRefused");
    assert!(!told.contains("hunter2"), "{told}");
    publish(&mut one, &[&pod("hunter2-old", "Always")]);
    one.ready(&rig.agent).await;
    publish(&mut one, &[&pod("hunter2-new", "Always")]);
    let (report, told) = said(&rig, &mut one).await;
    assert_eq!(fault(&report).reason.as_str(), "ReplaceNeedsConsent");
    assert!(!told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_key_that_is_dropped_from_a_secret_goes() {
    let rig = Rig::start("dropped").await;
    let mut orders = of(&rig, "orders", &[&secret("{a: one, b: two}")]);
    orders.ready(&rig.agent).await;
    assert_eq!(
        rig.object("secret", "keys").await["data"],
        json!({ "a": "b25l", "b": "dHdv" })
    );
    publish(&mut orders, &[&secret("{a: one}")]);
    orders.ready(&rig.agent).await;
    assert_eq!(
        rig.object("secret", "keys").await["data"],
        json!({ "a": "b25l" })
    );
}
