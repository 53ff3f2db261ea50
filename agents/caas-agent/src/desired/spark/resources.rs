//! What driver and executors are given: cores, memory, number, and how often a run is tried.

use std::ops::RangeInclusive;

use fractal_core::contract::{ParamError, Params};
use serde_json::{Map, Value, json};

use crate::error::Error;

/// Most cores of one process, and most executors: far above any node, below what overflows.
const MANY: i64 = 10_000;
/// Memory in MiB: Spark refuses to start with a heap below 450 MiB, of which 300 are its own; the upper end is a pebibyte.
const MEBIBYTES: RangeInclusive<u64> = 512..=1 << 30;
/// Memory of a process that is given none.
const MEMORY: &str = "1g";
/// Longest time to live in seconds, ten years.
const TTL_MAX: i64 = 10 * 366 * 86_400;
/// Most times a run is tried again.
const RETRIES_MAX: i64 = 100;
/// Seconds before the next try of a run that failed, and of a submission that did.
const RETRY_AFTER: (i64, i64) = (10, 20);

/// Settings that the operator or the pods' templates set.
const OWNED: [&str; 10] = [
    "spark.app.name",
    "spark.kubernetes.driver.pod.name",
    "spark.kubernetes.driver.podTemplateContainerName",
    "spark.kubernetes.driver.podTemplateFile",
    "spark.kubernetes.executor.podTemplateContainerName",
    "spark.kubernetes.executor.podTemplateFile",
    "spark.kubernetes.namespace",
    "spark.kubernetes.submission.waitAppCompletion",
    "spark.master",
    "spark.submit.deployMode",
];

/// `cores` and `memory` of the driver or an executor.
pub(super) fn of(params: &Params, role: &str) -> Result<Map<String, Value>, Error> {
    let cores = count(params, &format!("{role}Cores"), 1..=MANY)?.unwrap_or(1);
    let name = format!("{role}Memory");
    let memory = match params.text(&name)? {
        None => MEMORY.to_owned(),
        Some(text) => memory(text).ok_or_else(|| {
            let expected = "a whole number with m, g, t, Mi, Gi or Ti, at least 512m";
            ParamError::new(&name, expected, &text.into())
        })?,
    };
    let map = [("cores", cores.into()), ("memory", memory.into())];
    Ok(map
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect())
}

pub(super) fn instances(params: &Params) -> Result<i64, Error> {
    Ok(count(params, "executorInstances", 1..=MANY)?.unwrap_or(1))
}

/// How often a run and its submission are tried again.
pub(super) fn restart_policy(params: &Params) -> Result<Value, Error> {
    let retries = count(params, "maxRetries", 0..=RETRIES_MAX)?.unwrap_or(0);
    if retries == 0 {
        return Ok(json!({ "type": "Never" }));
    }
    let (run, submission) = RETRY_AFTER;
    Ok(json!({
        "type": "OnFailure",
        "onFailureRetries": retries, "onFailureRetryInterval": run,
        "onSubmissionFailureRetries": retries, "onSubmissionFailureRetryInterval": submission,
    }))
}

/// Seconds that an ended run is kept for.
pub(super) fn time_to_live(params: &Params) -> Result<Option<i64>, Error> {
    count(params, "timeToLiveSeconds", 1..=TTL_MAX)
}

/// `sparkConf`, without what would undo the rest of the object.
pub(super) fn settings(params: &Params) -> Result<Map<String, Value>, Error> {
    let mut settings = Map::new();
    for (key, value) in params.text_map("sparkConf")? {
        if !key.starts_with("spark.") || OWNED.contains(&&*key) {
            let place = format!("sparkConf.{}", key.escape_debug());
            let expected = "a setting of Spark's that the operator leaves to the job";
            return Err(ParamError::new(&place, expected, &value.into()).into());
        }
        settings.insert(key, value.into());
    }
    Ok(settings)
}

fn count(params: &Params, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Error> {
    Ok(params.integer(name, range)?)
}

/// Memory as Spark writes it. Kubernetes' `Gi` and Spark's `g` are the same 1024 MiB.
fn memory(text: &str) -> Option<String> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let (unit, mebibytes) = match unit {
        "m" | "M" | "mb" | "MB" | "Mi" => ("m", 1),
        "g" | "G" | "gb" | "GB" | "Gi" => ("g", 1024),
        "t" | "T" | "tb" | "TB" | "Ti" => ("t", 1024 * 1024),
        _ => return None,
    };
    let size = number.checked_mul(mebibytes)?;
    MEBIBYTES.contains(&size).then(|| format!("{number}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_written_as_spark_reads_it() {
        for (text, expected) in [
            ("512m", Some("512m")),
            ("2048Mi", Some("2048m")),
            ("2g", Some("2g")),
            ("4Gi", Some("4g")),
            ("1T", Some("1t")),
            ("511m", None),
            ("0g", None),
            ("2", None),
            ("1.5g", None),
            ("g", None),
            ("-1g", None),
            ("2 g", None),
            ("99999999999999999999g", None),
            ("18014398509481985g", None),
        ] {
            assert_eq!(memory(text).as_deref(), expected, "{text}");
        }
    }
}
