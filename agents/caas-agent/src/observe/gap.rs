//! What stands between an object wanted and an object there: asked of the API server, which knows all defaults.

use fractal_core::{Class, Fault};
use serde_json::Value;

use super::{Cluster, Look, seen};
use crate::api::{Apply, HANDOVER, Resource};
use crate::compare;
use crate::desired::{Wanted, scales};
use crate::error::Error;
use crate::inventory::Entry;
use crate::observed::Gap;
use crate::tried::Trial;

impl Cluster {
    /// What stands between an object wanted and an object there: asked of the API server, which knows all defaults.
    pub(super) async fn gap(
        &self,
        look: &Look<'_>,
        wanted: &Wanted,
        resource: &Resource,
        entry: &Entry,
        object: &Value,
        live: Option<&Value>,
    ) -> Result<Gap, Error> {
        let trial = Trial::of(entry, object, live);
        let was_clean = self.tried.was_clean(&trial);
        let Some(live) = live else {
            if !was_clean {
                if let Err(error) = self.ask(resource, object, false).await {
                    return Ok(refusal(error, entry.is_builtin()));
                }
                self.tried.is_clean(trial);
            }
            return Ok(Gap::Absent);
        };
        let state = seen(live);
        if !state.is_ours(&look.at.owner.marker(), look.listed.contains(entry)) {
            return Ok(if entry.is_shared() {
                Gap::None
            } else {
                Gap::Foreign
            });
        }
        if state.deleting {
            return Ok(Gap::None);
        }
        if let Some(run) = &wanted.run
            && state.run.as_deref() == Some(run.as_str())
        {
            return Ok(Gap::None);
        }
        if let Some(replicas) = self.handed_over(look, resource, object, live).await? {
            return Ok(Gap::HandOver { replicas });
        }
        if was_clean {
            return Ok(Gap::None);
        }
        let gap = self.difference(resource, entry, object, live).await?;
        if gap == Gap::None {
            self.tried.is_clean(trial);
        }
        Ok(gap)
    }

    /// A controller may have written between the read and the dry run: then what was read is read once more.
    async fn difference(
        &self,
        resource: &Resource,
        entry: &Entry,
        object: &Value,
        live: &Value,
    ) -> Result<Gap, Error> {
        let (gap, moved) = self.compared(resource, entry, object, live).await?;
        if !moved {
            return Ok(gap);
        }
        let namespace = entry.namespace.as_deref();
        match self.read(resource, namespace, &entry.name).await? {
            None => Ok(Gap::Absent),
            Some(live) => {
                let again = self.compared(resource, entry, object, &live).await?;
                Ok(again.0)
            }
        }
    }

    /// The gap, and whether it is one to another version than `live`.
    async fn compared(
        &self,
        resource: &Resource,
        entry: &Entry,
        object: &Value,
        live: &Value,
    ) -> Result<(Gap, bool), Error> {
        let (answer, force) = match self.ask(resource, object, false).await {
            Err(Error::Call(failure)) => match failure.contested() {
                None => (Err(Error::Call(failure)), false),
                Some(contested) => {
                    let applied: Vec<_> = contested
                        .iter()
                        .filter(|it| it.manager != HANDOVER)
                        .filter(|it| !compare::only_updates(live, &it.manager))
                        .collect();
                    if !applied.is_empty() {
                        let mut managers: Vec<_> =
                            applied.iter().map(|it| it.manager.clone()).collect();
                        managers.dedup();
                        let conflict = Error::Conflict {
                            object: entry.to_string(),
                            managers,
                            fields: applied.iter().map(|it| it.field.clone()).collect(),
                        };
                        return Ok((refused(conflict), false));
                    }
                    (self.ask(resource, object, true).await, true)
                }
            },
            other => (other, false),
        };
        let gap = match answer {
            Ok(dry) => {
                let changes = compare::changes(live, &dry);
                if changes.is_empty() {
                    return Ok((Gap::None, false));
                }
                let moved = !compare::is_same_version(live, &dry);
                return Ok((Gap::Differs { force, changes }, moved));
            }
            Err(Error::Call(failure)) if failure.immutable().is_some() => {
                Gap::Immutable(failure.immutable().unwrap_or_default())
            }
            Err(error) => refusal(error, false),
        };
        Ok((gap, false))
    }

    async fn ask(&self, resource: &Resource, object: &Value, force: bool) -> Result<Value, Error> {
        self.api.apply(resource, object, Apply::Ask { force }).await
    }

    /// Whether someone else's autoscaler has taken the replicas that the component sets.
    pub(super) async fn is_others(
        &self,
        resource: &Resource,
        object: &Value,
        live: &Value,
    ) -> Result<bool, Error> {
        let (ours, there) = (
            object.pointer("/spec/replicas"),
            live.pointer("/spec/replicas"),
        );
        if ours.is_none() || ours == there {
            return Ok(false);
        }
        let text = |pointer| live.pointer(pointer).and_then(Value::as_str);
        let (Some(namespace), Some(name)) = (text("/metadata/namespace"), text("/metadata/name"))
        else {
            return Ok(false);
        };
        self.is_scaled(namespace, &resource.kind, name).await
    }

    /// Whether our replicas are to go to an autoscaler, and how many there are.
    async fn handed_over(
        &self,
        look: &Look<'_>,
        resource: &Resource,
        object: &Value,
        live: &Value,
    ) -> Result<Option<i64>, Error> {
        let scales = object.pointer("/spec/template").is_some()
            && object.pointer("/spec/replicas").is_none()
            && compare::alone_sets_replicas(live);
        let text = |pointer| live.pointer(pointer).and_then(Value::as_str);
        let (Some(namespace), Some(name), true) =
            (text("/metadata/namespace"), text("/metadata/name"), scales)
        else {
            return Ok(None);
        };
        let scaled = look.desired.scales(&resource.kind, name)
            || self.is_scaled(namespace, &resource.kind, name).await?;
        Ok(live
            .pointer("/spec/replicas")
            .and_then(Value::as_i64)
            .filter(|_| scaled))
    }

    /// Whether an autoscaler, whoever's, has this workload.
    async fn is_scaled(&self, namespace: &str, kind: &str, name: &str) -> Result<bool, Error> {
        let all = self
            .api
            .list(&Resource::autoscalers(), Some(namespace), "")
            .await?;
        Ok(all.iter().any(|scaler| scales(scaler, kind, name)))
    }
}

/// What the API server refuses is an observation; that it cannot be asked is not. `lasting` says that only another specification
/// can help: what is refused because of what is there, or of what an operator defines, may be taken later.
fn refusal(error: Error, lasting: bool) -> Gap {
    let mut fault = Fault::from(match error {
        Error::Call(failure) => match failure.missing_namespace() {
            Some(namespace) => Error::NamespaceMissing(namespace.to_owned()),
            None => Error::Call(failure),
        },
        other => other,
    });
    if !lasting && fault.class == Class::Terminal {
        fault.class = Class::Blocked;
    }
    Gap::Refused(Box::new(fault))
}

pub(super) fn refused(error: Error) -> Gap {
    Gap::Refused(Box::new(error.into()))
}
