//! Every parameter, under the names each client version uses, read back from the API server.

use serde_json::{Value, json};

use crate::KINDS;
use crate::rig::Rig;

/// What a Deployment says of its one pod template, defaults of the API server included.
async fn pod(rig: &Rig, name: &str) -> Value {
    rig.object("deployment", name).await["spec"]["template"]["spec"].take()
}

#[tokio::test]
async fn version_2_of_the_sdk_is_read_back() {
    let rig = Rig::start("v2").await;
    let mut orders = rig
        .posted(
            "orders",
            "CustomWorkloads.CaaS.KubernetesWorkload",
            json!({
                "image": "registry.test/orders:1", "port": 8080, "replicas": 2,
                "env": { "TEXT": "a b", "NUMBER": 3, "FLAG": true, "EMPTY": "" },
                "cpuRequest": "250m", "memoryRequest": "64Mi",
                "healthCheck": { "path": "/healthz", "port": 9000 },
            }),
            json!({}),
        )
        .unwrap();
    orders.ready(&rig.agent).await;
    let deployment = rig.object("deployment", "orders").await;
    assert_eq!(deployment["spec"]["replicas"], 2);
    let digest = &orders.rollout.target.artifact.digest;
    let container = pod(&rig, "orders").await["containers"][0].take();
    assert_eq!(container["name"], "orders");
    assert_eq!(container["image"], format!("registry.test/orders@{digest}"));
    assert_eq!(
        deployment["metadata"]["annotations"]["fractal.cloud/digest"],
        digest.to_string()
    );
    assert_eq!(
        container["ports"],
        json!([{ "containerPort": 8080, "protocol": "TCP" }])
    );
    assert_eq!(
        container["env"],
        json!([
            { "name": "EMPTY" }, { "name": "FLAG", "value": "true" },
            { "name": "NUMBER", "value": "3" }, { "name": "TEXT", "value": "a b" },
        ])
    );
    assert_eq!(
        container["resources"],
        json!({ "requests": { "cpu": "250m", "memory": "64Mi" } })
    );
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let get = &container[probe]["httpGet"];
        assert_eq!(
            get,
            &json!({ "path": "/healthz", "port": 9000, "scheme": "HTTP" }),
            "{probe}"
        );
    }
    rig.stays(&mut orders, KINDS).await;
}

/// What version 1 keeps in the blueprint arrives by the merge that the control plane does.
#[tokio::test]
async fn version_1_of_the_sdk_and_its_blueprint_are_read_back() {
    let rig = Rig::start("v1").await;
    let mut orders = rig
        .posted(
            "orders",
            "CustomWorkloads.CaaS.K8sDeployment",
            json!({
                "containerImage": "oci://registry.test/orders:1", "containerPort": 8080,
                "cpu": "1", "memory": "256Mi", "replicas": 1,
            }),
            json!({
                "containerName": "main",
                "env": [
                    { "name": "PLAIN", "value": "x" },
                    { "name": "FROM_SECRET", "valueFromSecret": { "name": "db", "key": "password" } },
                    { "name": "FROM_MAP", "valueFromConfigMap": { "name": "settings", "key": "level" } },
                ],
                "envFrom": [{ "configMap": { "name": "settings" } }, { "secret": { "name": "db" } }],
                "secretMounts": [
                    { "name": "tls", "mountPath": "/tls" },
                    { "name": "db", "mountPath": "/db", "items": [{ "key": "password", "path": "a/password" }], "readOnly": false },
                ],
                "imagePullSecrets": ["pull"],
                "resourceRequests": { "cpu": "250m" }, "resourceLimits": { "memory": "512Mi" },
                "serviceAccount": true,
            }),
        )
        .unwrap();
    orders.ready(&rig.agent).await;
    let pod = pod(&rig, "orders").await;
    let container = &pod["containers"][0];
    assert_eq!(container["name"], "main");
    assert_eq!(
        container["env"],
        json!([
            { "name": "PLAIN", "value": "x" },
            { "name": "FROM_SECRET", "valueFrom": { "secretKeyRef": { "name": "db", "key": "password" } } },
            { "name": "FROM_MAP", "valueFrom": { "configMapKeyRef": { "name": "settings", "key": "level" } } },
        ])
    );
    assert_eq!(
        container["envFrom"],
        json!([{ "configMapRef": { "name": "settings" } }, { "secretRef": { "name": "db" } }])
    );
    assert_eq!(
        container["volumeMounts"],
        json!([
            { "name": "secret-0", "mountPath": "/tls", "readOnly": true },
            { "name": "secret-1", "mountPath": "/db" },
        ])
    );
    assert_eq!(
        pod["volumes"],
        json!([
            { "name": "secret-0", "secret": { "secretName": "tls", "defaultMode": 420 } },
            { "name": "secret-1", "secret": {
                "secretName": "db", "defaultMode": 420, "items": [{ "key": "password", "path": "a/password" }],
            } },
        ])
    );
    assert_eq!(pod["imagePullSecrets"], json!([{ "name": "pull" }]));
    // `cpu` and `memory` set both; what is said of one of them wins, key by key.
    assert_eq!(
        container["resources"],
        json!({
            "requests": { "cpu": "250m", "memory": "256Mi" },
            "limits": { "cpu": "1", "memory": "512Mi" },
        })
    );
    assert_eq!(pod["serviceAccountName"], "orders");
    rig.object("serviceaccount", "orders").await;
    rig.stays(&mut orders, KINDS).await;
}

