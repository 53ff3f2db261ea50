//! Walking an artifact's manifests: what a target has, has everything below it, and is not walked for that target.

use std::sync::Arc;

use fractal_core::artifact::{Descriptor, Digest, Manifest};

use super::Run;
use super::placing::Placing;
use super::target::{Belongs, Expectation};
use super::targets::{Targets, each, live};
use crate::auth::credentials::BoxFuture;
use crate::counts::tallied;
use crate::error::RegistryError;
use crate::manifest::FetchedManifest;

/// How deep indexes may hold indexes.
const DEPTH_MAX: usize = 2;

impl Run {
    /// Those of `targets` that lack the manifest.
    pub(super) async fn lacking(
        &self,
        digest: &Digest,
        targets: &Targets,
        belongs: Belongs,
    ) -> Targets {
        let digest = digest.clone();
        let there = each(targets, move |target| {
            let digest = digest.clone();
            async move {
                match target.has_manifest(&digest).await {
                    // Writing it tells what is wrong.
                    Err(_) if belongs == Belongs::Referrer => Ok(false),
                    there => there,
                }
            }
        });
        let there = there.await.into_iter();
        there
            .filter_map(|(target, there)| (!there).then_some(target))
            .collect()
    }

    /// Sees to it that everything that `manifest` names comes to `targets`; what is sent is on its way then, see
    /// [`super::target::Target::settled`].
    pub(super) fn children<'a>(
        self: &'a Arc<Self>,
        manifest: &'a FetchedManifest,
        targets: Targets,
        (depth, belongs): (usize, Belongs),
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match &manifest.manifest {
                Manifest::Image(image) => {
                    let blobs = image.layers.iter().chain(std::iter::once(&image.config));
                    self.blobs(blobs, targets, belongs).await;
                }
                Manifest::Index(index) => {
                    for entry in &index.manifests {
                        self.child(entry, live(&targets), (depth + 1, belongs))
                            .await;
                    }
                }
            }
        })
    }

    async fn child(
        self: &Arc<Self>,
        entry: &Descriptor,
        targets: Targets,
        (depth, belongs): (usize, Belongs),
    ) {
        let lacking = self.lacking(&entry.digest, &targets, belongs).await;
        let expected = lacking.iter().filter_map(|it| it.expects(&entry.digest));
        let expected: Vec<Expectation> = expected.collect();
        if expected.is_empty() {
            return;
        }
        let lacking: Targets = expected.iter().map(|it| it.target.clone()).collect();
        let child = match self.fetched(entry, depth).await {
            Ok(child) => child,
            Err(error) => {
                for target in &lacking {
                    target.misses(&entry.digest, error.clone(), belongs);
                }
                return;
            }
        };
        self.children(&child, lacking, (depth, belongs)).await;
        for expectation in expected {
            self.spawn(push(expectation, child.clone(), belongs));
        }
    }

    async fn fetched(
        &self,
        entry: &Descriptor,
        depth: usize,
    ) -> Result<FetchedManifest, RegistryError> {
        let at = || format!("{}@{}", self.from.shown(), entry.digest).into();
        if depth > DEPTH_MAX {
            let problem = format!("it is in indexes nested deeper than {DEPTH_MAX} levels");
            return Err(RegistryError::Limit {
                at: at(),
                problem: problem.into(),
            });
        }
        let child = tallied(&self.tally, self.from.manifest(&entry.digest)).await?;
        if child.bytes.len() as u64 == entry.size {
            return Ok(child);
        }
        let found = format!("the manifest has {}", child.bytes.len()).into();
        let error = RegistryError::SizeMismatch {
            at: at(),
            expected: entry.size,
            found,
        };
        Err(match self.from.repository() {
            Some(_) => error,
            None => error.on_this_machine(),
        })
    }

    async fn blobs<'a>(
        self: &Arc<Self>,
        blobs: impl Iterator<Item = &'a Descriptor>,
        targets: Targets,
        belongs: Belongs,
    ) {
        for blob in blobs {
            if is_foreign(blob) {
                for target in &targets {
                    target.goes_without(&blob.digest);
                }
                continue;
            }
            let targets = live(&targets).into_iter();
            let expected: Vec<Expectation> = targets
                .filter_map(|target| target.expects(&blob.digest))
                .collect();
            if expected.is_empty() {
                continue;
            }
            // Waiting here bounds what is begun.
            let Ok(permit) = self.reading.clone().acquire_owned().await else {
                return;
            };
            let placing = Placing::new(self.clone(), blob, (expected, belongs), permit);
            self.spawn(placing.run());
        }
    }
}

/// Writes a manifest when everything that it names is there.
pub(super) async fn push(expectation: Expectation, manifest: FetchedManifest, belongs: Belongs) {
    let target = &expectation.target;
    let pushing = async {
        target.settled(&names(&manifest)).await?;
        target.push(None, &manifest).await
    };
    if let Err(error) = tallied(&target.tally, pushing).await {
        target.misses(&manifest.digest, error, belongs);
    }
}

/// What a manifest names and registries want there before it.
pub(super) fn names(manifest: &FetchedManifest) -> Vec<Digest> {
    let named: Vec<&Descriptor> = match &manifest.manifest {
        Manifest::Image(image) => image.layers.iter().chain([&image.config]).collect(),
        Manifest::Index(index) => index.manifests.iter().collect(),
    };
    named.into_iter().map(|it| it.digest.clone()).collect()
}

/// Layers that are fetched from elsewhere and, by their licence, pushed nowhere: the base layers of Windows images. `crane`, `regctl` and
/// `docker push` leave them out as well.
fn is_foreign(layer: &Descriptor) -> bool {
    let media_type = layer.media_type.as_str();
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
}
