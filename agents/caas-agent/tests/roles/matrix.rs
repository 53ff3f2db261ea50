//! A component's whole life without each rule in turn: denied by name and healed, or done all the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fractal_core::reconcile::{End, Platform as _, Value as Setting};
use fractal_core::{Class, Fault};
use fractal_testkit::cluster::Cluster;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::rig::{BUNDLE_ROLE, Component, ROLE, Rig, bundle};
use crate::rules::{OBJECTS, Rule, read, rules, without};

/// Namespaces at work at a time.
const AT_ONCE: usize = 6;
const PATIENCE: Duration = Duration::from_secs(60);

fn seal(component: &mut Component, version: &str) {
    let sealed = Setting::Sealed {
        name: "db".into(),
        version: version.into(),
        value: "hunter2-hunter2".into(),
    };
    component.inputs.secrets.insert("db".into(), sealed);
}

/// A component's whole life: made with every kind but one, changed so that each kind is made, changed or taken away, removed.
/// The first denial that names the rule is kept, and the whole role is given back then.
async fn life(rig: &Rig, rule: &Rule, whole: &Value) -> Option<Fault> {
    let secret = json!({ "PASSWORD": { "$envSecret": "db" } });
    let mut orders = rig.workload(
        "orders",
        json!({ "port": 8080, "replicas": 1, "cpu": "10m", "serviceAccount": true, "env": secret }),
    );
    seal(&mut orders, "1");
    let mut denied = None;
    through(rig, &mut orders, rule, whole, &mut denied, false).await;
    if rule.is_optional() && rule.verb == "list" && rule.resource != "pods" {
        surveyed(rig, rule, &orders).await;
    }
    // Whether someone's autoscaler has the count is asked before it is changed.
    orders.set(
        json!({ "port": 8080, "replicas": 2, "cpu": "10m", "serviceAccount": true, "env": secret }),
    );
    through(rig, &mut orders, rule, whole, &mut denied, false).await;
    seal(&mut orders, "2");
    orders
        .set(json!({ "port": 9090, "replicas": 2, "maxReplicas": 3, "cpu": "10m", "env": secret }));
    through(rig, &mut orders, rule, whole, &mut denied, false).await;
    through(rig, &mut orders, rule, whole, &mut denied, true).await;
    denied
}

/// Without the inventories' list there is no survey; what else may not be listed is read, and says the same.
async fn surveyed(rig: &Rig, rule: &Rule, orders: &Component) {
    let survey = rig.agent.survey(&rig.namespace, 100).await.unwrap();
    if rule.resource == "configmaps" {
        assert_eq!(survey, None, "{rule:?}");
        return;
    }
    let synced = orders
        .record
        .synced
        .as_ref()
        .unwrap()
        .stamp
        .clone()
        .unwrap();
    let stamps: Vec<_> = survey.unwrap().into_values().collect();
    assert_eq!(stamps, [synced], "{rule:?}");
}

