//! Passes over components in sync: the Kubernetes agent's own fingerprint says whether its own renderer is called at all.
//!
//! It decides as the runtime does before it does anything else, but asks no registry and no cluster.

use std::sync::Arc;
use std::time::Instant;

use caas_agent::{Config, Kubernetes, Spark};
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{BundleFacts, Descriptor, Digest, Facts, ImageFacts, Reference};
use fractal_core::contract::{ComponentKey, Environment, EnvironmentId, IdError, Params};
use fractal_core::reconcile::{
    Artifact, Inputs, Owner, Platform as _, Release, Rollout, fingerprint,
};
use fractal_core::{Fault, Fingerprint};

use super::Spent;
use super::ours::{self, Bundle, ENVIRONMENT, NAME, processor};
use crate::error::Error;

/// The offer type of workloads on Kubernetes.
const OFFER: &str = "CustomWorkloads.CaaS.KubernetesWorkload";

/// The agent's pure half, and its components.
pub(super) struct Agent {
    config: Config,
    components: Vec<Component>,
}

/// A component, and what it was last rendered from.
struct Component {
    owner: Owner,
    inputs: Inputs,
    rollout: Rollout,
    synced: Option<Fingerprint>,
}

impl Agent {
    /// An agent with a component for each bundle.
    pub(super) fn of(bundles: &[Bundle]) -> Result<Self, Error> {
        let components = bundles.iter().enumerate();
        let components = components.map(|(place, bundle)| Component::of(place, bundle));
        Ok(Self {
            config: config(),
            components: components.collect::<Result<_, _>>()?,
        })
    }

    /// Looks at every component, renders those whose fingerprint is not the one remembered, and counts them.
    pub(super) fn pass(&mut self) -> Result<(Spent, u32), Error> {
        let mut renders = 0;
        let (before, began) = (processor()?, Instant::now());
        for component in &mut self.components {
            let artifacts = component.rollout.artifacts();
            let current = fingerprint::<Kubernetes>(&self.config, &component.inputs, &artifacts)
                .map_err(|error| Error::unexpected("the fingerprint", error))?;
            if component.synced.as_ref() != Some(&current) {
                component.render(&self.config)?;
                component.synced = Some(current);
                renders += 1;
            }
        }
        let (wall, cpu) = (began.elapsed().as_secs_f64(), processor()? - before);
        Ok((Spent { cpu, wall }, renders))
    }

    /// Changes the replicas of one component.
    pub(super) fn scale_one(&mut self) -> Result<(), Error> {
        let none = || Error::unexpected("the bundles", "there are none");
        let component = self.components.first_mut().ok_or_else(none)?;
        let mut params = component.inputs.parameters.as_map().clone();
        params.insert("replicas".into(), 77.into());
        component.inputs.parameters = Params::new(params);
        Ok(())
    }
}

impl Component {
    fn of(place: usize, bundle: &Bundle) -> Result<Self, Error> {
        let invalid = |error: IdError| Error::unexpected("an id", error);
        let environment = EnvironmentId::new("Personal", "bench", ENVIRONMENT).map_err(invalid)?;
        let component = ComponentKey {
            live_system: format!("Personal/bench/system/app-{place}")
                .parse()
                .map_err(invalid)?,
            component: NAME.parse().map_err(invalid)?,
            offer: OFFER.parse().map_err(invalid)?,
            environment: environment.clone(),
        };
        let inputs = Inputs {
            component: component.component.clone(),
            offer: component.offer.clone(),
            environment: Environment {
                id: environment,
                parameters: Params::default(),
            },
            parameters: bundle.params.clone(),
            dependencies: [].into(),
            links: Vec::new(),
            secrets: [].into(),
        };
        let installation = "bench".parse().map_err(invalid)?;
        Ok(Self {
            rollout: rollout(bundle)?,
            owner: Owner {
                installation,
                component,
            },
            inputs,
            synced: None,
        })
    }

    fn render(&self, config: &Config) -> Result<(), Error> {
        let place = Kubernetes::place(config, &self.inputs, &self.owner).map_err(Fault::from)?;
        let desired = Kubernetes::desired(config, &place, &self.inputs, &self.rollout);
        std::hint::black_box(desired.map_err(Fault::from)?);
        Ok(())
    }
}

fn config() -> Config {
    Config {
        provider: None,
        namespace: "default".to_owned(),
        policy: None,
        strict_substitution: false,
        spark: Spark {
            image: String::new(),
            version: String::new(),
            oras_image: String::new(),
            service_account: String::new(),
        },
    }
}

fn rollout(bundle: &Bundle) -> Result<Rollout, Error> {
    let image = Digest::sha256("the image of every component");
    let layer = Descriptor::new(
        media_type::MANIFESTS,
        Digest::sha256(&bundle.tar),
        bundle.tar.len() as u64,
    );
    let facts = Facts::Image(ImageFacts {
        manifest: image.clone(),
        architecture: "amd64".to_owned(),
        size: 0,
    });
    let beside = Facts::Bundle(BundleFacts {
        files: ours::files(&bundle.tar)?,
        layer: layer.clone(),
    });
    Ok(Rollout {
        target: release("artifactUri", "overlay/web", image, facts)?,
        beside: vec![release("manifestUri", "manifests", layer.digest, beside)?],
    })
}

fn release(
    parameter: &'static str,
    repository: &str,
    digest: Digest,
    facts: Facts,
) -> Result<Release, Error> {
    let reference: Reference = format!("registry.example.com/{repository}:1")
        .parse()
        .map_err(|error| Error::unexpected("a reference", error))?;
    Ok(Release {
        parameter,
        artifact: Artifact { reference, digest },
        facts: Arc::new(facts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_new_inputs_is_rendered() {
        let mut agent = Agent::of(&ours::bundles(5).unwrap()).unwrap();
        let renders = |agent: &mut Agent| agent.pass().unwrap().1;
        assert_eq!((renders(&mut agent), renders(&mut agent)), (5, 0));
        agent.scale_one().unwrap();
        assert_eq!((renders(&mut agent), renders(&mut agent)), (1, 0));
    }
}
