//! An agent with the documented role in a namespace of a real control plane.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use caas_agent::{Config, Kubernetes, Spark};
use fractal_core::contract::{ComponentKey, Environment, EnvironmentId, Params, wire};
use fractal_core::reconcile::{Consent, End, Inputs, Owner, Record, Rollout};
use fractal_testkit::cluster::{AuditEvent, Cluster};
use serde_json::{Value, json};

#[path = "rig/component.rs"]
mod component;
#[path = "rig/releases.rs"]
mod releases;

pub(crate) use component::{Component, Report, fault};
pub(crate) use releases::{bundle, image};

/// The offer type of workloads.
pub(crate) const WORKLOAD: &str = "CustomWorkloads.CaaS.KubernetesWorkload";
/// The role the documentation gives.
pub(crate) const ROLE: &str = include_str!("../../deploy/role.yaml");
/// The role for bundles of many kinds.
pub(crate) const BUNDLE_ROLE: &str = include_str!("../../deploy/role-bundle.yaml");
const ACCOUNT: &str = "caas-agent";
/// Longest wait for anything the cluster does by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// One namespace, and the agent that may write to it.
pub(crate) struct Rig {
    pub(crate) cluster: &'static Cluster,
    pub(crate) namespace: String,
    pub(crate) agent: Kubernetes,
}

impl Rig {
    pub(crate) async fn start(prefix: &str) -> Self {
        Self::with_rules(prefix, ROLE).await
    }

