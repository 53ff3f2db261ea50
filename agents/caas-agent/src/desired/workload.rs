//! The objects of a workload without a bundle: Deployment and Service, and as needed ServiceAccount, HorizontalPodAutoscaler
//! and the Secret behind its environment.

use fractal_artifact::manifests::{Object, Overlay};
use fractal_core::contract::ParamError;
use fractal_core::reconcile::Inputs;
use serde_json::{Map, Value, json};

use super::env::Env;
use super::fields;
use super::mounts::Mounts;
use crate::error::Error;
use crate::place::Place;

/// The label a Deployment finds its pods by, and a Service too. Selectors are immutable: this never changes.
pub(crate) const SELECTOR: &str = "app.kubernetes.io/name";
/// The port of a container whose component names none.
const PORT: i64 = 80;
/// Pods are added above this share of their CPU request, in percent.
const CPU_TARGET: i64 = 80;

/// The objects, with the SDK's fields laid over the Deployment just as over a bundle's.
pub(super) fn objects(
    place: &Place,
    inputs: &Inputs,
    overlay: &Overlay,
) -> Result<Vec<Object>, Error> {
    let name = place.object_name()?;
    let namespace = place.namespace.as_str();
    let port = inputs
        .parameters
        .integer("port", 1..=65535)?
        .unwrap_or(PORT);
    let replicas = inputs
        .parameters
        .integer("replicas", 0..=i64::from(i32::MAX))?;
    let scaler = scaler(inputs, name, namespace, replicas)?;
    let env = Env::of(inputs, name, namespace)?;
    let account = account(inputs, name)?;
    let mut deployment = Object::made(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "selector": { "matchLabels": { SELECTOR: name } },
            "template": template(inputs, name, port, &env, account.as_deref())?,
        },
    }))?;
    overlay.lay_over(&mut deployment, scaler.is_some())?;
    let mut objects = Vec::new();
    if inputs.parameters.flag("serviceAccount")? == Some(true) {
        objects.push(json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": name, "namespace": namespace },
        }));
    }
    objects.extend(env.secret);
    objects.push(service(name, namespace, port));
    objects.extend(scaler);
    let mut objects = objects
        .into_iter()
        .map(Object::made)
        .collect::<Result<Vec<_>, _>>()?;
    objects.push(deployment);
    Ok(objects)
}

fn template(
    inputs: &Inputs,
    name: &str,
    port: i64,
    env: &Env,
    account: Option<&str>,
) -> Result<Value, Error> {
    let mounts = Mounts::of(inputs)?;
    let container_name = inputs.parameters.text("containerName")?.unwrap_or(name);
    let mut container = json!({ "name": container_name, "ports": [{ "containerPort": port }] });
    let mut spec = Map::new();
    if let Some(container) = container.as_object_mut() {
        insert_list(container, "env", &env.entries);
        insert_list(container, "envFrom", &env.from);
        insert_list(container, "volumeMounts", &mounts.mounts);
        container.extend(probes(inputs, port)?);
    }
    insert_list(&mut spec, "volumes", &mounts.volumes);
    let pulls = fields::pull_secrets(&inputs.parameters)?;
    let pulls: Vec<_> = pulls.iter().map(|name| json!({ "name": name })).collect();
    insert_list(&mut spec, "imagePullSecrets", &pulls);
    if let Some(account) = account {
        spec.insert("serviceAccountName".to_owned(), account.into());
    }
    spec.insert("containers".to_owned(), json!([container]));
    Ok(json!({ "metadata": { "labels": { SELECTOR: name } }, "spec": spec }))
}

/// A list that is there only when it holds something: an empty one would be a field of ours, to be defended.
fn insert_list(map: &mut Map<String, Value>, key: &str, items: &[Value]) {
    if !items.is_empty() {
        map.insert(key.to_owned(), items.into());
    }
}

fn service(name: &str, namespace: &str, port: i64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "selector": { SELECTOR: name },
            "ports": [{ "port": port, "targetPort": port, "protocol": "TCP" }],
        },
    })
}

/// `healthCheck: {path, port?}`. Readiness steers traffic, liveness restarts, and a slow start has five minutes before either counts.
fn probes(inputs: &Inputs, port: i64) -> Result<Map<String, Value>, Error> {
    let Some(check) = inputs.parameters.object("healthCheck")? else {
        return Ok(Map::new());
    };
    let path = check
        .text("path")
        .map_err(|_| ParamError::missing("healthCheck.path", "a text"))?
        .unwrap_or("/");
    if !path.starts_with('/') {
        return Err(ParamError::new(
            "healthCheck.path",
            "a path that begins with /",
            &json!(path),
        )
        .into());
    }
    let port = check
        .integer("port", 1..=65535)
        .map_err(|_| ParamError::new("healthCheck.port", "a port from 1 to 65535", &json!({})))?
        .unwrap_or(port);
    let get = json!({ "path": path, "port": port });
    let probes = json!({
        "startupProbe": { "httpGet": get, "periodSeconds": 5, "failureThreshold": 60 },
        "readinessProbe": { "httpGet": get, "periodSeconds": 5 },
        "livenessProbe": { "httpGet": get, "periodSeconds": 10, "failureThreshold": 6 },
    });
    Ok(match probes {
        Value::Object(map) => map,
        _ => Map::new(),
    })
}

/// The account pods run as: one of their own where `serviceAccount` is set, or one that is there already.
fn account(inputs: &Inputs, name: &str) -> Result<Option<String>, Error> {
    let own = inputs.parameters.flag("serviceAccount")? == Some(true);
    match (own, inputs.parameters.text("serviceAccountName")?) {
        (true, Some(given)) if given != name => Err(ParamError::new(
            "serviceAccountName",
            format!("`{name}` or nothing, where serviceAccount is true"),
            &json!(given),
        )
        .into()),
        (true, _) => Ok(Some(name.to_owned())),
        (false, given) => Ok(given.map(str::to_owned)),
    }
}

/// `maxReplicas`: from `replicas` up to it, by CPU.
fn scaler(
    inputs: &Inputs,
    name: &str,
    namespace: &str,
    replicas: Option<i64>,
) -> Result<Option<Value>, Error> {
    let floor = replicas.unwrap_or(1).max(1);
    let Some(most) = inputs
        .parameters
        .integer("maxReplicas", floor..=i64::from(i32::MAX))?
    else {
        return Ok(None);
    };
    Ok(Some(json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name },
            "minReplicas": floor, "maxReplicas": most,
            "metrics": [{
                "type": "Resource",
                "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": CPU_TARGET } },
            }],
        },
    })))
}
