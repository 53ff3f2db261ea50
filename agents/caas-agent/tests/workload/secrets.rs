//! Secrets of the environment: in a Secret, and nowhere else.

use fractal_core::reconcile::Value as Setting;
use serde_json::json;

use crate::KINDS;
use crate::rig::{Component, Rig, fault, id, text};

fn with_secret(rig: &Rig, version: &str, value: &str) -> Component {
    let mut orders = rig.workload(
        "orders",
        json!({ "port": 8080, "env": { "GREETING": "hello", "PASSWORD": { "$envSecret": "db" } } }),
    );
    seal(&mut orders, version, value);
    orders
}

fn seal(component: &mut Component, version: &str, value: &str) {
    let sealed = Setting::Sealed {
        name: "db".into(),
        version: version.into(),
        value: value.into(),
    };
    component.inputs.secrets.insert("db".into(), sealed);
}

async fn ours(rig: &Rig) -> Vec<serde_json::Value> {
    let all = rig.objects("secrets").await;
    all.into_iter()
        .filter(|it| text(it, "/metadata/name").starts_with("orders-env-"))
        .collect()
}

#[tokio::test]
async fn a_sealed_value_is_in_the_secret_and_in_nothing_else() {
    let rig = Rig::start("sealed").await;
    let mut orders = with_secret(&rig, "1", "hunter2-hunter2");
    let preview = orders.preview(&rig.agent).await.unwrap();
    let mut shown = vec![
        format!("{preview:?}"),
        serde_json::to_string(&preview).unwrap(),
    ];
    let report = orders.ready(&rig.agent).await;
    shown.push(format!("{report:?}"));
    shown.push(format!("{:?} {:?}", orders.inputs, orders.rollout));
    shown.push(serde_json::to_string(&orders.inputs).unwrap());
    shown.push(serde_json::to_string(&orders.record).unwrap());

    let [secret] = &ours(&rig).await[..] else {
        panic!("one Secret was to be made")
    };
    assert_eq!(
        secret["data"],
        json!({ "PASSWORD": "aHVudGVyMi1odW50ZXIy" })
    );
    assert_eq!(secret["immutable"], true);
    let name = text(secret, "/metadata/name");
    let deployment = rig.object("deployment", "orders").await;
    assert_eq!(
        deployment["spec"]["template"]["spec"]["containers"][0]["env"],
        json!([
            { "name": "GREETING", "value": "hello" },
            { "name": "PASSWORD", "valueFrom": { "secretKeyRef": { "name": name, "key": "PASSWORD" } } },
        ])
    );
    // Everything in the namespace but that one object.
    let all = rig
        .objects("deployments,replicasets,pods,services,configmaps,events,secrets")
        .await;
    shown.extend(
        all.iter()
            .filter(|it| id(it) != id(secret))
            .map(ToString::to_string),
    );
    // Seen by whoever reads the API server's log too.
    shown.extend(rig.calls(0).iter().map(|call| format!("{call:?}")));
    for text in &shown {
        for form in ["hunter2", "aHVudGVyMi1odW50ZXIy"] {
            assert!(!text.contains(form), "{text}");
        }
    }
    rig.stays(&mut orders, KINDS).await;
}

#[tokio::test]
async fn a_new_version_of_a_secret_is_a_new_secret_and_a_rollout() {
    let rig = Rig::start("rotated").await;
    let mut orders = with_secret(&rig, "1", "first-value");
    orders.ready(&rig.agent).await;
    let before = rig.object("deployment", "orders").await;
    let old = text(&ours(&rig).await[0], "/metadata/name");

    seal(&mut orders, "2", "second-value");
    orders.ready(&rig.agent).await;
    let after = rig.object("deployment", "orders").await;
    assert_eq!(after["metadata"]["generation"], 2, "{before:#}");
    let [secret] = &ours(&rig).await[..] else {
        panic!("the old Secret was to go")
    };
    assert_eq!(secret["data"], json!({ "PASSWORD": "c2Vjb25kLXZhbHVl" }));
    assert_ne!(text(secret, "/metadata/name"), old);
}

#[tokio::test]
async fn a_secret_that_is_missing_stops_the_component_before_it_writes() {
    let rig = Rig::start("unsealed").await;
    let mut orders = with_secret(&rig, "1", "value");
    orders.inputs.secrets.clear();
    let report = orders.pass(&rig.agent).await;
    assert_eq!(fault(&report).reason.as_str(), "SecretMissing");
    assert_eq!(rig.everything().await, Vec::<String>::new());
}

/// An API server repeats what it refuses. What it repeats of a secret is not passed on.
#[tokio::test]
async fn a_refusal_does_not_repeat_a_secret() {
    let rig = Rig::start("repeated").await;
    let value = "not-a-key-=hunter2";
    let mut orders = rig.workload(
        "orders",
        json!({ "env": { "BAD KEY\n": { "$envSecret": "db" } } }),
    );
    seal(&mut orders, "1", value);
    let report = orders.pass(&rig.agent).await;
    let refusal = fault(&report);
    assert!(!format!("{report:?}").contains("hunter2"), "{refusal}");
    assert_eq!(refusal.reason.as_str(), "SpecRefused", "{refusal}");
    assert_eq!(rig.everything().await, Vec::<String>::new());
}
