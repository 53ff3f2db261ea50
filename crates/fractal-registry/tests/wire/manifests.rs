//! Tags, manifests, and answers that are not what was asked for.

use std::time::Duration;

use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, ImageManifest};
use fractal_core::{Class, Fault};
use fractal_registry::{Missing, Registry, RegistryError, RequestKind};

use crate::honest;
use crate::server::{Reply, Server, Then, client, quick};

pub(crate) fn manifest_bytes(note: &str) -> Vec<u8> {
    let blob = Descriptor::new(note, Digest::sha256(b"{}"), 2);
    serde_json::to_vec(&ImageManifest::new(None, blob.clone(), vec![blob])).unwrap()
}

fn served(bytes: &[u8]) -> Reply {
    Reply::new(200)
        .header("Content-Type", media_type::OCI_MANIFEST)
        .body(bytes)
}

#[tokio::test]
async fn a_tag_costs_one_head_and_a_digest_nothing() {
    let (server, state) = honest::start().await;
    let bytes = manifest_bytes("a");
    let digest = Digest::sha256(&bytes);
    for version in ["1", digest.as_str()] {
        state.lock().unwrap().manifests.insert(
            ("app".into(), version.into()),
            (media_type::OCI_MANIFEST.into(), bytes.clone()),
        );
    }
    let registry = client();
    let tagged = server.reference("app:1");
    let resolved = registry.resolve(&tagged).await.unwrap();
    assert_eq!(resolved.digest, digest);
    assert_eq!(resolved.size, Some(bytes.len() as u64));
    assert_eq!(server.lines(), ["HEAD /v2/app/manifests/1"]);
    assert_eq!(
        registry
            .resolve(&tagged.pinned(&digest))
            .await
            .unwrap()
            .digest,
        digest
    );
    assert_eq!(registry.requests().total(), 1);
    let fetched = registry.manifest(&tagged, &digest).await.unwrap();
    assert_eq!(
        (fetched.bytes.as_ref(), fetched.digest),
        (bytes.as_slice(), digest)
    );
    assert_eq!(registry.requests().of(RequestKind::Manifest), 1);
    let accept = server.seen().pop().unwrap();
    assert!(
        accept
            .header("accept")
            .unwrap()
            .contains(media_type::DOCKER_INDEX)
    );
    assert_eq!(accept.header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn a_head_without_a_digest_is_followed_by_a_get() {
    let bytes = manifest_bytes("a");
    let expected = Digest::sha256(&bytes);
    for head in [200, 405] {
        let bytes = bytes.clone();
        let server = Server::scripted(move |request, _| {
            if request.method == "HEAD" {
                Reply::new(head)
            } else {
                served(&bytes)
            }
        })
        .await;
        let resolved = client().resolve(&server.reference("app:1")).await.unwrap();
        assert_eq!(resolved.digest, expected);
        assert_eq!(
            server.lines(),
            ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"]
        );
    }
}

#[tokio::test]
async fn g09_repository_tag_and_blob_are_missed_in_three_messages() {
    let (server, state) = honest::start().await;
    let registry = client();
    let reference = server.reference("app:1");
    let mut faults = Vec::new();
    let error = registry.resolve(&reference).await.unwrap_err();
    assert!(matches!(
        error,
        RegistryError::NotFound {
            missing: Missing::Repository,
            ..
        }
    ));
    faults.push(Fault::from(error));
    state.lock().unwrap().manifests.insert(
        ("app".into(), "other".into()),
        (media_type::OCI_MANIFEST.into(), manifest_bytes("a")),
    );
    let error = registry.resolve(&reference).await.unwrap_err();
    assert!(matches!(
        error,
        RegistryError::NotFound {
            missing: Missing::Manifest,
            ..
        }
    ));
    faults.push(Fault::from(error));
    let error = registry
        .blob(
            &reference,
            &Descriptor::new("x", Digest::sha256(b"gone"), 4),
        )
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        RegistryError::NotFound {
            missing: Missing::Blob,
            ..
        }
    ));
    faults.push(Fault::from(error));
    // Asked three times before a missing blob is believed.
    assert_eq!(registry.requests().of(RequestKind::Blob), 3);
    for fault in &faults {
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "RegistryNotFound")
        );
        assert!(
            fault
                .place
                .as_ref()
                .unwrap()
                .starts_with(&format!("{}/app", server.host())),
            "{fault}"
        );
        assert!(fault.why.is_some() && fault.next.is_some(), "{fault}");
    }
    let said: std::collections::BTreeSet<_> = faults.iter().map(|fault| &fault.what).collect();
    assert_eq!(said.len(), 3);
}

