//! Components that are Spark jobs, and wheels for them.

use std::sync::Arc;

use caas_agent::{Config, Kubernetes, Spark};
use fractal_core::Fault;
use fractal_core::artifact::{Descriptor, Digest, Facts, WheelFacts};
use fractal_core::contract::{ComponentKey, Environment, EnvironmentId, Params};
use fractal_core::reconcile::{
    Artifact, Inputs, Owner, Platform, Release, Rollout, Value as Setting,
};
use serde_json::{Value, json};

/// The offer type of Spark jobs.
pub(crate) const SPARK_JOB: &str = "BigData.CaaS.SparkJob";
pub(crate) const FILE: &str = "etl-1.0.0-py3-none-any.whl";
const TITLE: &str = "org.opencontainers.image.title";

/// A wheel with these files and entry points, its layer titled like its file.
pub(crate) fn wheel(names: &[&str], entry_points: &[(&str, &str, &str)]) -> WheelFacts {
    let mut layer = Descriptor::new("application/zip", Digest::sha256("wheel"), 5);
    layer.annotations.insert(TITLE.into(), FILE.into());
    let mut names: Vec<Box<str>> = names.iter().map(|name| (*name).into()).collect();
    names.sort();
    let mut facts = WheelFacts {
        layer,
        file_name: FILE.into(),
        name: "etl".into(),
        version: "1.0.0".into(),
        entry_points: Default::default(),
        names,
    };
    for (group, name, object) in entry_points {
        let group = facts.entry_points.entry((*group).into()).or_default();
        group.insert((*name).into(), (*object).into());
    }
    facts
}

/// The wheel most tests run.
pub(crate) fn etl() -> WheelFacts {
    wheel(
        &[
            "etl/__init__.py",
            "etl/main.py",
            "etl/jobs/daily.py",
            "etl-1.0.0.dist-info/METADATA",
        ],
        &[("console_scripts", "etl-daily", "etl.jobs.daily:run")],
    )
}

/// The wheel, as `reference` pinned to `digest`.
pub(crate) fn rollout(reference: &str, digest: Digest, wheel: WheelFacts) -> Rollout {
    Rollout {
        target: Release {
            parameter: "artifactUri",
            artifact: Artifact {
                reference: reference.parse().unwrap(),
                digest,
            },
            facts: Arc::new(Facts::Wheel(wheel)),
        },
        beside: Vec::new(),
    }
}

pub(crate) fn owner(component: &str) -> Owner {
    Owner {
        installation: "suite".parse().unwrap(),
        component: ComponentKey {
            live_system: "Personal/suite/lake".parse().unwrap(),
            component: component.parse().unwrap(),
            offer: SPARK_JOB.parse().unwrap(),
            environment: EnvironmentId::new("Personal", "suite", "dev").unwrap(),
        },
    }
}

pub(crate) fn inputs(component: &str, parameters: Value) -> Inputs {
    let token = Setting::Sealed {
        name: "lake-token".into(),
        version: "3".into(),
        value: "hunter2".into(),
    };
    let key = owner(component).component;
    Inputs {
        component: key.component,
        offer: key.offer,
        environment: Environment {
            id: key.environment,
            parameters: Params::default(),
        },
        parameters: serde_json::from_value(parameters).unwrap(),
        dependencies: Default::default(),
        links: Vec::new(),
        secrets: [("lake-token".to_owned(), token)].into(),
    }
}

pub(crate) fn config() -> Config {
    Config {
        provider: None,
        namespace: "lake".into(),
        policy: None,
        strict_substitution: false,
        spark: Spark {
            image: "registry.test/spark:4.1.4-python3".into(),
            version: "4.1.4".into(),
            oras_image: "registry.test/oras:1.3.0".into(),
            service_account: "spark".into(),
        },
    }
}

/// The objects of the component `nightly`, in the order they are applied.
pub(crate) fn rendered(inputs: &Inputs, rollout: &Rollout) -> Result<Vec<Value>, Fault> {
    let config = config();
    let place = Kubernetes::place(&config, inputs, &owner(inputs.component.as_str()))?;
    let desired = Kubernetes::desired(&config, &place, inputs, rollout)?;
    Ok(desired.wanted.into_iter().map(|it| it.object).collect())
}

/// The objects of a job with these parameters and the usual wheel.
pub(crate) fn objects(parameters: Value) -> Result<Vec<Value>, Fault> {
    let rollout = rollout("registry.test/lake/etl:1", Digest::sha256("etl"), etl());
    rendered(&inputs("nightly", parameters), &rollout)
}

/// The only object of a kind.
pub(crate) fn the<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|it| it["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "two of kind {kind}");
    one
}

/// The SparkApplication of a job with these parameters.
pub(crate) fn application(parameters: Value) -> Result<Value, Fault> {
    Ok(the(&objects(parameters)?, "SparkApplication").clone())
}

/// Parameters that are complete, with these beside.
pub(crate) fn with(more: Value) -> Value {
    let mut all = json!({ "artifactType": "python_wheel", "artifactUri": "registry.test/lake/etl:1", "entryPoint": "etl.main:run" });
    all.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    all
}
