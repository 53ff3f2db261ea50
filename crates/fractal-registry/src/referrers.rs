//! What refers to a manifest: by the referrers API, by the tag that stands in for it, or by cosign's own tags.
//!
//! Nothing here believes what a list says of a referrer beyond its digest.

use std::collections::{BTreeMap, BTreeSet};

use fractal_core::artifact::{Descriptor, Digest, Tag};
use serde::Deserialize;

use crate::error::{Action, RegistryError};
use crate::site::Site;

mod fallback;
mod list;

/// What cosign appends to the tag of a digest.
const COSIGN: [&str; 3] = [".sig", ".att", ".sbom"];

/// What refers to one manifest.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What names it as its subject.
    pub(crate) listed: Vec<Descriptor>,
    /// What refers to it by the name of a tag.
    pub(crate) tags: BTreeMap<Tag, Digest>,
}

/// What was learnt of a place while it was asked: each is asked once.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Whether it has the referrers API.
    api: Option<bool>,
    /// Its tags that name digests; the inner `None` where it does not list them.
    tags: Option<Option<BTreeSet<String>>>,
    /// What a place on this machine lists, each with the subject it names.
    local: Option<Vec<Listed>>,
    /// Only lists are asked for, not cosign's tags.
    only_listed: bool,
}

#[derive(Debug)]
struct Listed {
    entry: Descriptor,
    tag: Option<Tag>,
    subject: Option<Digest>,
}

impl Known {
    /// For asking about subjects and not about tags.
    pub(crate) fn only_listed() -> Self {
        Self {
            only_listed: true,
            ..Self::default()
        }
    }
}

/// What refers to `subject` at a place.
pub(crate) async fn of(
    site: &Site,
    subject: &Digest,
    known: &mut Known,
) -> Result<Found, RegistryError> {
    let (registry, repository) = match site {
        Site::Registry(registry, repository) => (registry, repository),
        site => return local(site, subject, known).await,
    };
    let mut found = Found::default();
    if known.api != Some(false) {
        let listed = registry.referrers(repository, subject).await?;
        known.api = Some(listed.is_some());
        found.listed = listed.unwrap_or_default();
    }
    let base = tag_of(subject);
    if known.only_listed {
        if known.api == Some(false) {
            found.listed = registry.fallback(repository, &base).await?;
        }
        return Ok(found);
    }
    if known.tags.is_none() {
        known.tags = Some(registry.digest_tags(repository).await?);
    }
    let may_have = |tag: &str| match &known.tags {
        Some(Some(tags)) => tags.contains(tag),
        _ => true,
    };
    if known.api == Some(false) && may_have(&base) {
        found.listed = registry.fallback(repository, &base).await?;
    }
    for tag in COSIGN.map(|end| format!("{base}{end}")) {
        if may_have(&tag)
            && let Ok(tag) = tag.parse::<Tag>()
            && let Some(digest) = tagged(site, &tag).await?
        {
            found.tags.insert(tag, digest);
        }
    }
    Ok(found)
}

async fn local(site: &Site, subject: &Digest, known: &mut Known) -> Result<Found, RegistryError> {
    if known.local.is_none() {
        known.local = Some(scanned(site).await?);
    }
    let base = tag_of(subject);
    let mut found = Found::default();
    for listed in known.local.iter().flatten() {
        let cosign = listed.tag.as_ref().filter(|tag| {
            let end = tag.as_str().strip_prefix(&base);
            end.is_some_and(|end| COSIGN.contains(&end))
        });
        if let Some(tag) = cosign {
            let digest = listed.entry.digest.clone();
            found.tags.insert(tag.clone(), digest);
        } else if listed.subject.as_ref() == Some(subject) {
            found.listed.push(listed.entry.clone());
        }
    }
    Ok(found)
}

/// Reads every manifest that a place lists. One that cannot be read refers to nothing that can be copied, and is passed over.
async fn scanned(site: &Site) -> Result<Vec<Listed>, RegistryError> {
    let mut all = Vec::new();
    for (entry, tag) in site.listed().await? {
        let subject = match site.manifest(&entry.digest).await {
            Ok(manifest) => self::subject(&manifest.bytes),
            Err(error) => {
                tracing::warn!(at = %site.shown(), digest = %entry.digest, error = %error, "manifest passed over while referrers were looked for");
                None
            }
        };
        all.push(Listed {
            entry,
            tag,
            subject,
        });
    }
    Ok(all)
}

/// Whether `tag` points to `digest` at a place.
pub(crate) async fn has_tag(
    site: &Site,
    tag: &Tag,
    digest: &Digest,
) -> Result<bool, RegistryError> {
    Ok(tagged(site, tag).await?.as_ref() == Some(digest))
}

async fn tagged(site: &Site, tag: &Tag) -> Result<Option<Digest>, RegistryError> {
    let Site::Registry(registry, repository) = site else {
        return Ok(None);
    };
    let found = registry
        .resolve_version(repository, tag.as_str(), Action::Pull)
        .await;
    match found {
        Ok(found) => Ok(Some(found.digest)),
        Err(RegistryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The digest that a manifest or index names as its subject.
pub(crate) fn subject(manifest: &[u8]) -> Option<Digest> {
    #[derive(Deserialize)]
    struct Peek {
        subject: Option<Subject>,
    }
    #[derive(Deserialize)]
    struct Subject {
        digest: Digest,
    }
    let peek: Peek = serde_json::from_slice(manifest).ok()?;
    Some(peek.subject?.digest)
}

/// The tag that stands in for the referrers API: `sha256-<hex>`.
fn tag_of(digest: &Digest) -> String {
    // A tag has at most 128 characters, which SHA-512 in hex alone takes; the specification cuts the digest then.
    let hex = digest.hex();
    format!(
        "{}-{}",
        digest.algorithm().as_str(),
        hex.get(..64).unwrap_or(hex)
    )
}