async fn through(
    rig: &Rig,
    orders: &mut Component,
    rule: &Rule,
    whole: &Value,
    denied: &mut Option<Fault>,
    removal: bool,
) {
    let began = Instant::now();
    loop {
        let report = if removal {
            orders.remove(&rig.agent).await
        } else {
            orders.pass(&rig.agent).await
        };
        match report.end {
            End::Ready(_) | End::Absent => return,
            End::Fault(fault) if denied.is_none() && rule.is_named_by(&fault) => {
                assert_eq!(
                    (fault.reason.as_str(), fault.class),
                    ("PermissionDenied", Class::Blocked)
                );
                rig.apply(&whole.to_string()).await;
                *denied = Some(fault);
            }
            // The authorizer learns of a rule a moment after it was made.
            End::Fault(fault) if fault.reason.as_str() == "PermissionDenied" => {
                assert!(
                    began.elapsed() < Duration::from_secs(15),
                    "{rule:?}: {fault}"
                );
            }
            End::Wait(why) => assert!(began.elapsed() < PATIENCE, "{rule:?}: {why}"),
            end => panic!("{rule:?}: {end:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn without_any_one_rule_the_agent_names_it_or_needs_it_not() {
    let whole = Arc::new(read(Cluster::shared().await, ROLE).await);
    let mut all = rules(&whole);
    // The kind is installed by an operator, and its own tests go with it.
    all.retain(|rule| rule.resource != "sparkapplications");
    assert_eq!(all.len(), 31, "{all:?}");
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut cells = JoinSet::new();
    for rule in all {
        let (whole, places) = (Arc::clone(&whole), Arc::clone(&places));
        cells.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let rig = Rig::with_rules("rule", &without(&whole, &rule).to_string()).await;
            let denied = life(&rig, &rule, &whole).await;
            (rule, denied)
        });
    }
    while let Some(cell) = cells.join_next().await {
        let (rule, denied) = cell.unwrap();
        assert_eq!(denied.is_none(), rule.is_optional(), "{rule:?}: {denied:?}");
    }
}

/// A bundle of one object: made, changed, taken away.
async fn bundles_life(rig: &Rig, rule: &Rule, whole: &Value) -> Option<Fault> {
    let (_, object) = OBJECTS.iter().find(|(it, _)| *it == rule.resource).unwrap();
    // What has no namespace is the whole cluster's: its name must be nobody else's.
    let name = match rule.resource.as_str() {
        "customresourcedefinitions" => format!("things.{}.example.com", rig.namespace),
        _ => format!("{}-object", rig.namespace),
    };
    let manifest = |label: &str| {
        let object = object.replace("$NAME", &rig.namespace);
        let asked = "annotations: {fractal.cloud/prune: 'true'}";
        let asked = if rule.group.is_empty() && rule.resource != "namespaces" {
            asked
        } else {
            "annotations: {}"
        };
        format!("{object}, metadata: {{name: {name}, labels: {{changed: '{label}'}}, {asked}}}}}\n")
    };
    let publish = |label: &str| bundle(&[("kind-fdeploy.yaml", &manifest(label))]);
    let mut denied = None;
    let mut component = rig.bundle("kind", json!({}), &[("kind-fdeploy.yaml", &manifest("no"))]);
    through(rig, &mut component, rule, whole, &mut denied, false).await;
    component.rollout.target = publish("yes");
    through(rig, &mut component, rule, whole, &mut denied, false).await;
    through(rig, &mut component, rule, whole, &mut denied, true).await;
    denied
}

#[tokio::test]
async fn without_any_one_rule_for_bundles_the_agent_names_it_or_needs_it_not() {
    let (role, cluster_role) = BUNDLE_ROLE.split_once("---\n").unwrap();
    let cluster = Cluster::shared().await;
    let roles = [read(cluster, role).await, read(cluster, cluster_role).await];
    let all: Vec<_> = roles
        .iter()
        .flat_map(|role| rules(role).into_iter().map(|rule| (role.clone(), rule)))
        .collect();
    assert_eq!(all.len(), 8 * 5 + 2 * 3);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut cells = JoinSet::new();
    for (mut whole, rule) in all {
        let places = Arc::clone(&places);
        cells.spawn(async move {
            let _place = places.acquire().await.unwrap();
            let rig = Rig::for_bundles("kind", &json!([])).await;
            if whole["kind"] == "ClusterRole" {
                whole["metadata"]["name"] = format!("caas-agent-{}", rig.namespace).into();
            }
            rig.apply(&without(&whole, &rule).to_string()).await;
            let denied = bundles_life(&rig, &rule, &whole).await;
            (rule, denied)
        });
    }
    while let Some(cell) = cells.join_next().await {
        let (rule, denied) = cell.unwrap();
        assert_eq!(denied.is_none(), rule.is_optional(), "{rule:?}: {denied:?}");
    }
}
