//! Copying an artifact to several places at once: each blob is read once, children come first, and a tag is moved last.
//!
//! What a target has is not sent again, so a copy that broke off is taken up by the next one. Nothing is repacked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Digest, Manifest, RegistryHost};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::blob::{BlobSource, Waits};
use crate::counts::tallied;
use crate::error::{Missing, RegistryError};
use crate::manifest::{FetchedManifest, Resolved};
use crate::options::Timeouts;
use crate::site::{Located, Site};

mod fan;
mod place;
mod placing;
mod target;
mod targets;
mod travel;
mod tree;

use target::{Belongs, Listing, Target};
use targets::{Targets, each, live};

pub(crate) use fan::Feed;

/// Blobs that are read at once: enough to hide a registry's answer, and few enough for the memory they hold.
const READS_AT_ONCE: usize = 2;

/// What a copy takes along, and who watches it.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// Whether what refers to the artifact travels along: signatures, bills of materials, attestations.
    pub referrers: bool,
    /// Whether a target's word is not taken for what it has: its manifests are read and compared, and each blob is looked for and sent
    /// again where it is missing. Otherwise a tag that names the artifact, by one HEAD, is enough.
    pub thorough: bool,
    /// Where the copy says how far it is.
    pub progress: Arc<CopyProgress>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            referrers: true,
            thorough: false,
            progress: Arc::default(),
        }
    }
}

/// How far a copy is, in bytes of blobs.
#[derive(Debug, Default)]
pub struct CopyProgress {
    read: AtomicU64,
    expected: AtomicU64,
}

impl CopyProgress {
    /// Bytes read from the source so far.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes known so far to be read in all; grows while manifests are read and where a blob has to be read again.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected.load(Ordering::Relaxed)
    }
}

/// What a copy to one target came to.
#[derive(Debug, Clone)]
pub struct Copied {
    /// The artifact's digest, the same on both sides.
    pub digest: Digest,
    /// Blobs that were there already.
    pub existed: u64,
    /// Blobs the registry took from another of its repositories.
    pub mounted: u64,
    /// Blobs sent.
    pub uploaded: u64,
    /// Bytes of the blobs sent.
    pub uploaded_bytes: u64,
    /// Manifests written, the artifact's own and those of referrers included.
    pub manifests: u64,
    /// Whether the tag was written; not where it named the artifact already, or there is none.
    pub tagged: bool,
    /// Whether the manifest was read from the target and is what it should be; otherwise the target's word was taken.
    pub read_back: bool,
    /// Layers of a type that registries need not hold ("foreign", "nondistributable"): they are not sent.
    pub not_distributable: Vec<Digest>,
    /// Referrers that the target has now, whether copied or there already.
    pub referrers: u64,
    /// Requests sent to the target, those to its token service included.
    pub requests: u64,
    /// Referrers that did not get there. The artifact itself did.
    pub left_behind: Vec<LeftBehind>,
}

/// A referrer that did not get to a target.
#[derive(Debug, Clone)]
pub struct LeftBehind {
    /// The referrer.
    pub digest: Digest,
    /// Why.
    pub error: RegistryError,
}

/// What a copy came to.
#[derive(Debug, Clone)]
pub struct CopyReport {
    /// What the source is; `None` where it could not be asked.
    pub digest: Option<Digest>,
    /// Bytes of blobs read from the source.
    pub read_bytes: u64,
    /// Reads of blobs that had been read before, for targets that failed or stalled under way.
    pub rereads: u64,
    /// Requests sent to the source.
    pub requests: u64,
    /// Of each target, in order.
    pub targets: Vec<Result<Copied, RegistryError>>,
}

impl CopyReport {
    /// The result of the first target, where there is only one.
    ///
    /// # Errors
    /// The target's own.
    pub fn only(self) -> Result<Copied, RegistryError> {
        self.targets.into_iter().next().unwrap_or_else(|| {
            Err(RegistryError::Setting {
                setting: "targets",
                problem: "a copy needs at least one".into(),
            })
        })
    }
}

/// Copies `from` to every place of `to`. One that fails stops no other.
///
/// Each blob is read once, whatever the number of targets; a target that stalls is dropped by its own deadline and served by
/// another read. Blobs and children copied until an error remain; nothing refers to them.
pub async fn copy(from: &Located, to: &[Located], options: &CopyOptions) -> CopyReport {
    let run = Arc::new(Run::new(&from.site, options));
    let _ends = Ends(run.tasks.clone());
    // Boxed, as what follows: callers would carry all of its state along.
    let found = Box::pin(tallied(&run.tally, from.resolve())).await;
    let results = match &found {
        Ok(resolved) => Box::pin(run.clone().to_all(resolved, to)).await,
        Err(error) => to.iter().map(|_| Err(error.clone())).collect(),
    };
    CopyReport {
        digest: found.ok().map(|resolved| resolved.digest),
        read_bytes: run.read.load(Ordering::Relaxed),
        rereads: run.rereads.load(Ordering::Relaxed),
        requests: run.tally.load(Ordering::Relaxed),
        targets: results,
    }
}

