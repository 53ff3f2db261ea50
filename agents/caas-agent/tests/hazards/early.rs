//! Objects that need another of the same bundle first: a role, a definition, a quota, a namespace.

use serde_json::json;

use crate::account::{admin, definition, found, of, publish, thing, uid};
use crate::rig::Rig;

const ROLES: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: makes-roles}
rules:
  - apiGroups: [rbac.authorization.k8s.io]
    resources: [roles, rolebindings]
    verbs: [get, list, create, patch, delete]
  - apiGroups: [rbac.authorization.k8s.io]
    resources: [clusterroles]
    resourceNames: [view]
    verbs: [bind]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: makes-roles}
subjects: [{kind: ServiceAccount, name: caas-agent}]
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: makes-roles}
";
/// What the documented role holds itself.
const READER: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get, list]}]
";

fn binding(name: &str, kind: &str, role: &str) -> String {
    format!(
        "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}}}
subjects: [{{kind: ServiceAccount, name: default}}]
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {role}}}
"
    )
}

#[tokio::test]
async fn a_role_and_its_binding_need_no_escalation() {
    let rig = Rig::start("binding").await;
    let roles = ROLES.replace(
        "name: caas-agent}",
        &format!("name: caas-agent, namespace: {}}}", rig.namespace),
    );
    rig.apply(&roles).await;
    let documents = [
        binding("reader", "Role", "reader"),
        binding("viewer", "ClusterRole", "view"),
        READER.to_owned(),
    ];
    let documents = documents.each_ref().map(String::as_str);
    let mut keeper = of(&rig, "keeper", &documents);
    keeper.ready(&rig.agent).await;
    for name in ["reader", "viewer"] {
        rig.object("rolebinding", name).await;
    }
    rig.stays(&mut keeper, "roles,rolebindings").await;
}

#[tokio::test]
async fn a_field_and_the_object_that_uses_it_come_in_one_update() {
    let rig = admin("field").await;
    let size = json!({ "size": "1" });
    let mut keeper = of(
        &rig,
        "keeper",
        &[
            &definition(&rig, &["v1"], &["size"]),
            &thing(&rig, "v1", "one", &size),
        ],
    );
    keeper.ready(&rig.agent).await;
    let colour = json!({ "size": "1", "colour": "red" });
    publish(
        &mut keeper,
        &[
            &definition(&rig, &["v1"], &["size", "colour"]),
            &thing(&rig, "v1", "one", &colour),
        ],
    );
    keeper.ready(&rig.agent).await;
    assert_eq!(found(&rig, "one").await["spec"], colour);
}

#[tokio::test]
async fn a_quota_and_the_object_that_needs_it_come_in_one_update() {
    let rig = admin("quota").await;
    let quota = |services: &str| {
        json!({
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "services" },
            "spec": { "hard": { "services": services } },
        })
        .to_string()
    };
    let service = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
            "spec": { "selector": { "app": name }, "ports": [{ "port": 80 }] },
        })
        .to_string()
    };
    let mut keeper = of(&rig, "keeper", &[&quota("1"), &service("one")]);
    keeper.ready(&rig.agent).await;
    rig.until("resourcequota", "services", |it| {
        it["status"]["used"]["services"] == "1"
    })
    .await;
    publish(
        &mut keeper,
        &[&quota("2"), &service("one"), &service("two")],
    );
    keeper.ready(&rig.agent).await;
    rig.object("service", "two").await;
}

#[tokio::test]
async fn a_bundle_may_bring_its_own_namespace() {
    let rig = admin("own").await;
    let own = format!("{}-brought", rig.namespace);
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {own}}}\n");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n";
    let mut keeper = of(&rig, "keeper", &[map, &namespace]);
    keeper.set(json!({ "namespace": own }));
    keeper.ready(&rig.agent).await;
    rig.kubectl(&["get", "configmap", "settings", "-n", &own])
        .await;
    let before = uid(&rig, "namespace", &own).await;
    keeper.ready(&rig.agent).await;
    keeper.gone(&rig.agent).await;
    // Others may live in it by now.
    assert_eq!(uid(&rig, "namespace", &own).await, before);
    let gone = rig
        .try_kubectl(&["get", "configmap", "settings", "-n", &own])
        .await;
    assert!(gone.is_err());
    rig.kubectl(&["delete", "namespace", &own, "--wait=false"])
        .await;
}
