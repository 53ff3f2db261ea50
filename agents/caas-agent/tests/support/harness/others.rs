//! What someone else does to a component's objects, as an administrator.

use caas_agent::{DIGEST, OWNER};
use fractal_core::artifact::Digest;
use fractal_testkit::conformance::{FOREIGN_KEY, KEPT_KEY, Outside, owner};
use serde_json::{Value, json};

use super::admin::Admin;
use super::specs::{NAME, SETTINGS, Shape};

pub(super) async fn act(admin: &'static Admin, namespace: String, shape: Shape, act: Outside) {
    let other = Others {
        admin,
        shape,
        deployments: format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
        config_maps: format!("/api/v1/namespaces/{namespace}/configmaps"),
    };
    match act {
        Outside::AddsKey => other.set(FOREIGN_KEY.0, FOREIGN_KEY.1).await,
        Outside::ChangesSettings => other.set(KEPT_KEY, "tampered").await,
        Outside::ChangesCode => {
            let image = format!("registry.test/worker@{}", Digest::sha256("tampered"));
            let template = other.container(&json!({ "image": image })).await;
            other.edit(&template).await;
        }
        Outside::DropsDigestMarker => other.edit(&unmarked(DIGEST)).await,
        Outside::DropsOwnerMarker => other.edit(&unmarked(OWNER)).await,
        Outside::TakesPlace => {
            let marker = format!("other/{}", owner().component.hash());
            other.take(json!({ OWNER: marker })).await;
        }
        Outside::TakesPlaceUnmarked => other.take(json!({})).await,
    }
}

struct Others {
    admin: &'static Admin,
    shape: Shape,
    deployments: String,
    config_maps: String,
}

impl Others {
    async fn set(&self, key: &str, value: &str) {
        match self.shape {
            Shape::Workload => {
                let entry = json!({ "env": [{ "name": key, "value": value }] });
                let change = self.container(&entry).await;
                self.edit(&change).await;
            }
            Shape::Bundle => {
                let path = format!("{}/{SETTINGS}", self.config_maps);
                let change = json!({ "data": { key: value } });
                self.admin.patch(&path, &change).await;
            }
        }
    }

    async fn edit(&self, change: &Value) {
        let path = format!("{}/{NAME}", self.deployments);
        self.admin.edit(&path, change).await;
    }

    /// A change of the first container, whatever its name.
    async fn container(&self, change: &Value) -> Value {
        let path = format!("{}/{NAME}", self.deployments);
        let deployment = self.admin.get_object(&path).await;
        let mut container = change.clone();
        container["name"] = deployment["spec"]["template"]["spec"]["containers"][0]["name"].clone();
        json!({ "spec": { "template": { "spec": { "containers": [container] } } } })
    }

    /// A workload loses its Deployment, a bundle its ConfigMap.
    async fn take(&self, annotations: Value) {
        let (collection, mut object) = match self.shape {
            Shape::Workload => (&self.deployments, deployment()),
            Shape::Bundle => (&self.config_maps, config_map()),
        };
        object["metadata"]["annotations"] = annotations;
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        self.admin.delete(&format!("{collection}/{name}")).await;
        self.admin.post(collection, &object).await;
    }
}

fn unmarked(annotation: &str) -> Value {
    json!({ "metadata": { "annotations": { annotation: null } } })
}

fn config_map() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": SETTINGS }, "data": { "THEIRS": "yes" },
    })
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": NAME },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": "theirs" } },
            "template": {
                "metadata": { "labels": { "app": "theirs" } },
                "spec": { "containers": [{ "name": "theirs", "image": "registry.test/theirs:1" }] },
            },
        },
    })
}
