//! y04: scalars mean in our reader what they mean in the API server's own.

use serde_json::{Value, json};

use crate::rig::{Rig, client};

const GROUP: &str = "scalars.example.com";
/// Every shape that readers of YAML are known to differ on, and that we take.
const SCALARS: &str = "
  no: [no, No, NO, n, N, off, yes, Yes, y, on, On, true, TRUE, false]
  nulls: [~, null, Null, NULL, '']
  octal: [0777, 010, 0o17, 0o7, -0777, 08, 09]
  hex: [0x1F, 0XAB, 0b101, -0x10]
  floats: [1e3, 1E3, 1.0, 1.50, .5, -.5, +.5, 1., 6.02e23, 1e-7, 0.1, -0.0]
  integers: [+1, -1, 0, 1_000, 9007199254740993, 9223372036854775807, -9223372036854775808]
  times: [12:30, 12:30:45, '2001-12-14', 1:2]
  texts: [1.2.3, 1e, e3, 0x, 1__0, '0777', \"no\", '1', 12e03x, --, =]
  block: |
    no
    0777
  folded: >-
    a
    b
  no_key: {no_: 1, 'on': 2, '1': 3, '0777': 4}
";

fn widget(name: &str, namespace: &str) -> String {
    format!(
        "apiVersion: {GROUP}/v1\nkind: Widget\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:{SCALARS}"
    )
}

async fn define(rig: &Rig) {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": format!("widgets.{GROUP}") },
        "spec": {
            "group": GROUP, "scope": "Namespaced", "names": { "plural": "widgets", "kind": "Widget" },
            "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                "type": "object", "properties": { "spec": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
            } } }],
        },
    });
    rig.apply(&definition.to_string()).await;
    rig.kubectl(&[
        "wait",
        "--for=condition=Established",
        &format!("crd/widgets.{GROUP}"),
        "--timeout=60s",
    ])
    .await;
}

/// The raw text goes to the API server, which reads it itself; the same text goes through the agent. What is stored is compared.
#[tokio::test]
async fn y04_scalars_are_read_as_the_api_server_reads_them() {
    let rules = json!([{ "apiGroups": [GROUP], "resources": ["widgets"], "verbs": ["get", "list", "create", "patch", "delete"] }]);
    let rig = Rig::for_bundles("scalars", &rules).await;
    define(&rig).await;
    let path = format!(
        "/apis/{GROUP}/v1/namespaces/{}/widgets/raw?fieldManager=raw",
        rig.namespace
    );
    let request = http::Request::patch(path)
        .header("content-type", "application/apply-patch+yaml")
        .body(widget("raw", &rig.namespace).into_bytes())
        .unwrap();
    let admin = client(&rig.cluster.kubeconfig(rig.cluster.admin_token())).await;
    let raw: Value = admin.request(request).await.unwrap();

    let text = widget("ours", &rig.namespace);
    let mut ours = rig.bundle("ours", json!({}), &[("ours-fdeploy.yaml", &text)]);
    ours.ready(&rig.agent).await;
    let stored = rig.object(&format!("widgets.{GROUP}"), "ours").await;
    let (Value::Object(raw), Value::Object(stored)) = (&raw["spec"], &stored["spec"]) else {
        panic!("no specification: {raw} {stored}")
    };
    for (key, value) in raw {
        assert_eq!(stored.get(key), Some(value), "{key}");
    }
    assert_eq!(raw.len(), stored.len());
    assert_eq!(
        raw["octal"][0], 511,
        "the API server reads octals as YAML 1.1 does"
    );
}