/// One copy.
struct Run {
    from: Site,
    blobs: Box<dyn BlobSource>,
    waits: Waits,
    referrers: bool,
    thorough: bool,
    progress: Arc<CopyProgress>,
    /// Requests to the source.
    tally: Arc<AtomicU64>,
    read: AtomicU64,
    rereads: AtomicU64,
    /// Blobs that were read at least once.
    opened: Mutex<BTreeSet<Digest>>,
    /// Which registries mount blobs, as far as they were asked.
    mounts: Mutex<BTreeMap<RegistryHost, bool>>,
    /// Reads that may be under way at once.
    reading: Arc<Semaphore>,
    tasks: Tasks,
}

/// Blobs and manifests that are being brought.
type Tasks = Arc<Mutex<JoinSet<()>>>;

/// Ends them with the copy they belong to.
struct Ends(Tasks);

impl Drop for Ends {
    fn drop(&mut self) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }
}

impl Run {
    fn new(from: &Site, options: &CopyOptions) -> Self {
        let timeouts = match from {
            Site::Registry(registry, _) => registry.options().timeouts,
            _ => Timeouts::default(),
        };
        Self {
            from: from.clone(),
            blobs: from.blobs(),
            waits: Waits::of(&timeouts),
            referrers: options.referrers,
            thorough: options.thorough,
            progress: options.progress.clone(),
            tally: Arc::default(),
            read: AtomicU64::new(0),
            rereads: AtomicU64::new(0),
            opened: Mutex::default(),
            mounts: Mutex::default(),
            reading: Arc::new(Semaphore::new(READS_AT_ONCE)),
            tasks: Tasks::default(),
        }
    }

    async fn to_all(
        self: Arc<Self>,
        resolved: &Resolved,
        to: &[Located],
    ) -> Vec<Result<Copied, RegistryError>> {
        let mut listings = BTreeMap::<Arc<str>, Listing>::new();
        let mut target = |to: &Located| {
            let place = match &to.site {
                // One folder may have several names.
                Site::Layout(_) => "layouts".into(),
                site => site.shown(),
            };
            let listing = listings.entry(place).or_default().clone();
            Target::new(to, resolved, (listing, self.thorough))
        };
        let targets: Targets = to.iter().map(&mut target).collect();
        let behind = self.behind(&targets, &resolved.digest).await;
        if !behind.is_empty() || self.referrers {
            self.bring(resolved, &live(&targets), &behind).await;
            each(&live(&targets), |target| async move {
                target.all_settled().await
            })
            .await;
        }
        targets.iter().map(|target| target.result()).collect()
    }

    /// The targets whose tag, or which themselves where they have none, do not hold the artifact yet.
    async fn behind(&self, targets: &Targets, digest: &Digest) -> Targets {
        let wanted = digest.clone();
        let targets = live(targets);
        let there = each(&targets, move |target| {
            let wanted = wanted.clone();
            async move { is_there(&target, &wanted).await }
        });
        let there = there.await.into_iter();
        there
            .filter_map(|(target, there)| (!there).then_some(target))
            .collect()
    }

    async fn bring(self: &Arc<Self>, resolved: &Resolved, targets: &Targets, behind: &Targets) {
        let digest = &resolved.digest;
        let is_image = matches!(
            resolved.media_type.as_deref(),
            Some(media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST)
        );
        if behind.is_empty() && is_image {
            self.travel(vec![digest.clone()], targets, None).await;
            return;
        }
        let root = match tallied(&self.tally, self.from.manifest(digest)).await {
            Ok(root) => root,
            Err(error) => return fail(targets, &error),
        };
        let lacking = self.lacking(digest, behind, Belongs::Artifact).await;
        self.children(&root, lacking, (0, Belongs::Artifact)).await;
        if self.referrers {
            self.travel(subjects(&root), &live(targets), Some((&root, behind)))
                .await;
        }
        self.finish(&root, &live(behind)).await;
    }

    /// Writes the artifact's own manifest under its tag, and reads it back by that.
    async fn finish(&self, root: &FetchedManifest, targets: &Targets) {
        let manifest = root.clone();
        each(targets, move |target| {
            let root = manifest.clone();
            async move { target.publish(&root).await }
        })
        .await;
    }

    /// Goes on with `work` beside everything else, until the copy ends.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }
}

/// The manifests that others may refer to: an artifact's own, and of an index those it names.
fn subjects(root: &FetchedManifest) -> Vec<Digest> {
    let mut all = vec![root.digest.clone()];
    if let Manifest::Index(index) = &root.manifest {
        for entry in &index.manifests {
            if !all.contains(&entry.digest) {
                all.push(entry.digest.clone());
            }
        }
    }
    all
}

async fn is_there(target: &Target, digest: &Digest) -> Result<bool, RegistryError> {
    let (registry, repository) = match &target.site {
        Site::Registry(registry, repository) => (registry, repository),
        Site::Layout(_) if target.thorough => return Ok(false),
        Site::Layout(layout) => return layout.lists(target.tag.as_ref(), digest).await,
        Site::Packed(_) => return Ok(false),
    };
    let Some(tag) = &target.tag else {
        return target.has_manifest(digest).await;
    };
    let found = registry
        .resolve_version(repository, tag.as_str(), crate::error::Action::Push)
        .await;
    match found {
        Ok(there) => Ok(there.digest == *digest && !target.thorough),
        Err(RegistryError::NotFound { missing, .. }) => {
            if missing == Missing::Repository {
                target.is_new();
            }
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn fail(targets: &Targets, error: &RegistryError) {
    for target in targets {
        target.fail(error.clone());
    }
}
