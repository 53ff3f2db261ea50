//! What has to hold: one artifact for each name a live system gives one, in every registry that stands for it. Nothing is asked yet.

use std::collections::BTreeMap;

use fractal_core::Fault;
use fractal_core::artifact::agreement::registries_of;
use fractal_core::artifact::resolve::{REGISTRY_UNRESOLVED, RegistryPrefix};
use fractal_core::artifact::{ArtifactUri, Coordinate, Digest, Reference};
use fractal_core::contract::Component;
use fractal_core::fault::chain;
use fractal_queue::ComponentDocument;

/// Parameters that name artifacts, under their canonical names.
const PARAMETERS: [&str; 3] = ["artifactUri", "sourceArtifact", "manifestUri"];

/// One name of an artifact, and everything that has to agree on it.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    /// The name, as the live system or a person wrote it.
    pub(super) name: String,
    /// Registries it is to be in.
    pub(super) places: Vec<Place>,
    /// What is known to run under it.
    pub(super) deployed: Vec<Deployed>,
    /// Why it cannot be asked for.
    pub(super) fault: Option<Fault>,
}

/// A registry that stands for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) who: String,
    pub(super) reference: Reference,
    pub(super) because: String,
}

/// A component that uses the name, and what it runs.
#[derive(Debug, Clone)]
pub(super) struct Deployed {
    pub(super) component: String,
    /// `None` before anything runs, and of a file.
    pub(super) digest: Option<Digest>,
}

/// References that a person says are one artifact.
pub(super) fn of_references(references: &[Reference]) -> Claim {
    let place = |reference: &Reference| Place {
        who: reference.host().to_string(),
        reference: reference.clone(),
        because: "named on the command line".into(),
    };
    Claim {
        name: references
            .first()
            .map(ToString::to_string)
            .unwrap_or_default(),
        places: references.iter().map(place).collect(),
        deployed: Vec::new(),
        fault: None,
    }
}

/// What a live system's components claim, one claim for each name.
pub(super) fn of_components(
    components: &[(Component, Option<ComponentDocument>)],
    own: Option<&RegistryPrefix>,
) -> Vec<Claim> {
    let mut claims: BTreeMap<String, Claim> = BTreeMap::new();
    for (component, document) in components {
        for parameter in PARAMETERS {
            let Ok(Some(text)) = component.parameters.text(parameter) else {
                continue;
            };
            let (name, places, fault) = places(component, parameter, text, own);
            let claim = claims.entry(name.clone()).or_insert_with(|| Claim {
                name,
                places: Vec::new(),
                deployed: Vec::new(),
                fault: None,
            });
            for place in places {
                if !claim
                    .places
                    .iter()
                    .any(|known| known.reference == place.reference)
                {
                    claim.places.push(place);
                }
            }
            claim.fault = claim.fault.take().or(fault);
            claim
                .deployed
                .push(deployed(component, parameter, document.as_ref()));
        }
    }
    claims.into_values().collect()
}

type Found = (String, Vec<Place>, Option<Fault>);

fn places(
    component: &Component,
    parameter: &str,
    text: &str,
    own: Option<&RegistryPrefix>,
) -> Found {
    let at = format!("component {}, parameters.{parameter}", component.id);
    match text.parse() {
        Ok(ArtifactUri::Registry(reference)) => {
            let place = Place {
                who: format!("component {}", component.id),
                because: "the reference names its registry".into(),
                reference,
            };
            (place.reference.to_string(), vec![place], None)
        }
        Ok(ArtifactUri::Abstract(coordinate)) => mapped(component, &at, &coordinate, own),
        Ok(ArtifactUri::Layout(layout)) => {
            let fault = Fault::terminal(REGISTRY_UNRESOLVED, "a local layout is in no registry")
                .at(at)
                .next("publish it, and name where to");
            (layout.to_string(), Vec::new(), Some(fault))
        }
        Err(error) => {
            // A text that cannot be read may hold a credential: it is called by its place.
            let fault = crate::error::CliError::reference(text, error);
            let fault = Fault::from(&fault).at(&at);
            (at, Vec::new(), Some(fault))
        }
    }
}

fn mapped(
    component: &Component,
    at: &str,
    coordinate: &Coordinate,
    own: Option<&RegistryPrefix>,
) -> Found {
    let name = coordinate.to_string();
    let environment = match component.environment.registries() {
        Ok(environment) => environment,
        Err(fault) => return (name, Vec::new(), Some(fault)),
    };
    let provider = component.provider.as_deref().unwrap_or("any");
    let own = own.map(|own| (provider, own));
    let (mut places, mut fault) = (Vec::new(), None);
    for (who, resolution) in registries_of(coordinate, &environment, own) {
        match resolution {
            Ok(found) => places.push(Place {
                who,
                reference: found.reference,
                because: found.because,
            }),
            Err(error) => fault = Some(unresolved(at, chain(&error))),
        }
    }
    if places.is_empty() && fault.is_none() {
        fault = Some(unresolved(
            at,
            format!("`{name}` names no registry, and the environment maps none"),
        ));
    }
    (name, places, fault)
}

fn unresolved(at: &str, why: String) -> Fault {
    Fault::blocked(REGISTRY_UNRESOLVED, "the artifact cannot be located")
        .at(at)
        .because(why)
        .next("map each provider in environment.parameters.registries, or give --registry HOST[/PREFIX]")
}

/// The queue says of a component's main artifact what runs, and of those beside it what was applied last.
fn deployed(
    component: &Component,
    parameter: &str,
    document: Option<&ComponentDocument>,
) -> Deployed {
    let artifact = document.and_then(|document| document.status.artifact.as_ref());
    let digest = artifact.and_then(|artifact| {
        let is_beside = parameter == "manifestUri" && !artifact.beside.is_empty();
        let beside = artifact
            .beside
            .first()
            .filter(|_| is_beside && artifact.running.is_some());
        match is_beside {
            true => beside.and_then(|reference| reference.digest().cloned()),
            false => artifact.running.clone(),
        }
    });
    Deployed {
        component: component.id.to_string(),
        digest,
    }
}
