//! `index.json`: what a layout holds, and under which tags.

use fractal_core::artifact::{Descriptor, ImageIndex, Tag};
use serde_json::Value;

use super::{OciLayout, read_small};
use crate::error::RegistryError;

/// The annotation that carries a tag.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Most entries of a layout.
const ENTRIES_MAX: usize = 1000;

pub(super) struct List(ImageIndex);

impl List {
    pub(super) async fn read(layout: &OciLayout) -> Result<Self, RegistryError> {
        let problem = |problem: &str| RegistryError::Layout {
            at: layout.at(),
            problem: problem.into(),
        };
        let at = layout.at();
        let marker = read_small(&layout.folder.join("oci-layout"), &at)
            .await?
            .ok_or_else(|| problem("it has no `oci-layout` file"))?;
        let version = serde_json::from_slice::<Value>(&marker).ok();
        let version = version
            .as_ref()
            .and_then(|marker| marker.get("imageLayoutVersion")?.as_str());
        if version != Some("1.0.0") {
            return Err(problem("its `oci-layout` file does not say version 1.0.0"));
        }
        let index = read_small(&layout.folder.join("index.json"), &at)
            .await?
            .ok_or_else(|| problem("it has no `index.json`"))?;
        let index: ImageIndex = serde_json::from_slice(&index)
            .map_err(|error| problem(&format!("its `index.json` cannot be read: {error}")))?;
        if index.manifests.len() > ENTRIES_MAX {
            return Err(problem(&format!(
                "its `index.json` has more than {ENTRIES_MAX} entries"
            )));
        }
        Ok(Self(index))
    }

    pub(super) async fn read_or_new(layout: &OciLayout) -> Result<Self, RegistryError> {
        let path = layout.folder.join("index.json");
        match tokio::fs::try_exists(&path).await {
            Ok(true) => Self::read(layout).await,
            Ok(false) => Ok(Self(ImageIndex::new(Vec::new()))),
            Err(error) => Err(RegistryError::file(&path, error)),
        }
    }

    pub(super) fn entries(&self) -> &[Descriptor] {
        &self.0.manifests
    }

    pub(super) fn find(&self, tag: Option<&Tag>) -> Result<&Descriptor, String> {
        let entries = &self.0.manifests;
        match (tag, entries.as_slice()) {
            (Some(tag), _) => {
                let mut found = entries
                    .iter()
                    .filter(|entry| tag_of(entry) == Some(tag.as_str()));
                match (found.next(), found.next()) {
                    (Some(entry), None) => Ok(entry),
                    (Some(_), Some(_)) => Err(format!("several artifacts carry the tag `{tag}`")),
                    (None, _) => Err(format!(
                        "no artifact carries this tag; there are: {}",
                        self.tags()
                    )),
                }
            }
            (None, [only]) => Ok(only),
            (None, []) => Err("it holds no artifact".into()),
            (None, several)
                if several.iter().all(|entry| {
                    Some(&entry.digest) == several.first().map(|first| &first.digest)
                }) =>
            {
                several.first().ok_or_else(|| "it holds no artifact".into())
            }
            (None, several) => Err(format!(
                "it holds {} artifacts, name one by tag or digest; there are: {}",
                several.len(),
                self.tags()
            )),
        }
    }

    /// With `entry` listed: under `tag` it replaces what carried that tag; without one it is listed once.
    pub(super) fn with(mut self, mut entry: Descriptor, tag: Option<&Tag>) -> Self {
        let tag = tag.map(Tag::as_str);
        self.0.manifests.retain(|old| match tag {
            Some(_) => tag_of(old) != tag,
            None => tag_of(old).is_some() || old.digest != entry.digest,
        });
        if let Some(tag) = tag {
            entry.annotations.insert(REF_NAME.into(), tag.into());
        }
        self.0.manifests.push(entry);
        self
    }

    pub(super) fn to_bytes(&self, layout: &OciLayout) -> Result<Vec<u8>, RegistryError> {
        serde_json::to_vec(&self.0).map_err(|error| RegistryError::Layout {
            at: layout.at(),
            problem: error.to_string().into(),
        })
    }

    fn tags(&self) -> String {
        let tags: Vec<_> = self
            .0
            .manifests
            .iter()
            .filter_map(tag_of)
            .take(10)
            .map(|tag| crate::error::shown(tag, 60))
            .collect();
        if tags.is_empty() {
            "none with a tag".into()
        } else {
            tags.join(", ")
        }
    }
}

fn tag_of(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get(REF_NAME).map(String::as_str)
}
