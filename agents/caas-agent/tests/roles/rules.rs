//! Rules of a role, one verb on one resource each.

use fractal_core::Fault;
use fractal_testkit::cluster::Cluster;
use serde_json::{Value, json};

/// Rules without which everything is done all the same, as `deploy/role.yaml` says: many objects are read one by one then,
/// and a failing pod's reason and log are not told.
pub(crate) const OPTIONAL: [(&str, &str); 6] = [
    ("list", "configmaps"),
    ("list", "deployments"),
    ("list", "services"),
    ("list", "serviceaccounts"),
    ("list", "pods"),
    ("get", "pods/log"),
];
/// An object of each resource in the role for bundles, without its name.
pub(crate) const OBJECTS: [(&str, &str); 10] = [
    (
        "statefulsets",
        "{apiVersion: apps/v1, kind: StatefulSet, spec: {serviceName: a, selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: 'registry.test/a:1'}]}}}",
    ),
    (
        "daemonsets",
        "{apiVersion: apps/v1, kind: DaemonSet, spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: 'registry.test/a:1'}]}}}",
    ),
    (
        "jobs",
        "{apiVersion: batch/v1, kind: Job, spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'registry.test/a:1'}]}}}",
    ),
    (
        "cronjobs",
        "{apiVersion: batch/v1, kind: CronJob, spec: {schedule: '0 0 1 1 *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'registry.test/a:1'}]}}}}}",
    ),
    (
        "persistentvolumeclaims",
        "{apiVersion: v1, kind: PersistentVolumeClaim, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
    ),
    (
        "networkpolicies",
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {}}",
    ),
    (
        "ingresses",
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}",
    ),
    (
        "poddisruptionbudgets",
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, spec: {minAvailable: 1, selector: {matchLabels: {app: a}}}",
    ),
    ("namespaces", "{apiVersion: v1, kind: Namespace"),
    (
        "customresourcedefinitions",
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, spec: {group: $NAME.example.com, scope: Namespaced, names: {plural: things, kind: Thing}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}",
    ),
];
/// One verb on one resource.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) verb: String,
}

impl Rule {
    /// Kinds of bundles are listed for the same reason only.
    pub(crate) fn is_optional(&self) -> bool {
        let listed = self.verb == "list" && OBJECTS.iter().any(|(it, _)| *it == self.resource);
        listed || OPTIONAL.contains(&(&self.verb, &self.resource))
    }

    pub(crate) fn is_named_by(&self, fault: &Fault) -> bool {
        let group = if self.group.is_empty() {
            "\"\""
        } else {
            &self.group
        };
        let rule = format!(
            "apiGroups [{group}], resources [{}], verbs [{}]",
            self.resource, self.verb
        );
        fault.next.as_ref().is_some_and(|next| next.contains(&rule))
    }
}

/// YAML as kubectl reads it.
pub(crate) async fn read(cluster: &Cluster, yaml: &str) -> Value {
    let args = ["create", "--dry-run=client", "-o", "json", "-f", "-"];
    let output = cluster.kubectl(&args, Some(yaml)).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut object: Value = serde_json::from_slice(&output.stdout).unwrap();
    // kubectl fills in the namespace it would go to.
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("namespace");
    object
}

/// Every verb of every resource of a role.
pub(crate) fn rules(role: &Value) -> Vec<Rule> {
    let texts = |rule: &Value, key: &str| -> Vec<String> {
        let all = rule[key].as_array().unwrap();
        all.iter()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect()
    };
    let mut all = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        let [group] = &texts(rule, "apiGroups")[..] else {
            panic!("one group each: {rule}")
        };
        for resource in texts(rule, "resources") {
            for verb in texts(rule, "verbs") {
                all.push(Rule {
                    group: group.clone(),
                    resource: resource.clone(),
                    verb,
                });
            }
        }
    }
    all
}

/// The role without one verb on one resource.
pub(crate) fn without(role: &Value, missing: &Rule) -> Value {
    let is = |it: &Rule| {
        it.group == missing.group && it.resource == missing.resource && it.verb == missing.verb
    };
    let left = rules(role).into_iter().filter(|it| !is(it));
    let rules: Vec<_> = left
        .map(
            |it| json!({ "apiGroups": [it.group], "resources": [it.resource], "verbs": [it.verb] }),
        )
        .collect();
    let mut role = role.clone();
    role["rules"] = rules.into();
    role
}
