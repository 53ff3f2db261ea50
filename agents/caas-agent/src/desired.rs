//! The objects wanted, in the order they are applied. A function of exactly what the fingerprint covers.

use fractal_artifact::bundle::deployment;
use fractal_artifact::manifests::{
    Match, Object, Overlay, Rendered, Request, Sources, Warning, apply_order, render,
};
use fractal_core::artifact::{BundleFacts, Digest, Facts};
use fractal_core::reconcile::{Inputs, Notice, Rollout};
use fractal_core::{Fingerprint, Reason};
use serde_json::{Map, Value};

use crate::api::Resource;
use crate::config::Config;
use crate::error::Error;
use crate::inventory::{self, Entry};
use crate::needs::{ARTIFACT, BUNDLE, SPARK_JOB};
use crate::place::Place;

mod env;
mod fields;
mod mounts;
mod notices;
pub(crate) mod spark;
mod workload;

/// What is wanted of a component.
pub struct Desired {
    /// The objects, in the order they are applied.
    pub wanted: Vec<Wanted>,
    /// What people should know of them.
    pub notices: Vec<Notice>,
    /// Kinds that the objects themselves define.
    pub(crate) defines: Vec<Resource>,
}

impl Desired {
    /// Whether it holds an autoscaler of this workload.
    pub(crate) fn scales(&self, kind: &str, name: &str) -> bool {
        self.wanted
            .iter()
            .any(|wanted| scales(&wanted.object, kind, name))
    }
}

/// Whether an object is an autoscaler of this workload: a HorizontalPodAutoscaler, or KEDA's ScaledObject.
pub(crate) fn scales(object: &Value, kind: &str, name: &str) -> bool {
    let target = object.pointer("/spec/scaleTargetRef");
    let text = |key| target.and_then(|target| target.get(key)?.as_str());
    text("name") == Some(name) && text("kind").unwrap_or("Deployment") == kind
}

/// One object wanted, without our marks.
pub struct Wanted {
    /// Which.
    pub entry: Entry,
    /// It as it is to be applied.
    pub object: Value,
    /// Objects of an earlier stage are ready before one of a later stage is applied.
    pub stage: usize,
    /// The digest of the image it runs, where the component names that image.
    pub digest: Option<Digest>,
    /// Of work that runs once: the hash of what it is to run.
    pub run: Option<Fingerprint>,
}

/// What is wanted at `place`.
pub(crate) fn desired(
    config: &Config,
    place: &Place,
    inputs: &Inputs,
    rollout: &Rollout,
) -> Result<Desired, Error> {
    if inputs.offer.as_str() == SPARK_JOB {
        let objects = spark::objects(&config.spark, place, inputs, rollout)?;
        allowed(config, place, &objects, &[])?;
        let mut desired = staged(place, objects, None, Vec::new())?;
        // A better renderer or another agent's image must not start finished jobs anew.
        let run = spark_run(inputs, rollout)?;
        for wanted in desired.wanted.iter_mut().filter(|it| it.run.is_some()) {
            wanted.run = Some(run.clone());
        }
        return Ok(desired);
    }
    let image = rollout.of(ARTIFACT).map(|release| &release.artifact);
    let mut overlay = Overlay::from_params(&inputs.parameters)?;
    if let Some(image) = image {
        overlay = overlay.with_image(image.pinned().to_string());
    }
    let digest = image.map(|image| image.digest.clone());
    match rollout.of(BUNDLE).map(|release| &*release.facts) {
        None => {
            let objects = workload::objects(place, inputs, &overlay)?;
            allowed(config, place, &objects, &[])?;
            let name = place.component.as_str();
            let notices = notices::of_workload(&inputs.parameters);
            staged(place, objects, digest.map(|it| (it, name)), notices)
        }
        Some(Facts::Bundle(bundle)) => {
            let rendered = rendered(config, inputs, bundle, &overlay)?;
            allowed(config, place, &rendered.objects, &rendered.warnings)?;
            let notices = notices::of_bundle(&rendered, &overlay);
            let name = match &rendered.workload {
                Match::Applied(identity) => identity.name.clone(),
                Match::Unmatched { .. } => String::new(),
            };
            let digest = digest.filter(|_| !name.is_empty());
            staged(
                place,
                rendered.objects,
                digest.map(|it| (it, name.as_str())),
                notices,
            )
        }
        Some(_) => Err(Error::Unplanned),
    }
}

