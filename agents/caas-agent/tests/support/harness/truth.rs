//! What a namespace really holds, read from the API server as an administrator.

use std::collections::{BTreeMap, BTreeSet};

use caas_agent::{DIGEST, OWNER};
use fractal_core::artifact::Digest;
use fractal_testkit::conformance::{Object, owner};
use serde_json::Value;

use super::admin::Admin;
use super::specs::{NAME, SETTINGS};

/// One namespace, as it is at one moment.
pub(crate) struct View {
    namespace: String,
    deployments: Vec<Value>,
    replica_sets: Vec<Value>,
    pods: Vec<Value>,
    services: Vec<Value>,
    config_maps: Vec<Value>,
}

/// The namespaces as they are.
pub(crate) fn views(admin: &'static Admin, namespaces: Vec<String>) -> Vec<View> {
    admin.wait(async move {
        let mut views = Vec::new();
        for namespace in namespaces {
            let mut view = View::without_pods(admin, namespace).await;
            view.add_pods(admin).await;
            views.push(view);
        }
        views
    })
}

/// The same without what runs, which is read for nothing where only our objects are asked for.
pub(crate) fn outlines(admin: &'static Admin, namespaces: Vec<String>) -> Vec<View> {
    admin.wait(async move {
        let mut views = Vec::new();
        for namespace in namespaces {
            views.push(View::without_pods(admin, namespace).await);
        }
        views
    })
}

impl View {
    async fn without_pods(admin: &Admin, namespace: String) -> Self {
        let core = format!("/api/v1/namespaces/{namespace}");
        let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
        Self {
            deployments: admin.list(&deployments).await,
            replica_sets: Vec::new(),
            pods: Vec::new(),
            services: admin.list(&format!("{core}/services")).await,
            config_maps: admin.list(&format!("{core}/configmaps")).await,
            namespace,
        }
    }

    async fn add_pods(&mut self, admin: &Admin) {
        let namespace = &self.namespace;
        let sets = format!("/apis/apps/v1/namespaces/{namespace}/replicasets");
        let pods = format!("/api/v1/namespaces/{namespace}/pods");
        (self.replica_sets, self.pods) = (admin.list(&sets).await, admin.list(&pods).await);
    }

    /// The component, and every object with a name of ours that is not ours.
    pub(crate) fn objects(&self) -> Vec<Object> {
        let foreign = self.foreign().map(|(kind, object)| Object {
            place: format!("{}/{kind} {}", self.namespace, name(object)),
            owner: marker(object).map(str::to_owned),
            serves: None,
            settings: [("(object)".to_owned(), essence(object))].into(),
            digest: None,
        });
        let component = self.ours(&self.deployments).map(|it| self.component(it));
        component.chain(foreign).collect()
    }

