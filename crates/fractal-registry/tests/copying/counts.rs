//! What a copy costs at the source and at each target, by their ledgers.

use crate::rig::{BLOBS, Rig, count, reference, simulated};

#[tokio::test]
async fn three_registries_are_served_by_one_read_and_two_requests_for_each_blob() {
    let rig = Rig::new().await;
    let targets = [simulated().await, simulated().await, simulated().await];
    let to = targets.each_ref().map(|server| reference(server, "app:1"));
    let before = rig.source.ledger().last();
    let report = rig.copy(&to).await;
    assert_eq!((report.read_bytes, report.rereads), (rig.bytes, 0));
    assert_eq!(count(&rig.source, before, "GetBlob"), BLOBS);
    // HEAD of the tag, the manifest, and each blob once.
    assert_eq!(report.requests as usize, 2 + BLOBS);
    for ((server, to), copied) in targets.iter().zip(&to).zip(report.targets) {
        let copied = copied.unwrap();
        assert_eq!((copied.uploaded as usize, copied.mounted), (BLOBS, 0));
        assert_eq!(copied.uploaded_bytes, rig.bytes);
        assert!(rig.has(to).await);
        assert_eq!(count(server, 0, "StartUpload"), BLOBS);
        assert_eq!(count(server, 0, "FinishUpload"), BLOBS);
        assert_eq!(count(server, 0, "HeadBlob"), 0, "the repository is new");
        // HEAD and GET of the tag, two for each blob, the manifest and its reading back.
        assert_eq!(copied.requests as usize, 2 + 2 * BLOBS + 2);
    }
}

#[tokio::test]
async fn three_repositories_of_one_registry_get_each_blob_once_and_mount_it_with_one_request() {
    let rig = Rig::new().await;
    let target = simulated().await;
    let to = ["a:1", "b:1", "c:1"].map(|rest| reference(&target, rest));
    let report = rig.copy(&to).await;
    assert_eq!(report.read_bytes, rig.bytes);
    assert_eq!(count(&target, 0, "FinishUpload"), BLOBS);
    assert_eq!(count(&target, 0, "MountBlob"), 2 * BLOBS);
    assert_eq!(count(&target, 0, "HeadBlob"), 0);
    let mounted: Vec<u64> = report
        .targets
        .iter()
        .map(|copied| copied.as_ref().unwrap().mounted)
        .collect();
    assert_eq!(mounted.iter().sum::<u64>() as usize, 2 * BLOBS);
    for to in &to {
        assert!(rig.has(to).await);
    }
}

#[tokio::test]
async fn another_repository_of_the_source_mounts_everything_and_reads_nothing() {
    let rig = Rig::new().await;
    let to = reference(&rig.source, "mirror/app:1");
    let before = rig.source.ledger().last();
    let report = rig.copy(std::slice::from_ref(&to)).await;
    assert_eq!(report.read_bytes, 0);
    assert_eq!(count(&rig.source, before, "MountBlob"), BLOBS);
    assert_eq!(count(&rig.source, before, "StartUpload"), 0);
    assert_eq!(report.only().unwrap().mounted as usize, BLOBS);
    assert!(rig.has(&to).await);
}

#[tokio::test]
async fn an_unchanged_copy_asks_once_on_each_side_and_writes_nothing() {
    let rig = Rig::new().await;
    let target = simulated().await;
    let to = [reference(&target, "app:1")];
    rig.copy(&to).await.only().unwrap();
    let seen = (rig.source.ledger().last(), target.ledger().last());
    let again = rig.copy(&to).await;
    let total = |report: &fractal_registry::CopyReport| {
        report.requests + report.targets[0].as_ref().unwrap().requests
    };
    assert_eq!(total(&again), 2);
    assert_eq!(count(&rig.source, seen.0, "HeadManifest"), 1);
    assert_eq!(count(&target, seen.1, "HeadManifest"), 1);
    let pinned = rig.registry.locate(&rig.from.pinned(&rig.digest));
    let again = rig.copy_from(&pinned, &to).await;
    assert_eq!(total(&again), 1, "a digest is not asked for");
    let written = target.ledger().since(seen.1).into_iter();
    assert_eq!(written.filter(|entry| entry.mutating).count(), 0);
}

#[tokio::test]
async fn what_a_target_has_is_not_sent_again() {
    let rig = Rig::new().await;
    let target = simulated().await;
    let to = reference(&target, "app:1");
    rig.copy(std::slice::from_ref(&to)).await.only().unwrap();
    let before = target.ledger().last();
    let report = rig.copy(&[reference(&target, "app:2")]).await;
    let copied = report.clone().only().unwrap();
    assert_eq!((copied.uploaded, copied.manifests), (0, 1), "only a tag");
    assert_eq!(report.read_bytes, 0);
    assert_eq!(count(&target, before, "HeadBlob"), 0);
    assert_eq!(count(&target, before, "PutManifest"), 1);
}
