//! What the suite deploys, as a workload and as a bundle, and what the cluster holds then.

use std::collections::BTreeMap;
use std::sync::Arc;

use caas_agent::{Config, Spark};
use fractal_core::artifact::{BundleFacts, Descriptor, Digest, Facts, ImageFacts};
use fractal_core::contract::{Environment, EnvironmentId, Params};
use fractal_core::reconcile::{Artifact, Inputs, Release, Rollout};
use fractal_testkit::conformance::{DROPPED_KEY, Expected, KEPT_KEY, Spec, owner};
use serde_json::json;

/// Name of the component, its Deployment and its Service.
pub(super) const NAME: &str = "worker";
/// Name of the bundle's ConfigMap.
pub(super) const SETTINGS: &str = "worker-settings";
/// The port the Service leads to, as [`super::truth`] tells it.
const SERVED: &str = "8080 of app.kubernetes.io/name=worker";

/// What a component is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Parameters alone; settings are the container's environment.
    Workload,
    /// A bundle; settings are a ConfigMap.
    Bundle,
}

impl Shape {
    /// Kinds and names of its objects, without the inventory.
    pub(super) fn parts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Workload => &[("Deployment", NAME), ("Service", NAME)],
            Self::Bundle => &[
                ("ConfigMap", SETTINGS),
                ("Deployment", NAME),
                ("Service", NAME),
            ],
        }
    }

    pub(super) fn deployment(self, spec: Spec, namespace: &str) -> (Inputs, Rollout) {
        let image = release("artifactUri", "registry.test/worker:1", image(spec));
        let mut parameters =
            json!({ "namespace": namespace, "artifactUri": "registry.test/worker:1" });
        let beside = match self {
            Self::Workload => {
                parameters["env"] = json!(settings(spec));
                parameters["port"] = 8080.into();
                Vec::new()
            }
            Self::Bundle => {
                parameters["manifestUri"] = "registry.test/manifests:1".into();
                vec![bundle(spec)]
            }
        };
        if spec == Spec::Impossible {
            parameters["port"] = 0.into();
        }
        let key = owner().component;
        let inputs = Inputs {
            component: key.component,
            offer: "CustomWorkloads.CaaS.KubernetesWorkload".parse().unwrap(),
            environment: Environment {
                id: EnvironmentId::new("Personal", "suite", "test").unwrap(),
                parameters: Params::default(),
            },
            parameters: serde_json::from_value(parameters).unwrap(),
            dependencies: BTreeMap::new(),
            links: Vec::new(),
            secrets: BTreeMap::new(),
        };
        let target = image;
        (inputs, Rollout { target, beside })
    }

    pub(super) fn expected(self, spec: Spec, namespace: &str) -> Expected {
        let digest = image(spec).to_string();
        let mut settings = settings(spec);
        let listed = self.parts().iter();
        let listed = listed.map(|(kind, name)| format!("{kind} {name}"));
        settings.insert("(inventory)".into(), listed.collect::<Vec<_>>().join(", "));
        settings.insert("(service)".into(), SERVED.into());
        Expected {
            place: format!("{namespace}/{NAME}"),
            serves: digest.clone(),
            settings,
            digest,
        }
    }
}

pub(super) fn config(namespace: &str) -> Config {
    Config {
        provider: None,
        namespace: namespace.to_owned(),
        policy: None,
        strict_substitution: true,
        spark: Spark {
            image: "spark:4.1.4".into(),
            version: "4.1.4".into(),
            oras_image: "oras:1.3.0".into(),
            service_account: "spark".into(),
        },
    }
}

fn image(spec: Spec) -> Digest {
    Digest::sha256(if matches!(spec, Spec::NewArtifact | Spec::Both) {
        "second"
    } else {
        "first"
    })
}

fn settings(spec: Spec) -> BTreeMap<String, String> {
    let dropped = (spec != Spec::DroppedKey).then_some((DROPPED_KEY, "here"));
    [Some((KEPT_KEY, kept(spec))), dropped]
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn kept(spec: Spec) -> &'static str {
    if matches!(spec, Spec::NewSettings | Spec::Both) {
        "two"
    } else {
        "one"
    }
}

fn release(parameter: &'static str, reference: &str, digest: Digest) -> Release {
    let facts = ImageFacts {
        manifest: digest.clone(),
        architecture: "amd64".into(),
        size: 1,
    };
    Release {
        parameter,
        artifact: Artifact {
            reference: reference.parse().unwrap(),
            digest,
        },
        facts: Arc::new(Facts::Image(facts)),
    }
}

fn bundle(spec: Spec) -> Release {
    let dropped = if spec == Spec::DroppedKey {
        ""
    } else {
        "  DROPPED: here\n"
    };
    let manifest = MANIFEST.replace("#DROPPED\n", dropped);
    let parameters = format!(
        "environments:\n- name: test\n  parameters:\n    KEPT_VALUE: {}\n",
        kept(spec)
    );
    let digest = Digest::sha256(format!("{manifest}{parameters}"));
    let layer = Descriptor::new(
        "application/vnd.fractal.workload-manifests.v1+tar",
        digest.clone(),
        1,
    );
    let files = [
        (format!("{NAME}-fdeploy.yaml"), manifest),
        ("fractal-parameters.yml".to_owned(), parameters),
    ];
    let files = files.map(|(name, text)| (name.into(), Arc::from(text)));
    let facts = BundleFacts {
        layer,
        files: files.into_iter().collect(),
    };
    Release {
        facts: Arc::new(Facts::Bundle(facts)),
        ..release("manifestUri", "registry.test/manifests:1", digest)
    }
}

const MANIFEST: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: worker-settings
data:
  KEPT: $KEPT_VALUE
#DROPPED
---
apiVersion: v1
kind: Service
metadata:
  name: worker
spec:
  selector:
    app.kubernetes.io/name: worker
  ports:
  - port: 8080
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: worker
spec:
  replicas: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: worker
  template:
    metadata:
      labels:
        app.kubernetes.io/name: worker
    spec:
      containers:
      - name: app
        image: registry.test/worker:1
        ports:
        - containerPort: 8080
        envFrom:
        - configMapRef:
            name: worker-settings
";
