//! The overlay table of bundles, cell by cell; each cell's outcome is a file in `snapshots`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "functions for tests only"
)]

#[expect(dead_code, reason = "this file needs part of it only")]
#[path = "support/bundle.rs"]
mod bundle;

use bundle::{Bundle, overlay};
use fractal_artifact::manifests::{ManifestError, Match, Overlay, Warning};
use fractal_core::Fault;
use fractal_core::contract::Params;
use serde_json::{Value, json};

/// A workload with everything the table names, a second container, and fields around it.
const FULL: &str = "
apiVersion: apps/v1
kind: KIND
metadata:
  name: web
  namespace: team
spec:
  replicas: 1
  template:
    spec:
      initContainers:
        - {name: init, image: 'init:1', ports: [{containerPort: 1}]}
      containers:
        - name: main
          image: main:1
          ports:
            - {name: http, containerPort: 80, protocol: TCP}
            - {name: admin, containerPort: 81}
          resources:
            requests: {cpu: 100m, memory: 64Mi, ephemeral-storage: 1Gi}
            limits: {cpu: '1', memory: 128Mi}
        - name: sidecar
          image: sidecar:1
          ports: [{containerPort: 90}]
          resources: {limits: {cpu: 10m}}
";

/// A workload with nothing to replace.
const BARE: &str = "
apiVersion: apps/v1
kind: KIND
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: main
";

fn cell(name: &str, manifest: &str, kind: &str, parameters: Value) {
    let manifest = manifest.replace("KIND", kind);
    let plain = Bundle::of(&manifest).render().unwrap();
    let laid = Bundle::of(&manifest)
        .laid_over(&overlay(parameters.clone()))
        .unwrap();
    let provenance: Vec<Value> = laid
        .provenance
        .iter()
        .map(|it| json!([it.path, it.parameter, it.replaced]))
        .collect();
    let outcome = json!({
        "1 parameters": parameters,
        "2 provenance": provenance,
        "3 spec": laid.objects[0].value()["spec"],
    });
    insta::assert_json_snapshot!(name, outcome);
    let paths: Vec<_> = laid.provenance.iter().map(|it| it.path.as_str()).collect();
    unchanged_elsewhere(plain.objects[0].value(), laid.objects[0].value(), &paths);
}

/// Takes what was laid over out of both and compares the rest; what is empty then counts as absent.
fn unchanged_elsewhere(before: &Value, after: &Value, paths: &[&str]) {
    let (mut before, mut after) = (before.clone(), after.clone());
    for value in [&mut before, &mut after] {
        for path in paths {
            remove(value, path);
        }
    }
    assert_eq!(pruned(&before), pruned(&after));
}

fn remove(value: &mut Value, path: &str) {
    let path = path.strip_prefix("spec.").unwrap();
    if path == "replicas" {
        value["spec"].as_object_mut().unwrap().remove(path);
        return;
    }
    let field = path.strip_prefix("template.spec.containers[0].").unwrap();
    let container = &mut value["spec"]["template"]["spec"]["containers"][0];
    let place = match field.splitn(3, '.').collect::<Vec<_>>().as_slice() {
        ["image"] => container.as_object_mut().map(|it| (it, "image")),
        ["ports[0]", port] => container
            .pointer_mut("/ports/0")
            .and_then(Value::as_object_mut)
            .map(|it| (it, *port)),
        ["resources", list, resource] => container
            .pointer_mut(&format!("/resources/{list}"))
            .and_then(Value::as_object_mut)
            .map(|it| (it, *resource)),
        other => panic!("{other:?}"),
    };
    if let Some((map, key)) = place {
        map.remove(key);
    }
}

fn pruned(value: &Value) -> Value {
    let keep =
        |value: &Value| !matches!(value, Value::Null) && *value != json!({}) && *value != json!([]);
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), pruned(value)))
            .filter(|(_, value)| keep(value))
            .collect(),
        Value::Array(items) => items.iter().map(pruned).filter(keep).collect(),
        other => other.clone(),
    }
}

#[test]
fn nothing_set_leaves_everything_untouched() {
    cell("deployment_nothing", FULL, "Deployment", json!({}));
    cell(
        "deployment_empty_values",
        FULL,
        "Deployment",
        json!({
            "replicas": null, "artifactUri": "", "port": "", "cpu": " ", "resourceRequests": {}, "memory": null
        }),
    );
}

#[test]
fn replicas() {
    cell(
        "deployment_replicas",
        FULL,
        "Deployment",
        json!({"replicas": 3}),
    );
    cell(
        "deployment_replicas_zero_as_text",
        BARE,
        "Deployment",
        json!({"replicas": "0"}),
    );
    cell(
        "stateful_set_replicas",
        FULL,
        "StatefulSet",
        json!({"replicas": 3}),
    );
    cell(
        "daemon_set_replicas",
        FULL,
        "DaemonSet",
        json!({"replicas": 3}),
    );
}

