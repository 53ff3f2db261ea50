//! One place that is copied to: what it is known to have, what was done there, and what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fractal_core::artifact::{Descriptor, Digest, Tag};
use tokio::sync::{Notify, Semaphore};

use super::{Copied, LeftBehind};
use crate::error::{Action, RegistryError};
use crate::manifest::{FetchedManifest, Resolved};
use crate::push::Pushed;
use crate::site::{Located, Site};

/// Uploads of one target that may be open at once: a registry that is slow to take what it was sent holds up nobody else until
/// then.
const UPLOADS_MAX: usize = 64;

/// What it means where something does not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    /// The copy has failed.
    Artifact,
    /// Whatever refers to the artifact by it is left behind.
    Referrer,
}

/// Who writes lists waits for whoever writes a list of the same place.
pub(super) type Listing = Arc<tokio::sync::Mutex<()>>;

pub(super) struct Target {
    pub(super) site: Site,
    pub(super) tag: Option<Tag>,
    pub(super) tally: Arc<AtomicU64>,
    /// Its repository does not exist yet, so nothing is asked for in it.
    new: AtomicBool,
    pub(super) listing: Listing,
    /// Its word is not taken.
    pub(super) thorough: bool,
    pub(super) uploads: Arc<Semaphore>,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    done: Copied,
    has: BTreeSet<Digest>,
    /// What somebody brings at the moment.
    coming: BTreeSet<Digest>,
    /// What did not arrive although the target goes on.
    lost: BTreeMap<Digest, RegistryError>,
    failed: Option<RegistryError>,
}

impl Target {
    pub(super) fn new(
        to: &Located,
        resolved: &Resolved,
        (listing, thorough): (Listing, bool),
    ) -> Arc<Self> {
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
            tagged: false,
            read_back: false,
            not_distributable: Vec::new(),
            referrers: 0,
            requests: 0,
            left_behind: Vec::new(),
        };
        Arc::new(Self {
            site: to.site.clone(),
            tag: to.tag.clone(),
            tally: Arc::default(),
            new: AtomicBool::new(false),
            listing,
            thorough,
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
            state: Mutex::new(State {
                done,
                has: BTreeSet::new(),
                coming: BTreeSet::new(),
                lost: BTreeMap::new(),
                failed,
            }),
            changed: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fail(&self, error: RegistryError) {
        self.state().failed.get_or_insert(error);
        self.changed.notify_waiters();
    }

    /// Notes that something is being brought; `None` where it is there, or somebody else brings it.
    pub(super) fn expects(self: &Arc<Self>, digest: &Digest) -> Option<Expectation> {
        let mut state = self.state();
        if state.has.contains(digest) || state.lost.contains_key(digest) {
            return None;
        }
        state.coming.insert(digest.clone()).then(|| Expectation {
            target: self.clone(),
            digest: digest.clone(),
        })
    }

    /// Notes that something does not arrive.
    pub(super) fn misses(&self, digest: &Digest, error: RegistryError, belongs: Belongs) {
        if belongs == Belongs::Artifact {
            self.fail(error);
        } else {
            self.state().lost.insert(digest.clone(), error);
        }
        self.arrived(digest);
    }

    /// Notes that something does not come any more.
    fn arrived(&self, digest: &Digest) {
        self.state().coming.remove(digest);
        self.changed.notify_waiters();
    }

    /// Waits until all of `digests` that are on their way are there.
    pub(super) async fn settled(&self, digests: &[Digest]) -> Result<(), RegistryError> {
        self.until(|state| {
            let lost = digests.iter().find_map(|digest| state.lost.get(digest));
            match lost {
                Some(error) => Some(Err(error.clone())),
                None if digests.iter().any(|digest| state.coming.contains(digest)) => None,
                None => Some(Ok(())),
            }
        })
        .await
    }

    /// Waits until nothing is on its way.
    pub(super) async fn all_settled(&self) -> Result<(), RegistryError> {
        self.until(|state| state.coming.is_empty().then_some(Ok(())))
            .await
    }

    async fn until(
        &self,
        done: impl Fn(&State) -> Option<Result<(), RegistryError>>,
    ) -> Result<(), RegistryError> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before the look, so that no change after it is missed.
            changed.as_mut().enable();
            let found = {
                let state = self.state();
                match &state.failed {
                    Some(error) => Some(Err(error.clone())),
                    None => done(&state),
                }
            };
            match found {
                Some(result) => return result,
                None => changed.await,
            }
        }
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
        {
            let mut state = self.state();
            if state.has.insert(blob.digest.clone()) {
                let done = &mut state.done;
                match pushed {
                    Pushed::Existed => done.existed += 1,
                    Pushed::Mounted => done.mounted += 1,
                    Pushed::Uploaded => {
                        done.uploaded += 1;
                        done.uploaded_bytes += blob.size;
                    }
                }
            }
        }
        self.arrived(&blob.digest);
    }

