//! A source with one image, targets beside it, and their ledgers.

use std::time::Duration;

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, ImageManifest, Reference};
use fractal_registry::{
    CopyOptions, CopyReport, Located, Options, Registry, RepositoryRef, RetryPolicy, Timeouts,
};
use fractal_simcloud::{Action, Filter, Registry as Simulated, RegistryConfig, Rule};

/// The two layers and the config.
pub(crate) const BLOBS: usize = 3;

pub(crate) struct Rig {
    pub(crate) source: Simulated,
    pub(crate) registry: Registry,
    pub(crate) from: Reference,
    pub(crate) digest: Digest,
    /// Of all blobs.
    pub(crate) bytes: u64,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let source = simulated().await;
        let registry = client(Timeouts::default());
        let from = reference(&source, "team/app:1");
        let (digest, bytes) = publish(&registry, &from).await;
        Self {
            source,
            registry,
            from,
            digest,
            bytes,
        }
    }

    pub(crate) async fn copy(&self, to: &[Reference]) -> CopyReport {
        self.copy_from(&self.registry.locate(&self.from), to).await
    }

    pub(crate) async fn copy_from(&self, from: &Located, to: &[Reference]) -> CopyReport {
        let to: Vec<Located> = to.iter().map(|to| self.registry.locate(to)).collect();
        let options = CopyOptions {
            referrers: false,
            ..CopyOptions::default()
        };
        fractal_registry::copy(from, &to, &options).await
    }

    pub(crate) async fn has(&self, reference: &Reference) -> bool {
        let found = self.registry.resolve(reference).await;
        found.is_ok_and(|found| found.digest == self.digest)
    }
}

pub(crate) fn client(timeouts: Timeouts) -> Registry {
    let retry = RetryPolicy {
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
        ..RetryPolicy::default()
    };
    Registry::new(Options {
        retry,
        timeouts,
        seed: Some(1),
        ..Options::on_loopback()
    })
    .unwrap()
}

pub(crate) async fn simulated() -> Simulated {
    Simulated::start(RegistryConfig::default()).await.unwrap()
}

pub(crate) fn reference(server: &Simulated, rest: &str) -> Reference {
    format!("{}/{rest}", server.host()).parse().unwrap()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
    Descriptor::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
}

/// An image of two layers, one of them larger than what lies between two sockets.
async fn publish(registry: &Registry, reference: &Reference) -> (Digest, u64) {
    let repository = RepositoryRef::from(reference);
    let config = Bytes::from_static(b"{\"os\":\"linux\"}");
    let layers = [("first ", 2_000_000), ("second ", 5_000)];
    let layers = layers.map(|(text, times)| Bytes::from(text.repeat(times)));
    for blob in layers.iter().chain([&config]) {
        let descriptor = descriptor("x", blob);
        let pushed = registry.push_blob(&repository, &descriptor, blob, None);
        pushed.await.unwrap();
    }
    let bytes = layers.iter().map(|layer| layer.len() as u64).sum::<u64>();
    let image = ImageManifest::new(
        None,
        descriptor(media_type::OCI_CONFIG, &config),
        layers
            .iter()
            .map(|layer| descriptor(media_type::OCI_LAYER, layer))
            .collect(),
    );
    let image = Bytes::from(serde_json::to_vec(&image).unwrap());
    let pushed = registry.push_manifest(reference, image, media_type::OCI_MANIFEST);
    (pushed.await.unwrap(), bytes + config.len() as u64)
}

/// How often a registry was asked to do `operation`, from the `after`th call on.
pub(crate) fn count(server: &Simulated, after: u64, operation: &str) -> usize {
    let entries = server.ledger().since(after).into_iter();
    entries.filter(|entry| entry.operation == operation).count()
}

pub(crate) fn on(operation: &str, action: Action) -> Rule {
    let filter = Filter {
        operation: Some(operation.into()),
        ..Filter::default()
    };
    Rule::new(filter, action)
}

pub(crate) fn failing(status: u16, code: &str, retry_after: Option<u64>) -> Action {
    Action::Fail {
        status,
        code: code.into(),
        message: "injected".into(),
        retry_after,
    }
}
