//! What is wrong with a bundle: every component in every environment, each finding once. Decides nothing, prints nothing.

use std::collections::BTreeSet;

use fractal_artifact::BundleError;
use fractal_artifact::manifests::{
    Finding, Level, Overlay, Request, Sources, lint, unused_parameters,
};
use fractal_core::Fault;
use fractal_core::contract::ComponentId;
use serde::Serialize;

use super::bundle::Bundle;
use super::settings::{self, File};

/// What is checked.
pub(super) struct Check<'a> {
    pub(super) bundle: &'a Bundle,
    /// By default all that the bundle has.
    pub(super) components: Vec<String>,
    /// By default all that the parameters file has.
    pub(super) environments: Vec<String>,
    /// What the SDK set.
    pub(super) file: Option<&'a File>,
}

/// A finding, and for which environments it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Found {
    #[serde(flatten)]
    pub(super) finding: Finding,
    /// The environments; none where it has nothing to do with them.
    pub(super) environments: Vec<String>,
}

/// Findings, and how much was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Checked {
    pub(super) components: Vec<String>,
    pub(super) environments: Vec<String>,
    pub(super) findings: Vec<Found>,
    pub(super) errors: usize,
    pub(super) warnings: usize,
}

impl<'a> Check<'a> {
    pub(super) fn of(bundle: &'a Bundle, file: Option<&'a File>) -> Self {
        Self {
            components: bundle.components().map(str::to_owned).collect(),
            environments: bundle.environments(),
            bundle,
            file,
        }
    }

    pub(super) fn run(self) -> Checked {
        let mut findings = self.names();
        for component in &self.components {
            self.component(component, &mut findings);
        }
        findings.extend(self.unused());
        sort(&mut findings);
        let count = |level| {
            findings
                .iter()
                .filter(|it| it.finding.level == level)
                .count()
        };
        Checked {
            errors: count(Level::Error),
            warnings: count(Level::Warning),
            components: self.components,
            environments: self.environments,
            findings,
        }
    }

    /// Files that no component will ever read.
    fn names(&self) -> Vec<Found> {
        let unread = self.bundle.unread().map(|file| {
            let next = "name it `<component id>-fdeploy.yaml`, directly in `.fractal/`";
            of_file(Level::Warning, file, "no component reads this file", next)
        });
        let none = self.components.is_empty().then(|| {
            let what = "the bundle has no component's manifest";
            let next = "add `.fractal/<component id>-fdeploy.yaml`";
            of_file(Level::Error, "", what, next)
        });
        unread.chain(none).collect()
    }

    fn component(&self, component: &str, findings: &mut Vec<Found>) {
        let sources = match self.bundle.sources(component) {
            Ok(sources) => sources,
            Err(error) => return add(findings, refused(error), None),
        };
        let overlay = self.overlay(component).unwrap_or_else(|finding| {
            add(findings, finding, None);
            Overlay::default()
        });
        let lint = |environment: &str| {
            lint(
                &sources,
                &Request {
                    component,
                    environment,
                    overlay: &overlay,
                    strict: false,
                },
            )
        };
        if sources.parameters.is_none() || self.environments.is_empty() {
            for finding in lint("") {
                add(findings, finding, None);
            }
        }
        let environments = self
            .environments
            .iter()
            .filter(|_| sources.parameters.is_some());
        for environment in environments {
            for finding in lint(environment) {
                add(findings, finding, Some(environment));
            }
        }
    }

    /// What the file's component of this id sets.
    fn overlay(&self, component: &str) -> Result<Overlay, Finding> {
        let id: Option<ComponentId> = component.parse().ok();
        let Some((file, component)) = self
            .file
            .zip(id)
            .and_then(|(file, id)| Some((file, file.system.components.get(&id)?)))
        else {
            return Ok(Overlay::default());
        };
        settings::overlay(&component.parameters).map_err(|error| Finding {
            level: Level::Error,
            file: file.place.clone(),
            line: None,
            what: format!("component `{}`: {error}", component.id),
            next: "correct the parameter".into(),
        })
    }

    fn unused(&self) -> Vec<Found> {
        let Ok(Some((name, text))) = self.bundle.parameters() else {
            return Vec::new();
        };
        let all = self.bundle.components();
        let sources: Vec<Sources<'_>> = all
            .filter_map(|component| self.bundle.sources(component).ok())
            .collect();
        let manifests: Vec<&str> = sources.iter().map(|sources| sources.manifest).collect();
        unused_parameters((name, text), &manifests)
            .into_iter()
            .map(|finding| Found {
                finding,
                environments: Vec::new(),
            })
            .collect()
    }
}

/// Adds a finding, or the environment to one that is there already.
fn add(findings: &mut Vec<Found>, finding: Finding, environment: Option<&str>) {
    let environment = environment.map(str::to_owned);
    match findings.iter_mut().find(|it| it.finding == finding) {
        Some(known) => known.environments.extend(environment),
        None => findings.push(Found {
            finding,
            environments: environment.into_iter().collect(),
        }),
    }
}

fn sort(findings: &mut [Found]) {
    for found in findings.iter_mut() {
        let unique: BTreeSet<String> = found.environments.drain(..).collect();
        found.environments.extend(unique);
    }
    findings.sort_by(|a, b| {
        let key = |it: &'_ Found| (it.finding.level, it.finding.file.clone(), it.finding.line);
        key(a).cmp(&key(b))
    });
}

fn of_file(level: Level, file: &str, what: &str, next: &str) -> Found {
    Found {
        finding: Finding {
            level,
            file: file.to_owned(),
            line: None,
            what: what.to_owned(),
            next: next.to_owned(),
        },
        environments: Vec::new(),
    }
}

fn refused(error: BundleError) -> Finding {
    let what = error.to_string();
    let fault = Fault::from(error);
    Finding {
        level: Level::Error,
        file: String::new(),
        line: None,
        what,
        next: fault.next.unwrap_or_default(),
    }
}
