//! One bundle with every shape: its order, its content, and what the SDK lays over it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::rig::{Component, Rig, id, text};

const MANIFEST: &str =
    include_str!("../../../../fixtures/bundles/platform-suite/.fractal/suite-fdeploy.yaml");
const PARAMETERS: &str =
    include_str!("../../../../fixtures/bundles/platform-suite/.fractal/fractal-parameters.yml");

const KINDS: &str = "statefulsets,daemonsets,deployments,jobs,cronjobs,networkpolicies,poddisruptionbudgets,services,persistentvolumeclaims,configmaps,serviceaccounts,widgets";

/// The fixture in a namespace of the test's own, with a group of its own: kinds are the whole cluster's.
struct Suite {
    rig: Rig,
    component: Component,
    manifest: String,
}

impl Suite {
    async fn start(prefix: &str, parameters: Value) -> Self {
        let group = format!("{prefix}.example.com");
        let rules = json!([
            { "apiGroups": [group], "resources": ["widgets"], "verbs": ["get", "list", "create", "patch", "delete"] },
            { "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "patch", "delete"] },
        ]);
        let rig = Rig::for_bundles(prefix, &rules).await;
        let values = PARAMETERS
            .replace(
                "NAMESPACE: platform-suite",
                &format!("NAMESPACE: {}", rig.namespace),
            )
            .replace("suite.example.com", &group);
        let manifest = MANIFEST
            .replace("$NAMESPACE", &rig.namespace)
            .replace("$GROUP", &group)
            .replace("$REGISTRY", "registry.example.com/platform-suite")
            .replace("$LEVEL", "debug");
        let files = [
            ("suite-fdeploy.yaml", MANIFEST),
            ("fractal-parameters.yml", values.as_str()),
        ];
        let component = rig.bundle("suite", parameters, &files);
        Self {
            rig,
            component,
            manifest,
        }
    }

    /// The bundle's objects as kubectl reads them: its YAML reader is not ours.
    async fn read_by_kubectl(&self) -> Vec<Value> {
        let mut objects = Vec::new();
        for document in self.manifest.split("---\n") {
            let args = [
                "create",
                "--dry-run=client",
                "--validate=false",
                "-o",
                "json",
                "-f",
                "-",
            ];
            let output = self.rig.cluster.kubectl(&args, Some(document)).await;
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            objects.push(serde_json::from_slice(&output.stdout).unwrap());
        }
        objects
    }

    async fn live(&self, wanted: &Value) -> Value {
        let kind = format!("{}.{}", text(wanted, "/kind"), group_and_version(wanted));
        let mut args = vec![
            "get",
            kind.trim_end_matches('.'),
            wanted["metadata"]["name"].as_str().unwrap(),
            "-o",
            "json",
        ];
        if let Some(namespace) = wanted["metadata"]["namespace"].as_str() {
            args.extend(["-n", namespace]);
        }
        let output = self.rig.cluster.kubectl(&args, None).await;
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// As kubectl takes it behind a kind: `v1.apps`, and nothing for the core group.
fn group_and_version(object: &Value) -> String {
    match text(object, "/apiVersion").split_once('/') {
        Some((group, version)) => format!("{version}.{group}"),
        None => String::new(),
    }
}

/// Every place where `live` does not say what `written` says, with both. Items of lists are found by their place.
fn differences(
    path: &str,
    written: &Value,
    live: Option<&Value>,
    found: &mut BTreeMap<String, (Value, Value)>,
) {
    match (written, live) {
        (Value::Object(map), Some(Value::Object(live))) => {
            for (key, value) in map {
                differences(&format!("{path}.{key}"), value, live.get(key), found);
            }
        }
        (Value::Array(items), Some(Value::Array(live))) if items.len() == live.len() => {
            for (index, (item, live)) in items.iter().zip(live).enumerate() {
                differences(&format!("{path}[{index}]"), item, Some(live), found);
            }
        }
        (written, live) if Some(written) == live => {}
        (written, live) => {
            found.insert(
                path.to_owned(),
                (written.clone(), live.cloned().unwrap_or_default()),
            );
        }
    }
}

#[tokio::test]
async fn every_shape_is_applied_in_order_as_it_is_written() {
    let parameters = json!({
        "artifactUri": "registry.test/orders:1", "replicas": 3, "port": 8080, "cpu": "200m",
        "resourceRequests": { "memory": "96Mi" },
    });
    let mut suite = Suite::start("suite", parameters).await;
    let report = suite.component.ready(&suite.rig.agent).await;
    assert_eq!(
        report
            .notices
            .iter()
            .map(|it| it.reason.as_str())
            .collect::<Vec<_>>(),
        ["UnresolvedNames"]
    );

    // What was written, and in which order.
    let writes = suite.rig.writes(0);
    let at = |resource: &str| -> Vec<usize> {
        let is = |(_, it): &(usize, &_)| -> bool {
            let it: &fractal_testkit::cluster::AuditEvent = it;
            it.resource == resource
                && it
                    .name
                    .as_deref()
                    .is_some_and(|name| !name.starts_with("fractal-"))
        };
        writes
            .iter()
            .enumerate()
            .filter(is)
            .map(|(index, _)| index)
            .collect()
    };
    let first = |resource: &str| at(resource).first().copied().unwrap();
    let last = |resource: &str| at(resource).last().copied().unwrap();
    assert!(
        writes[0].name.as_deref().unwrap().starts_with("fractal-"),
        "the inventory comes first: {:?}",
        writes[0]
    );
    let foundations = ["namespaces", "customresourcedefinitions"];
    let needs = [
        "serviceaccounts",
        "configmaps",
        "persistentvolumeclaims",
        "networkpolicies",
        "poddisruptionbudgets",
        "services",
        "widgets",
    ];
    let workloads = [
        "statefulsets",
        "daemonsets",
        "deployments",
        "jobs",
        "cronjobs",
    ];
    for (earlier, later) in [(&foundations[..], &needs[..]), (&needs[..], &workloads[..])] {
        for (before, after) in earlier
            .iter()
            .flat_map(|it| later.iter().map(move |after| (it, after)))
        {
            assert!(
                last(before) < first(after),
                "{before} before {after}: {writes:?}"
            );
        }
    }
    // One write each, whatever is laid over it.
    for resource in workloads {
        assert_eq!(at(resource).len(), 1, "{resource}: {writes:?}");
    }

    // Everything the bundle says is so, but for what the SDK says.
    let mut found = BTreeMap::new();
    let mut compared = 0;
    for written in suite.read_by_kubectl().await {
        let live = suite.live(&written).await;
        differences(&id(&written), &written, Some(&live), &mut found);
        compared += 1;
    }
    assert_eq!(compared, MANIFEST.split("---\n").count());
    let container = "StatefulSet/suite.spec.template.spec.containers[0]";
    let digest = suite
        .component
        .rollout
        .of("artifactUri")
        .unwrap()
        .artifact
        .digest
        .clone();
    let expected: BTreeMap<String, (Value, Value)> = [
        (
            "StatefulSet/suite.spec.replicas".to_owned(),
            (json!(1), json!(3)),
        ),
        (
            format!("{container}.image"),
            (
                json!("registry.example.com/platform-suite/suite:v1"),
                json!(format!("registry.test/orders@{digest}")),
            ),
        ),
        (
            format!("{container}.ports[0].containerPort"),
            (json!(3000), json!(8080)),
        ),
        (
            format!("{container}.resources.requests.cpu"),
            (json!("50m"), json!("200m")),
        ),
        (
            format!("{container}.resources.requests.memory"),
            (json!("64Mi"), json!("96Mi")),
        ),
    ]
    .into();
    assert_eq!(found, expected);
    let set = suite.rig.object("statefulset", "suite").await;
    let laid = &set["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        laid["resources"]["limits"],
        json!({ "cpu": "200m", "memory": "128Mi" })
    );
    assert_eq!(laid["ports"][0]["name"], "http");
    // Marks are metadata: one on a pod template would restart pods.
    let template = &set["spec"]["template"]["metadata"];
    assert!(
        !template.to_string().contains("fractal.cloud"),
        "{template}"
    );

    suite.rig.stays(&mut suite.component, KINDS).await;
    let known = std::mem::take(&mut suite.component.record);
    suite.rig.stays(&mut suite.component, KINDS).await;
    suite.component.record = known;

    // Taken away: what holds data, and what others live in, stays.
    suite.component.gone(&suite.rig.agent).await;
    let left: Vec<_> = suite
        .rig
        .objects(KINDS)
        .await
        .iter()
        .map(id)
        .filter(|it| {
            ![
                "ConfigMap/kube-root-ca.crt",
                "ServiceAccount/caas-agent",
                "ServiceAccount/default",
            ]
            .contains(&it.as_str())
        })
        .collect();
    let kept = [
        "data-suite-0",
        "data-suite-1",
        "data-suite-2",
        "suite-cache",
    ];
    assert_eq!(left, kept.map(|it| format!("PersistentVolumeClaim/{it}")));
    let args = [
        "get",
        "namespace",
        &format!("{}-data", suite.rig.namespace),
        "-o",
        "name",
    ];
    assert!(suite.rig.try_kubectl(&args).await.is_ok());
    let args = ["get", "crd", "widgets.suite.example.com", "-o", "name"];
    assert!(suite.rig.try_kubectl(&args).await.is_ok());
}

/// The provenance of what is laid over, and the plan, before anything is there.
#[tokio::test]
async fn a_dry_run_names_every_object_and_writes_nothing() {
    let suite = Suite::start("dry", json!({ "replicas": 2 })).await;
    let preview = suite.component.preview(&suite.rig.agent).await.unwrap();
    let shown = format!("{:?} {:?}", preview.now, preview.later);
    for name in [
        "apps/StatefulSet",
        "apps/DaemonSet",
        "batch/Job",
        "batch/CronJob",
        "NetworkPolicy",
        "Widget",
        "CustomResourceDefinition widgets.dry.example.com",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
    ] {
        assert!(shown.contains(name), "no {name} in {shown}");
    }
    assert!(suite.rig.calls(0).iter().all(|it| !it.is_write()));
}