#[tokio::test]
async fn g12_a_manifest_stops_at_its_cap() {
    const LARGE: usize = 4 * 1024 * 1024 + 1;
    let digest = Digest::sha256(b"x");
    let announced =
        Server::scripted(|_, _| Reply::new(200).body_of_length("x", LARGE).then(Then::Stall)).await;
    let endless = Server::scripted(|_, _| {
        let chunk = vec![b' '; LARGE];
        Reply::new(200).chunked(&[&chunk])
    })
    .await;
    for server in [&announced, &endless] {
        let error = client()
            .manifest(&server.reference("app:1"), &digest)
            .await
            .unwrap_err();
        let fault = Fault::from(error);
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Terminal, "ManifestTooLarge")
        );
    }
}

#[tokio::test]
async fn g12_an_encoded_manifest_is_not_decoded() {
    let server =
        Server::scripted(|_, _| served(b"\x1f\x8b").header("Content-Encoding", "gzip")).await;
    let error = client()
        .manifest(&server.reference("app:1"), &Digest::sha256(b"\x1f\x8b"))
        .await
        .unwrap_err();
    assert_eq!(error.reason().as_str(), "RegistryProtocol");
    assert!(error.to_string().contains("gzip"));
}

#[tokio::test]
async fn g14_a_document_served_as_something_else_is_refused() {
    let bytes = manifest_bytes("a");
    let digest = Digest::sha256(&bytes);
    let server = Server::scripted(move |_, _| {
        Reply::new(200)
            .header("Content-Type", media_type::OCI_INDEX)
            .body(bytes.as_slice())
    })
    .await;
    let fault = Fault::from(
        client()
            .manifest(&server.reference("app:1"), &digest)
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Terminal, "ManifestInvalid")
    );
}

#[tokio::test]
async fn g18_other_bytes_than_asked_for_are_asked_for_once_more_and_refused() {
    let wanted = Digest::sha256(manifest_bytes("wanted"));
    let server = Server::scripted(|_, _| served(&manifest_bytes("other"))).await;
    let error = client()
        .manifest(&server.reference("app:1"), &wanted)
        .await
        .unwrap_err();
    let RegistryError::DigestMismatch {
        expected, found, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (expected, found),
        (&wanted, &Digest::sha256(manifest_bytes("other")))
    );
    assert_eq!(server.lines().len(), 2);
    assert_eq!(Fault::from(error).class, Class::Terminal);
}

#[tokio::test]
async fn g18_one_damaged_answer_is_survived() {
    let bytes = manifest_bytes("a");
    let digest = Digest::sha256(&bytes);
    let server = Server::scripted(move |_, before| {
        if before == 0 {
            served(b"damaged")
        } else {
            served(&bytes)
        }
    })
    .await;
    assert_eq!(
        client()
            .manifest(&server.reference("app:1"), &digest)
            .await
            .unwrap()
            .digest,
        digest
    );
}

#[tokio::test]
async fn g22_a_head_that_never_comes_frees_the_caller() {
    let server =
        Server::scripted(|_, _| Reply::new(200).body_of_length("", 10).then(Then::Stall)).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = quick();
    options.retry.attempts = 2;
    options.timeouts.first_byte = Duration::from_millis(150);
    let registry = Registry::new(options).unwrap();
    let reference = format!("{}/app:1", silent.local_addr().unwrap())
        .parse()
        .unwrap();
    for reference in [reference, server.reference("app:1")] {
        let error = registry
            .manifest(&reference, &Digest::sha256(b"x"))
            .await
            .unwrap_err();
        let fault = Fault::from(error);
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Transient { retry_after: None }, "RegistrySlow")
        );
    }
}

#[tokio::test]
async fn g11_nobody_listening_is_unavailable_and_never_tried_otherwise() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    drop(listener);
    let registry = client();
    let fault = Fault::from(
        registry
            .resolve(&format!("{host}/app:1").parse().unwrap())
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (
            Class::Transient { retry_after: None },
            "RegistryUnavailable"
        )
    );
    assert_eq!(registry.requests().total(), 4);
}

#[tokio::test]
async fn g11_tls_against_a_plain_server_is_named_and_never_falls_back() {
    let server = Server::scripted(|_, _| Reply::new(200)).await;
    let mut options = quick();
    options.endpoints.insert(
        "registry.example".parse().unwrap(),
        format!("https://{}", server.host()),
    );
    let registry = Registry::new(options).unwrap();
    let fault = Fault::from(
        registry
            .resolve(&"registry.example/app:1".parse().unwrap())
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryTls"),
        "{fault}"
    );
    assert!(server.lines().is_empty());
}

#[tokio::test]
async fn r08_a_metadata_address_is_refused_before_it_is_connected_to() {
    let registry = client();
    for host in ["169.254.169.254", "168.63.129.16:80", "0.0.0.0:5000"] {
        let fault = Fault::from(
            registry
                .resolve(&format!("{host}/app:1").parse().unwrap())
                .await
                .unwrap_err(),
        );
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "EgressDenied"),
            "{host}"
        );
    }
    assert_eq!(registry.requests().total(), 0);
}
