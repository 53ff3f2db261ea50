//! Artifacts named by SHA-512, and registries that write something else than they were sent: the digest that is told can be pulled.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fractal_core::Fault;
use fractal_core::artifact::digest::Algorithm;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, Hasher};
use fractal_registry::{CopyOptions, Located, Packed, Piece, RegistryError, Timeouts, copy};
use fractal_testkit::liar::{Liar, Reply, Request, Shelf};
use serde_json::json;

use crate::rig::{client, count, reference, simulated};

fn named(bytes: &Bytes, algorithm: Algorithm) -> Descriptor {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    Descriptor::new(
        media_type::OCI_MANIFEST,
        hasher.finish(),
        bytes.len() as u64,
    )
}

/// An image whose manifest is named by `algorithm`, and its blobs by SHA-256.
fn packed(algorithm: Algorithm) -> (Located, Digest) {
    let config = Bytes::from_static(b"{}");
    let blob = Descriptor::new(media_type::OCI_CONFIG, Digest::sha256(&config), 2);
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": blob, "layers": [] });
    let manifest = Bytes::from(manifest.to_string());
    let root = named(&manifest, algorithm);
    let digest = root.digest.clone();
    let pieces = [
        (blob.digest, Piece::Bytes(config)),
        (digest.clone(), Piece::Bytes(manifest)),
    ];
    (Packed::new("packed", root, pieces.into()).into(), digest)
}

async fn scripted(
    lie: impl Fn(&Request, &mut Shelf) -> Option<Reply> + Send + Sync + 'static,
) -> Liar {
    let shelf = Arc::new(Mutex::new(Shelf::default()));
    Liar::scripted(move |request, _| {
        let mut shelf = shelf.lock().unwrap();
        lie(request, &mut shelf).unwrap_or_else(|| shelf.answer(request))
    })
    .await
}

async fn copied(from: &Located, to: &str) -> Result<fractal_registry::Copied, RegistryError> {
    let to = client(Timeouts::default()).locate(&to.parse().unwrap());
    copy(from, &[to], &CopyOptions::default()).await.only()
}

#[tokio::test]
async fn a_registry_that_keeps_sha512_has_the_manifest_under_tag_and_digest() {
    let server = scripted(|_, _| None).await;
    let (from, digest) = packed(Algorithm::Sha512);
    let copied = copied(&from, &format!("{}/app:1", server.host()))
        .await
        .unwrap();
    assert_eq!(copied.digest, digest);
    let at = server.reference("app:1");
    let registry = client(Timeouts::default());
    let pulled = registry.manifest(&at, &digest).await.unwrap();
    assert_eq!(pulled.digest, digest);
    let lines = server.lines();
    let puts: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("PUT /v2/app/manifests"))
        .collect();
    let [by_digest, by_tag] = &puts[..] else {
        panic!("{puts:?}")
    };
    assert!(by_digest.contains("sha512:") && by_tag.ends_with("manifests/1"));
}

#[tokio::test]
async fn a_registry_that_does_not_keep_sha512_is_said_to_and_no_tag_moves() {
    let (from, digest) = packed(Algorithm::Sha512);
    let simulated = simulated().await;
    let loses = scripted(|request, _| {
        let asked = request.path().contains("manifests/sha512:");
        asked.then(|| match request.method.as_str() {
            "PUT" => Reply::new(201),
            _ => Reply::missing("MANIFEST_UNKNOWN"),
        })
    })
    .await;
    for host in [simulated.host(), loses.host()] {
        let error = copied(&from, &format!("{host}/app:1")).await.unwrap_err();
        assert!(
            matches!(&error, RegistryError::Algorithm { digest: it, .. } if *it == digest),
            "{error}"
        );
        let fault = Fault::from(error);
        assert_eq!(fault.reason.as_str(), "DigestAlgorithm");
        assert!(fault.next.unwrap().contains("SHA-256"));
    }
    let tag = reference(&simulated, "app:1");
    let registry = client(Timeouts::default());
    assert!(registry.resolve(&tag).await.is_err());
    assert_eq!(count(&simulated, 0, "FinishUpload"), 1);
}

#[tokio::test]
async fn a_registry_that_rewrites_manifests_is_told_with_both_digests() {
    let server = scripted(|request, shelf| {
        let path = request.path().to_owned();
        let version = path.strip_prefix("/v2/app/manifests/")?;
        (request.method == "PUT").then(|| {
            let bytes = [request.body.as_slice(), b"\n"].concat();
            shelf.put_manifest(("app", version), media_type::OCI_MANIFEST, bytes);
            Reply::new(201)
        })
    })
    .await;
    let (from, digest) = packed(Algorithm::Sha256);
    let error = copied(&from, &format!("{}/app:1", server.host()))
        .await
        .unwrap_err();
    let RegistryError::Rewritten {
        expected, found, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(*expected, digest);
    assert!(found != expected && error.to_string().contains(found.as_str()));
}

#[tokio::test]
async fn a_mount_that_is_answered_with_a_session_is_used_as_one() {
    let server = scripted(|_, _| None).await;
    let (from, _) = packed(Algorithm::Sha256);
    copied(&from, &format!("{}/source:1", server.host()))
        .await
        .unwrap();
    let before = server.lines().len();
    let source = client(Timeouts::default()).locate(&server.reference("source:1"));
    let copied = copied(&source, &format!("{}/other:1", server.host()))
        .await
        .unwrap();
    assert_eq!((copied.mounted, copied.uploaded), (0, 1));
    let lines = server.lines().split_off(before);
    let posts: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("POST"))
        .collect();
    assert!(posts.len() == 1 && posts[0].contains("mount="), "{posts:?}");
}

#[tokio::test]
async fn a_registry_that_keeps_nothing_does_not_have_what_was_pushed() {
    let server = scripted(|request, _| {
        (request.method == "PUT" && request.path().contains("/manifests/")).then(|| Reply::new(201))
    })
    .await;
    let (from, digest) = packed(Algorithm::Sha256);
    let error = copied(&from, &format!("{}/app:1", server.host()))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, RegistryError::Vanished { expected, .. } if *expected == digest),
        "{error}"
    );
    assert_eq!(Fault::from(error).reason.as_str(), "DigestMismatch");
}

#[tokio::test]
async fn an_upload_that_is_sent_to_a_metadata_service_names_the_registry() {
    let server = scripted(|request, _| {
        let location = "http://169.254.169.254/latest";
        (request.method == "POST").then(|| Reply::new(202).header("Location", location))
    })
    .await;
    let (from, _) = packed(Algorithm::Sha256);
    let error = copied(&from, &format!("{}/app:1", server.host()))
        .await
        .unwrap_err();
    let RegistryError::Redirect { at, target, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(
        at.contains(&server.host()) && target.contains("169.254.169.254"),
        "{error}"
    );
}
