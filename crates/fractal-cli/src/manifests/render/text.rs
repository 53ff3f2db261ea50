//! A rendered bundle as YAML with comments, as notes beside it, and as one JSON document.

use fractal_artifact::manifests::{Match, Object, Provenance, Rendered};
use fractal_core::contract::{ComponentId, Params};
use serde_json::{Value, json};

use super::super::bundle::Bundle;
use super::super::yaml;
use crate::error::CliError;
use crate::terminal::{Paint, Tone, plain};

/// A rendered bundle, its objects in the order of application.
pub(super) struct Shown<'a> {
    pub(super) bundle: &'a Bundle,
    pub(super) component: &'a ComponentId,
    pub(super) environment: &'a str,
    pub(super) rendered: &'a Rendered,
    pub(super) params: &'a Params,
}

impl Shown<'_> {
    pub(super) fn document(&self) -> Value {
        let rendered = self.rendered;
        json!({
            "component": self.component,
            "environment": self.environment,
            "digest": self.bundle.digest,
            "workload": rendered.workload,
            "objects": rendered.objects,
            "provenance": rendered.provenance,
            "unresolved": rendered.unresolved,
            "warnings": rendered.warnings,
        })
    }

    /// The documents, each with where it comes from.
    pub(super) fn yaml(&self, provenance: bool) -> Result<Vec<String>, CliError> {
        let mut lines = Vec::new();
        for object in &self.rendered.objects {
            lines.push("---".to_owned());
            lines.push(format!("# Source: {}", plain(&self.source(object))));
            if provenance {
                lines.extend(self.fields_of(object).map(comment));
            }
            let text = yaml::document(object.value())?;
            lines.push(text.trim_end_matches('\n').to_owned());
        }
        Ok(lines)
    }

    fn source(&self, object: &Object) -> String {
        let Bundle { prefix, .. } = self.bundle;
        let sources = self.bundle.sources(self.component.as_str());
        let file = sources.map_or("", |sources| sources.manifest_name);
        format!("{prefix}{file}:{}", object.line())
    }

    fn fields_of(&self, object: &Object) -> impl Iterator<Item = &Provenance> {
        let identity = object.identity();
        let all = self.rendered.provenance.iter();
        all.filter(move |field| field.object == identity)
    }

    /// What a person wants to know of it.
    pub(super) fn notes(&self, paint: Paint) -> Vec<String> {
        let warning = |text: String| format!("{}: {text}", paint.tone(Tone::Busy, "warning"));
        let mut notes: Vec<String> = self
            .rendered
            .unresolved
            .iter()
            .map(|it| {
                let name = plain(&it.name);
                warning(format!(
                    "${name} (line {}) has no value and stays as it is",
                    it.line
                ))
            })
            .collect();
        notes.extend(self.unmatched().map(warning));
        let warnings = self.rendered.warnings.iter();
        notes.extend(warnings.map(|it| warning(plain(&it.to_string()))));
        notes.extend(self.unpinned());
        notes
    }

    fn unmatched(&self) -> Option<String> {
        let Match::Unmatched { seen } = &self.rendered.workload else {
            return None;
        };
        let seen: Vec<String> = seen.iter().map(ToString::to_string).collect();
        let seen = match seen.as_slice() {
            [] => "there is none".to_owned(),
            seen => format!("there is {}", seen.join(", ")),
        };
        let component = plain(self.component.as_str());
        Some(format!(
            "no Deployment, StatefulSet or DaemonSet is named `{component}`, so parameters reach none: {}",
            plain(&seen)
        ))
    }

    /// That the agent writes a digest where this shows a tag.
    fn unpinned(&self) -> Option<String> {
        let image = self.params.text("artifactUri").ok().flatten()?;
        let by_tag = !image.contains('@') && matches!(self.rendered.workload, Match::Applied(_));
        by_tag.then(|| {
            format!(
                "note: the image {} is shown as given; the agent pins it by digest",
                plain(image)
            )
        })
    }
}

fn comment(field: &Provenance) -> String {
    let before = match &field.replaced {
        Some(value) => format!("the bundle has {value}"),
        None => "the bundle has none".to_owned(),
    };
    let text = format!(
        "{}: from the parameter {}; {before}",
        field.path, field.parameter
    );
    format!("# {}", plain(&text))
}