#[test]
fn image() {
    cell(
        "deployment_image",
        FULL,
        "Deployment",
        json!({"artifactUri": "oci://r.example/a@sha256:0"}),
    );
    cell(
        "stateful_set_image_unset",
        BARE,
        "StatefulSet",
        json!({"artifactUri": "r.example/a:1"}),
    );
    cell(
        "daemon_set_image",
        FULL,
        "DaemonSet",
        json!({"artifactUri": "r.example/a:1"}),
    );
    let pinned = overlay(json!({"artifactUri": "a:1"})).with_image("r.example/a@sha256:1".into());
    assert_eq!(pinned.image(), Some("r.example/a@sha256:1"));
}

#[test]
fn port() {
    cell(
        "deployment_port_named_with_protocol",
        FULL,
        "Deployment",
        json!({"port": 8080}),
    );
    cell(
        "deployment_port_unset",
        BARE,
        "Deployment",
        json!({"port": "8080"}),
    );
    cell("daemon_set_port", FULL, "DaemonSet", json!({"port": 8080}));
    let empty = BARE.replace("- name: main", "- {name: main, ports: []}");
    cell(
        "deployment_port_empty_list",
        &empty,
        "Deployment",
        json!({"port": 8080}),
    );
    let null = BARE.replace("- name: main", "- {name: main, ports: }");
    cell(
        "deployment_port_null",
        &null,
        "Deployment",
        json!({"port": 8080}),
    );
}

#[test]
fn cpu_and_memory() {
    cell("deployment_cpu", FULL, "Deployment", json!({"cpu": "250m"}));
    cell(
        "deployment_memory",
        FULL,
        "Deployment",
        json!({"memory": "256Mi"}),
    );
    cell(
        "deployment_cpu_memory_unset",
        BARE,
        "Deployment",
        json!({"cpu": 0.5, "memory": "256Mi"}),
    );
    cell(
        "stateful_set_cpu_memory",
        FULL,
        "StatefulSet",
        json!({"cpu": "250m", "memory": "256Mi"}),
    );
    cell(
        "daemon_set_cpu_memory",
        FULL,
        "DaemonSet",
        json!({"cpu": 1, "memory": "256Mi"}),
    );
    let null = BARE.replace(
        "- name: main",
        "- {name: main, resources: {requests: , limits: }}",
    );
    cell(
        "deployment_resources_null",
        &null,
        "Deployment",
        json!({"cpu": "1"}),
    );
}

#[test]
fn requests_and_limits_win_key_by_key() {
    cell(
        "deployment_resource_requests",
        FULL,
        "Deployment",
        json!({"resourceRequests": {"cpu": "50m"}}),
    );
    cell(
        "deployment_resource_limits",
        FULL,
        "Deployment",
        json!({"resourceLimits": {"memory": "1Gi", "nvidia.com/gpu": 1}}),
    );
    cell(
        "deployment_cpu_and_resource_requests",
        FULL,
        "Deployment",
        json!({
            "cpu": "250m", "memory": "256Mi", "resourceRequests": {"cpu": "50m"}, "resourceLimits": {"memory": "1Gi"}
        }),
    );
    cell(
        "stateful_set_requests_unset",
        BARE,
        "StatefulSet",
        json!({"resourceRequests": {"memory": "1Gi"}}),
    );
}

#[test]
fn keys_of_both_sdk_versions() {
    // Behind the edge `image`, `containerImage`, `containerPort` and `desiredCount` have their canonical names.
    cell(
        "v1_all",
        FULL,
        "Deployment",
        json!({
            "artifactUri": "r.example/a:1", "port": "8080", "replicas": "2", "cpu": "250m", "memory": "256Mi",
            "manifestUri": "oci://r.example/m:1", "containerName": "other"
        }),
    );
    cell(
        "v2_all",
        FULL,
        "Deployment",
        json!({
            "artifactUri": "r.example/a:1", "port": 8080, "replicas": 2, "cpuRequest": "250m", "memoryRequest": "256Mi",
            "maxReplicas": 5, "env": {"A": "b"}, "healthCheck": {"path": "/"}
        }),
    );
    cell(
        "v2_requests_beside_cpu",
        BARE,
        "Deployment",
        json!({"cpu": "1", "cpuRequest": "250m"}),
    );
}

#[test]
fn y11_no_document_of_the_name_is_applied_without_overlay() {
    for (kind, name, api) in [
        ("Deployment", "web-deployment", "apps/v1"),
        ("StatefulSet", "Web", "apps/v1"),
        ("CronJob", "web", "batch/v1"),
        ("Deployment", "web", "example.com/v1"),
    ] {
        let manifest = FULL
            .replace("KIND", kind)
            .replace("name: web\n", &format!("name: {name}\n"))
            .replace("apps/v1", api);
        let plain = Bundle::of(&manifest).render().unwrap();
        let laid = Bundle::of(&manifest)
            .laid_over(&overlay(json!({"replicas": 9})))
            .unwrap();
        assert_eq!(laid.objects, plain.objects);
        assert_eq!(laid.provenance, []);
        let Match::Unmatched { seen } = laid.workload else {
            panic!("{:?}", laid.workload)
        };
        let seen: Vec<_> = seen.iter().map(ToString::to_string).collect();
        let wanted = if api == "apps/v1" {
            vec![format!("apps/{kind} team/{name}")]
        } else {
            vec![]
        };
        assert_eq!(seen, wanted);
    }
}

