//! The pod templates of driver and executors: fetch the wheel by digest, install it into a shared volume, then start Spark.
//!
//! Templates are Spark's own, so the operator's mutating webhook has no part in them; the operator labels a driver for its webhook only
//! where there is no template.

use fractal_core::artifact::WheelFacts;
use fractal_core::contract::ParamError;
use fractal_core::reconcile::Inputs;
use fractal_core::{Fault, Reason};
use serde_json::{Map, Value, json};

use super::super::env::Env;
use super::super::mounts::Mounts;
use super::arguments::literal;
use super::entry_point::EntryPoint;
use crate::config::Spark;
use crate::error::Error;

/// The container that fetches the wheel. A driver without it was not made from our template.
pub(crate) const PULL: &str = "fractal-pull";
/// The container that installs it.
pub(crate) const INSTALL: &str = "fractal-install";
/// Containers that the operator looks for by these names.
const DRIVER: &str = "spark-kubernetes-driver";
const EXECUTOR: &str = "spark-kubernetes-executor";

const WHEEL: (&str, &str) = ("fractal-wheel", "/opt/fractal/wheel");
const SITE: (&str, &str) = ("fractal-site", "/opt/fractal/site");
const DOCKER: (&str, &str) = ("fractal-docker", "/opt/fractal/docker");
const LAUNCHER_VOLUME: &str = "fractal-launcher";
/// The launcher's file, in its ConfigMap and below [`HOME`].
pub(super) const LAUNCHER: &str = "launch.py";
pub(super) const HOME: &str = "/opt/fractal";
const ENTRY_POINT: &str = "FRACTAL_ENTRY_POINT";
const PYTHON_PATH: &str = "PYTHONPATH";
/// Without it the JVM between `spark-submit` and Python turns what is not ASCII in an argument into question marks.
const LOCALE: (&str, &str) = ("LC_ALL", "C.UTF-8");
const INDEX: &str = "pipIndexUrl";

/// What the templates of one job are made of.
pub(super) struct Pods<'a> {
    pub(super) config: &'a Spark,
    pub(super) inputs: &'a Inputs,
    pub(super) env: &'a Env,
    /// The wheel's repository, pinned to its digest.
    pub(super) reference: String,
    pub(super) wheel: &'a WheelFacts,
    pub(super) pull_secrets: &'a [String],
    /// The ConfigMap with the launcher.
    pub(super) launcher: &'a str,
}

