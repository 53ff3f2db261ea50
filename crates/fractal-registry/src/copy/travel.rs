//! What refers to an artifact travels with it: signatures, bills of materials, attestations, and what refers to those.
//!
//! What a source lists is its word: a manifest that does not name the subject is not taken along.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fractal_core::artifact::{Descriptor, Digest, Tag};

use super::target::{Target, Targets, each, live};
use super::{Run, fail};
use crate::counts::tallied;
use crate::error::RegistryError;
use crate::manifest::FetchedManifest;
use crate::referrers::{self, Known};
use crate::site::Site;

/// Most referrers of one artifact, those of its children and of referrers included.
const REFERRERS_MAX: usize = 1000;
/// How deep referrers may refer to referrers: an attestation of a signature of a bill of materials has three.
const DEPTH_MAX: usize = 8;

/// The root manifest, and the targets that do not have it yet.
type Pending<'a> = Option<(&'a FetchedManifest, &'a Targets)>;

impl Run {
    /// Brings everything that refers to `subjects`. The artifact itself goes before its first referrer, by digest.
    pub(super) async fn travel(
        self: &Arc<Self>,
        subjects: Vec<Digest>,
        targets: &Targets,
        mut root: Pending<'_>,
    ) {
        if let Err(error) = self.all_of(subjects, targets, &mut root).await {
            fail(&live(targets), &error);
        }
    }

    async fn all_of(
        self: &Arc<Self>,
        subjects: Vec<Digest>,
        targets: &Targets,
        root: &mut Pending<'_>,
    ) -> Result<(), RegistryError> {
        let mut known = Known::default();
        let mut seen: BTreeSet<Digest> = subjects.iter().cloned().collect();
        let mut next: VecDeque<(Digest, usize)> =
            subjects.into_iter().map(|digest| (digest, 0)).collect();
        while let Some((subject, depth)) = next.pop_front() {
            let listing = referrers::of(&self.from, &subject, &mut known);
            let found = tallied(&self.tally, listing).await?;
            let mut new = found.listed;
            new.retain(|entry| seen.insert(entry.digest.clone()));
            if seen.len() > REFERRERS_MAX {
                let problem = format!("it lists more than {REFERRERS_MAX} referrers");
                return Err(RegistryError::protocol(&self.from.shown(), problem));
            }
            if new.is_empty() && found.tags.is_empty() {
                continue;
            }
            self.root_first(root.take(), targets).await;
            let below = depth + 1 < DEPTH_MAX;
            let deeper = |digest: &Digest| below.then(|| (digest.clone(), depth + 1));
            next.extend(new.iter().filter_map(|entry| deeper(&entry.digest)));
            self.listed(&subject, new, targets).await?;
            self.tagged(found.tags, targets).await?;
        }
        Ok(())
    }

    async fn root_first(&self, root: Pending<'_>, targets: &Targets) {
        let Some((root, behind)) = root else { return };
        let mut lacking = live(behind);
        lacking.retain(|target| {
            targets.iter().any(|it| Arc::ptr_eq(it, target)) && !target.knows(&root.digest)
        });
        let root = root.clone();
        each(&lacking, move |target| {
            let root = root.clone();
            async move { target.push(None, &root).await }
        })
        .await;
    }

    /// Brings what is listed as referring to `subject`.
    async fn listed(
        self: &Arc<Self>,
        subject: &Digest,
        entries: Vec<Descriptor>,
        targets: &Targets,
    ) -> Result<(), RegistryError> {
        if entries.is_empty() {
            return Ok(());
        }
        let wanted = subject.clone();
        let targets = live(targets);
        let there = each(&targets, move |target| {
            let subject = wanted.clone();
            async move {
                let mut known = Known::only_listed();
                let found = referrers::of(&target.site, &subject, &mut known).await?;
                let listed = found.listed.into_iter();
                Ok(listed.map(|it| it.digest).collect::<BTreeSet<_>>())
            }
        });
        let there = there.await;
        for entry in &entries {
            let lacks = |(target, has): &(Arc<Target>, BTreeSet<Digest>)| {
                if has.contains(&entry.digest) {
                    target.has_referrer();
                    return None;
                }
                target.is_live().then(|| target.clone())
            };
            let lacking: Targets = there.iter().filter_map(lacks).collect();
            if lacking.is_empty() {
                continue;
            }
            let referrer = tallied(&self.tally, self.from.manifest(&entry.digest)).await?;
            if referrers::subject(&referrer.bytes).as_ref() == Some(subject) {
                self.referrer(&referrer, None, lacking).await;
            } else {
                tracing::warn!(at = %self.from.shown(), digest = %entry.digest, %subject, "listed referrer refers to something else");
            }
        }
        Ok(())
    }

    /// Brings what refers by the name of a tag, as cosign's signatures do.
    async fn tagged(
        self: &Arc<Self>,
        tags: BTreeMap<Tag, Digest>,
        targets: &Targets,
    ) -> Result<(), RegistryError> {
        for (tag, digest) in tags {
            let (wanted, named) = (digest.clone(), tag.clone());
            let targets = live(targets);
            let there = each(&targets, move |target| {
                let (wanted, tag) = (wanted.clone(), named.clone());
                async move { referrers::has_tag(&target.site, &tag, &wanted).await }
            });
            let mut lacking = Targets::new();
            for (target, there) in there.await {
                if there {
                    target.has_referrer();
                } else {
                    lacking.push(target);
                }
            }
            if !lacking.is_empty() {
                let referrer = tallied(&self.tally, self.from.manifest(&digest)).await?;
                self.referrer(&referrer, Some(&tag), lacking).await;
            }
        }
        Ok(())
    }

    async fn referrer(
        self: &Arc<Self>,
        referrer: &FetchedManifest,
        tag: Option<&Tag>,
        targets: Targets,
    ) {
        self.children(referrer, targets.clone(), 0).await;
        let _one = self.listing.lock().await;
        let (referrer, tag) = (referrer.clone(), tag.cloned());
        each(&live(&targets), move |target| {
            let (referrer, tag) = (referrer.clone(), tag.clone());
            async move {
                match attach(&target, tag.as_ref(), &referrer).await {
                    Ok(()) => target.has_referrer(),
                    // ECR and others refuse manifests with a subject: the artifact itself is none the worse.
                    Err(error @ RegistryError::Refused { .. }) => {
                        target.leaves_behind(&referrer.digest, error);
                    }
                    Err(error) => return Err(error),
                }
                Ok(())
            }
        })
        .await;
    }
}

async fn attach(
    target: &Target,
    tag: Option<&Tag>,
    referrer: &FetchedManifest,
) -> Result<(), RegistryError> {
    let listed = target.push(tag, referrer).await?;
    if let Site::Layout(layout) = &target.site {
        return layout.list(referrer, tag).await;
    }
    target.list_under_subject(referrer, listed).await
}
