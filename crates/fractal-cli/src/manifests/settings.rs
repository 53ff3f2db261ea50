//! What the SDK would have set of a component: from a live system's file, and from `--set` over it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use fractal_artifact::manifests::Overlay;
use fractal_core::Fault;
use fractal_core::contract::wire;
use fractal_core::contract::{Component, ComponentId, LiveSystem, ParamError, Params};
use serde_json::{Map, Value, json};

use crate::document;
use crate::error::CliError;
use crate::live_system::{listed, shown};

const OFFER: &str = "CustomWorkloads.CaaS.KubernetesWorkload";

/// `NAME=VALUE` of a parameter; a dot in the name parts an object from its key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    path: Vec<String>,
    value: Value,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) || path.len() > 2 {
            return Err("write NAME as a parameter, or as PARAMETER.KEY".to_owned());
        }
        // Parameters of numbers take texts too, as some clients send them.
        let value = Value::String(value.to_owned());
        Ok(Self { path, value })
    }
}

/// A live system's file with the components that its bundles belong to.
pub(super) struct File {
    pub(super) place: String,
    pub(super) system: LiveSystem,
}

impl File {
    pub(super) fn read(path: Option<&PathBuf>) -> Result<Option<Self>, CliError> {
        let read = |path: &PathBuf| {
            let system = document::read(path)?;
            let place = document::place(Path::new(path));
            Ok(Self { place, system })
        };
        path.map(read).transpose()
    }

    /// The short name of its environment.
    pub(super) fn environment(&self) -> &str {
        self.system.environment.id.short_name()
    }

    pub(super) fn component(&self, id: &ComponentId) -> Result<&Component, CliError> {
        self.system.components.get(id).ok_or_else(|| {
            let known: Vec<&str> = self
                .system
                .components
                .keys()
                .map(ComponentId::as_str)
                .collect();
            let what = format!("{} has no component `{}`", self.place, shown(id.as_str()));
            CliError::name(what, format!("it has {}", listed(&known)))
        })
    }
}

/// A component's id as it is written on a command line.
pub(super) fn component_id(text: &str) -> Result<ComponentId, String> {
    text.parse()
        .map_err(|error: fractal_core::contract::IdError| error.to_string())
}

/// The parameters of `component`, by their canonical names.
pub(super) fn params(
    component: &ComponentId,
    file: Option<&File>,
    settings: &[Setting],
) -> Result<Params, CliError> {
    let given = match file {
        Some(file) => file.component(component)?.parameters.clone(),
        None => Params::default(),
    };
    let mut merged = given.as_map().clone();
    for (name, value) in set(component, settings)?.as_map() {
        match (merged.get_mut(name), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
            _ => drop(merged.insert(name.clone(), value.clone())),
        }
    }
    Ok(Params::new(merged))
}

/// What the parameters set of a workload.
pub(super) fn overlay(params: &Params) -> Result<Overlay, ParamError> {
    Overlay::from_params(params)
}

/// Settings with their names folded as a live system's are.
fn set(component: &ComponentId, settings: &[Setting]) -> Result<Params, CliError> {
    let mut parameters = Map::new();
    for setting in settings {
        let value = setting.value.clone();
        match setting.path.as_slice() {
            [name] => drop(parameters.insert(name.clone(), value)),
            [name, key, ..] => {
                let inner = parameters.entry(name).or_insert_with(|| json!({}));
                if let Value::Object(inner) = inner {
                    inner.insert(key.clone(), value);
                }
            }
            [] => {}
        }
    }
    let body = json!({
        "liveSystemId": "Personal/command/line/set",
        "environment": {"id": {"type": "Personal", "ownerId": "command", "shortName": "line"}},
        "blueprintMap": {component.as_str(): {"type": OFFER, "parameters": parameters}},
    });
    let system = wire::from_value(&body, None).map_err(|error| Fault::from(error).at("--set"))?;
    let component = system.components.into_values().next();
    Ok(component
        .map(|component| component.parameters)
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: &[&str]) -> Result<Params, CliError> {
        let settings: Vec<Setting> = settings.iter().map(|text| text.parse().unwrap()).collect();
        params(&"api".parse().unwrap(), None, &settings)
    }

    #[test]
    fn settings_are_parameters_under_any_of_their_names() {
        let set = of(&[
            "containerPort=8080",
            "image=ghcr.io/acme/api:1",
            "resourceRequests.cpu=100m",
            "resourceRequests.memory=64Mi",
        ]);
        let expected = json!({
            "port": "8080", "artifactUri": "ghcr.io/acme/api:1",
            "resourceRequests": {"cpu": "100m", "memory": "64Mi"},
        });
        assert_eq!(Value::Object(set.unwrap().as_map().clone()), expected);
        let error = of(&["image=a", "containerImage=b"]).unwrap_err();
        assert_eq!(Fault::from(&error).reason.as_str(), "AliasConflict");
    }

    #[test]
    fn a_setting_has_a_name_and_a_value() {
        for text in ["replicas", "=1", "a.b.c=1", "a.=1"] {
            assert!(text.parse::<Setting>().is_err(), "{text}");
        }
        assert!("a=b=c".parse::<Setting>().is_ok());
    }
}
