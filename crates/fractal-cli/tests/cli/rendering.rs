//! `fractal manifests render`: what agents would apply, read back as it was printed.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::bundles::{bundle, sample};
use crate::rig::{Rig, SYSTEM};

/// A live system of one workload on Kubernetes.
pub(crate) fn live_system(rig: &Rig, name: &str, parameters: &Value) {
    let body = json!({
        "liveSystemId": SYSTEM, "fractalId": "bc/shop:1.0.0",
        "environment": {"id": {"type": "Personal", "ownerId": "o", "shortName": "prod"}, "parameters": {}},
        "blueprintMap": {"dashboard": {
            "id": "dashboard", "type": "CustomWorkloads.CaaS.K8sDeployment", "provider": "CaaS",
            "parameters": parameters,
        }},
    });
    rig.write(name, body.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rendered_is_yaml_with_where_it_comes_from() {
    let rig = Rig::new();
    sample(&rig, "shop");
    let parameters = json!({
        "containerImage": "oci://ghcr.io/acme/dashboard:1.4.2", "desiredCount": 2, "cpu": "250m",
        "resourceLimits": {"memory": "256Mi"},
        "manifestUri": "oci://ghcr.io/acme/shop-manifests:1",
    });
    live_system(&rig, "shop.json", &parameters);
    let args = [
        "manifests",
        "render",
        "shop",
        "--component",
        "dashboard",
        "-f",
        "shop.json",
        "--provenance",
        "--set",
        "containerPort=8080",
        "--set",
        "resourceLimits.cpu=1",
    ];
    let rendered = rig.run(&args).await;
    assert_snapshot!("render", rendered);
    let json = rig.run(&[&args[..], &["--output", "json"]].concat()).await;
    assert_eq!((json.code, json.err.as_str()), (0, ""));
    let document = json.json();
    assert_eq!(document["environment"], "prod");
    assert_eq!(document["provenance"].as_array().unwrap().len(), 6);
    assert_eq!(document["unresolved"][0]["name"], "PORT");
    // What was printed is read back as the same objects.
    let rendered = rendered.out;
    bundle(&rig, "printed", &[("dashboard-fdeploy.yaml", &rendered)]);
    let args = [
        "manifests",
        "render",
        "printed",
        "--component",
        "dashboard",
        "--output",
        "json",
    ];
    assert_eq!(rig.run(&args).await.json()["objects"], document["objects"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_rendered_says_where_and_why() {
    let rig = Rig::new();
    sample(&rig, "shop");
    rig.write(
        "policy.yaml",
        "kinds: [apps/*, Service]\nnamespaces: [shop]\n",
    );
    live_system(&rig, "shop.json", &json!({}));
    let mut all = String::new();
    let cases: [&[&str]; 8] = [
        &["shop", "--component", "producer"],
        &["shop", "--component", "producer", "--environment", "test"],
        &["shop", "--component", "produce", "--environment", "dev"],
        &[
            "shop",
            "--component",
            "dashboard",
            "--environment",
            "dev",
            "--strict",
        ],
        &[
            "shop",
            "--component",
            "producer",
            "--environment",
            "dev",
            "--set",
            "port=99999",
        ],
        &[
            "shop",
            "--component",
            "producer",
            "--environment",
            "dev",
            "--policy",
            "policy.yaml",
        ],
        &["shop", "--component", "producer", "-f", "shop.json"],
        &["absent", "--component", "producer"],
    ];
    for case in cases {
        let ran = rig.run(&[&["manifests", "render"], case].concat()).await;
        assert_eq!(ran.out, "", "{ran}");
        all.push_str(&format!("{}: {}\n{}", case.join(" "), ran.code, ran.err));
    }
    assert_snapshot!("render_refused", all);
}
