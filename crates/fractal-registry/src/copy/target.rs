//! One place that is copied to: what it is known to have, what was done there, and what went wrong.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fractal_core::artifact::{Descriptor, Digest, Tag};
use tokio::task::JoinSet;

use super::{Copied, LeftBehind};
use crate::counts::tallied;
use crate::error::RegistryError;
use crate::manifest::{FetchedManifest, Resolved};
use crate::push::Pushed;
use crate::site::{Located, Site};

pub(super) type Targets = Vec<Arc<Target>>;

pub(super) struct Target {
    pub(super) site: Site,
    pub(super) tag: Option<Tag>,
    pub(super) tally: Arc<AtomicU64>,
    /// Its repository does not exist yet, so nothing is asked for in it.
    new: AtomicBool,
    state: Mutex<State>,
}

struct State {
    done: Copied,
    has: BTreeSet<Digest>,
    failed: Option<RegistryError>,
}

impl Target {
    pub(super) fn new(to: &Located, resolved: &Resolved) -> Arc<Self> {
        let digest = resolved.digest.clone();
        let wanted = to.digest.as_ref().filter(|wanted| **wanted != digest);
        let failed = wanted.map(|wanted| RegistryError::DigestMismatch {
            at: "the copy's target".into(),
            expected: wanted.clone(),
            found: digest.clone(),
        });
        let done = Copied {
            digest,
            existed: 0,
            mounted: 0,
            uploaded: 0,
            uploaded_bytes: 0,
            manifests: 0,
            referrers: 0,
            requests: 0,
            left_behind: Vec::new(),
        };
        Arc::new(Self {
            site: to.site.clone(),
            tag: to.tag.clone(),
            tally: Arc::default(),
            new: AtomicBool::new(false),
            state: Mutex::new(State {
                done,
                has: BTreeSet::new(),
                failed,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fail(&self, error: RegistryError) {
        self.state().failed.get_or_insert(error);
    }

    pub(super) fn is_live(&self) -> bool {
        self.state().failed.is_none()
    }

    pub(super) fn result(&self) -> Result<Copied, RegistryError> {
        let state = self.state();
        match &state.failed {
            Some(error) => Err(error.clone()),
            None => Ok(Copied {
                requests: self.tally.load(Ordering::Relaxed),
                ..state.done.clone()
            }),
        }
    }

    /// Notes that its repository does not exist yet.
    pub(super) fn is_new(&self) {
        self.new.store(true, Ordering::Relaxed);
    }

    /// Whether asking for what it has is in vain.
    pub(super) fn has_nothing(&self) -> bool {
        self.new.load(Ordering::Relaxed)
    }

    pub(super) fn knows(&self, digest: &Digest) -> bool {
        self.state().has.contains(digest)
    }

    /// Notes how a blob came to be there.
    pub(super) fn took(&self, blob: &Descriptor, pushed: Pushed) {
        let mut state = self.state();
        if !state.has.insert(blob.digest.clone()) {
            return;
        }
        match pushed {
            Pushed::Existed => state.done.existed += 1,
            Pushed::Mounted => state.done.mounted += 1,
            Pushed::Uploaded => {
                state.done.uploaded += 1;
                state.done.uploaded_bytes += blob.size;
            }
        }
    }

    pub(super) fn has_referrer(&self) {
        self.state().done.referrers += 1;
    }

    pub(super) fn leaves_behind(&self, digest: &Digest, error: RegistryError) {
        let digest = digest.clone();
        self.state()
            .done
            .left_behind
            .push(LeftBehind { digest, error });
    }

    pub(super) async fn has_manifest(&self, digest: &Digest) -> Result<bool, RegistryError> {
        if self.knows(digest) {
            return Ok(true);
        }
        if self.has_nothing() {
            return Ok(false);
        }
        let there = self.site.has_manifest(digest).await?;
        if there {
            self.state().has.insert(digest.clone());
        }
        Ok(there)
    }

    /// Writes a manifest and reads it back. `true` where the registry said that it lists it under its subject.
    pub(super) async fn push(
        &self,
        tag: Option<&Tag>,
        manifest: &FetchedManifest,
    ) -> Result<bool, RegistryError> {
        let listed = self.site.push_manifest(tag, manifest).await?;
        let mut state = self.state();
        state.has.insert(manifest.digest.clone());
        state.done.manifests += 1;
        Ok(listed)
    }

    /// Writes the artifact's own manifest, unless it came before what refers to it, and lists it.
    pub(super) async fn publish(&self, root: &FetchedManifest) -> Result<(), RegistryError> {
        if self.tag.is_some() || !self.knows(&root.digest) {
            let listed = self.push(self.tag.as_ref(), root).await?;
            self.list_under_subject(root, listed).await?;
        }
        match &self.site {
            Site::Layout(layout) => layout.list(root, self.tag.as_ref()).await,
            _ => Ok(()),
        }
    }

    /// Where the registry does not list a referrer itself, the tag that stands in for that gets it.
    pub(super) async fn list_under_subject(
        &self,
        manifest: &FetchedManifest,
        listed: bool,
    ) -> Result<(), RegistryError> {
        match (&self.site, crate::referrers::subject(&manifest.bytes)) {
            (Site::Registry(registry, repository), Some(subject)) if !listed => {
                registry.list_by_tag(repository, &subject, manifest).await
            }
            _ => Ok(()),
        }
    }
}

/// Those that have not failed.
pub(super) fn live(targets: &[Arc<Target>]) -> Targets {
    let live = targets.iter().filter(|target| target.is_live());
    live.cloned().collect()
}

/// Does the same with every target at once. Those that fail are left out, and know why.
pub(super) async fn each<T, W>(
    targets: &[Arc<Target>],
    work: impl Fn(Arc<Target>) -> W,
) -> Vec<(Arc<Target>, T)>
where
    T: Send + 'static,
    W: Future<Output = Result<T, RegistryError>> + Send + 'static,
{
    let mut all = JoinSet::new();
    for (place, target) in targets.iter().enumerate() {
        let (tally, work) = (target.tally.clone(), work(target.clone()));
        all.spawn(async move { (place, tallied(&tally, work).await) });
    }
    let mut done: Vec<Option<Result<T, RegistryError>>> = Vec::new();
    done.resize_with(targets.len(), || None);
    while let Some(joined) = all.join_next().await {
        if let Ok((place, result)) = joined
            && let Some(slot) = done.get_mut(place)
        {
            *slot = Some(result);
        }
    }
    let mut succeeded = Vec::new();
    for (target, result) in targets.iter().zip(done) {
        match result {
            Some(Ok(value)) => succeeded.push((target.clone(), value)),
            Some(Err(error)) => target.fail(error),
            None => target.fail(interrupted(target)),
        }
    }
    succeeded
}

pub(super) fn interrupted(target: &Target) -> RegistryError {
    RegistryError::Slow {
        at: target.site.shown(),
        problem: "the work on it was interrupted".into(),
    }
}
