//! Uploads: skipped, mounted, or sent once with a known length; never completed with wrong bytes.

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest};
use fractal_core::{Class, Fault};
use fractal_registry::{Pushed, RegistryError, RepositoryRef, RequestKind};

use crate::honest;
use crate::manifests::manifest_bytes;
use crate::server::{Reply, Server, client};

fn repository(server: &Server, name: &str) -> RepositoryRef {
    (&server.reference(name)).into()
}

fn blob(text: &str) -> (Descriptor, Bytes) {
    let bytes = Bytes::from(text.repeat(50_000));
    (
        Descriptor::new(
            "application/zip",
            Digest::sha256(&bytes),
            bytes.len() as u64,
        ),
        bytes,
    )
}

#[tokio::test]
async fn a_blob_is_sent_once_then_found_then_mounted() {
    let (server, state) = honest::start().await;
    let registry = client();
    let (descriptor, bytes) = blob("content ");
    let app = repository(&server, "app");
    assert_eq!(
        registry
            .push_blob(&app, &descriptor, &bytes, None)
            .await
            .unwrap(),
        Pushed::Uploaded
    );
    assert_eq!(
        state.lock().unwrap().bytes[descriptor.digest.as_str()],
        bytes
    );
    let put = server.seen().pop().unwrap();
    assert_eq!(
        put.header("content-length"),
        Some(descriptor.size.to_string().as_str())
    );
    assert_eq!(put.header("transfer-encoding"), None);
    assert!(
        put.target
            .starts_with("/v2/app/blobs/uploads/1?_state=a%2Bb&digest=sha256%3A"),
        "{}",
        put.target
    );
    assert_eq!(
        registry
            .push_blob(&app, &descriptor, &bytes, None)
            .await
            .unwrap(),
        Pushed::Existed
    );
    let other = repository(&server, "other");
    assert_eq!(
        registry
            .push_blob(&other, &descriptor, &bytes, Some(&app.repository))
            .await
            .unwrap(),
        Pushed::Mounted
    );
    assert_eq!(registry.requests().of(RequestKind::Upload), 1);
}

#[tokio::test]
async fn a_mount_that_is_refused_becomes_an_upload() {
    let (server, state) = honest::start().await;
    state.lock().unwrap().can_mount = false;
    let registry = client();
    let (descriptor, bytes) = blob("content ");
    let app = repository(&server, "app");
    registry
        .push_blob(&app, &descriptor, &bytes, None)
        .await
        .unwrap();
    let pushed = registry
        .push_blob(
            &repository(&server, "other"),
            &descriptor,
            &bytes,
            Some(&app.repository),
        )
        .await
        .unwrap();
    assert_eq!(pushed, Pushed::Uploaded);
}

#[tokio::test]
async fn every_form_of_upload_location_is_understood() {
    for location in [
        "session/7",
        "/elsewhere/7?x=1",
        "http://HOST/v2/app/blobs/uploads/7",
        "//HOST/v2/app/7?_state=%3D%3D",
        "?upload=7",
    ] {
        let server = Server::scripted(move |request, _| match request.method.as_str() {
            "HEAD" => Reply::new(404),
            "POST" => Reply::new(202).header(
                "Location",
                location.replace("HOST", request.header("host").unwrap()),
            ),
            _ => Reply::new(201),
        })
        .await;
        let (descriptor, bytes) = blob("x");
        client()
            .push_blob(&repository(&server, "app"), &descriptor, &bytes, None)
            .await
            .unwrap();
        let put = server.seen().pop().unwrap();
        let expected = match location {
            "session/7" => "/v2/app/blobs/uploads/session/7?",
            "/elsewhere/7?x=1" => "/elsewhere/7?x=1&",
            "?upload=7" => "/v2/app/blobs/uploads/?upload=7&",
            "//HOST/v2/app/7?_state=%3D%3D" => "/v2/app/7?_state=%3D%3D&",
            _ => "/v2/app/blobs/uploads/7?",
        };
        assert_eq!(
            put.target,
            format!("{expected}digest=sha256%3A{}", descriptor.digest.hex())
        );
        assert_eq!(put.body, bytes);
    }
}

