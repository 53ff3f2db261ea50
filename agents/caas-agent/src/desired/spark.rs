//! The objects of a Spark job: a SparkApplication that runs a wheel, and the launcher behind it.
//!
//! The operator runs the job anew whenever the SparkApplication's specification changes. So nothing goes into it that does not decide
//! what runs: the launcher's text is in a ConfigMap whose name never changes.

use fractal_artifact::manifests::Object;
use fractal_core::artifact::Facts;
use fractal_core::reconcile::{Inputs, Rollout};
use fractal_core::{Fault, Reason};
use serde_json::{Value, json};

use super::env::Env;
use super::fields;
use crate::config::Spark;
use crate::error::Error;
use crate::place::Place;

mod arguments;
mod entry_point;
mod pod;
mod resources;

use entry_point::EntryPoint;
use pod::{HOME, LAUNCHER, Pods};
pub(crate) use pod::{INSTALL, PULL};

/// Label of drivers that run a wheel, given by a setting of Spark's and not by the template: so it is there even where that is ignored.
pub(crate) const RUNS: &str = "fractal.cloud/runs";
pub(crate) const WHEEL: &str = "wheel";
const LAUNCH: &str = include_str!("spark/launch.py");
/// Parameters of SDKs that ask for a schedule.
const SCHEDULES: [&str; 2] = ["cronSchedule", "schedule"];

/// A SparkApplication, the ConfigMap with its launcher, and as needed the Secret behind its environment.
pub(super) fn objects(
    config: &Spark,
    place: &Place,
    inputs: &Inputs,
    rollout: &Rollout,
) -> Result<Vec<Object>, Error> {
    let Facts::Wheel(wheel) = &*rollout.target.facts else {
        return Err(Error::Unplanned);
    };
    let name = name(place)?;
    unscheduled(inputs)?;
    let entry_point = EntryPoint::of(inputs, wheel)?;
    let env = Env::of(inputs, name, &place.namespace)?;
    let pull_secrets = fields::pull_secrets(&inputs.parameters)?;
    let launcher = format!("{name}-launcher");
    let pods = Pods {
        config,
        inputs,
        env: &env,
        reference: rollout.target.artifact.pinned().to_string(),
        wheel,
        pull_secrets: &pull_secrets,
        launcher: &launcher,
    };
    let specification = specification(&pods, &entry_point)?;
    let application = json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication",
        "metadata": { "name": name, "namespace": place.namespace }, "spec": specification,
    });
    let launcher = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": launcher, "namespace": place.namespace }, "data": { LAUNCHER: LAUNCH },
    });
    let objects = env
        .secret
        .clone()
        .into_iter()
        .chain([launcher, application]);
    Ok(objects.map(Object::made).collect::<Result<_, _>>()?)
}

fn specification(pods: &Pods<'_>, entry_point: &EntryPoint) -> Result<Value, Error> {
    let params = &pods.inputs.parameters;
    let (driver, executor) = roles(pods, entry_point)?;
    let mut all = json!({
        "type": "Python", "pythonVersion": "3", "mode": "cluster",
        "image": pods.config.image, "sparkVersion": pods.config.version,
        "mainApplicationFile": format!("local://{HOME}/{LAUNCHER}"),
        "arguments": arguments::of(pods.inputs)?,
        "restartPolicy": resources::restart_policy(params)?,
        "driver": driver, "executor": executor,
    });
    let settings = resources::settings(params)?;
    let optional = [
        (
            "timeToLiveSeconds",
            resources::time_to_live(params)?.map(Value::from),
        ),
        (
            "imagePullSecrets",
            (!pods.pull_secrets.is_empty()).then(|| pods.pull_secrets.into()),
        ),
        ("sparkConf", (!settings.is_empty()).then(|| settings.into())),
    ];
    if let Some(all) = all.as_object_mut() {
        let given = optional
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        all.extend(given);
    }
    Ok(all)
}

/// `spec.driver` and `spec.executor`.
fn roles(pods: &Pods<'_>, entry_point: &EntryPoint) -> Result<(Value, Value), Error> {
    let params = &pods.inputs.parameters;
    let mut driver = resources::of(params, "driver")?;
    let mut executor = resources::of(params, "executor")?;
    let account = params.text("serviceAccountName")?;
    // Executors make no pods: without an account of the component's own they have none but the namespace's.
    if let Some(account) = account {
        executor.insert("serviceAccount".to_owned(), account.into());
    }
    let account = account.unwrap_or(&pods.config.service_account);
    driver.insert("serviceAccount".to_owned(), account.into());
    driver.insert("labels".to_owned(), json!({ RUNS: WHEEL }));
    driver.insert("template".to_owned(), pods.driver(entry_point)?);
    executor.insert("instances".to_owned(), resources::instances(params)?.into());
    executor.insert("template".to_owned(), pods.executor()?);
    Ok((driver.into(), executor.into()))
}

/// The component's id. The operator's own rule is narrower than Kubernetes': it makes a Service of that name.
fn name(place: &Place) -> Result<&str, Error> {
    let name = place.object_name()?;
    if name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(name);
    }
    let what = format!("`{name}` is no name of a SparkApplication");
    let fault = Fault::terminal(fractal_core::contract::params::PARAMETER_INVALID, what)
        .at("the component's id")
        .because("the operator takes names that begin with a lower-case letter only")
        .next("rename the component");
    Err(fault.into())
}

/// A job runs once for each digest and arguments; one that was to run every night must not silently run once.
fn unscheduled(inputs: &Inputs) -> Result<(), Error> {
    for parameter in SCHEDULES {
        if inputs.parameters.text(parameter)?.is_some() {
            let what = "a Spark job on Kubernetes runs once, not on a schedule";
            let fault = Fault::terminal(Reason::new("UnsupportedOnTarget"), what)
                .at(format!("parameters.{parameter}"))
                .next("leave it out, and let your scheduler deploy the component with new `entryPointArgs` for each run");
            return Err(fault.into());
        }
    }
    Ok(())
}
