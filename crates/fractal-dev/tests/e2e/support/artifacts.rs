//! Publishing to the simulated registry, as `fractal publish` and any other client would.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fractal_core::artifact::kind::media_type as mt;
use fractal_core::artifact::{ArtifactUri, Descriptor, Digest, ImageManifest, Reference};
use fractal_dev::samples;
use fractal_registry::{Credential, Options, Registry, RepositoryRef, StaticCredentials};

use super::cloud::Cloud;
use super::system::ECR;

/// A client that finds ECR's name on loopback, with the password of the user the registry asks for, if it does.
pub(crate) fn client(cloud: &Cloud, password: Option<&str>) -> Registry {
    fractal_runtime::install_crypto_provider();
    let endpoints = BTreeMap::from([(ECR.parse().unwrap(), cloud.endpoints.registry.clone())]);
    let known =
        password.map(|password| (ECR.parse().unwrap(), Credential::basic("user", password)));
    Registry::new(Options {
        endpoints,
        credentials: Arc::new(StaticCredentials::new(known.into_iter().collect())),
        ..Options::default()
    })
    .unwrap()
}

/// Publishes a function zip that says `version`. Its digest is what a function is to serve.
pub(crate) async fn publish_zip(client: &Registry, name: &str, version: &str) -> Digest {
    let bytes = Bytes::from(samples::function_zip(version).unwrap());
    let to: Reference = format!("{ECR}/{name}").parse().unwrap();
    let mut layer = Descriptor::new(mt::FUNCTION_ZIP, Digest::sha256(&bytes), bytes.len() as u64);
    layer.annotations.insert(mt::TITLE.into(), "app.zip".into());
    let empty = Descriptor::new(mt::OCI_EMPTY, Digest::sha256(b"{}"), 2);
    let repository = RepositoryRef::from(&to);
    for (descriptor, bytes) in [(&empty, Bytes::from_static(b"{}")), (&layer, bytes)] {
        let pushed = client
            .push_blob(&repository, descriptor, &bytes, None)
            .await;
        pushed.unwrap();
    }
    let digest = layer.digest.clone();
    let manifest = ImageManifest::new(Some(mt::FUNCTION_ZIP), empty, vec![layer]);
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let pushed = client.push_manifest(&to, manifest.into(), mt::OCI_MANIFEST);
    pushed.await.unwrap();
    digest
}

/// Publishes an image whose program prints `text`; `folder` must not exist yet. The digest is the amd64 image's.
pub(crate) async fn publish_image(
    client: &Registry,
    folder: &Path,
    name: &str,
    text: &str,
) -> Digest {
    let image = samples::image(folder, text).unwrap();
    let from: ArtifactUri = format!("oci-layout:{}", folder.display()).parse().unwrap();
    let ArtifactUri::Layout(layout) = from else {
        panic!("a layout")
    };
    let to: Reference = format!("{ECR}/{name}").parse().unwrap();
    let options = fractal_registry::CopyOptions::default();
    let copied = fractal_registry::copy(&(&layout).into(), &[client.locate(&to)], &options).await;
    assert_eq!(copied.only().unwrap().digest, image.index);
    image.amd64
}
