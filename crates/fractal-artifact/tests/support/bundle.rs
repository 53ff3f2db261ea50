//! Rendering in one line, for the tests of manifest bundles.

use fractal_artifact::manifests::{ManifestError, Overlay, Rendered, Request, Sources, render};
use fractal_core::contract::Params;
use serde_json::Value;

/// What is rendered: the component is `web`, the environment `dev`.
#[derive(Clone, Copy)]
pub(crate) struct Bundle<'a> {
    pub(crate) manifest: &'a str,
    pub(crate) parameters: Option<&'a str>,
    pub(crate) strict: bool,
}

impl<'a> Bundle<'a> {
    pub(crate) const fn of(manifest: &'a str) -> Self {
        Self {
            manifest,
            parameters: None,
            strict: false,
        }
    }

    pub(crate) const fn with(manifest: &'a str, parameters: &'a str) -> Self {
        Self {
            manifest,
            parameters: Some(parameters),
            strict: false,
        }
    }

    pub(crate) fn sources(&self) -> Sources<'a> {
        Sources {
            manifest_name: "web-fdeploy.yaml",
            manifest: self.manifest,
            parameters: self.parameters.map(|text| ("fractal-parameters.yml", text)),
        }
    }

    pub(crate) const fn request<'b>(&self, overlay: &'b Overlay) -> Request<'b> {
        Request {
            component: "web",
            environment: "dev",
            overlay,
            strict: self.strict,
        }
    }

    pub(crate) fn render(&self) -> Result<Rendered, ManifestError> {
        self.laid_over(&Overlay::default())
    }

    pub(crate) fn laid_over(&self, overlay: &Overlay) -> Result<Rendered, ManifestError> {
        render(&self.sources(), &self.request(overlay))
    }
}

/// A parameters file with one environment, `dev`.
pub(crate) fn parameters(values: &[(&str, &str)]) -> String {
    let lines: Vec<String> = values
        .iter()
        .map(|(name, value)| format!("      {name}: {}\n", serde_json::to_string(value).unwrap()))
        .collect();
    format!(
        "environments:\n  - name: dev\n    parameters:\n{}",
        lines.concat()
    )
}

/// What a component's parameters set.
pub(crate) fn overlay(parameters: Value) -> Overlay {
    let params: Params = serde_json::from_value(parameters).unwrap();
    Overlay::from_params(&params).unwrap()
}
