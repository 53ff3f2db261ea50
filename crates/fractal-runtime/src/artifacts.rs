//! Artifacts: which digest a reference means now, and what its bytes say.
//!
//! One digest cache per process: a tag is asked for once per interval, however many components share it; a digest never.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fractal_core::artifact::resolve::{REGISTRY_UNRESOLVED, RegistryPrefix, resolve};
use fractal_core::artifact::{ArtifactKind, Digest, Facts, Reference};
use fractal_core::contract::Environment;
use fractal_core::reconcile::{Artifact, Needs};
use fractal_core::{Fault, Reason};
use fractal_registry::Registry;

mod breaker;
mod facts;

use breaker::Breakers;

/// The target cannot run artifacts of this kind.
pub const UNSUPPORTED_ON_TARGET: Reason = Reason::new("UnsupportedOnTarget");

/// Facts kept in memory: how many, and bytes of text in all of them.
const FACTS_MAX: (usize, usize) = (64, 32 * 1024 * 1024);

/// The process's view of registries.
#[derive(Clone)]
pub struct Artifacts {
    registry: Registry,
    /// Whose credentials are used. What one environment may read is nobody else's to know.
    environment: Arc<str>,
    interval: Duration,
    tags: Arc<Mutex<HashMap<Tag, Slot>>>,
    facts: Arc<Mutex<Vec<Known>>>,
    breakers: Arc<Breakers>,
}

/// A tag, as one environment reads it.
type Tag = (Arc<str>, Reference);

/// One tag's digest; the lock is held while it is asked for, so that others wait for the same answer.
type Slot = Arc<tokio::sync::Mutex<Option<(Digest, Instant)>>>;

/// Facts that were read, and of what.
type Known = (Wanted, Arc<Facts>);

/// What facts are a function of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    environment: Arc<str>,
    digest: Digest,
    package_type: Option<fractal_core::artifact::PackageType>,
    architectures: &'static [&'static str],
    accepts: &'static [ArtifactKind],
}

impl Artifacts {
    /// Artifacts through `registry`; a tag's digest is believed for `interval`.
    #[must_use]
    pub fn new(registry: Registry, interval: Duration) -> Self {
        Self {
            registry,
            environment: "".into(),
            interval,
            tags: Arc::default(),
            facts: Arc::default(),
            breakers: Arc::default(),
        }
    }

    /// The same, with what belongs to an environment read by that environment's credentials.
    #[must_use]
    pub fn within(&self, environment: &Environment) -> Self {
        let name = environment.id.short_name();
        Self {
            registry: self.registry.in_environment(name),
            environment: name.into(),
            ..self.clone()
        }
    }

    /// The client underneath.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The digest that a component's artifact means now. `fresh` asks the registry even where an answer is at hand.
    ///
    /// # Errors
    /// Where no registry is known for it, or the registry does not have it.
    pub async fn resolve(
        &self,
        needs: &Needs,
        provider: &str,
        environment: &Environment,
        agent: Option<&RegistryPrefix>,
        fresh: bool,
    ) -> Result<Artifact, Fault> {
        let resolution = resolve(&needs.artifact, provider, &environment.registries()?, agent).map_err(|error| {
            Fault::blocked(REGISTRY_UNRESOLVED, "the artifact cannot be located")
                .at(format!("parameters.{}", needs.parameter))
                .because(fractal_core::fault::chain(&error))
                .next(format!("map {provider} in environment.parameters.registries, or name the registry in the reference"))
        })?;
        let reference = resolution.reference;
        let digest = self.digest(&reference, fresh).await?;
        Ok(Artifact { reference, digest })
    }

    async fn digest(&self, reference: &Reference, fresh: bool) -> Result<Digest, Fault> {
        if let Some(digest) = reference.digest() {
            return Ok(digest.clone());
        }
        let slot = self.slot(reference);
        let mut known = slot.lock().await;
        match &*known {
            Some((digest, at)) if !fresh && at.elapsed() < self.interval => Ok(digest.clone()),
            _ => {
                let asked = self.asking(reference, self.registry.resolve(reference));
                let digest = asked.await?.digest;
                *known = Some((digest.clone(), Instant::now()));
                Ok(digest)
            }
        }
    }

    /// Asks a registry, unless it failed to answer a moment ago: one that hangs must not hold everybody who waits for another.
    async fn asking<T, E: Into<Fault>>(
        &self,
        reference: &Reference,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Fault> {
        let host = reference.host();
        if let Some(fault) = self.breakers.is_open(host) {
            return Err(fault);
        }
        let answer = answer.await.map_err(Into::into);
        self.breakers.learn(host, answer.as_ref().err());
        answer
    }

    /// Slots nobody waits for and whose answer is long outdated go, so that the map follows what is deployed.
    fn slot(&self, reference: &Reference) -> Slot {
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let outdated = self.interval * 10;
        tags.retain(|_, slot| {
            Arc::strong_count(slot) > 1
                || slot.try_lock().is_ok_and(|known| {
                    known
                        .as_ref()
                        .is_some_and(|(_, at)| at.elapsed() < outdated)
                })
        });
        let key = (self.environment.clone(), reference.clone());
        tags.entry(key).or_default().clone()
    }

    /// What the artifact's bytes say. Read once per digest and way of reading.
    ///
    /// # Errors
    /// Where the artifact cannot be read, or is not what the target runs.
    pub async fn facts(&self, artifact: &Artifact, needs: &Needs) -> Result<Arc<Facts>, Fault> {
        let wanted = Wanted {
            environment: self.environment.clone(),
            digest: artifact.digest.clone(),
            package_type: needs.package_type,
            architectures: needs.architectures,
            accepts: needs.accepts,
        };
        if let Some(facts) = self.known(&wanted) {
            return Ok(facts);
        }
        let reading = facts::read(&self.registry, artifact, needs);
        let facts = Arc::new(self.asking(&artifact.reference, reading).await?);
        let mut all = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let (most, heaviest) = FACTS_MAX;
        let weight = |all: &[Known]| all.iter().map(|(_, facts)| facts.weight()).sum::<usize>();
        while !all.is_empty() && (all.len() >= most || weight(&all) + facts.weight() > heaviest) {
            all.remove(0);
        }
        all.push((wanted, facts.clone()));
        Ok(facts)
    }

    fn known(&self, wanted: &Wanted) -> Option<Arc<Facts>> {
        let all = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .find(|(known, _)| known == wanted)
            .map(|(_, facts)| facts.clone())
    }
}