/// Holds the operator's policy against everything of a component, whoever wrote it.
fn allowed(
    config: &Config,
    place: &Place,
    objects: &[Object],
    warnings: &[Warning],
) -> Result<(), Error> {
    match &config.policy {
        Some(policy) => Ok(policy.check(objects, &place.namespace, warnings)?),
        None => Ok(()),
    }
}

fn rendered(
    config: &Config,
    inputs: &Inputs,
    bundle: &BundleFacts,
    overlay: &Overlay,
) -> Result<Rendered, Error> {
    let component = inputs.component.as_str();
    let (manifest_name, manifest) = deployment(&bundle.files, component).map_err(into_fault)?;
    let parameters = fractal_artifact::bundle::parameters(&bundle.files).map_err(into_fault)?;
    let sources = Sources {
        manifest_name,
        manifest,
        parameters: parameters.map(|(name, text)| (name, &**text)),
    };
    let request = Request {
        component,
        environment: inputs.environment.id.short_name(),
        overlay,
        strict: config.strict_substitution,
    };
    Ok(render(&sources, &request)?)
}

fn into_fault(error: impl Into<fractal_core::Fault>) -> Error {
    Error::Fault(error.into())
}

/// Orders objects into stages. `marked` is the image's digest, and the name of the workload that runs it.
fn staged(
    place: &Place,
    objects: Vec<Object>,
    marked: Option<(Digest, &str)>,
    notices: Vec<Notice>,
) -> Result<Desired, Error> {
    let mut defines = Vec::new();
    for object in &objects {
        defines.extend(defined(object.value()));
    }
    let order = apply_order(&objects);
    let mut slots: Vec<Option<Object>> = objects.into_iter().map(Some).collect();
    let mut wanted = Vec::new();
    for (stage, indexes) in order.into_iter().enumerate() {
        let taken = indexes
            .into_iter()
            .filter_map(|index| slots.get_mut(index)?.take());
        for object in taken {
            wanted.push(one(place, object, stage, marked.as_ref())?);
        }
    }
    distinct(&wanted)?;
    Ok(Desired {
        wanted,
        notices,
        defines,
    })
}

/// One object twice, once with its namespace and once without, would be applied in turns for ever.
fn distinct(wanted: &[Wanted]) -> Result<(), Error> {
    let mut entries: Vec<&Entry> = wanted.iter().map(|wanted| &wanted.entry).collect();
    entries.sort();
    if let Some(ours) = entries.iter().find(|entry| inventory::is_name(entry)) {
        return Err(Error::Inventory {
            object: ours.to_string(),
        });
    }
    let twice = entries.windows(2).find_map(|pair| match pair {
        [first, second] if first == second => Some(first.to_string()),
        _ => None,
    });
    twice.map_or(Ok(()), |object| Err(Error::ObjectTwice { object }))
}

fn one(
    place: &Place,
    object: Object,
    stage: usize,
    marked: Option<&(Digest, &str)>,
) -> Result<Wanted, Error> {
    let overlaid = object.group() == "apps"
        && matches!(object.kind(), "Deployment" | "StatefulSet" | "DaemonSet");
    let digest = marked
        .filter(|(_, name)| overlaid && object.name() == *name)
        .map(|(digest, _)| digest.clone());
    let object = sent(object.into_value());
    let mut entry = Entry::of(&object).ok_or(Error::Unplanned)?;
    let scoped = is_cluster_scoped(&entry);
    if scoped {
        entry.namespace = None;
    } else if entry.namespace.is_none() {
        entry.namespace = Some(place.namespace.clone());
    }
    let run = runs_once(&entry, &object)
        .then(|| Fingerprint::of(&without_ttl(&object)))
        .transpose()
        .map_err(|_| Error::Unplanned)?;
    Ok(Wanted {
        entry,
        object,
        stage,
        digest,
        run,
    })
}