#[tokio::test]
async fn terraform_sends_texts() {
    let rig = Rig::start("texts").await;
    let mut orders = rig
        .posted(
            "orders",
            "CustomWorkloads.CaaS.K8sWorkload",
            json!({
                "containerImage": "registry.test/orders:1", "containerPort": "8081", "containerName": "main",
                "cpu": "500m", "memory": "128Mi", "desiredCount": "2", "maxReplicas": "", "serviceAccount": "false",
            }),
            json!({}),
        )
        .unwrap();
    orders.ready(&rig.agent).await;
    let deployment = rig.object("deployment", "orders").await;
    assert_eq!(deployment["spec"]["replicas"], 2);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["ports"][0]["containerPort"], 8081);
    assert_eq!(container["name"], "main");
    let both = json!({ "cpu": "500m", "memory": "128Mi" });
    assert_eq!(
        container["resources"],
        json!({ "requests": both, "limits": both })
    );
    let service = rig.object("service", "orders").await;
    assert_eq!(service["spec"]["ports"][0]["targetPort"], 8081);
    let accounts = rig.versions("serviceaccounts").await;
    assert!(
        !accounts.contains_key("ServiceAccount/orders"),
        "{accounts:?}"
    );
}

#[tokio::test]
async fn an_account_that_is_there_already_is_used_and_not_made() {
    let rig = Rig::start("account").await;
    rig.kubectl(&["create", "serviceaccount", "payments"]).await;
    let before = rig.object("serviceaccount", "payments").await;
    let mut orders = rig.workload("orders", json!({ "serviceAccountName": "payments" }));
    orders.ready(&rig.agent).await;
    assert_eq!(pod(&rig, "orders").await["serviceAccountName"], "payments");
    assert_eq!(rig.object("serviceaccount", "payments").await, before);
    orders.gone(&rig.agent).await;
    assert_eq!(rig.object("serviceaccount", "payments").await, before);
}

/// Without parameters: one pod, port 80, nothing else of ours.
#[tokio::test]
async fn nothing_set_is_nothing_written() {
    let rig = Rig::start("bare").await;
    let mut orders = rig.workload("orders", json!({}));
    orders.ready(&rig.agent).await;
    let container = pod(&rig, "orders").await["containers"][0].take();
    assert_eq!(container["ports"][0]["containerPort"], 80);
    for field in [
        "env",
        "envFrom",
        "volumeMounts",
        "startupProbe",
        "command",
        "args",
    ] {
        assert_eq!(container.get(field), None, "{field}");
    }
    assert_eq!(container["resources"], json!({}));
    let made: Vec<_> = rig
        .everything()
        .await
        .into_iter()
        .filter(|it| !it.starts_with("pod/") && !it.starts_with("replicaset"))
        .collect();
    let inventory = made
        .iter()
        .filter(|it| it.starts_with("configmap/fractal-"))
        .count();
    assert_eq!((made.len(), inventory), (3, 1), "{made:?}");
}

#[tokio::test]
async fn a_parameter_that_is_dropped_is_dropped_from_the_cluster() {
    let rig = Rig::start("dropped").await;
    let mut orders = rig.workload(
        "orders",
        json!({
            "replicas": 3, "env": { "A": "1", "B": "2" }, "cpu": "100m", "serviceAccount": true,
            "imagePullSecrets": ["pull"], "healthCheck": {},
        }),
    );
    orders.ready(&rig.agent).await;
    orders.set(json!({ "replicas": 1, "env": { "B": "2" } }));
    orders.ready(&rig.agent).await;
    let deployment = rig.object("deployment", "orders").await;
    assert_eq!(deployment["spec"]["replicas"], 1);
    let pod = &deployment["spec"]["template"]["spec"];
    assert_eq!(
        pod["containers"][0]["env"],
        json!([{ "name": "B", "value": "2" }])
    );
    assert_eq!(pod["containers"][0]["resources"], json!({}));
    assert_eq!(pod["containers"][0].get("readinessProbe"), None);
    assert_eq!(
        (pod.get("imagePullSecrets"), pod.get("serviceAccountName")),
        (None, None)
    );
    let accounts = rig.versions("serviceaccounts").await;
    assert!(
        !accounts.contains_key("ServiceAccount/orders"),
        "{accounts:?}"
    );
    rig.stays(&mut orders, KINDS).await;
}
