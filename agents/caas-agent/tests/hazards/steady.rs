//! What is steady, what is not any more, and what others decide.

use caas_agent::Kubernetes;
use fractal_core::reconcile::{At, End, Platform as _, Value as Setting};
use serde_json::json;

use crate::KINDS;
use crate::account::{deployment, of};
use crate::rig::{Component, Rig, image, text};

/// The stamp that a look without anything wanted gives, which a survey gives too.
async fn stamp(rig: &Rig, component: &Component) -> String {
    let (place, memo) = component.record.places[0].clone();
    let owner = component.owner.clone();
    let at = At { owner, place, memo };
    let observed = rig.agent.observe(&at, None).await.unwrap();
    let stamp = Kubernetes::stamp(&observed).unwrap();
    let survey = rig.agent.survey(&rig.namespace, 100).await.unwrap();
    assert_eq!(survey.unwrap()[&at.place], stamp);
    stamp
}

#[tokio::test]
async fn what_stops_working_after_its_rollout_is_not_steady() {
    let rig = Rig::start("stops").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080, "replicas": 1 }));
    orders.ready(&rig.agent).await;
    rig.settled(KINDS).await;
    let before = stamp(&rig, &orders).await;
    assert_eq!(stamp(&rig, &orders).await, before);
    rig.kubectl(&["create", "quota", "none", "--hard=pods=0"])
        .await;
    rig.until("resourcequota", "none", |it| {
        it["status"]["hard"]["pods"] == "0"
    })
    .await;
    rig.kubectl(&["delete", "pods", "--all", "--wait=false"])
        .await;
    rig.until("deployment", "orders", |it| {
        it["status"]["unavailableReplicas"] == 1
    })
    .await;
    assert_ne!(stamp(&rig, &orders).await, before);
    let report = orders.pass(&rig.agent).await;
    assert!(!matches!(report.end, End::Ready(_)), "{:?}", report.end);
    rig.kubectl(&["delete", "quota", "none"]).await;
    orders.ready(&rig.agent).await;
}

#[tokio::test]
async fn a_secret_that_pods_use_stays_until_others_run() {
    let rig = Rig::start("turned").await;
    let seal = |component: &mut Component, version: &str| {
        let sealed = Setting::Sealed {
            name: "db".into(),
            version: version.into(),
            value: format!("value-{version}"),
        };
        component.inputs.secrets.insert("db".into(), sealed);
    };
    let names = async || -> Vec<String> {
        let all = rig.objects("secrets").await;
        let names = all.iter().map(|it| text(it, "/metadata/name"));
        names.filter(|it| it.starts_with("orders-env-")).collect()
    };
    let mut orders = rig.workload(
        "orders",
        json!({ "port": 8080, "env": { "PASSWORD": { "$envSecret": "db" } } }),
    );
    seal(&mut orders, "1");
    orders.ready(&rig.agent).await;
    let old = names().await;
    assert_eq!(old.len(), 1);
    seal(&mut orders, "2");
    orders.rollout.target = image("registry.test/crashing/orders:2");
    orders
        .until(&rig.agent, |it| matches!(it.end, End::Fault(_)))
        .await;
    for _ in 0..3 {
        orders.pass(&rig.agent).await;
        let both = names().await;
        assert!(both.len() == 2 && both.contains(&old[0]), "{both:?}");
    }
    // Pods of the last release can still be made anew.
    let live = rig.object("deployment", "orders").await;
    assert_eq!(live["status"]["availableReplicas"], 1);
    orders.rollout.target = image("registry.test/orders:3");
    orders.ready(&rig.agent).await;
    let new = names().await;
    assert!(new.len() == 1 && new != old, "{new:?}");
}

#[tokio::test]
async fn an_autoscaler_of_someone_elses_keeps_the_count() {
    let rig = Rig::start("theirs").await;
    let mut orders = rig.workload("orders", json!({ "port": 8080, "replicas": 2 }));
    orders.ready(&rig.agent).await;
    let scaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "theirs" },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "orders" },
            "minReplicas": 4, "maxReplicas": 6,
        },
    });
    rig.apply(&scaler.to_string()).await;
    // Its floor, and then a night without any: an autoscaler leaves a count of none alone.
    for count in [4, 0] {
        if count == 0 {
            rig.kubectl(&["scale", "deployment", "orders", "--replicas=0"])
                .await;
        }
        rig.until("deployment", "orders", |it| {
            it["spec"]["replicas"] == count
                && it["status"]["readyReplicas"].as_i64().unwrap_or(0) == count
        })
        .await;
        orders.ready(&rig.agent).await;
        rig.stays(&mut orders, "deployments,services").await;
        let live = rig.object("deployment", "orders").await;
        assert_eq!(live["spec"]["replicas"], count);
    }
}

#[tokio::test]
async fn a_manifest_exported_from_a_cluster_settles() {
    let rig = Rig::start("exported").await;
    let manifest = deployment("orders", "replicas: 1", "").replace(
        "metadata: {name: orders}",
        "metadata: {name: orders, creationTimestamp: null, annotations: {deployment.kubernetes.io/revision: '7'}}",
    );
    assert!(manifest.contains("revision: '7'"));
    let mut orders = of(&rig, "orders", &[&manifest]);
    orders.ready(&rig.agent).await;
    rig.stays(&mut orders, KINDS).await;
    let live = rig.object("deployment", "orders").await;
    let revision = text(
        &live,
        "/metadata/annotations/deployment.kubernetes.io~1revision",
    );
    assert_eq!(revision, "1");
}