    /// Notes a layer that registries need not hold, and that is not sent.
    pub(super) fn goes_without(&self, layer: &Digest) {
        let mut state = self.state();
        if !state.done.not_distributable.contains(layer) {
            state.done.not_distributable.push(layer.clone());
        }
    }

    pub(super) fn has_referrer(&self) {
        self.state().done.referrers += 1;
    }

    pub(super) fn leaves_behind(&self, digest: &Digest, error: RegistryError) {
        let left = LeftBehind {
            digest: digest.clone(),
            error: error.clone(),
        };
        self.state().done.left_behind.push(left);
        self.misses(digest, error, Belongs::Referrer);
    }

    pub(super) async fn has_manifest(&self, digest: &Digest) -> Result<bool, RegistryError> {
        if self.knows(digest) {
            return Ok(true);
        }
        if self.has_nothing() || self.thorough {
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
        if self.thorough && self.serves(tag, manifest).await? {
            self.state().has.insert(manifest.digest.clone());
            self.arrived(&manifest.digest);
            // Whoever wrote it listed it.
            return Ok(true);
        }
        let listed = self.site.push_manifest(tag, manifest).await?;
        self.wrote(&manifest.digest);
        Ok(listed)
    }

    /// Notes a manifest that was written.
    pub(super) fn wrote(&self, digest: &Digest) {
        {
            let mut state = self.state();
            state.has.insert(digest.clone());
            state.done.manifests += 1;
        }
        self.arrived(digest);
    }

    /// Writes the artifact's own manifest when all else has arrived, unless it came before what refers to it, and lists it.
    pub(super) async fn publish(&self, root: &FetchedManifest) -> Result<(), RegistryError> {
        self.all_settled().await?;
        let _one = self.listing.lock().await;
        if self.thorough && self.serves(self.tag.as_ref(), root).await? {
            self.state().done.read_back = true;
            return Ok(());
        }
        if self.tag.is_some() || !self.knows(&root.digest) {
            let listed = self.push(self.tag.as_ref(), root).await?;
            self.list_under_subject(root, listed).await?;
        }
        if let Site::Layout(layout) = &self.site {
            layout.list(root, self.tag.as_ref()).await?;
            layout.manifest(&root.digest).await?;
        }
        let mut state = self.state();
        state.done.tagged = self.tag.is_some();
        state.done.read_back = true;
        Ok(())
    }

    /// Whether it gives out this very manifest, under `tag` where one is given.
    async fn serves(
        &self,
        tag: Option<&Tag>,
        manifest: &FetchedManifest,
    ) -> Result<bool, RegistryError> {
        if self.has_nothing() {
            return Ok(false);
        }
        match &self.site {
            Site::Registry(registry, repository) => {
                let version = tag.map_or_else(|| manifest.digest.as_str(), Tag::as_str);
                let served = registry.served(repository, version, Action::Push).await;
                match served {
                    Ok((bytes, _)) => Ok(bytes == manifest.bytes),
                    // What it cannot give out is written again, and that tells what is wrong.
                    Err(error) if error.is_passing() => Err(error),
                    Err(_) => Ok(false),
                }
            }
            Site::Layout(layout) => {
                let is_whole = layout.manifest(&manifest.digest).await.is_ok();
                Ok(is_whole && layout.lists(tag, &manifest.digest).await?)
            }
            Site::Packed(_) => Ok(false),
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

/// Something on its way to a target. Where whoever brings it ends without a word, the target does not wait for ever.
pub(super) struct Expectation {
    pub(super) target: Arc<Target>,
    digest: Digest,
}

impl Drop for Expectation {
    fn drop(&mut self) {
        if self.target.state().coming.contains(&self.digest) {
            self.target.fail(interrupted(&self.target));
            self.target.arrived(&self.digest);
        }
    }
}

pub(super) fn interrupted(target: &Target) -> RegistryError {
    RegistryError::Slow {
        at: target.site.shown(),
        problem: "the work on it was interrupted".into(),
    }
}