impl Pods<'_> {
    pub(super) fn driver(&self, entry_point: &EntryPoint) -> Result<Value, Error> {
        let mounts = json!({
            "name": LAUNCHER_VOLUME, "mountPath": format!("{HOME}/{LAUNCHER}"), "subPath": LAUNCHER, "readOnly": true,
        });
        let volume = json!({ "name": LAUNCHER_VOLUME, "configMap": { "name": self.launcher } });
        let mut env = self.environment()?;
        env.push(json!({ "name": ENTRY_POINT, "value": entry_point.to_string() }));
        self.template(DRIVER, env, Some((volume, mounts)))
    }

    pub(super) fn executor(&self) -> Result<Value, Error> {
        self.template(EXECUTOR, self.environment()?, None)
    }

    fn template(
        &self,
        name: &str,
        env: Vec<Value>,
        launcher: Option<(Value, Value)>,
    ) -> Result<Value, Error> {
        let secrets = Mounts::of(self.inputs)?;
        let (volume, mount) = launcher.unzip();
        let mut mounts = vec![mount_of(SITE, true)];
        mounts.extend(mount);
        mounts.extend(secrets.mounts);
        let mut container = json!({ "name": name, "env": env, "volumeMounts": mounts });
        if let (false, Some(container)) = (self.env.from.is_empty(), container.as_object_mut()) {
            container.insert("envFrom".to_owned(), self.env.from.clone().into());
        }
        let mut volumes: Vec<_> = [WHEEL, SITE]
            .map(|(name, _)| json!({ "name": name, "emptyDir": {} }))
            .into();
        volumes.extend(volume);
        volumes.extend(self.docker());
        volumes.extend(secrets.volumes);
        Ok(json!({ "spec": {
            "initContainers": [self.pull()?, self.install()?],
            "containers": [container],
            "volumes": volumes,
        } }))
    }

    fn pull(&self) -> Result<Value, Error> {
        self.file()?;
        let mut container = prepares(PULL, &self.config.oras_image, "oras");
        container.insert(
            "args".to_owned(),
            json!(["pull", "--output", WHEEL.1, self.reference]),
        );
        let mut mounts = vec![mount_of(WHEEL, false)];
        if !self.pull_secrets.is_empty() {
            mounts.push(mount_of(DOCKER, true));
            let env = json!([{ "name": "DOCKER_CONFIG", "value": DOCKER.1 }]);
            container.insert("env".to_owned(), env);
        }
        container.insert("volumeMounts".to_owned(), mounts.into());
        Ok(container.into())
    }

    fn install(&self) -> Result<Value, Error> {
        let mut container = prepares(INSTALL, &self.config.image, "python3");
        let mut args: Vec<String> = [
            "-m",
            "pip",
            "install",
            "--no-cache-dir",
            "--disable-pip-version-check",
        ]
        .map(str::to_owned)
        .into();
        match index(self.inputs)? {
            None => args.extend(["--no-index".to_owned(), "--no-deps".to_owned()]),
            Some(url) => args.extend(["--index-url".to_owned(), literal(url)]),
        }
        args.extend(["--target".to_owned(), SITE.1.to_owned()]);
        args.push(literal(&format!("{}/{}", WHEEL.1, self.file()?)));
        container.insert("args".to_owned(), args.into());
        let mounts = vec![mount_of(WHEEL, true), mount_of(SITE, false)];
        container.insert("volumeMounts".to_owned(), mounts.into());
        Ok(container.into())
    }

    /// Where `oras pull` puts the wheel: at the title of its layer. A layer without one is left out.
    fn file(&self) -> Result<&str, Error> {
        let untitled = || {
            Fault::terminal(Reason::new("WheelUntitled"), "the wheel's layer has no file name")
                .at("parameters.artifactUri")
                .because("`oras pull` leaves out layers without the annotation org.opencontainers.image.title")
                .next("publish the wheel with `fractal publish` or `oras push`")
        };
        Ok(self.wheel.layer.title().ok_or_else(untitled)?)
    }

    /// The registry's credentials, as `oras` finds them. Of several pull secrets the first is the wheel's.
    fn docker(&self) -> Option<Value> {
        let secret = self.pull_secrets.first()?;
        let items = json!([{ "key": ".dockerconfigjson", "path": "config.json" }]);
        let source = json!({ "secret": { "name": secret, "items": items } });
        Some(json!({ "name": DOCKER.0, "projected": { "sources": [source] } }))
    }

    /// The component's environment, with what Spark needs to find the wheel.
    fn environment(&self) -> Result<Vec<Value>, Error> {
        let mut all = self.env.entries.clone();
        let place = |name: &str| {
            let is = |it: &Value| it.get("name").and_then(Value::as_str) == Some(name);
            self.env.entries.iter().position(is)
        };
        if place(ENTRY_POINT).is_some() {
            let place = format!("env.{ENTRY_POINT}");
            return Err(
                ParamError::new(&place, "left out: `entryPoint` sets it", &Value::Null).into(),
            );
        }
        if place(LOCALE.0).is_none() {
            all.push(json!({ "name": LOCALE.0, "value": LOCALE.1 }));
        }
        match place(PYTHON_PATH).and_then(|at| all.get_mut(at)) {
            None => all.push(json!({ "name": PYTHON_PATH, "value": SITE.1 })),
            Some(given) => *given = joined(given)?,
        }
        Ok(all)
    }
}

/// The wheel first, then what the component adds.
fn joined(given: &Value) -> Result<Value, ParamError> {
    match given.get("value").and_then(Value::as_str) {
        Some("") => Ok(json!({ "name": PYTHON_PATH, "value": SITE.1 })),
        Some(path) => Ok(json!({ "name": PYTHON_PATH, "value": format!("{}:{path}", SITE.1) })),
        None => Err(ParamError::new(
            "env.PYTHONPATH",
            "a plain value: the wheel's folder is put before it",
            given,
        )),
    }
}

/// A container that runs before Spark, with no more rights than it needs and bounds that quotas ask for.
fn prepares(name: &str, image: &str, command: &str) -> Map<String, Value> {
    let fields = [
        ("name", json!(name)),
        ("image", json!(image)),
        ("command", json!([command])),
        (
            "resources",
            json!({
                "requests": { "cpu": "100m", "memory": "256Mi" }, "limits": { "cpu": "1", "memory": "512Mi" },
            }),
        ),
        (
            "securityContext",
            json!({
                "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] },
                "seccompProfile": { "type": "RuntimeDefault" },
            }),
        ),
    ];
    fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn mount_of((name, path): (&str, &str), read_only: bool) -> Value {
    match read_only {
        true => json!({ "name": name, "mountPath": path, "readOnly": true }),
        false => json!({ "name": name, "mountPath": path }),
    }
}

/// The package index that dependencies come from; without one the wheel is installed alone, from nothing but its own bytes.
fn index(inputs: &Inputs) -> Result<Option<&str>, Error> {
    let Some(url) = inputs.parameters.text(INDEX)? else {
        return Ok(None);
    };
    let host = url
        .strip_prefix("https://")
        .and_then(|rest| rest.split('/').next());
    let plain = |host: &str| !host.is_empty() && !host.contains('@');
    if !host.is_some_and(plain) || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let expected = "an https:// URL without credentials in it";
        return Err(ParamError::new(INDEX, expected, &url.into()).into());
    }
    Ok(Some(url))
}
