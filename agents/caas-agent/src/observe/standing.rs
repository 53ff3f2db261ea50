//! Where an object stands; of a workload that does not run, with the reason and log of the pod that fails.

use serde_json::Value;

use super::Cluster;
use crate::api::Resource;
use crate::error::Error;
use crate::health::{self, Standing};
use crate::inventory::Entry;

impl Cluster {
    /// Where an object stands; of a workload that does not run, with the reason and log of the pod that fails.
    pub(super) async fn standing(&self, entry: &Entry, live: &Value) -> Result<Standing, Error> {
        let standing = health::standing(live);
        if standing == Standing::Ready {
            return Ok(standing);
        }
        let (Some(selector), Some(namespace)) = (health::looks_at(live), &entry.namespace) else {
            return Ok(named(entry, standing));
        };
        let pods = self
            .api
            .list(&Resource::pods(), Some(namespace), &selector)
            .await;
        let pods = unless_denied(pods)?;
        let Some(found) = pods.and_then(health::diagnose) else {
            return Ok(named(entry, standing));
        };
        let of_job = entry.group() == "batch";
        if of_job && found.has_log && matches!(standing, Standing::Progressing(_)) {
            // A job starts a pod that ended badly anew until it gives up.
            return Ok(named(entry, standing));
        }
        let log = match (&found.container, found.has_log) {
            (Some(container), true) => {
                let log = self
                    .api
                    .log(namespace, &found.pod, container, found.restarted)
                    .await;
                log.unwrap_or_default()
            }
            _ => String::new(),
        };
        let (next, why) = (found.next(), found.text(&log));
        Ok(match standing {
            Standing::Failed {
                reason,
                why: says,
                next,
            } if reason == health::JOB_FAILED => Standing::Failed {
                reason,
                why: format!("{says}; {why}"),
                next,
            },
            _ => Standing::Failed {
                reason: found.reason,
                why,
                next,
            },
        })
    }
}

/// That something may not be read is no reason to fail where it only tells less. That it cannot be read just now is.
fn unless_denied<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Call(failure)) if failure.is_forbidden() => Ok(None),
        Err(error) => Err(error),
    }
}

fn named(entry: &Entry, standing: Standing) -> Standing {
    match standing {
        Standing::Failed { reason, why, next } => Standing::Failed {
            reason,
            why: format!("{entry}: {why}"),
            next,
        },
        Standing::Progressing(why) => {
            Standing::Progressing(format!("{} {}: {why}", entry.kind, entry.name))
        }
        Standing::Ready => Standing::Ready,
    }
}
