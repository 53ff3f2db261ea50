//! From a bundle's texts to its objects: substitute, read, check, lay over.

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::{ManifestError, Problem};
use super::object::{self, Object};
use super::overlay::{Overlay, Provenance};
use super::parameters::Parameters;
use super::substitute::{Substituted, Unresolved, substitute};
use super::warning::{self, Warning};
use super::workload::{self, Match};
use super::yaml::{self, Scalars, ShapeError};

/// The texts of a bundle that concern one workload.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The manifest's file name, for messages.
    pub manifest_name: &'a str,
    /// The manifest: any number of YAML documents.
    pub manifest: &'a str,
    /// The parameters file, name and text, where the bundle has one.
    pub parameters: Option<(&'a str, &'a str)>,
}

/// What a bundle is rendered for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The component's id: the name of the workload that is laid over.
    pub component: &'a str,
    /// The environment's short name.
    pub environment: &'a str,
    /// What the SDK set.
    pub overlay: &'a Overlay,
    /// Whether a `$NAME` without a value is an error; otherwise it stays and is listed.
    pub strict: bool,
}

/// A rendered bundle.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rendered {
    /// The objects, in the order of their documents.
    pub objects: Vec<Object>,
    /// Which of them was laid over.
    pub workload: Match,
    /// Every field that was laid over, and what it replaced.
    pub provenance: Vec<Provenance>,
    /// Names without a value, each once, at most 256.
    pub unresolved: Vec<Unresolved>,
    /// What is likely a mistake, and no reason to refuse.
    pub warnings: Vec<Warning>,
}

/// Renders a bundle's manifest for one component and environment.
///
/// # Errors
/// Where the bundle cannot be read, goes beyond a limit, has no single entry for the environment, a value changes the manifest's
/// structure, an object cannot be applied by name, or the workload is named twice. Nothing of the bundle is used then.
pub fn render(sources: &Sources<'_>, request: &Request<'_>) -> Result<Rendered, ManifestError> {
    let mut warnings = Vec::new();
    let substituted = substituted(sources, request, &mut warnings)?;
    if let (true, Some(first)) = (request.strict, substituted.unresolved.first()) {
        return Err(ManifestError::Unresolved {
            file: sources.manifest_name.to_owned(),
            line: first.line,
            names: substituted.names(),
        });
    }
    let mut objects = objects(sources.manifest_name, &substituted.text)?;
    let (workload, provenance) =
        overlaid(sources.manifest_name, &mut objects, request, &mut warnings)?;
    object::check_sizes(&objects)?;
    warning::moving_tags(&objects, &mut warnings);
    Ok(Rendered {
        objects,
        workload,
        provenance,
        unresolved: substituted.unresolved,
        warnings,
    })
}

fn substituted<'a>(
    sources: &Sources<'a>,
    request: &Request<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Substituted<'a>, ManifestError> {
    let at = |source| ManifestError::yaml(sources.manifest_name, source);
    let manifest = yaml::text(sources.manifest).map_err(at)?;
    let Some((file, text)) = sources.parameters else {
        return substitute(manifest, &Map::new()).map_err(at);
    };
    let parameters = Parameters::parse(file, text)?;
    warning::secrets(&parameters, warnings);
    let values = parameters.of(request.environment)?;
    let substituted = substitute(manifest, values).map_err(at)?;
    if !substituted.suspects.is_empty() {
        check_shape(sources.manifest_name, manifest, &substituted, values)?;
    }
    Ok(substituted)
}

/// Reads the manifest with its names and with their values side by side: values may not add, take away or move anything.
fn check_shape(
    file: &str,
    before: &str,
    after: &Substituted<'_>,
    values: &Map<String, Value>,
) -> Result<(), ManifestError> {
    // What a scalar's text becomes; one that grows beyond the manifest's own limit cannot have passed it.
    let becomes = |text: &str| substitute(text, values).ok().map(|it| it.text.into_owned());
    let line = match yaml::same_shape(before, &after.text, &becomes) {
        Ok(()) => return Ok(()),
        Err(ShapeError::Differs { line }) => line,
        Err(ShapeError::Before { line }) => {
            // Malformed whatever the values are, or made well-formed by them only.
            yaml::documents(&after.text, Scalars::Resolved)
                .map_err(|source| ManifestError::yaml(file, source))?;
            line
        }
    };
    Err(ManifestError::Injection {
        file: file.to_owned(),
        line,
        names: after.suspects.clone(),
    })
}

fn objects(file: &str, text: &str) -> Result<Vec<Object>, ManifestError> {
    let documents = yaml::documents(text, Scalars::Resolved)
        .map_err(|source| ManifestError::yaml(file, source))?;
    let objects = documents
        .into_iter()
        .map(|document| Object::new(file, document))
        .collect::<Result<Vec<_>, _>>()?;
    object::check_distinct(file, &objects)?;
    Ok(objects)
}

fn overlaid(
    file: &str,
    objects: &mut [Object],
    request: &Request<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<(Match, Vec<Provenance>), ManifestError> {
    let Some(index) = workload::find(objects, request.component)? else {
        let seen = workload::identities(objects);
        return Ok((Match::Unmatched { seen }, Vec::new()));
    };
    let scaler = workload::autoscaler(objects, index);
    if let (Some(scaler), true) = (&scaler, request.overlay.replicas().is_some()) {
        warnings.push(Warning::ReplicasLeft {
            autoscaler: scaler.clone(),
        });
    }
    let Some(object) = objects.get_mut(index) else {
        return Ok((Match::Unmatched { seen: Vec::new() }, Vec::new()));
    };
    let identity = object.identity();
    let provenance =
        request
            .overlay
            .apply(object, scaler.is_some())
            .map_err(|problem: Problem| ManifestError::Object {
                file: file.to_owned(),
                line: object.line(),
                object: identity.to_string(),
                problem,
            })?;
    Ok((Match::Applied(identity), provenance))
}