    /// Objects of ours without the Deployment they belong to.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        if self.ours(&self.deployments).next().is_some() {
            return Vec::new();
        }
        let rest = self
            .ours(&self.services)
            .chain(self.ours(&self.config_maps));
        rest.map(|object| format!("{}/{}", self.namespace, name(object)))
            .collect()
    }

    /// API paths of objects with a name of ours that are not ours.
    pub(crate) fn foreign_paths(&self) -> Vec<String> {
        let path = |(kind, object): (&str, &Value)| {
            let within = &self.namespace;
            match kind {
                "Deployment" => {
                    format!(
                        "/apis/apps/v1/namespaces/{within}/deployments/{}",
                        name(object)
                    )
                }
                "Service" => format!("/api/v1/namespaces/{within}/services/{}", name(object)),
                _ => format!("/api/v1/namespaces/{within}/configmaps/{}", name(object)),
            }
        };
        self.foreign().map(path).collect()
    }

    fn component(&self, deployment: &Value) -> Object {
        let pods = self.serving(deployment);
        let images: BTreeSet<&str> = pods.iter().filter_map(|pod| digest(pod)).collect();
        let images: Vec<&str> = images.into_iter().collect();
        let mut settings = self.settings(deployment, pods.first().copied());
        settings.insert("(service)".into(), self.service());
        settings.insert("(inventory)".into(), self.inventory());
        let annotations = &deployment["metadata"]["annotations"];
        Object {
            place: format!("{}/{}", self.namespace, name(deployment)),
            owner: marker(deployment).map(str::to_owned),
            serves: (!images.is_empty()).then(|| images.join(" and ")),
            settings,
            digest: annotations[DIGEST].as_str().map(str::to_owned),
        }
    }

    /// Ready pods of a Deployment.
    fn serving(&self, deployment: &Value) -> Vec<&Value> {
        let owned = |object: &Value, owner: &Value| {
            object["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
        };
        let sets = self
            .replica_sets
            .iter()
            .filter(|set| owned(set, deployment));
        let sets: Vec<&Value> = sets.collect();
        let pods = self.pods.iter().filter(|pod| {
            let ready = &pod["status"]["containerStatuses"][0]["ready"];
            pod["metadata"]["deletionTimestamp"].is_null() && *ready == true
        });
        pods.filter(|pod| sets.iter().any(|set| owned(pod, set)))
            .collect()
    }

    /// The environment of the pod that serves, or of the next one; with a ConfigMap of ours, what that holds.
    fn settings(&self, deployment: &Value, pod: Option<&Value>) -> BTreeMap<String, String> {
        let pod = pod.map_or(&deployment["spec"]["template"], |pod| pod);
        let entries = pod["spec"]["containers"][0]["env"].as_array();
        let mut settings: BTreeMap<String, String> = entries
            .into_iter()
            .flatten()
            .map(|entry| (text(&entry["name"]), text(&entry["value"])))
            .collect();
        let maps = self.ours(&self.config_maps);
        for map in maps.filter(|map| name(map) == SETTINGS) {
            let data = map["data"].as_object().into_iter().flatten();
            settings.extend(data.map(|(key, value)| (key.clone(), text(value))));
        }
        settings
    }

    fn service(&self) -> String {
        let mut services = self.ours(&self.services);
        let Some(service) = services.find(|it| name(it) == NAME) else {
            return "none".into();
        };
        let selector = service["spec"]["selector"].as_object();
        let labels: Vec<String> = selector
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={}", text(value)))
            .collect();
        let port = &service["spec"]["ports"][0]["targetPort"];
        format!("{port} of {}", labels.join(","))
    }

    fn inventory(&self) -> String {
        let mut maps = self.ours(&self.config_maps);
        let Some(map) = maps.find(|map| map["data"].get("objects.json").is_some()) else {
            return "none".into();
        };
        let list = text(&map["data"]["objects.json"]);
        let entries: Vec<Value> = serde_json::from_str(&list).unwrap();
        let mut entries: Vec<String> = entries
            .iter()
            .map(|entry| format!("{} {}", text(&entry["kind"]), text(&entry["name"])))
            .collect();
        entries.sort();
        entries.join(", ")
    }

    fn ours<'a>(&self, objects: &'a [Value]) -> impl Iterator<Item = &'a Value> + use<'a> {
        let ours = owner().marker();
        objects
            .iter()
            .filter(move |object| marker(object) == Some(&ours))
    }

    fn foreign(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let ours = owner().marker();
        let all = [
            ("Deployment", &self.deployments),
            ("Service", &self.services),
            ("ConfigMap", &self.config_maps),
        ];
        let all = all
            .into_iter()
            .flat_map(|(kind, objects)| objects.iter().map(move |object| (kind, object)));
        all.filter(move |(_, object)| {
            [NAME, SETTINGS].contains(&name(object)) && marker(object) != Some(&ours)
        })
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn marker(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"][OWNER].as_str()
}

/// The digest a pod's container runs.
fn digest(pod: &Value) -> Option<&str> {
    let id = pod["status"]["containerStatuses"][0]["imageID"].as_str()?;
    Some(id.split_once('@')?.1)
}

/// An object but for what controllers note down in it: equal as long as nobody else writes.
fn essence(object: &Value) -> String {
    let mut object = object.clone();
    object["status"].take();
    object["metadata"]["resourceVersion"].take();
    if let Some(managers) = object["metadata"]["managedFields"].as_array_mut() {
        managers.retain(|entry| entry["subresource"].is_null());
    }
    Digest::sha256(object.to_string()).to_string()
}
