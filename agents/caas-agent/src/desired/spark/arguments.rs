//! The arguments of an entry point, on their way through Kubernetes and `spark-submit`.

use fractal_core::contract::ParamError;
use fractal_core::reconcile::Inputs;
use serde_json::Value;

use super::super::fields;
use crate::error::Error;

const ARGUMENTS: &str = "entryPointArgs";
/// What version 1 calls them; read only where the newer name is absent, since its blueprints carry both with different values.
const OLDER: &str = "parameters";
/// Longest argument in bytes: Linux passes 128 KiB with the final NUL (`MAX_ARG_STRLEN`).
const BYTES_MAX: usize = 128 * 1024 - 1;

/// `SparkApplication.spec.arguments`.
pub(super) fn of(inputs: &Inputs) -> Result<Vec<Value>, Error> {
    let given = inputs.parameters.get(ARGUMENTS).filter(|it| !is_empty(it));
    let name = if given.is_some() { ARGUMENTS } else { OLDER };
    let items = fields::list(&inputs.parameters, name)?;
    let one =
        |(index, item): (usize, &Value)| Ok(argument(&format!("{name}[{index}]"), item)?.into());
    items.iter().enumerate().map(one).collect()
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Array(items) if items.is_empty())
}

fn argument(place: &str, item: &Value) -> Result<String, ParamError> {
    let text = match item {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => item.to_string(),
        other => {
            return Err(ParamError::new(
                place,
                "a text, a number, true or false",
                other,
            ));
        }
    };
    // A process cannot be given a NUL, and the script that starts Spark's JVM deletes carriage returns.
    if text.contains(['\0', '\r']) {
        let expected = "a text without NUL and carriage return, which spark-submit cannot pass on";
        return Err(ParamError::new(place, expected, item));
    }
    let text = literal(&text);
    if text.len() > BYTES_MAX {
        let expected = format!("at most {BYTES_MAX} bytes, each $ counted twice");
        return Err(ParamError::new(place, expected, item));
    }
    Ok(text)
}

/// The text that Kubernetes makes `text` of: the driver's container gets these arguments, and in those `$(NAME)` is replaced and
/// `$$` becomes `$`.
/// <https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