#[tokio::test]
async fn g03_an_upload_is_not_sent_where_it_may_not_go() {
    let server = Server::scripted(|request, _| match request.method.as_str() {
        "HEAD" => Reply::new(404),
        _ => Reply::new(202).header("Location", "http://169.254.169.254/steal"),
    })
    .await;
    let (descriptor, bytes) = blob("x");
    let registry = client();
    let error = registry
        .push_blob(&repository(&server, "app"), &descriptor, &bytes, None)
        .await
        .unwrap_err();
    assert_eq!(Fault::from(error).class, Class::Blocked);
    assert_eq!(registry.requests().of(RequestKind::Upload), 0);
}

#[tokio::test]
async fn g18_wrong_bytes_never_complete_an_upload() {
    let (server, state) = honest::start().await;
    let (descriptor, bytes) = blob("content ");
    let wrong = Bytes::from(bytes.iter().rev().copied().collect::<Vec<_>>());
    let short = bytes.slice(..bytes.len() - 1);
    let long = Bytes::from([bytes.as_ref(), b"!"].concat());
    for (source, expected) in [
        (wrong, "DigestMismatch"),
        (short, "SizeMismatch"),
        (long, "SizeMismatch"),
    ] {
        let error = client()
            .push_blob(&repository(&server, "app"), &descriptor, &source, None)
            .await
            .unwrap_err();
        assert_eq!(error.reason().as_str(), expected);
        assert!(state.lock().unwrap().blobs.is_empty());
    }
    let completed = server
        .seen()
        .into_iter()
        .filter(|request| request.method == "PUT" && !request.cut)
        .count();
    assert_eq!(completed, 0);
}

#[tokio::test]
async fn an_upload_that_breaks_off_begins_again() {
    let state = honest::Shared::default();
    let inner = state.clone();
    let failed = std::sync::atomic::AtomicBool::new(false);
    let server = Server::scripted(move |request, _| {
        if request.method == "PUT" && !failed.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return Reply::new(503);
        }
        honest::answer(&mut inner.lock().unwrap(), request)
    })
    .await;
    let (descriptor, bytes) = blob("content ");
    assert_eq!(
        client()
            .push_blob(&repository(&server, "app"), &descriptor, &bytes, None)
            .await
            .unwrap(),
        Pushed::Uploaded
    );
    assert_eq!(
        state.lock().unwrap().bytes[descriptor.digest.as_str()],
        bytes
    );
}

#[tokio::test]
async fn a_manifest_is_read_back_after_it_was_written() {
    let (server, _) = honest::start().await;
    let registry = client();
    let bytes = Bytes::from(manifest_bytes("a"));
    let digest = registry
        .push_manifest(
            &server.reference("app:1"),
            bytes.clone(),
            media_type::OCI_MANIFEST,
        )
        .await
        .unwrap();
    assert_eq!(digest, Digest::sha256(&bytes));
    assert_eq!(
        server.lines(),
        ["PUT /v2/app/manifests/1", "HEAD /v2/app/manifests/1"]
    );
    registry
        .tag(&repository(&server, "app"), &digest, &"2".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(
        registry
            .resolve(&server.reference("app:2"))
            .await
            .unwrap()
            .digest,
        digest
    );
    let other = server.reference("app:1").pinned(&Digest::sha256(b"other"));
    let error = registry
        .push_manifest(&other, bytes, media_type::OCI_MANIFEST)
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }));
}

#[tokio::test]
async fn a_registry_that_changes_what_it_takes_is_found_out() {
    let server = Server::scripted(|request, _| match request.method.as_str() {
        "PUT" => Reply::new(201),
        _ => Reply::new(200)
            .header("Docker-Content-Digest", Digest::sha256(b"rewritten"))
            .body("rewritten"),
    })
    .await;
    let bytes = Bytes::from(manifest_bytes("a"));
    let error = client()
        .push_manifest(&server.reference("app:1"), bytes, media_type::OCI_MANIFEST)
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegistryError::DigestMismatch { found, .. } if found == Digest::sha256(b"rewritten"))
    );
}
