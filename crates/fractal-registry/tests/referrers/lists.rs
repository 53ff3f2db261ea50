//! The index that stands in for the referrers API at the target: what others added to it stays.

use std::sync::atomic::{AtomicUsize, Ordering};

use fractal_core::artifact::Digest;
use fractal_core::artifact::kind::media_type;
use serde_json::Value;

use crate::rig::{
    Shared, at, client, copied, descriptor, fallback, image, list, plain, refer, simulated,
};

fn listed(shelf: &Shared, tag: &str) -> Vec<String> {
    let shelf = shelf.lock().unwrap();
    let (_, bytes) = &shelf.manifests[&("app".to_owned(), tag.to_owned())];
    let document: Value = serde_json::from_slice(bytes).unwrap();
    let entries = document["manifests"].as_array().unwrap().iter();
    let digests = entries.map(|entry| entry["digest"].as_str().unwrap().to_owned());
    digests.collect()
}

#[tokio::test]
async fn the_list_is_appended_to_and_keeps_what_others_added() {
    let source = simulated().await;
    let (target, shelf) = plain(|_, _| None).await;
    let registry = client();
    let from = at(&source.host(), "team/app:1");
    let root = image(&registry, &from, "app").await;
    let signature = refer(&registry, &from, "signature", &root).await;
    let bill = refer(&registry, &from, "bill", &root).await;
    let foreign = descriptor(media_type::OCI_MANIFEST, b"somebody else's");
    let (tag, before) = (fallback(&root), list(std::slice::from_ref(&foreign)));
    let before = before.to_string().into_bytes();
    shelf
        .lock()
        .unwrap()
        .put_manifest(("app", &tag), media_type::OCI_INDEX, before);
    let to = [target.reference("app:1")];
    assert_eq!(
        copied(&registry, &from, &to)
            .await
            .only()
            .unwrap()
            .referrers,
        2
    );
    let mut found = listed(&shelf, &tag);
    assert_eq!(found.remove(0), foreign.digest.as_str());
    found.sort();
    let mut expected = [signature.to_string(), bill.to_string()];
    expected.sort();
    assert_eq!(found, expected);
    let written = target.lines().len();
    copied(&registry, &from, &to).await.only().unwrap();
    let again = target.lines().split_off(written);
    assert!(
        again.iter().all(|line| !line.starts_with("PUT")),
        "{again:?}"
    );
}

#[tokio::test]
async fn what_another_writer_overwrites_meanwhile_is_added_again_and_his_stays() {
    let source = simulated().await;
    let registry = client();
    let from = at(&source.host(), "team/app:1");
    let root = image(&registry, &from, "app").await;
    let signature = refer(&registry, &from, "signature", &root).await;
    let (tag, writes) = (fallback(&root), AtomicUsize::new(0));
    let theirs = descriptor(media_type::OCI_MANIFEST, b"another writer's");
    let (name, entry) = (tag.clone(), theirs.clone());
    let (target, shelf) = plain(move |request, shelf| {
        let is_list = request.method == "PUT" && request.path().ends_with(&name);
        if !is_list || writes.fetch_add(1, Ordering::SeqCst) > 0 {
            return None;
        }
        // Ours is taken, and at once overwritten by one who had not seen it.
        let reply = shelf.answer(request);
        let theirs = list(std::slice::from_ref(&entry)).to_string().into_bytes();
        shelf.put_manifest(("app", &name), media_type::OCI_INDEX, theirs);
        Some(reply)
    })
    .await;
    let to = [target.reference("app:1")];
    assert_eq!(
        copied(&registry, &from, &to)
            .await
            .only()
            .unwrap()
            .referrers,
        1
    );
    let expected: [&Digest; 2] = [&theirs.digest, &signature];
    assert_eq!(listed(&shelf, &tag), expected.map(Digest::to_string));
}
