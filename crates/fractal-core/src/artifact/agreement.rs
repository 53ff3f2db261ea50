//! Whether one coordinate is the same artifact in every registry that stands for it. Pure: who asks the registries is not its business.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::reference::{ArtifactUri, Coordinate, Reference};
use super::resolve::{RegistryMap, RegistryPrefix, Resolution, ResolveError, resolve};
use crate::fault::{Fault, Reason};

/// One coordinate of a live system is not one artifact in all of its registries.
pub const CROSS_REGISTRY: Reason = Reason::new("CrossRegistry");

/// A coordinate, and what it meant when an agent last asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pinned {
    /// The abstract coordinate, as the live system has it.
    pub coordinate: String,
    /// Where it was asked for.
    pub reference: Reference,
    /// What was there.
    pub digest: Digest,
}

/// A registry that stands for a coordinate, and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who gets it from there, for people: a provider, or a component.
    pub who: String,
    /// Where that is.
    pub reference: Reference,
    /// Why there, for people.
    pub because: String,
    /// What is there.
    pub held: Held,
}

/// What a registry has under a coordinate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// An artifact.
    Artifact(Digest),
    /// Nothing.
    Nothing,
    /// It could not be asked, for this reason.
    Unknown(String),
}

/// Every registry that `coordinate` means, by provider: those of the environment, and the agent's own for `provider`.
#[must_use]
pub fn registries_of(
    coordinate: &Coordinate,
    environment: &RegistryMap,
    agent: Option<(&str, &RegistryPrefix)>,
) -> Vec<(String, Result<Resolution, ResolveError>)> {
    let mut providers: Vec<&str> = environment.providers().collect();
    if let Some((provider, _)) = agent
        && environment.get(provider).is_none()
    {
        providers.push(provider);
    }
    let uri = ArtifactUri::Abstract(coordinate.clone());
    let one = |provider: &str| {
        let own = agent.filter(|(own, _)| own.eq_ignore_ascii_case(provider));
        let own = own.map(|(_, registry)| registry);
        (
            provider.to_owned(),
            resolve(&uri, provider, environment, own),
        )
    };
    providers.into_iter().map(one).collect()
}

/// The one digest that all candidates have.
///
/// # Errors
/// [`CROSS_REGISTRY`] where two have different ones, or one has it and another has not; the fault names every candidate, why it
/// is one and what it has. Where a registry could not be asked, that is said too: it is not taken for agreement.
pub fn agreed(coordinate: &str, candidates: &[Candidate]) -> Result<Digest, Fault> {
    let digests = || candidates.iter().filter_map(Candidate::digest);
    let Some(first) = digests().next() else {
        return Err(
            refused(coordinate, "is in no registry", candidates).next(format!(
                "publish it: fractal publish FILE {}",
                references(candidates.iter())
            )),
        );
    };
    if digests().any(|digest| digest != first) {
        let what = "is not the same artifact in every registry";
        return Err(refused(coordinate, what, candidates).next(
            "publish the same bytes to each: fractal copy the right one over the others, or name it by its digest",
        ));
    }
    let lacking: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| candidate.held == Held::Nothing)
        .collect();
    if !lacking.is_empty() {
        let holder = candidates
            .iter()
            .find(|candidate| candidate.digest().is_some());
        let holder = references(holder.into_iter());
        let next = format!(
            "copy it there: fractal copy {holder} {}",
            references(lacking.into_iter())
        );
        return Err(refused(coordinate, "is not in every registry", candidates).next(next));
    }
    if candidates
        .iter()
        .any(|candidate| matches!(candidate.held, Held::Unknown(_)))
    {
        let what = "could not be asked for in every registry";
        return Err(refused(coordinate, what, candidates)
            .next("mend what keeps the registry from answering, then ask again"));
    }
    Ok(first.clone())
}

impl Candidate {
    /// What it has, if it has something.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        match &self.held {
            Held::Artifact(digest) => Some(digest),
            Held::Nothing | Held::Unknown(_) => None,
        }
    }
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} ", self.who, self.reference)?;
        match &self.held {
            Held::Artifact(digest) => write!(f, "has {digest}")?,
            Held::Nothing => f.write_str("has nothing")?,
            Held::Unknown(why) => write!(f, "could not be asked: {why}")?,
        }
        write!(f, " ({})", self.because)
    }
}

fn refused(coordinate: &str, what: &str, candidates: &[Candidate]) -> Fault {
    let all: Vec<String> = candidates.iter().map(Candidate::to_string).collect();
    Fault::blocked(CROSS_REGISTRY, format!("`{coordinate}` {what}")).because(all.join("; "))
}

fn references<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> String {
    let all: Vec<String> = candidates
        .map(|candidate| candidate.reference.to_string())
        .collect();
    all.join(" ")
}
