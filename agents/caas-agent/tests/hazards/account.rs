//! An agent that an administrator trusts with the whole cluster, and bundles for it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{Component, Rig, bundle, text};

const PATIENCE: Duration = Duration::from_secs(60);

/// Bound to `cluster-admin`, and the authorizer knows it.
pub(crate) async fn admin(prefix: &str) -> Rig {
    let rig = Rig::start(prefix).await;
    let account = format!("{}:caas-agent", rig.namespace);
    let name = format!("admin-{}", rig.namespace);
    let binding = format!("--serviceaccount={account}");
    let role = "--clusterrole=cluster-admin";
    rig.kubectl(&["create", "clusterrolebinding", &name, role, &binding])
        .await;
    let user = format!("--as=system:serviceaccount:{account}");
    let began = Instant::now();
    while rig
        .try_kubectl(&["auth", "can-i", "*", "*", &user])
        .await
        .is_err()
    {
        assert!(began.elapsed() < PATIENCE, "{user} may still not do all");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    rig
}

/// A component of one bundle.
pub(crate) fn of(rig: &Rig, id: &str, documents: &[&str]) -> Component {
    let name = format!("{id}-fdeploy.yaml");
    rig.bundle(id, json!({}), &[(&name, &documents.join("\n---\n"))])
}

/// Publishes the bundle anew, with these documents only.
pub(crate) fn publish(component: &mut Component, documents: &[&str]) {
    let name = format!("{}-fdeploy.yaml", component.inputs.component);
    component.rollout.target = bundle(&[(&name, &documents.join("\n---\n"))]);
}

/// An object's uid.
pub(crate) async fn uid(rig: &Rig, kind: &str, name: &str) -> String {
    text(&rig.object(kind, name).await, "/metadata/uid")
}

/// What the component's inventory lists.
pub(crate) async fn listed(rig: &Rig, component: &Component) -> Vec<Value> {
    let name = format!("fractal-{}", component.owner.component.hash());
    let list = text(&rig.object("configmap", &name).await, "/data/objects.json");
    serde_json::from_str(&list).unwrap()
}

/// A definition of `Thing` in a group of the namespace's own, which serves these versions and stores `v1`.
pub(crate) fn definition(rig: &Rig, served: &[&str], fields: &[&str]) -> String {
    let group = group(rig);
    let fields: serde_json::Map<_, _> = fields
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "type": "string" })))
        .collect();
    let versions = ["v1alpha1", "v1"].map(|version| {
        json!({
            "name": version, "served": served.contains(&version), "storage": version == "v1",
            "schema": { "openAPIV3Schema": { "type": "object", "properties": {
                "spec": { "type": "object", "properties": fields },
            } } },
        })
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("things.{group}") },
        "spec": {
            "group": group, "scope": "Namespaced", "versions": versions,
            "names": { "plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList" },
        },
    })
    .to_string()
}

/// A `Thing` in one version.
pub(crate) fn thing(rig: &Rig, version: &str, name: &str, spec: &Value) -> String {
    json!({
        "apiVersion": format!("{}/{version}", group(rig)), "kind": "Thing",
        "metadata": { "name": name }, "spec": spec,
    })
    .to_string()
}

/// A `Thing` as it is served in `v1`; null where it is not there.
pub(crate) async fn found(rig: &Rig, name: &str) -> Value {
    let path = format!(
        "/apis/{}/v1/namespaces/{}/things/{name}",
        group(rig),
        rig.namespace
    );
    let (code, answer) = rig.cluster.api("GET", &path, None).await;
    match code {
        200 => answer,
        404 if answer["reason"] == "NotFound" => Value::Null,
        _ => panic!("{code}: {answer}"),
    }
}

fn group(rig: &Rig) -> String {
    format!("{}.example.com", rig.namespace)
}

/// A Deployment that runs, with more of its pod's and container's fields.
pub(crate) fn deployment(name: &str, spec: &str, container: &str) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  {spec}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: app, image: 'registry.test/a:1'{container}}}]}}
"
    )
}
