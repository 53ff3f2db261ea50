//! Registries with an image and what refers to it, and copies of that.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, Reference};
use fractal_registry::{
    CopyOptions, CopyReport, Options, Registry, RepositoryRef, RetryPolicy, copy,
};
use fractal_simcloud::{Registry as Simulated, RegistryConfig};
use fractal_testkit::liar::{Liar, Reply, Request, Shelf};
use serde_json::{Value, json};

pub(crate) type Shared = Arc<Mutex<Shelf>>;

pub(crate) fn client() -> Registry {
    let retry = RetryPolicy {
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
        ..RetryPolicy::default()
    };
    Registry::new(Options {
        retry,
        seed: Some(1),
        ..Options::on_loopback()
    })
    .unwrap()
}

/// A registry that lists referrers.
pub(crate) async fn simulated() -> Simulated {
    Simulated::start(RegistryConfig::default()).await.unwrap()
}

/// A registry that knows nothing of referrers, and says to some requests what `lie` says.
pub(crate) async fn plain(
    lie: impl Fn(&Request, &mut Shelf) -> Option<Reply> + Send + Sync + 'static,
) -> (Liar, Shared) {
    let shelf = Shared::default();
    let inner = shelf.clone();
    let liar = Liar::scripted(move |request, _| {
        let mut shelf = inner.lock().unwrap();
        lie(request, &mut shelf).unwrap_or_else(|| shelf.answer(request))
    });
    (liar.await, shelf)
}

pub(crate) fn at(host: &str, rest: &str) -> Reference {
    format!("{host}/{rest}").parse().unwrap()
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
    Descriptor::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
}

/// Pushes an image whose layer is `text`. Returns its digest.
pub(crate) async fn image(registry: &Registry, to: &Reference, text: &str) -> Digest {
    let document = manifest(registry, to, text, None).await;
    put(registry, to, &document, media_type::OCI_MANIFEST).await
}

/// Pushes, by its digest, what refers to `subject`.
pub(crate) async fn refer(
    registry: &Registry,
    at: &Reference,
    text: &str,
    subject: &Digest,
) -> Digest {
    let document = manifest(registry, at, text, Some(subject)).await;
    let digest = Digest::sha256(document.to_string());
    put(
        registry,
        &at.pinned(&digest),
        &document,
        media_type::OCI_MANIFEST,
    )
    .await
}

pub(crate) async fn put(
    registry: &Registry,
    to: &Reference,
    document: &Value,
    kind: &str,
) -> Digest {
    let bytes = Bytes::from(document.to_string());
    registry.push_manifest(to, bytes, kind).await.unwrap()
}

async fn manifest(
    registry: &Registry,
    to: &Reference,
    text: &str,
    subject: Option<&Digest>,
) -> Value {
    let (config, layer) = (Bytes::from_static(b"{}"), Bytes::from(text.to_owned()));
    let repository = RepositoryRef::from(to);
    for blob in [&config, &layer] {
        let named = descriptor("x", blob);
        let pushed = registry.push_blob(&repository, &named, blob, None);
        pushed.await.unwrap();
    }
    let mut document = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor(media_type::OCI_CONFIG, &config),
        "layers": [descriptor(media_type::OCI_LAYER, &layer)],
    });
    if let Some(subject) = subject {
        let of = Descriptor::new(media_type::OCI_MANIFEST, subject.clone(), 1);
        document["subject"] = json!(of);
    }
    document
}

pub(crate) async fn copied(registry: &Registry, from: &Reference, to: &[Reference]) -> CopyReport {
    let to: Vec<_> = to.iter().map(|to| registry.locate(to)).collect();
    copy(&registry.locate(from), &to, &CopyOptions::default()).await
}

pub(crate) async fn has(registry: &Registry, at: &Reference, digest: &Digest) -> bool {
    registry.manifest(at, digest).await.is_ok()
}

pub(crate) fn is_tagged(shelf: &Shared, repository: &str, tag: &str) -> bool {
    let key = (repository.to_owned(), tag.to_owned());
    shelf.lock().unwrap().manifests.contains_key(&key)
}

/// A list of referrers.
pub(crate) fn list(entries: &[Descriptor]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries })
}

pub(crate) fn listing(entries: &[Descriptor]) -> Reply {
    let reply = Reply::new(200).header("Content-Type", media_type::OCI_INDEX);
    reply.body(list(entries).to_string())
}

pub(crate) fn fallback(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}
