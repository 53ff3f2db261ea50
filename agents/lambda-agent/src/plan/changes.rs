//! How settings differ, and what the environment becomes.

use fractal_core::reconcile::At;

use super::Step;
use crate::desired::settings::{ENVIRONMENT_MAX, measured};
use crate::desired::{Code, Desired};
use crate::error::Error;
use crate::observed::{Function, Variables};
use crate::place::{Memo, Place};

/// Settings that have to change.
pub(super) struct SettingsChange {
    pub(super) step: Step,
    /// Nothing but variables that go away.
    pub(super) only_removes: bool,
}

/// What has to change; none where everything we own is as desired.
///
/// # Errors
/// Where others' variables leave no room for ours.
pub(super) fn settings(
    at: &At<Place, Memo>,
    desired: &Desired,
    function: &Function,
) -> Result<Option<SettingsChange>, Error> {
    let wanted = &desired.settings;
    let mut changes = Vec::new();
    let mut compare = |name: &str, from: &str, to: &str| {
        if from != to {
            changes.push(format!("{name} {from} -> {to}"));
        }
    };
    compare("role", &function.role, &wanted.role);
    compare(
        "memory",
        &function.memory.to_string(),
        &wanted.memory.to_string(),
    );
    compare(
        "timeout",
        &function.timeout.to_string(),
        &wanted.timeout.to_string(),
    );
    if matches!(desired.code, Code::Zip { .. }) {
        compare(
            "runtime",
            function.runtime.as_deref().unwrap_or("none"),
            wanted.runtime.as_deref().unwrap_or("none"),
        );
        compare(
            "handler",
            function.handler.as_deref().unwrap_or("none"),
            wanted.handler.as_deref().unwrap_or("none"),
        );
    }
    let variables = variables(at, desired, function);
    let size = measured(
        variables
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    if size > ENVIRONMENT_MAX {
        return Err(Error::EnvironmentFull { size });
    }
    let (set, removed) = differing(&function.environment, &variables);
    let only_removes = changes.is_empty() && set.is_empty();
    changes.extend(set.into_iter().map(|name| format!("set {name}")));
    changes.extend(removed.into_iter().map(|name| format!("remove {name}")));
    let revision = function.revision.clone();
    Ok((!changes.is_empty()).then_some(SettingsChange {
        step: Step::Settings {
            changes,
            variables,
            revision,
        },
        only_removes,
    }))
}

/// Others' variables stay, ours become what is desired.
fn variables(at: &At<Place, Memo>, desired: &Desired, function: &Function) -> Variables {
    let wanted = &desired.settings.environment;
    let foreign = function
        .environment
        .0
        .iter()
        .filter(|(name, _)| !at.memo.owned_env.contains(*name));
    let mut variables: std::collections::BTreeMap<_, _> = foreign
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    variables.extend(
        wanted
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().to_owned())),
    );
    Variables(variables)
}

fn differing(from: &Variables, to: &Variables) -> (Vec<String>, Vec<String>) {
    let set =
        to.0.iter()
            .filter(|(name, value)| from.0.get(*name) != Some(value))
            .map(|(name, _)| name.clone())
            .collect();
    let removed = from
        .0
        .keys()
        .filter(|name| !to.0.contains_key(*name))
        .cloned()
        .collect();
    (set, removed)
}

/// What runs, for people.
pub(super) fn describe(code: &Code) -> String {
    match code {
        Code::Zip {
            layer,
            staged: None,
            ..
        } => format!("zip {} ({} bytes inline)", layer.digest.short(), layer.size),
        Code::Zip {
            layer,
            staged: Some(staged),
            ..
        } => format!(
            "zip {} ({} bytes from {staged})",
            layer.digest.short(),
            layer.size
        ),
        Code::Image { uri, .. } => format!("image {uri}"),
    }
}
