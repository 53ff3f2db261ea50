//! The registries of one scenario: a source that has the artifact, and the ones it is copied to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fractal_core::artifact::Reference;
use fractal_registry::{Options, Registry};

use super::Scenario;
use super::artifact::{self, Artifact};
use crate::distribution::{Authority, Distribution, Exchange};
use crate::error::Error;
use crate::launch::{Ground, Scheme};
use crate::programs;

const NAME: &str = "bench/artifact:1";

/// Registries, and where the tools run.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) ground: Ground<'a>,
    source: Distribution,
    targets: Vec<Distribution>,
}

impl<'a> Field<'a> {
    /// Publishes an artifact with layers of these sizes, in MiB, and starts everything else.
    pub(super) async fn lay(
        place: &'a Path,
        of: Scenario,
        layers: &[u64],
        authority: &'a Authority,
    ) -> Result<(Self, Artifact), Error> {
        let folder = place.join("source");
        let plain = Distribution::start(&folder, None)?;
        let artifact = artifact::publish(&folder, layers, &reference(&plain.host)?).await?;
        let tls = (of.scheme() == Scheme::Tls).then_some(authority);
        // The same storage once more, so that publishing needs no TLS.
        let source = match tls {
            None => plain,
            Some(_) => Distribution::start(&folder, tls)?,
        };
        let targets = (0..of.targets())
            .map(|number| Distribution::start(&place.join(format!("target-{number}")), tls))
            .collect::<Result<Vec<_>, _>>()?;
        let field = Self {
            ground: Ground {
                home: place,
                sink: Path::new("/dev/null"),
                trusted: &authority.trusted,
                scheme: of.scheme(),
            },
            source,
            targets,
        };
        field.introduce()?;
        Ok((field, artifact))
    }

    pub(super) fn from(&self) -> String {
        format!("{}/{NAME}", self.source.host)
    }

    pub(super) fn to(&self) -> Vec<String> {
        let hosts = self.targets.iter().map(|target| &target.host);
        hosts.map(|host| format!("{host}/{NAME}")).collect()
    }

    /// Every registry's `host:port`.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        let all = std::iter::once(&self.source).chain(&self.targets);
        all.map(|registry| registry.host.as_str())
    }

    /// Tells regctl, in its own settings, how these registries are spoken to.
    fn introduce(&self) -> Result<(), Error> {
        let Some(regctl) = programs::regctl() else {
            return Ok(());
        };
        let tls = self.ground.scheme == Scheme::Tls;
        for host in self.hosts() {
            self.ground
                .prepare(&programs::regctl_host(&regctl, host, tls))?;
        }
        Ok(())
    }

    /// Empties what is copied to.
    pub(super) fn empty(&self) -> Result<(), Error> {
        self.targets.iter().try_for_each(Distribution::empty)
    }

    /// What the source and the targets were asked since this was asked last.
    pub(super) fn asked(&self) -> (Vec<Exchange>, Vec<Exchange>) {
        let targets = self.targets.iter().flat_map(Distribution::asked);
        (self.source.asked(), targets.collect())
    }

    /// Every target has exactly the artifact.
    pub(super) async fn prove(&self, artifact: &Artifact) -> Result<(), Error> {
        let registry = Registry::new(self.options()?)?;
        for target in &self.targets {
            let there = registry.locate(&reference(&target.host)?).resolve().await?;
            if there.digest != artifact.digest {
                return Err(Error::unexpected("a target", there.digest));
            }
        }
        Ok(())
    }

    fn options(&self) -> Result<Options, Error> {
        if self.ground.scheme == Scheme::Plain {
            return Ok(Options::on_loopback());
        }
        let mut endpoints = BTreeMap::new();
        for host in self.hosts() {
            let name = reference(host)?.host().clone();
            endpoints.insert(name, format!("https://{host}"));
        }
        Ok(Options {
            endpoints,
            ca_bundle: Some(PathBuf::from(self.ground.trusted)),
            ..Options::on_loopback()
        })
    }
}

fn reference(host: &str) -> Result<Reference, Error> {
    format!("{host}/{NAME}")
        .parse()
        .map_err(|error| Error::unexpected("a reference", error))
}
