//! Everything an artifact consists of: what every client has to agree on.

use std::collections::BTreeMap;
use std::fmt;

use fractal_core::artifact::Digest;
use serde_json::Value;

/// An artifact as somebody read it. Two are equal only where every byte is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) digest: String,
    /// Manifests and blobs, by digest.
    pub(crate) parts: BTreeMap<String, Vec<u8>>,
}

impl Content {
    /// Reads an artifact with a client's own calls: `manifest` and `blob` by digest. Each part has to be what its digest says.
    pub(crate) async fn walk(
        digest: String,
        manifest: impl AsyncFn(&str) -> Vec<u8>,
        blob: impl AsyncFn(&str) -> Vec<u8>,
    ) -> Self {
        let mut parts = BTreeMap::new();
        let mut pending = vec![(digest.clone(), true)];
        while let Some((digest, is_manifest)) = pending.pop() {
            let bytes = if is_manifest {
                manifest(&digest).await
            } else {
                blob(&digest).await
            };
            assert_eq!(Digest::sha256(&bytes).as_str(), digest);
            if is_manifest {
                pending.extend(named(&bytes));
            }
            parts.insert(digest, bytes);
        }
        Self { digest, parts }
    }

    pub(crate) fn root(&self) -> Value {
        serde_json::from_slice(&self.parts[&self.digest]).unwrap()
    }

    /// The bytes of an artifact that is one layer.
    pub(crate) fn layer(&self) -> &[u8] {
        let root = self.root();
        let layers = root["layers"].as_array().unwrap();
        let [layer] = layers.as_slice() else {
            panic!("{} layers", layers.len())
        };
        &self.parts[layer["digest"].as_str().unwrap()]
    }
}

/// What a manifest or index names: digests, and whether each is a manifest.
pub(crate) fn named(manifest: &[u8]) -> Vec<(String, bool)> {
    let manifest: Value = serde_json::from_slice(manifest).unwrap();
    let list = |field: &str| manifest[field].as_array().cloned().unwrap_or_default();
    let digest = |entry: &Value| entry["digest"].as_str().unwrap().to_owned();
    let children = list("manifests");
    let mut named: Vec<_> = children.iter().map(|entry| (digest(entry), true)).collect();
    let blobs = list("layers")
        .into_iter()
        .chain(manifest.get("config").cloned());
    named.extend(blobs.map(|entry| (digest(&entry), false)));
    named
}

/// Digests and lengths: the bytes themselves would fill screens.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts.iter();
        f.debug_map()
            .entry(&"digest", &self.digest)
            .entries(parts.map(|(digest, bytes)| (digest, bytes.len())))
            .finish()
    }
}
