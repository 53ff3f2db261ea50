//! Every way in which referrers are found, and where the search ends.

use std::sync::{Arc, Mutex};

use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest};
use fractal_registry::RegistryError;
use fractal_testkit::liar::{Reply, Request, Shelf};

use crate::rig::{
    at, client, copied, descriptor, fallback, has, image, is_tagged, list, listing, plain, put,
    refer, simulated,
};

type Lists = Arc<Mutex<Vec<(Digest, Vec<Descriptor>)>>>;

/// Answers the referrers API from `lists`, one entry on each page.
fn paged(lists: &Lists) -> impl Fn(&Request, &mut Shelf) -> Option<Reply> + use<> {
    let lists = lists.clone();
    move |request, _| {
        let (_, subject) = request.path().split_once("/referrers/")?;
        let lists = lists.lock().unwrap();
        let entries = lists.iter().find(|(digest, _)| digest.as_str() == subject);
        let entries = entries
            .map(|(_, entries)| entries.as_slice())
            .unwrap_or_default();
        let page = request
            .target
            .split_once("?page=")
            .map_or(0, |(_, page)| page.parse().unwrap());
        let reply = listing(entries.get(page..=page).unwrap_or_default());
        if page + 1 >= entries.len() {
            return Some(reply);
        }
        let next = format!("<{}?page={}>; rel=\"next\"", request.path(), page + 1);
        Some(reply.header("Link", next))
    }
}

fn of(digest: &Digest) -> Descriptor {
    Descriptor::new(media_type::OCI_MANIFEST, digest.clone(), 1)
}

#[tokio::test]
async fn every_page_of_the_api_is_read() {
    let lists = Lists::default();
    let (source, _) = plain(paged(&lists)).await;
    let target = simulated().await;
    let registry = client();
    let from = source.reference("team/app:1");
    let root = image(&registry, &from, "app").await;
    let mut all = Vec::new();
    for text in ["one", "two", "three"] {
        all.push(refer(&registry, &from, text, &root).await);
    }
    lists
        .lock()
        .unwrap()
        .push((root, all.iter().map(of).collect()));
    let to = at(&target.host(), "app:1");
    let report = copied(&registry, &from, std::slice::from_ref(&to)).await;
    assert_eq!(report.only().unwrap().referrers, 3);
    for referrer in &all {
        assert!(has(&registry, &to, referrer).await);
    }
}

#[tokio::test]
async fn referrers_of_children_and_of_referrers_travel_along() {
    let (source, target) = (simulated().await, simulated().await);
    let registry = client();
    let from = at(&source.host(), "team/app:1");
    let children = [
        image(&registry, &at(&source.host(), "team/app:amd64"), "amd64").await,
        image(&registry, &at(&source.host(), "team/app:arm64"), "arm64").await,
    ];
    let mut entries = Vec::new();
    for child in &children {
        let size = registry.manifest(&from, child).await.unwrap().bytes.len();
        entries.push(Descriptor::new(
            media_type::OCI_MANIFEST,
            child.clone(),
            size as u64,
        ));
    }
    let root = put(&registry, &from, &list(&entries), media_type::OCI_INDEX).await;
    let bill = refer(&registry, &from, "bill of materials", &children[1]).await;
    let signature = refer(&registry, &from, "its signature", &bill).await;
    let own = refer(&registry, &from, "signature of the index", &root).await;
    let to = at(&target.host(), "mirror/app:1");
    let report = copied(&registry, &from, std::slice::from_ref(&to))
        .await
        .only()
        .unwrap();
    assert_eq!(
        (report.referrers, report.manifests),
        (3, 3 + 3 + 1),
        "the index by digest and by tag"
    );
    for digest in [&root, &bill, &signature, &own] {
        assert!(has(&registry, &to, digest).await, "{digest}");
    }
    let again = copied(&registry, &from, &[to]).await.only().unwrap();
    assert_eq!(
        (again.referrers, again.manifests, again.tagged),
        (3, 0, false)
    );
}

#[tokio::test]
async fn cosigns_tags_travel_along() {
    let (source, target) = (simulated().await, simulated().await);
    let registry = client();
    let from = at(&source.host(), "team/app:1");
    let root = image(&registry, &from, "app").await;
    let tag = |host: &str, end: &str| at(host, &format!("team/app:{}.{end}", fallback(&root)));
    let mut all = Vec::new();
    for end in ["sig", "att", "sbom"] {
        all.push((end, image(&registry, &tag(&source.host(), end), end).await));
    }
    let report = copied(&registry, &from, &[at(&target.host(), "team/app:1")]).await;
    assert_eq!(report.only().unwrap().referrers, 3);
    for (end, digest) in all {
        let found = registry.resolve(&tag(&target.host(), end)).await.unwrap();
        assert_eq!(found.digest, digest, "{end}");
    }
}

#[tokio::test]
async fn the_tag_that_stands_in_for_the_api_is_read_and_the_target_lists_by_its_own_means() {
    let (source, shelf) = plain(|_, _| None).await;
    let target = simulated().await;
    let registry = client();
    let from = source.reference("team/app:1");
    let root = image(&registry, &from, "app").await;
    let signature = refer(&registry, &from, "signature", &root).await;
    let stand_in = list(&[of(&signature)]).to_string().into_bytes();
    let name = fallback(&root);
    shelf
        .lock()
        .unwrap()
        .put_manifest(("team/app", &name), media_type::OCI_INDEX, stand_in);
    let to = at(&target.host(), "app:1");
    let copied = copied(&registry, &from, std::slice::from_ref(&to))
        .await
        .only()
        .unwrap();
    assert_eq!(copied.referrers, 1);
    assert!(has(&registry, &to, &signature).await);
}

#[tokio::test]
async fn g05_lists_that_go_round_end_and_what_refers_elsewhere_stays() {
    let lists = Lists::default();
    let (source, _) = plain(paged(&lists)).await;
    let (target, shelf) = plain(|_, _| None).await;
    let registry = client();
    let from = source.reference("team/app:1");
    let root = image(&registry, &from, "app").await;
    let signature = refer(&registry, &from, "signature", &root).await;
    let stranger = refer(&registry, &from, "stranger", &Digest::sha256(b"elsewhere")).await;
    let round = vec![of(&root), of(&signature), of(&stranger)];
    let all = [&root, &signature, &stranger].map(|it| (it.clone(), round.clone()));
    *lists.lock().unwrap() = all.to_vec();
    let copied = copied(&registry, &from, &[target.reference("app:1")])
        .await
        .only()
        .unwrap();
    assert_eq!(copied.referrers, 1, "{copied:?}");
    assert!(is_tagged(&shelf, "app", signature.as_str()));
    assert!(!is_tagged(&shelf, "app", stranger.as_str()));
}

#[tokio::test]
async fn g05_more_referrers_than_anything_has_are_refused_before_one_is_read() {
    let many: Vec<Descriptor> = (0..1001_u32)
        .map(|number| descriptor(media_type::OCI_MANIFEST, &number.to_be_bytes()))
        .collect();
    let (source, _) = plain(move |request, _| {
        request
            .path()
            .contains("/referrers/")
            .then(|| listing(&many))
    })
    .await;
    let (target, shelf) = plain(|_, _| None).await;
    let registry = client();
    let from = source.reference("team/app:1");
    image(&registry, &from, "app").await;
    let report = copied(&registry, &from, &[target.reference("app:1")]).await;
    let error = report.only().unwrap_err();
    assert!(matches!(error, RegistryError::Limit { .. }), "{error}");
    assert!(!is_tagged(&shelf, "app", "1"));
}