fn problem(manifest: &str, parameters: Value) -> (String, String) {
    let error: ManifestError = Bundle::of(manifest)
        .laid_over(&overlay(parameters))
        .unwrap_err();
    let text = error.to_string();
    (Fault::from(error).reason.as_str().to_owned(), text)
}

#[test]
fn y11_two_workloads_of_the_name_are_refused() {
    let first = FULL.replace("KIND", "Deployment");
    let second = FULL.replace("KIND", "DaemonSet").replace("team", "other");
    let wanted = "the component's fields could be laid over apps/Deployment team/web and over apps/DaemonSet other/web";
    let both = format!("{first}---{second}");
    assert_eq!(
        problem(&both, json!({})),
        ("OverlayTarget".into(), wanted.into())
    );
}

#[test]
fn y11_a_workload_without_a_container_is_refused() {
    for containers in [
        "",
        "containers:",
        "containers: []",
        "containers: {a: b}",
        "containers: [null]",
    ] {
        let manifest = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      x: y\n      {containers}\n"
        );
        let wanted = "apps/Deployment web has no container to lay the component's fields over";
        assert_eq!(
            problem(&manifest, json!({})),
            ("OverlayTarget".into(), wanted.into())
        );
    }
}

#[test]
fn fields_of_another_form_are_refused() {
    for (replaced, parameters) in [
        ("ports: x", json!({"port": 80})),
        ("ports: [80]", json!({"port": 80})),
        ("resources: []", json!({"cpu": "1"})),
        ("resources: {requests: 1}", json!({"cpu": "1"})),
    ] {
        let manifest = BARE
            .replace("KIND", "Deployment")
            .replace("- name: main", &format!("- {{name: main, {replaced}}}"));
        let (reason, text) = problem(&manifest, parameters);
        assert_eq!(reason, "BundleObject", "{text}");
        assert!(
            text.starts_with("apps/Deployment web (line 2) has a `"),
            "{text}"
        );
    }
}

#[test]
fn an_autoscaler_in_the_bundle_keeps_the_replicas() {
    let hpa = "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: team}\nspec: {scaleTargetRef: {apiVersion: apps/v1, kind: KIND, name: web}}\n";
    let keda = "---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: web, namespace: team}\nspec: {scaleTargetRef: {name: web}}\n";
    for (kind, scaler, kept) in [
        ("Deployment", hpa.replace("KIND", "Deployment"), true),
        ("StatefulSet", hpa.replace("KIND", "StatefulSet"), true),
        ("Deployment", keda.into(), true),
        ("StatefulSet", keda.into(), false),
        ("Deployment", hpa.replace("KIND", "StatefulSet"), false),
        (
            "Deployment",
            hpa.replace("KIND", "Deployment").replace("team", "other"),
            false,
        ),
        (
            "Deployment",
            hpa.replace("KIND, name: web", "Deployment, name: api"),
            false,
        ),
    ] {
        let manifest = format!("{}{scaler}", FULL.replace("KIND", kind));
        let laid = Bundle::of(&manifest)
            .laid_over(&overlay(json!({"replicas": 9, "port": 8})))
            .unwrap();
        let spec = &laid.objects[0].value()["spec"];
        assert_eq!(spec["replicas"], if kept { 1 } else { 9 }, "{scaler}");
        assert_eq!(
            spec["template"]["spec"]["containers"][0]["ports"][0]["containerPort"],
            8
        );
        let warned = laid
            .warnings
            .iter()
            .any(|it| matches!(it, Warning::ReplicasLeft { .. }));
        assert_eq!(warned, kept, "{scaler}");
    }
}

#[test]
fn r17_parameters_out_of_range_are_refused_without_their_text() {
    for (name, value) in [
        ("replicas", json!(-1)),
        ("replicas", json!(1.5)),
        ("replicas", json!("0x10")),
        ("replicas", json!(3_000_000_000_i64)),
        ("port", json!(0)),
        ("port", json!(65536)),
        ("artifactUri", json!(["canary"])),
        ("cpu", json!("canary")),
        ("cpu", json!(-1)),
        ("cpu", json!(true)),
        ("memory", json!("1 canary")),
        ("cpuRequest", json!({"canary": 1})),
        ("resourceRequests", json!("canary")),
        ("resourceRequests", json!({"cpu": "canary"})),
        ("resourceLimits", json!({"can ary": "1"})),
        ("resourceLimits", json!({"cpu": ["canary"]})),
    ] {
        let params: Params = serde_json::from_value(json!({ name: value })).unwrap();
        let error = Overlay::from_params(&params).unwrap_err();
        let fault = Fault::from(error);
        assert_eq!(fault.reason.as_str(), "ParameterInvalid");
        let text = fault.to_string();
        assert!(text.contains(name) && !text.contains("canary"), "{text}");
    }
}
