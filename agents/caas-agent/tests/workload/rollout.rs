//! That a workload comes to run, is reached, and is left alone from then on.

use fractal_core::reconcile::End;
use serde_json::{Value, json};

use crate::KINDS;
use crate::rig::{Rig, text};

#[tokio::test]
async fn a_workload_rolls_out_to_ready_pods_and_then_nothing_is_written() {
    let rig = Rig::start("rollout").await;
    let mut orders = rig.workload(
        "orders",
        json!({ "port": 8080, "replicas": 2, "env": { "GREETING": "hello" } }),
    );
    let report = orders.ready(&rig.agent).await;
    let End::Ready(outputs) = &report.end else {
        unreachable!()
    };
    assert_eq!(
        outputs["url"],
        format!("http://orders.{}.svc:8080", rig.namespace)
    );
    let deployment = rig.object("deployment", "orders").await;
    assert_eq!(deployment["status"]["readyReplicas"], 2, "{deployment:#}");

    rig.stays(&mut orders, KINDS).await;

    orders.gone(&rig.agent).await;
    let left = rig.everything().await;
    assert!(
        left.iter()
            .all(|it| it.starts_with("pod/") || it.starts_with("replicaset")),
        "{left:?}"
    );
}

/// The control plane works out who answers for a Service: by its selector, and by the port it leads to.
#[tokio::test]
async fn the_service_reaches_the_container_on_its_port() {
    let rig = Rig::start("endpoints").await;
    let mut orders = rig.workload("orders", json!({ "port": 9090, "replicas": 2 }));
    orders.ready(&rig.agent).await;
    let service = rig.object("service", "orders").await;
    assert_eq!(service["spec"]["ports"][0]["port"], 9090);
    let selector = "kubernetes.io/service-name=orders";
    let began = std::time::Instant::now();
    let slice = loop {
        let slices = rig
            .kubectl(&["get", "endpointslices", "-l", selector, "-o", "json"])
            .await;
        let slices: Value = serde_json::from_str(&slices).unwrap();
        let ready = |slice: &&Value| {
            let endpoints = slice["endpoints"].as_array();
            endpoints.is_some_and(|it| {
                it.len() == 2 && it.iter().all(|it| it["conditions"]["ready"] == true)
            })
        };
        let found = slices["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(ready)
            .cloned();
        if let Some(slice) = found {
            break slice;
        }
        assert!(began.elapsed().as_secs() < 60, "{slices:#}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(slice["ports"][0]["port"], 9090);
    assert_eq!(slice["ports"][0]["protocol"], "TCP");
    let mut behind: Vec<String> = slice["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(it, "/addresses/0"))
        .collect();
    let mut pods: Vec<String> = rig
        .objects("pods")
        .await
        .iter()
        .map(|pod| text(pod, "/status/podIP"))
        .collect();
    behind.sort();
    pods.sort();
    assert_eq!(behind, pods);
}

/// The stamp, the record and a new agent change nothing: what is there is all that counts.
#[tokio::test]
async fn an_agent_that_remembers_nothing_writes_nothing() {
    let rig = Rig::start("forgetful").await;
    let mut orders = rig.workload(
        "orders",
        json!({ "port": 8080, "serviceAccount": true, "maxReplicas": 3, "cpu": "100m" }),
    );
    orders.ready(&rig.agent).await;
    orders.record = Default::default();
    rig.stays(&mut orders, KINDS).await;
}

#[tokio::test]
async fn another_namespace_is_used_where_the_component_names_one() {
    let rig = Rig::start("here").await;
    let there = Rig::start("there").await;
    let account = format!("--serviceaccount={}:caas-agent", rig.namespace);
    there
        .kubectl(&[
            "create",
            "rolebinding",
            "visitor",
            "--role=caas-agent",
            &account,
        ])
        .await;
    let mut orders = rig.workload(
        "orders",
        json!({ "port": 8080, "namespace": there.namespace }),
    );
    let report = orders.ready(&rig.agent).await;
    let End::Ready(outputs) = &report.end else {
        unreachable!()
    };
    assert_eq!(outputs["namespace"], there.namespace);
    assert_eq!(rig.everything().await, Vec::<String>::new());
    there.object("deployment", "orders").await;

    // It moves: the new place runs before the old one is taken away.
    orders.set(json!({ "port": 8080 }));
    let mark = rig.mark();
    orders.ready(&rig.agent).await;
    let writes = rig.writes(mark);
    let at = |verb: &str, namespace: &str| {
        writes.iter().position(|it| {
            it.resource == "deployments"
                && it.verb == verb
                && it.namespace.as_deref() == Some(namespace)
        })
    };
    let (made, gone) = (at("patch", &rig.namespace), at("delete", &there.namespace));
    assert!(made.is_some() && made < gone, "{writes:?}");
    let left: Vec<_> = there
        .versions(KINDS)
        .await
        .into_keys()
        .filter(|it| !it.ends_with("/kube-root-ca.crt") && !it.starts_with("ServiceAccount/"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}
