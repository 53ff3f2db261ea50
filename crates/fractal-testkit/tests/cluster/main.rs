//! The control plane itself: that it is real where it matters, says who wrote what, and goes away with the test.

#[cfg(test)]
mod caller;
#[cfg(test)]
mod proxy;

use std::time::{Duration, Instant};

use fractal_testkit::cluster::{AuditEvent, Cluster};
use serde_json::{Value, json};

const WORKLOADS: &str = include_str!("workloads.yaml");

/// Waits until the object at `path` is as wanted, and gives it back.
async fn until(cluster: &Cluster, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let (status, object) = cluster.api("GET", path, None).await;
        if status == 200 && holds(&object) {
            return object;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{path} after a minute: {object}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn apply(cluster: &Cluster, namespace: &str, documents: &str) {
    let args = [
        "apply",
        "--server-side",
        "--namespace",
        namespace,
        "-f",
        "-",
    ];
    let output = cluster.kubectl(&args, Some(documents)).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

#[tokio::test]
async fn what_is_applied_becomes_ready_and_the_log_names_who_wrote_it() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("ready").await;
    apply(cluster, &namespace, WORKLOADS).await;
    let deployment = format!("/apis/apps/v1/namespaces/{namespace}/deployments/shop");
    let available = |object: &Value| object.pointer("/status/readyReplicas") == Some(&json!(1));
    until(cluster, &deployment, available).await;
    let job = format!("/apis/batch/v1/namespaces/{namespace}/jobs/once");
    let completed = |object: &Value| object.pointer("/status/succeeded") == Some(&json!(1));
    until(cluster, &job, completed).await;
    let claim = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/room");
    let bound = |object: &Value| object.pointer("/status/phase") == Some(&json!("Bound"));
    until(cluster, &claim, bound).await;
    let events = cluster.audit();
    let written: Vec<&AuditEvent> = events
        .iter()
        .filter(|event| event.name.as_deref() == Some("shop") && event.resource == "deployments")
        .filter(|event| event.is_accepted_write() && event.subresource.is_none())
        .filter(|event| event.namespace.as_deref() == Some(namespace.as_str()))
        .collect();
    let [created] = written.as_slice() else {
        panic!("{written:?}")
    };
    assert_eq!(
        (created.user.as_str(), created.verb.as_str()),
        ("admin", "patch")
    );
    assert!(
        created.user_agent.starts_with("kubectl/v1.36.3"),
        "{created:?}"
    );
}

#[tokio::test]
async fn pods_fail_as_their_images_say() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("failing").await;
    let (deployment, _) = WORKLOADS.split_once("---").unwrap();
    for (name, segment) in [("absent", "missing"), ("restless", "crashing")] {
        let documents = deployment
            .replace("shop", name)
            .replace("example.com/", &format!("example.com/{segment}/"));
        apply(cluster, &namespace, &documents).await;
    }
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let reasons = |object: &Value| {
        let mut reasons: Vec<String> = object["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|pod| pod.pointer("/status/containerStatuses/0/state/waiting/reason"))
            .map(|reason| reason.as_str().unwrap().to_owned())
            .collect();
        reasons.sort();
        reasons.dedup();
        reasons
    };
    until(cluster, &pods, |pods| {
        reasons(pods) == ["CrashLoopBackOff", "ImagePullBackOff"]
    })
    .await;
}

#[tokio::test]
async fn a_service_account_may_do_what_its_role_allows_and_nothing_else() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("roles").await;
    let token = cluster.service_account_token(&namespace, "default").await;
    let config = cluster.kubeconfig(&token);
    let config = config.to_str().unwrap();
    let read = ["--kubeconfig", config, "get", "pods", "-n", &namespace];
    let refused = cluster.kubectl(&read, None).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("forbidden"), "{said}");
    let account = format!("{namespace}:default");
    for args in [
        vec![
            "create",
            "role",
            "reader",
            "--verb=list",
            "--resource=pods",
            "-n",
            &namespace,
        ],
        vec![
            "create",
            "rolebinding",
            "reader",
            "--role=reader",
            "--serviceaccount",
            &account,
            "-n",
            &namespace,
        ],
    ] {
        assert!(cluster.kubectl(&args, None).await.status.success());
    }
    assert!(cluster.kubectl(&read, None).await.status.success());
    let user = format!("system:serviceaccount:{namespace}:default");
    let codes: Vec<u16> = cluster
        .audit()
        .iter()
        .filter(|event| event.user == user && event.resource == "pods")
        .map(|event| event.code)
        .collect();
    assert_eq!(codes, [403, 200]);
}

#[tokio::test]
async fn held_pods_wait_until_they_are_let_go_and_what_is_deleted_is_gone_then() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.held_namespace("rollout").await;
    apply(cluster, &namespace, WORKLOADS).await;
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let two = |list: &Value| list["items"].as_array().unwrap().len() == 2;
    until(cluster, &pods, two).await;
    let deployment = format!("/apis/apps/v1/namespaces/{namespace}/deployments/shop");
    let (_, before) = cluster.api("GET", &deployment, None).await;
    assert_eq!(before.pointer("/status/readyReplicas"), None, "{before}");
    cluster.settle(&namespace).await;
    let (_, after) = cluster.api_blocking("GET", &deployment, None);
    assert_eq!(
        after.pointer("/status/readyReplicas"),
        Some(&json!(1)),
        "{after}"
    );
    let scaled = json!({ "spec": { "replicas": 3 } });
    cluster.api("PATCH", &deployment, Some(&scaled)).await;
    cluster.settle(&namespace).await;
    let (_, after) = cluster.api("GET", &deployment, None).await;
    assert_eq!(
        after.pointer("/status/readyReplicas"),
        Some(&json!(3)),
        "{after}"
    );
    let background = json!({ "propagationPolicy": "Background" });
    let job = format!("/apis/batch/v1/namespaces/{namespace}/jobs/once");
    for path in [&deployment, &job] {
        let (status, answer) = cluster.api("DELETE", path, Some(&background)).await;
        assert_eq!(status, 200, "{answer}");
    }
    cluster.settle(&namespace).await;
    let (_, left) = cluster.api("GET", &pods, None).await;
    assert_eq!(left["items"], json!([]));
}

#[tokio::test]
async fn a_cluster_ends_with_its_owner() {
    let cluster = Cluster::start().await;
    let (url, folder) = (cluster.url().to_owned(), cluster.folder().to_owned());
    let address = url.trim_start_matches("https://").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(cluster);
    assert!(
        std::net::TcpStream::connect(&address).is_err(),
        "{address} still listens"
    );
    assert!(!folder.exists(), "{} was left", folder.display());
}
