//! What refers to an artifact travels with it: signatures, bills of materials, attestations, and what refers to those.
//!
//! What a source lists is its word: a manifest that does not name the subject is not taken along.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fractal_core::artifact::{Descriptor, Digest, Tag};

use super::target::{Belongs, Expectation, Target};
use super::targets::{Targets, each, live};
use super::tree::{names, push};
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
                let problem = format!("more than {REFERRERS_MAX} manifests refer to it");
                return Err(RegistryError::Limit {
                    at: format!("{}@{subject}", self.from.shown()).into(),
                    problem: problem.into(),
                });
            }
            if new.is_empty() && found.tags.is_empty() {
                continue;
            }
            self.root_first(root.take(), targets);
            let below = depth + 1 < DEPTH_MAX;
            let deeper = |digest: &Digest| below.then(|| (digest.clone(), depth + 1));
            next.extend(new.iter().filter_map(|entry| deeper(&entry.digest)));
            self.listed(&subject, new, targets).await;
            self.tagged(&subject, found.tags, targets).await;
        }
        Ok(())
    }

    /// Sees to it that the artifact itself comes by its digest, where it does not come by its tag before.
    fn root_first(&self, root: Pending<'_>, targets: &Targets) {
        let Some((root, behind)) = root else { return };
        let mut lacking = live(behind);
        lacking.retain(|target| targets.iter().any(|it| Arc::ptr_eq(it, target)));
        for expectation in lacking.iter().filter_map(|it| it.expects(&root.digest)) {
            self.spawn(push(expectation, root.clone(), Belongs::Artifact));
        }
    }

    /// Brings what is listed as referring to `subject`.
    async fn listed(
        self: &Arc<Self>,
        subject: &Digest,
        entries: Vec<Descriptor>,
        targets: &Targets,
    ) {
        if entries.is_empty() {
            return;
        }
        let wanted = subject.clone();
        let targets = live(targets);
        let there = each(&targets, move |target| {
            let subject = wanted.clone();
            async move { Ok(held(&target, &subject).await) }
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
            match tallied(&self.tally, self.from.manifest(&entry.digest)).await {
                Err(error) => leave(&lacking, &entry.digest, &error),
                Ok(referrer) if referrers::subject(&referrer.bytes).as_ref() == Some(subject) => {
                    let way = (subject.clone(), None);
                    self.referrer(&referrer, way, lacking).await;
                }
                Ok(_) => {
                    tracing::warn!(at = %self.from.shown(), digest = %entry.digest, %subject, "listed referrer refers to something else");
                }
            }
        }
    }

    /// Brings what refers by the name of a tag, as cosign's signatures do.
    async fn tagged(
        self: &Arc<Self>,
        subject: &Digest,
        tags: BTreeMap<Tag, Digest>,
        targets: &Targets,
    ) {
        for (tag, digest) in tags {
            let (wanted, named) = (digest.clone(), tag.clone());
            let targets = live(targets);
            let there = each(&targets, move |target| {
                let (wanted, tag) = (wanted.clone(), named.clone());
                async move {
                    let there = referrers::has_tag(&target.site, &tag, &wanted).await;
                    // Writing it tells what is wrong.
                    Ok(there.unwrap_or(false))
                }
            });
            let mut lacking = Targets::new();
            for (target, there) in there.await {
                if there {
                    target.has_referrer();
                } else {
                    lacking.push(target);
                }
            }
            if lacking.is_empty() {
                continue;
            }
            match tallied(&self.tally, self.from.manifest(&digest)).await {
                Err(error) => leave(&lacking, &digest, &error),
                Ok(referrer) => {
                    let way = (subject.clone(), Some(tag));
                    self.referrer(&referrer, way, lacking).await;
                }
            }
        }
    }

    async fn referrer(
        self: &Arc<Self>,
        referrer: &FetchedManifest,
        (subject, tag): (Digest, Option<Tag>),
        targets: Targets,
    ) {
        let belongs = Belongs::Referrer;
        let expected = targets.into_iter().map(|target| {
            let expected = target.expects(&referrer.digest);
            (target, expected)
        });
        let expected: Vec<(Arc<Target>, Option<Expectation>)> = expected.collect();
        let targets: Targets = expected.iter().map(|(target, _)| target.clone()).collect();
        self.children(referrer, targets, (0, belongs)).await;
        for (target, expectation) in expected {
            let mut needed = names(referrer);
            needed.push(subject.clone());
            if expectation.is_none() {
                needed.push(referrer.digest.clone());
            }
            let (referrer, tag) = (referrer.clone(), tag.clone());
            self.spawn(async move {
                let attaching = async {
                    target.settled(&needed).await?;
                    attach(&target, tag.as_ref(), &referrer).await
                };
                match tallied(&target.tally, attaching).await {
                    Ok(()) => target.has_referrer(),
                    // ECR and others refuse manifests with a subject: the artifact itself is none the worse.
                    Err(error) => target.leaves_behind(&referrer.digest, error),
                }
                drop(expectation);
            });
        }
    }
}

/// Which referrers of `subject` a target has. Where it cannot say that, writing them tells what is wrong.
async fn held(target: &Target, subject: &Digest) -> BTreeSet<Digest> {
    let mut known = Known::only_listed();
    let found = match &target.site {
        Site::Registry(..) => {
            let found = referrers::of(&target.site, subject, &mut known).await;
            found.map(|found| found.listed.into_iter().map(|it| it.digest).collect())
        }
        site => {
            let listed = site.listed().await;
            listed.map(|listed| listed.into_iter().map(|(it, _)| it.digest).collect())
        }
    };
    found.unwrap_or_else(|error| {
        tracing::warn!(at = %target.site.shown(), %subject, error = %error, "referrers not listed at the target");
        BTreeSet::new()
    })
}

fn leave(targets: &Targets, referrer: &Digest, error: &RegistryError) {
    for target in targets {
        target.leaves_behind(referrer, error.clone());
    }
}

async fn attach(
    target: &Target,
    tag: Option<&Tag>,
    referrer: &FetchedManifest,
) -> Result<(), RegistryError> {
    let _one = target.listing.lock().await;
    let listed = target.site.push_manifest(tag, referrer).await?;
    match &target.site {
        Site::Layout(layout) => layout.list(referrer, tag).await?,
        _ => target.list_under_subject(referrer, listed).await?,
    }
    target.wrote(&referrer.digest);
    Ok(())
}
