//! What a developer wants to know of a bundle before it is published.
//!
//! Stricter than [`render`](super::render): what it finds beyond a refusal is applied all the same.

mod duplicates;

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::error::{ManifestError, shown};
use super::object::Object;
use super::parameters::Parameters;
use super::render::{Rendered, Request, Sources, render};
use super::warning::{self, Warning};
use super::workload::Match;
use super::{pods, substitute};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The bundle is refused, by us or by the API server.
    Error,
    /// The bundle is applied, and is likely not what was meant.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it weighs.
    pub level: Level,
    /// The file it is in.
    pub file: String,
    /// The line, from 1, where it has one: for objects, where their document begins.
    pub line: Option<usize>,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

/// Renders a bundle's manifest and reports what is wrong with it, errors first.
#[must_use]
pub fn lint(sources: &Sources<'_>, request: &Request<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((file, text)) = sources.parameters {
        unusable_keys(file, text, &mut findings);
    }
    match render(sources, request) {
        Err(error) => findings.push(refused(sources, &error)),
        Ok(rendered) => rendered_findings(sources, request, &rendered, &mut findings),
    }
    findings.sort_by(|a, b| (a.level, &a.file, a.line).cmp(&(b.level, &b.file, b.line)));
    findings
}

/// Parameters that none of the bundle's manifests uses, in any environment. `manifests` are the texts of all of them.
#[must_use]
pub fn unused_parameters(parameters: (&str, &str), manifests: &[&str]) -> Vec<Finding> {
    let (file, text) = parameters;
    let Ok(parameters) = Parameters::parse(file, text) else {
        return Vec::new();
    };
    let used: BTreeSet<&str> = manifests
        .iter()
        .flat_map(|text| substitute::names(text))
        .collect();
    let keys = keys(&parameters);
    keys.into_iter()
        .filter(|key| substitute::is_name(key) && !used.contains(key))
        .map(|key| Finding {
            level: Level::Warning,
            file: file.to_owned(),
            line: None,
            what: format!("no manifest uses the parameter {}", shown(key)),
            next: format!("remove it, or use it as `${key}`"),
        })
        .collect()
}

fn keys<'a>(parameters: &'a Parameters<'_>) -> BTreeSet<&'a str> {
    let entries = parameters.entries().iter();
    entries
        .flat_map(|entry| entry.values.keys().map(String::as_str))
        .collect()
}

fn unusable_keys(file: &str, text: &str, findings: &mut Vec<Finding>) {
    let Ok(parameters) = Parameters::parse(file, text) else {
        return;
    };
    let unusable = keys(&parameters)
        .into_iter()
        .filter(|key| !substitute::is_name(key));
    findings.extend(unusable.map(|key| Finding {
        level: Level::Warning,
        file: file.to_owned(),
        line: None,
        what: format!("the parameter {} can never be used", shown(key)),
        next: "name it with letters, digits and underscores only".into(),
    }));
}

fn refused(sources: &Sources<'_>, error: &ManifestError) -> Finding {
    Finding {
        level: Level::Error,
        file: error.file().unwrap_or(sources.manifest_name).to_owned(),
        line: error.line(),
        what: error.to_string(),
        next: error.next(),
    }
}

fn rendered_findings(
    sources: &Sources<'_>,
    request: &Request<'_>,
    rendered: &Rendered,
    findings: &mut Vec<Finding>,
) {
    let manifest = Manifest {
        file: sources.manifest_name,
    };
    findings.extend(rendered.unresolved.iter().map(|it| {
        manifest.warning(
            Some(it.line),
            format!("`${}` has no value and stays as it is", it.name),
            "give it a value for the environment; shell variables of scripts stay as they are",
        )
    }));
    findings.extend(manifest.workload(request, rendered));
    findings.extend(rendered.warnings.iter().map(|it| warned(sources, it)));
    for object in &rendered.objects {
        findings.extend(manifest.images_by_tag(object));
        findings.extend(manifest.secret(object));
        findings.extend(duplicates::of(object).into_iter().map(|what| Finding {
            level: Level::Error,
            file: manifest.file.to_owned(),
            line: Some(object.line()),
            what: format!("{} {what}", object.identity()),
            next: "keep one of them: server-side apply refuses both".into(),
        }));
    }
}

fn warned(sources: &Sources<'_>, warning: &Warning) -> Finding {
    let file = match (warning, sources.parameters) {
        (Warning::CleartextSecret { .. }, Some((file, _))) => file,
        _ => sources.manifest_name,
    };
    Finding {
        level: Level::Warning,
        file: file.to_owned(),
        line: None,
        what: warning.to_string(),
        next: warning.next().to_owned(),
    }
}

struct Manifest<'a> {
    file: &'a str,
}

impl Manifest<'_> {
    fn warning(&self, line: Option<usize>, what: String, next: &str) -> Finding {
        Finding {
            level: Level::Warning,
            file: self.file.to_owned(),
            line,
            what,
            next: next.to_owned(),
        }
    }

    fn workload(&self, request: &Request<'_>, rendered: &Rendered) -> Option<Finding> {
        let Match::Unmatched { seen } = &rendered.workload else {
            return None;
        };
        let seen = match seen.as_slice() {
            [] => "it has none at all".to_owned(),
            seen => {
                let names: Vec<String> = seen.iter().map(ToString::to_string).collect();
                format!("it has {}", names.join(", "))
            }
        };
        let component = shown(request.component);
        Some(self.warning(
            None,
            format!("no Deployment, StatefulSet or DaemonSet is named {component}; {seen}"),
            "name the workload like the component, or what the SDK sets reaches none",
        ))
    }

    fn images_by_tag(&self, object: &Object) -> Vec<Finding> {
        pods::pods(object)
            .flat_map(pods::containers)
            .filter_map(|container| {
                let tag = warning::tag(pods::text(container, "image")?)?;
                // `latest` has a warning of its own.
                (tag != "latest").then(|| {
                    let name = shown(pods::text(container, "name").unwrap_or_default());
                    self.warning(
                        Some(object.line()),
                        format!(
                            "container {name} of {} names its image by tag",
                            object.identity()
                        ),
                        "name the digest too, or the same bundle can run different bytes",
                    )
                })
            })
            .collect()
    }

    /// A Secret with values in the bundle: they lie in the registry, encoded and not encrypted.
    fn secret(&self, object: &Object) -> Option<Finding> {
        let filled = |field: &str| {
            let values = object.value().get(field).and_then(Value::as_object);
            values.is_some_and(|values| !values.is_empty())
        };
        let secret = object.group().is_empty() && object.kind() == "Secret";
        (secret && (filled("data") || filled("stringData"))).then(|| {
            self.warning(
                Some(object.line()),
                format!("{} has its values in the bundle", object.identity()),
                "let the environment provide it, and refer to it by name",
            )
        })
    }
}
