//! Each rule of the documented role, taken away in turn: the agent says which one is missing, or does without it.

#[cfg(test)]
#[path = "support/rig.rs"]
mod rig;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use fractal_core::reconcile::{End, Platform as _, Value as Setting};
    use fractal_core::{Class, Fault};
    use fractal_testkit::cluster::Cluster;
    use serde_json::{Value, json};
    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;

    use crate::rig::{BUNDLE_ROLE, Component, ROLE, Rig, bundle};

    /// Rules without which everything is done all the same, as `deploy/role.yaml` says: many objects are read one by one then,
    /// and a failing pod's reason and log are not told.
    const OPTIONAL: [(&str, &str); 6] = [
        ("list", "configmaps"),
        ("list", "deployments"),
        ("list", "services"),
        ("list", "serviceaccounts"),
        ("list", "pods"),
        ("get", "pods/log"),
    ];
    /// An object of each resource in the role for bundles, without its name.
    const OBJECTS: [(&str, &str); 10] = [
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
    /// Namespaces at work at a time.
    const AT_ONCE: usize = 6;
    const PATIENCE: Duration = Duration::from_secs(60);

    /// One verb on one resource.
    #[derive(Debug, Clone)]
    struct Rule {
        group: String,
        resource: String,
        verb: String,
    }

    impl Rule {
        /// Kinds of bundles are listed for the same reason only.
        fn is_optional(&self) -> bool {
            let listed = self.verb == "list" && OBJECTS.iter().any(|(it, _)| *it == self.resource);
            listed || OPTIONAL.contains(&(&self.verb, &self.resource))
        }

        fn is_named_by(&self, fault: &Fault) -> bool {
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
    async fn read(cluster: &Cluster, yaml: &str) -> Value {
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
    fn rules(role: &Value) -> Vec<Rule> {
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
    fn without(role: &Value, missing: &Rule) -> Value {
        let is = |it: &Rule| {
            it.group == missing.group && it.resource == missing.resource && it.verb == missing.verb
        };
        let left = rules(role).into_iter().filter(|it| !is(it));
        let rules: Vec<_> = left
            .map(|it| json!({ "apiGroups": [it.group], "resources": [it.resource], "verbs": [it.verb] }))
            .collect();
        let mut role = role.clone();
        role["rules"] = rules.into();
        role
    }

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
        let mut orders = rig.workload("orders", json!({ "port": 8080, "replicas": 1, "cpu": "10m", "serviceAccount": true, "env": secret }));
        seal(&mut orders, "1");
        let mut denied = None;
        through(rig, &mut orders, rule, whole, &mut denied, false).await;
        if rule.is_optional() && rule.verb == "list" && rule.resource != "pods" {
            let survey = rig.agent.survey(&rig.namespace, 100).await;
            assert!(matches!(survey, Ok(None)), "{rule:?}: {survey:?}");
        }
        seal(&mut orders, "2");
        orders.set(
            json!({ "port": 9090, "replicas": 1, "maxReplicas": 2, "cpu": "10m", "env": secret }),
        );
        through(rig, &mut orders, rule, whole, &mut denied, false).await;
        through(rig, &mut orders, rule, whole, &mut denied, true).await;
        denied
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
            format!(
                "{object}, metadata: {{name: {name}, labels: {{changed: '{label}'}}, {asked}}}}}\n"
            )
        };
        let publish = |label: &str| bundle(&[("kind-fdeploy.yaml", &manifest(label))]);
        let mut denied = None;
        let mut component =
            rig.bundle("kind", json!({}), &[("kind-fdeploy.yaml", &manifest("no"))]);
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

    /// What a bundle holds and the role does not allow is named before anything of the bundle is written.
    #[tokio::test]
    async fn a_bundles_kind_that_the_role_leaves_out_is_named_before_the_first_write() {
        let rig = Rig::start("unruled").await;
        let (role, _) = BUNDLE_ROLE.split_once("---\n").unwrap();
        let role = read(rig.cluster, role).await;
        let kinds = [
            ("statefulsets", "apps/v1", "StatefulSet"),
            ("cronjobs", "batch/v1", "CronJob"),
            ("networkpolicies", "networking.k8s.io/v1", "NetworkPolicy"),
            ("persistentvolumeclaims", "v1", "PersistentVolumeClaim"),
            ("poddisruptionbudgets", "policy/v1", "PodDisruptionBudget"),
        ];
        for (resource, api_version, kind) in kinds {
            assert!(
                rules(&role).iter().any(|it| it.resource == resource),
                "{resource} is not in the role for bundles"
            );
            let text = format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: first}}\n---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: second}}\nspec: {{}}\n"
            );
            let mut orders = rig.bundle("orders", json!({}), &[("orders-fdeploy.yaml", &text)]);
            let report = orders.pass(&rig.agent).await;
            let End::Fault(fault) = report.end else {
                panic!("{kind}: {:?}", report.end)
            };
            assert_eq!(fault.reason.as_str(), "PermissionDenied", "{fault}");
            let next = fault.next.unwrap();
            assert!(
                next.contains(&format!("resources [{resource}], verbs [get]")),
                "{next}"
            );
        }
        assert!(rig.calls(0).iter().all(|it| !it.is_write()));
    }

    /// `check` asks for exactly the documented rules, and names what is missing.
    #[tokio::test]
    async fn the_preflight_check_names_what_the_role_lacks() {
        let whole = read(Cluster::shared().await, ROLE).await;
        let rig = Rig::start("preflight").await;
        let findings = rig.agent.preflight().await;
        let problems: Vec<_> = findings
            .iter()
            .filter_map(|it| it.problem.as_ref())
            .collect();
        assert!(problems.is_empty(), "{problems:?}");
        let mut asked: Vec<_> = findings
            .iter()
            .filter_map(|it| it.subject.strip_prefix("may "))
            .map(str::to_owned)
            .collect();
        let mut documented: Vec<_> = rules(&whole)
            .into_iter()
            .filter(|it| it.resource != "sparkapplications")
            .map(|it| match it.group.as_str() {
                "" => format!("{} {}", it.verb, it.resource),
                group => format!("{} {}.{group}", it.verb, it.resource),
            })
            .collect();
        asked.sort();
        asked.retain(|it| !it.contains("sparkapplications"));
        documented.sort();
        assert_eq!(asked, documented);

        let missing = Rule {
            group: "apps".into(),
            resource: "deployments".into(),
            verb: "patch".into(),
        };
        let rig = Rig::with_rules("lacking", &without(&whole, &missing).to_string()).await;
        let findings = rig.agent.preflight().await;
        let problems: Vec<_> = findings
            .iter()
            .filter_map(|it| it.problem.as_ref())
            .collect();
        let [problem] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert!(
            problem.contains("patch deployments.apps") && problem.contains(&rig.namespace),
            "{problem}"
        );
    }
}