    /// With another role in the place of the documented one.
    pub(crate) async fn with_rules(prefix: &str, role: &str) -> Self {
        fractal_runtime::install_crypto_provider();
        let cluster = Cluster::shared().await;
        let namespace = cluster.namespace(prefix).await;
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": ACCOUNT } });
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": ACCOUNT },
            "subjects": [{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace }],
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT },
        });
        let all = [role.to_owned(), account.to_string(), binding.to_string()];
        apply(cluster, &namespace, &all.join("\n---\n")).await;
        let token = cluster.service_account_token(&namespace, ACCOUNT).await;
        let agent = agent(&cluster.kubeconfig(&token), &namespace).await;
        Self {
            cluster,
            namespace,
            agent,
        }
    }

    /// A kubeconfig that lets a process in as the agent.
    pub(crate) async fn kubeconfig(&self) -> std::path::PathBuf {
        let token = self
            .cluster
            .service_account_token(&self.namespace, ACCOUNT)
            .await;
        self.cluster.kubeconfig(&token)
    }

    /// Applies YAML as an administrator.
    pub(crate) async fn apply(&self, yaml: &str) {
        apply(self.cluster, &self.namespace, yaml).await;
    }

    /// With the documented role for bundles beside the other, and these rules of its own for the whole cluster.
    pub(crate) async fn for_bundles(prefix: &str, rules: &Value) -> Self {
        let rig = Self::start(prefix).await;
        let own = format!("{ACCOUNT}-{}", rig.namespace);
        let (role, cluster_role) = BUNDLE_ROLE.split_once("---\n").unwrap();
        let cluster_role = cluster_role.replace("caas-agent-bundles", &own);
        let subjects =
            json!([{ "kind": "ServiceAccount", "name": ACCOUNT, "namespace": rig.namespace }]);
        let binding = |kind: &str, name: &str, role_kind: &str, role: &str| {
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": { "name": name }, "subjects": subjects,
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role },
            })
        };
        let extra = format!("{own}-extra");
        let objects = [
            binding(
                "RoleBinding",
                "caas-agent-bundles",
                "Role",
                "caas-agent-bundles",
            ),
            binding("ClusterRoleBinding", &own, "ClusterRole", &own),
            binding("ClusterRoleBinding", &extra, "ClusterRole", &extra),
            json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": extra }, "rules": rules }),
        ];
        let objects: Vec<_> = objects.iter().map(Value::to_string).collect();
        rig.apply(&[role, &cluster_role, &objects.join("\n---\n")].join("\n---\n"))
            .await;
        rig
    }

    /// Runs kubectl in the namespace, and expects that it succeeds.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> String {
        let all: Vec<&str> = ["-n", &self.namespace]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        succeed(self.cluster, &all, None).await
    }

    /// An object, as `kubectl get -o json` shows it with its managed fields.
    pub(crate) async fn object(&self, kind: &str, name: &str) -> Value {
        let text = self
            .kubectl(&["get", kind, name, "-o", "json", "--show-managed-fields"])
            .await;
        serde_json::from_str(&text).unwrap()
    }

    /// Runs kubectl in the namespace, and says what came of it.
    pub(crate) async fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        let all: Vec<&str> = ["-n", &self.namespace]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        let output = self.cluster.kubectl(&all, None).await;
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(String::from_utf8(output.stderr).unwrap())
        }
    }

    /// Waits until an object is as wanted, and gives it back.
    pub(crate) async fn until(
        &self,
        kind: &str,
        name: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let began = Instant::now();
        loop {
            let args = ["get", kind, name, "-o", "json", "--show-managed-fields"];
            let object = match self.try_kubectl(&args).await {
                Ok(text) => serde_json::from_str(&text).unwrap(),
                Err(_) => Value::Null,
            };
            if holds(&object) {
                return object;
            }
            assert!(began.elapsed() < PATIENCE, "{kind} {name}: {object:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All objects of these kinds in the namespace.
    pub(crate) async fn objects(&self, kinds: &str) -> Vec<Value> {
        let text = self.kubectl(&["get", kinds, "-o", "json"]).await;
        let list: Value = serde_json::from_str(&text).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// Resource versions of all objects of these kinds, by `Kind/name`.
    pub(crate) async fn versions(&self, kinds: &str) -> BTreeMap<String, String> {
        let objects = self.objects(kinds).await;
        objects
            .iter()
            .map(|it| (id(it), text(it, "/metadata/resourceVersion")))
            .collect()
    }

    /// The same, once controllers have written down what they had to: two looks a moment apart show the same.
    pub(crate) async fn settled(&self, kinds: &str) -> BTreeMap<String, String> {
        let began = Instant::now();
        let mut last = self.versions(kinds).await;
        loop {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let versions = self.versions(kinds).await;
            if versions == last {
                return versions;
            }
            assert!(began.elapsed() < PATIENCE, "{last:?} and {versions:?}");
            last = versions;
        }
    }

    /// Every state that objects of a collection have had since a resource version, as the API server remembers them.
    pub(crate) async fn history(&self, collection: &str, since: &str) -> Vec<Value> {
        let path = format!("{collection}?watch=true&resourceVersion={since}&timeoutSeconds=1");
        let text = self.kubectl(&["get", "--raw", &path]).await;
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["object"].take())
            .collect()
    }

    /// What this agent has changed since `mark`.
    pub(crate) fn writes(&self, mark: usize) -> Vec<AuditEvent> {
        let calls = self.calls(mark).into_iter();
        calls.filter(AuditEvent::is_accepted_write).collect()
    }

    /// Three more passes: each finds everything as wanted, no resource version moves, and the API server notes no write.
    pub(crate) async fn stays(&self, component: &mut Component, kinds: &str) {
        let before = self.settled(kinds).await;
        let mark = self.mark();
        for _ in 0..3 {
            let report = component.pass(&self.agent).await;
            let ready = matches!(report.end, End::Ready(_));
            assert!(
                ready && report.steps.is_empty(),
                "{:?}: {:?}",
                report.end,
                report.steps
            );
        }
        assert_eq!(self.versions(kinds).await, before);
        let calls = self.calls(mark);
        let writes: Vec<_> = calls.iter().filter(|it| it.is_write()).collect();
        assert!(!calls.is_empty() && writes.is_empty(), "{writes:?}");
    }

    /// Every object of the namespace that is not the cluster's own, as `kind/name`.
    pub(crate) async fn everything(&self) -> Vec<String> {
        let kinds = "deployments,statefulsets,daemonsets,replicasets,services,serviceaccounts,configmaps,secrets,horizontalpodautoscalers,networkpolicies,cronjobs,jobs,persistentvolumeclaims,pods";
        let text = self.kubectl(&["get", kinds, "-o", "name"]).await;
        let own = [
            "configmap/kube-root-ca.crt",
            "serviceaccount/default",
            "serviceaccount/caas-agent",
        ];
        text.lines()
            .map(str::to_owned)
            .filter(|line| !own.contains(&line.as_str()))
            .collect()
    }

    /// What this agent has asked the API server for since `mark`.
    pub(crate) fn calls(&self, mark: usize) -> Vec<AuditEvent> {
        let user = format!("system:serviceaccount:{}:{ACCOUNT}", self.namespace);
        self.cluster
            .audit()
            .into_iter()
            .skip(mark)
            .filter(|event| event.user == user)
            .collect()
    }

    /// Where the audit log stands.
    pub(crate) fn mark(&self) -> usize {
        self.cluster.audit().len()
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            provider: None,
            namespace: self.namespace.clone(),
            policy: None,
            strict_substitution: false,
            spark: Spark {
                image: "spark:4.1.4".into(),
                version: "4.1.4".into(),
                oras_image: "oras:1.3.0".into(),
                service_account: "spark".into(),
            },
        }
    }

    /// A workload with these parameters, running this image.
    pub(crate) fn workload(&self, id: &str, parameters: Value) -> Component {
        let rollout = Rollout {
            target: image("registry.test/orders:1"),
            beside: Vec::new(),
        };
        self.component(id, parameters, rollout)
    }

    /// A workload of a bundle, with an image or without.
    pub(crate) fn bundle(&self, id: &str, parameters: Value, files: &[(&str, &str)]) -> Component {
        let bundle = bundle(files);
        let with_image = parameters.get("artifactUri").is_some();
        let rollout = if with_image {
            Rollout {
                target: image("registry.test/orders:1"),
                beside: vec![bundle],
            }
        } else {
            Rollout {
                target: bundle,
                beside: Vec::new(),
            }
        };
        self.component(id, parameters, rollout)
    }

    /// A workload as a client posts it: `parameters` by whatever names its version uses, `blueprint` as it was registered.
    pub(crate) fn posted(
        &self,
        id: &str,
        offer: &str,
        parameters: Value,
        blueprint: Value,
    ) -> Result<Component, wire::WireError> {
        let body = json!({
            "liveSystemId": format!("Personal/suite/{}", self.namespace),
            "fractalId": "Personal/suite/fractal:v1",
            "environment": { "id": { "type": "Personal", "ownerId": "suite", "shortName": "dev" } },
            "blueprintMap": { (id): { "id": id, "type": offer, "provider": "CaaS", "parameters": parameters } },
            "blueprint": { "components": [{ "id": id, "parameters": blueprint }] },
        });
        let system = wire::live_system(&serde_json::to_vec(&body).unwrap(), None)?;
        let (_, posted) = system.components.into_iter().next().unwrap();
        assert_eq!(posted.offer.as_str(), WORKLOAD);
        let parameters = serde_json::to_value(&posted.parameters).unwrap();
        Ok(self.workload(id, parameters))
    }

    fn component(&self, id: &str, parameters: Value, rollout: Rollout) -> Component {
        let environment = EnvironmentId::new("Personal", "suite", "dev").unwrap();
        let key = ComponentKey {
            live_system: format!("Personal/suite/{}", self.namespace)
                .parse()
                .unwrap(),
            component: id.parse().unwrap(),
            offer: WORKLOAD.parse().unwrap(),
            environment: environment.clone(),
        };
        Component {
            inputs: Inputs {
                component: key.component.clone(),
                offer: key.offer.clone(),
                environment: Environment {
                    id: environment,
                    parameters: Params::default(),
                },
                parameters: serde_json::from_value(parameters).unwrap(),
                dependencies: Default::default(),
                links: Vec::new(),
                secrets: Default::default(),
            },
            owner: Owner {
                installation: "suite".parse().unwrap(),
                component: key,
            },
            config: self.config(),
            rollout,
            record: Record::default(),
            consent: Consent::Withheld,
        }
    }
}

/// `Kind/name` of an object.
pub(crate) fn id(object: &Value) -> String {
    format!(
        "{}/{}",
        text(object, "/kind"),
        text(object, "/metadata/name")
    )
}

/// A text of an object; empty where there is none.
pub(crate) fn text(object: &Value, pointer: &str) -> String {
    let text = object.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The agent as its kubeconfig lets it in.
pub(crate) async fn agent(kubeconfig: &Path, namespace: &str) -> Kubernetes {
    Kubernetes::new(client(kubeconfig).await, namespace)
}

/// A client of this test's own runtime.
pub(crate) async fn client(kubeconfig: &Path) -> kube::Client {
    let file = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(file, &Default::default())
        .await
        .unwrap();
    // A proxy of whoever runs the tests has no way to this cluster.
    config.proxy_url = None;
    kube::Client::try_from(config).unwrap()
}

async fn apply(cluster: &Cluster, namespace: &str, yaml: &str) {
    succeed(cluster, &["-n", namespace, "apply", "-f", "-"], Some(yaml)).await;
}

async fn succeed(cluster: &Cluster, args: &[&str], stdin: Option<&str>) -> String {
    let output = cluster.kubectl(args, stdin).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "kubectl {args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
