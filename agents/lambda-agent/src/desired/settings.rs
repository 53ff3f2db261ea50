//! A function's settings from its parameters. What is not set has Lambda's documented default, and drift from it is repaired.

use std::collections::BTreeMap;

use fractal_core::artifact::{ImageFacts, Reference};
use fractal_core::reconcile::{Inputs, Value};
use fractal_core::{Fault, Reason};

use super::{Settings, role::role};
use crate::architecture::Architecture;
use crate::config::Config;
use crate::error::Error;

/// Lambda's limit for all environment variables together, in bytes.
pub(crate) const ENVIRONMENT_MAX: usize = 4096;
/// Memory in MB: range and default.
const MEMORY: (std::ops::RangeInclusive<i64>, i32) = (128..=10_240, 128);
/// Timeout in seconds: range and default.
const TIMEOUT: (std::ops::RangeInclusive<i64>, i32) = (1..=900, 3);
/// Names Lambda sets itself and refuses from anyone else.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

pub(super) fn zip(
    config: &Config,
    inputs: &Inputs,
    reference: &Reference,
) -> Result<Settings, Error> {
    let needed = |name: &str| {
        inputs
            .required_text(name)
            .map(str::to_owned)
            .map_err(|error| {
                Fault::from(error).because(format!(
                    "{reference} is a zip, and Lambda needs `{name}` to run one"
                ))
            })
    };
    let architecture = Architecture::wanted(inputs)?.unwrap_or(Architecture::Amd64);
    Ok(Settings {
        runtime: Some(needed("runtime")?),
        handler: Some(needed("handler")?),
        ..common(config, inputs, architecture)?
    })
}

/// Clients send `handler` and `runtime` for every function; an image has its own, and Lambda refuses both with one.
pub(super) fn image(
    config: &Config,
    inputs: &Inputs,
    image: &ImageFacts,
) -> Result<Settings, Error> {
    common(
        config,
        inputs,
        if image.architecture == "arm64" {
            Architecture::Arm64
        } else {
            Architecture::Amd64
        },
    )
}

fn common(config: &Config, inputs: &Inputs, architecture: Architecture) -> Result<Settings, Error> {
    Ok(Settings {
        role: role(config, inputs)?,
        runtime: None,
        handler: None,
        memory: number(inputs, "memoryMb", MEMORY)?,
        timeout: number(inputs, "timeoutSeconds", TIMEOUT)?,
        architecture: architecture.as_str(),
        environment: environment(inputs)?,
    })
}

fn number(
    inputs: &Inputs,
    name: &str,
    (range, default): (std::ops::RangeInclusive<i64>, i32),
) -> Result<i32, Error> {
    let number = inputs.parameters.integer(name, range)?;
    Ok(number
        .and_then(|number| i32::try_from(number).ok())
        .unwrap_or(default))
}

fn environment(inputs: &Inputs) -> Result<BTreeMap<String, Value>, Error> {
    let environment = inputs.values("environment")?;
    for name in environment.keys() {
        let first = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !first || name.len() < 2 || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            return Err(refused(
                &format!("environment.{}", name.escape_debug()),
                "no name Lambda takes for a variable".into(),
                "begin with a letter; letters, digits and `_` follow, two characters at least",
            ));
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(refused(
                &format!("environment.{name}"),
                format!("`{name}` is set by Lambda itself"),
                "choose another name",
            ));
        }
    }
    let pairs = environment.iter();
    let size = measured(pairs.map(|(name, value)| (name.as_str(), value.expose())));
    if size > ENVIRONMENT_MAX {
        let what = format!(
            "the environment variables have {size} bytes together, Lambda takes {ENVIRONMENT_MAX}"
        );
        return Err(refused(
            "environment",
            what,
            "move large values into the artifact or a parameter store",
        ));
    }
    Ok(environment)
}

/// The size Lambda measures: that of the variables as one JSON object, but for what has to be escaped.
pub(crate) fn measured<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
    const PUNCTUATION: usize = r#""":"","#.len();
    let pairs = variables.map(|(name, value)| name.len() + value.len() + PUNCTUATION);
    pairs.sum::<usize>() + 1
}

fn refused(parameter: &str, what: String, next: &str) -> Error {
    const REASON: Reason = fractal_core::contract::params::PARAMETER_INVALID;
    Fault::terminal(REASON, what)
        .at(format!("parameters.{parameter}"))
        .next(next)
        .into()
}
