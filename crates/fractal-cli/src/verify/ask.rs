//! Asking the registries: what each has under a name, computed here from the bytes it gives.

use std::collections::BTreeSet;
use std::sync::Arc;

use fractal_core::Fault;
use fractal_core::artifact::agreement::{Candidate, Held};
use fractal_core::artifact::{Descriptor, Digest, Manifest, Reference};
use fractal_registry::{Missing, Registry, RegistryError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::claim::{Claim, Place};
use crate::error::registry::told;

/// Most artifacts asked for at once.
const AT_ONCE: usize = 16;

/// A claim, and what the registries answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) claim: Claim,
    pub(super) candidates: Vec<Candidate>,
    /// What could not be asked or did not hold, beyond the candidates' own digests.
    pub(super) faults: Vec<Fault>,
}

/// Asks for every place of every claim, several at once.
pub(super) async fn all(registry: &Registry, claims: Vec<Claim>, bytes: bool) -> Vec<Answered> {
    let mut answered: Vec<Answered> = Vec::new();
    let mut asking = JoinSet::new();
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    for (number, claim) in claims.into_iter().enumerate() {
        for (place_number, place) in claim.places.iter().cloned().enumerate() {
            let (registry, turns) = (registry.clone(), Arc::clone(&turns));
            asking.spawn(async move {
                let _turn = turns.acquire_owned().await;
                let found = one(&registry, &place.reference, bytes).await;
                (number, place_number, place, found)
            });
        }
        answered.push(Answered {
            faults: claim.fault.iter().cloned().collect(),
            candidates: Vec::new(),
            claim,
        });
    }
    let mut found = asking.join_all().await;
    found.sort_by_key(|(claim, place, ..)| (*claim, *place));
    for (claim, _, place, outcome) in found {
        if let Some(answered) = answered.get_mut(claim) {
            answered.take(place, outcome);
        }
    }
    answered
}

impl Answered {
    fn take(&mut self, place: Place, outcome: Result<Digest, RegistryError>) {
        let held = match outcome {
            Ok(digest) => Held::Artifact(digest),
            Err(RegistryError::NotFound {
                missing: Missing::Repository | Missing::Manifest,
                ..
            }) => Held::Nothing,
            Err(error) => {
                let fault = told(error);
                let why = fault.what.clone();
                self.faults.push(fault);
                Held::Unknown(why)
            }
        };
        self.candidates.push(Candidate {
            who: place.who,
            reference: place.reference,
            because: place.because,
            held,
        });
    }
}

/// The digest of what is there: its manifest's bytes are hashed, and with `bytes` all that it refers to.
async fn one(
    registry: &Registry,
    reference: &Reference,
    bytes: bool,
) -> Result<Digest, RegistryError> {
    let digest = registry.resolve(reference).await?.digest;
    let mut open = vec![digest.clone()];
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        if !seen.insert(next.clone()) {
            continue;
        }
        let fetched = registry.manifest(reference, &next).await?;
        if !bytes {
            break;
        }
        match fetched.manifest {
            Manifest::Index(index) => {
                open.extend(index.manifests.into_iter().map(|entry| entry.digest));
            }
            Manifest::Image(image) => {
                for blob in image.layers.iter().chain([&image.config]) {
                    if seen.insert(blob.digest.clone()) {
                        hash(registry, reference, blob).await?;
                    }
                }
            }
        }
    }
    Ok(digest)
}

/// Reads a blob to its end: the stream itself refuses bytes that are not the descriptor's.
async fn hash(
    registry: &Registry,
    reference: &Reference,
    blob: &Descriptor,
) -> Result<(), RegistryError> {
    let mut stream = registry.blob(reference, blob).await?;
    while stream.next().await.transpose()?.is_some() {}
    Ok(())
}
