//! What the lying registry says of itself, against the client: bodies that hardly come, and lists that go on where they should not.

use std::time::{Duration, Instant};

use fractal_core::artifact::{Descriptor, Digest};
use fractal_core::{Class, Fault};
use fractal_registry::{CopyOptions, copy};
use fractal_testkit::liar::{Liar, Lie, Shelf};

use crate::server::client;

/// Longest for a body that is given up: a few windows of the settings these tests have.
const BOUND: Duration = Duration::from_secs(8);

/// The fault that reading a stocked blob ends with.
async fn given_up(lie: Lie) -> Fault {
    let liar = Liar::stocked().await;
    let (digest, size) = {
        let shelf = liar.shelf();
        let blobs = shelf.bytes.iter();
        let (digest, bytes) = blobs.max_by_key(|(_, bytes)| bytes.len()).unwrap();
        (digest.parse::<Digest>().unwrap(), bytes.len() as u64)
    };
    let repositories = liar.shelf().blobs.clone();
    let of = |(_, one): &&(String, String)| *one == digest.as_str();
    let repository = repositories.iter().find(of).unwrap().0.clone();
    liar.tell(lie);
    let began = Instant::now();
    let reference = liar.reference(&format!("{repository}:1"));
    let descriptor = Descriptor::new("x", digest, size);
    let error = match client().blob(&reference, &descriptor).await {
        Ok(stream) => stream.collect().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(began.elapsed() < BOUND, "took {:?}", began.elapsed());
    Fault::from(error)
}

#[tokio::test]
async fn g22_a_byte_at_a_time_is_too_slow() {
    let fault = given_up(Lie::SlowBlob(1, Duration::from_millis(50))).await;
    assert!(matches!(fault.class, Class::Transient { .. }), "{fault}");
    assert_eq!(fault.reason.as_str(), "RegistrySlow", "{fault}");
    assert!(fault.next.is_some() && fault.place.is_some(), "{fault}");
}

#[tokio::test]
async fn g22_a_body_that_stops_again_and_again_is_given_up() {
    let fault = given_up(Lie::StalledBlob(99)).await;
    assert!(matches!(fault.class, Class::Transient { .. }), "{fault}");
    assert_eq!(fault.reason.as_str(), "BlobTruncated", "{fault}");
}

/// The fault that a copy with all that refers to the artifact ends with, where the source lies about lists.
async fn list_refused(source: &Liar, lie: Lie) -> Fault {
    source.tell(lie);
    let target = Liar::holding(Shelf::default()).await;
    let registry = client();
    let (from, to) = (
        source.reference("shop/zip:1"),
        target.reference("shop/zip:1"),
    );
    let (from, to) = (registry.locate(&from), registry.locate(&to));
    let copied = copy(&from, &[to], &CopyOptions::default()).await.only();
    assert!(target.shelf().manifests.is_empty(), "nothing is published");
    Fault::from(copied.unwrap_err())
}

fn is_link(fault: &Fault) {
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryLink"),
        "{fault}"
    );
    let next = fault.next.as_deref().unwrap_or_default();
    assert!(next.contains("check who runs this registry"), "{fault}");
}

#[tokio::test]
async fn g04_cve_2026_88887_a_list_that_goes_on_elsewhere_is_not_read() {
    let (source, trap) = (Liar::stocked().await, Liar::stocked().await);
    for next in [
        format!("{}/v2/shop/zip/referrers/x", trap.url()),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://auth.example/v2/".to_owned(),
        format!("http://robot:canary@{}/v2/", source.host()),
    ] {
        let fault = list_refused(&source, Lie::Link(next)).await;
        is_link(&fault);
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
    assert_eq!(trap.traffic().connections, 0);
}

#[tokio::test]
async fn g04_cve_2026_88887_a_page_that_names_itself_is_read_once() {
    let source = Liar::stocked().await;
    let digest = Digest::sha256(&source.shelf().manifests[&("shop/zip".into(), "1".into())].1);
    let own = format!("/v2/shop/zip/referrers/{digest}");
    is_link(&list_refused(&source, Lie::Link(own)).await);
    let lists = source
        .lines()
        .iter()
        .filter(|line| line.contains("/referrers/"))
        .count();
    assert_eq!(lists, 1, "{:?}", source.lines());
}

#[tokio::test]
async fn g04_cve_2026_88887_a_list_without_end_is_left_at_the_cap() {
    let source = Liar::stocked().await;
    is_link(&list_refused(&source, Lie::EndlessLinks).await);
    let lists = source
        .lines()
        .iter()
        .filter(|line| line.contains("/referrers/"))
        .count();
    assert_eq!(lists, 50);
}
