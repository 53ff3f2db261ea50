//! Walking an artifact's manifests: what a target has, has everything below it, and is not walked for that target.

use std::sync::Arc;

use fractal_core::artifact::{Descriptor, Digest, Manifest};
use tokio::task::{JoinError, JoinSet};

use super::target::{Targets, each, interrupted, live};
use super::{Run, fail};
use crate::auth::credentials::BoxFuture;
use crate::counts::tallied;
use crate::error::RegistryError;
use crate::manifest::FetchedManifest;

/// How deep indexes may hold indexes.
const DEPTH_MAX: usize = 2;
/// Blobs of one image that are under way at once: enough to hide a registry's answer, and few enough for the memory they hold.
const BLOBS_AT_ONCE: usize = 2;

impl Run {
    /// Those of `targets` that lack the manifest.
    pub(super) async fn lacking(&self, digest: &Digest, targets: &Targets) -> Targets {
        let digest = digest.clone();
        let there = each(targets, move |target| {
            let digest = digest.clone();
            async move { target.has_manifest(&digest).await }
        });
        let there = there.await.into_iter();
        there
            .filter_map(|(target, there)| (!there).then_some(target))
            .collect()
    }

    /// Brings everything that `manifest` names to `targets`.
    pub(super) fn children<'a>(
        self: &'a Arc<Self>,
        manifest: &'a FetchedManifest,
        targets: Targets,
        depth: usize,
    ) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            match &manifest.manifest {
                Manifest::Image(image) => {
                    let blobs = image.layers.iter().chain(std::iter::once(&image.config));
                    self.blobs(blobs, targets).await;
                }
                Manifest::Index(index) => {
                    for entry in &index.manifests {
                        self.child(entry, live(&targets), depth + 1).await;
                    }
                }
            }
        })
    }

    async fn child(self: &Arc<Self>, entry: &Descriptor, targets: Targets, depth: usize) {
        let lacking = self.lacking(&entry.digest, &targets).await;
        if lacking.is_empty() {
            return;
        }
        let child = match self.fetched(entry, depth).await {
            Ok(child) => child,
            Err(error) => return fail(&lacking, &error),
        };
        self.children(&child, lacking.clone(), depth).await;
        each(&live(&lacking), move |target| {
            let child = child.clone();
            async move { target.push(None, &child).await }
        })
        .await;
    }

    async fn fetched(
        &self,
        entry: &Descriptor,
        depth: usize,
    ) -> Result<FetchedManifest, RegistryError> {
        if depth > DEPTH_MAX {
            return Err(RegistryError::protocol(
                &entry.digest.as_str().into(),
                format!("indexes are nested deeper than {DEPTH_MAX}"),
            ));
        }
        let child = tallied(&self.tally, self.from.manifest(&entry.digest)).await?;
        if child.bytes.len() as u64 == entry.size {
            return Ok(child);
        }
        let found = format!("the manifest has {}", child.bytes.len()).into();
        Err(RegistryError::SizeMismatch {
            at: entry.digest.as_str().into(),
            expected: entry.size,
            found,
        })
    }

    async fn blobs<'a>(
        self: &Arc<Self>,
        blobs: impl Iterator<Item = &'a Descriptor>,
        targets: Targets,
    ) {
        let mut distinct: Vec<Descriptor> = Vec::new();
        for blob in blobs {
            if distinct.iter().all(|other| other.digest != blob.digest) {
                distinct.push(blob.clone());
            }
        }
        let mut placing = JoinSet::new();
        for blob in distinct {
            if placing.len() >= BLOBS_AT_ONCE {
                ended(placing.join_next().await, &targets);
            }
            placing.spawn(self.clone().place(blob, live(&targets)));
        }
        while let Some(joined) = placing.join_next().await {
            ended(Some(joined), &targets);
        }
    }
}

/// A blob whose work was cut short is nowhere to be relied on.
fn ended(joined: Option<Result<(), JoinError>>, targets: &Targets) {
    if let Some(Err(_)) = joined {
        for target in targets {
            target.fail(interrupted(target));
        }
    }
}