/// Without what only the cluster writes: manifests that were exported from one bring it along.
fn sent(mut object: Value) -> Value {
    let is_secret = object.get("kind").and_then(Value::as_str) == Some("Secret");
    let Some(map) = object.as_object_mut() else {
        return object;
    };
    map.remove("status");
    if is_secret {
        fold_string_data(map);
    }
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("creationTimestamp");
        if let Some(notes) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            notes.retain(|key, _| !CLUSTERS_OWN.contains(&key.as_str()));
        }
    }
    object
}

/// Annotations that the cluster or another client keeps for itself.
const CLUSTERS_OWN: [&str; 2] = [
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// `stringData` is only ever added to `data` by the API server: a key that is dropped from it would stay.
fn fold_string_data(secret: &mut Map<String, Value>) {
    let Some(Value::Object(texts)) = secret.remove("stringData") else {
        return;
    };
    let data = secret
        .entry("data")
        .or_insert_with(|| Value::Object(Map::new()));
    let Some(data) = data.as_object_mut() else {
        return;
    };
    for (key, value) in texts {
        let value = match value {
            Value::String(text) => env::base64(&text).into(),
            // Refused by the API server, which says what it must be.
            other => other,
        };
        data.insert(key, value);
    }
}

/// What a Spark job runs: its wheel, and all it was asked for but how long it stays.
fn spark_run(inputs: &Inputs, rollout: &Rollout) -> Result<Fingerprint, Error> {
    let mut parameters = inputs.parameters.as_map().clone();
    parameters.remove("timeToLiveSeconds");
    let covered = (&rollout.target.artifact.digest, parameters, &inputs.secrets);
    Fingerprint::of(&covered).map_err(|_| Error::Unplanned)
}

/// What work is: its labels, and how long it stays once it is done, say nothing of it.
fn without_ttl(object: &Value) -> Value {
    let mut spec = object.get("spec").cloned().unwrap_or_default();
    if let Some(spec) = spec.as_object_mut() {
        for key in ["timeToLiveSeconds", "ttlSecondsAfterFinished", "suspend"] {
            spec.remove(key);
        }
    }
    spec
}

/// Work that ends. Deleting what is finished, as a TTL does, must not start it again.
fn runs_once(entry: &Entry, object: &Value) -> bool {
    match (entry.group(), entry.kind.as_str()) {
        ("sparkoperator.k8s.io", "SparkApplication") => true,
        ("batch", "Job") => object.pointer("/spec/ttlSecondsAfterFinished").is_some(),
        _ => false,
    }
}

/// Whether a kind of Kubernetes' own has no namespaces. Of other kinds discovery knows.
fn is_cluster_scoped(entry: &Entry) -> bool {
    matches!(
        (entry.group(), entry.kind.as_str()),
        ("", "Namespace" | "PersistentVolume" | "Node")
            | (
                "rbac.authorization.k8s.io",
                "ClusterRole" | "ClusterRoleBinding"
            )
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("scheduling.k8s.io", "PriorityClass")
            | (
                "storage.k8s.io",
                "StorageClass" | "CSIDriver" | "CSINode" | "VolumeAttachment"
            )
            | ("networking.k8s.io", "IngressClass")
            | ("node.k8s.io", "RuntimeClass")
            | ("apiregistration.k8s.io", "APIService")
            | ("admissionregistration.k8s.io", _)
            | ("certificates.k8s.io", "CertificateSigningRequest")
    )
}

/// The kinds a `CustomResourceDefinition` brings, one for each version it serves.
fn defined(object: &Value) -> Vec<Resource> {
    if object.get("kind").and_then(Value::as_str) != Some("CustomResourceDefinition") {
        return Vec::new();
    }
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let versions = object.pointer("/spec/versions").and_then(Value::as_array);
    let one = |version: &Value| {
        Some(Resource {
            group: text("/spec/group")?.to_owned(),
            version: version.get("name")?.as_str()?.to_owned(),
            kind: text("/spec/names/kind")?.to_owned(),
            plural: text("/spec/names/plural")?.to_owned(),
            namespaced: text("/spec/scope")? == "Namespaced",
        })
    };
    versions.into_iter().flatten().filter_map(one).collect()
}

/// A notice of this agent's.
const fn notice(reason: Reason, message: String) -> Notice {
    Notice { reason, message }
}
