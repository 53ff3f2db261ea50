//! One place that fails: what it costs the others, and what is left at it.

use fractal_core::Fault;
use fractal_registry::RegistryError;
use fractal_simcloud::Action;

use crate::rig::{BLOBS, Rig, count, failing, on, reference, simulated};

#[tokio::test]
async fn a_target_that_refuses_stops_no_other() {
    let rig = Rig::new().await;
    let targets = [simulated().await, simulated().await, simulated().await];
    let to = targets.each_ref().map(|server| reference(server, "app:1"));
    for operation in ["StartUpload", "FinishUpload", "PutManifest"] {
        let denied = on(operation, Action::Deny).until_lifted();
        let id = targets[1].faults().arm(denied);
        let report = rig.copy(&to).await;
        assert!(report.targets[0].is_ok() && report.targets[2].is_ok());
        let fault = Fault::from(report.targets[1].clone().unwrap_err());
        assert_eq!(fault.reason.as_str(), "RegistryForbidden", "{operation}");
        assert!(!rig.has(&to[1]).await);
        targets[1].faults().lift(id);
    }
    // What arrived until then is not sent again.
    let before = targets[1].ledger().last();
    let copied = rig.copy(&to).await.targets.remove(1).unwrap();
    assert_eq!(copied.existed as usize, BLOBS);
    assert_eq!(count(&targets[1], before, "StartUpload"), 0);
    assert!(rig.has(&to[1]).await);
}

#[tokio::test]
async fn a_target_that_breaks_off_is_served_by_another_read_and_the_others_by_the_first() {
    for action in [
        Action::Reset,
        failing(503, "UNAVAILABLE", None),
        failing(401, "UNAUTHORIZED", None),
        failing(429, "TOOMANYREQUESTS", Some(0)),
    ] {
        let rig = Rig::new().await;
        let targets = [simulated().await, simulated().await, simulated().await];
        let to = targets.each_ref().map(|server| reference(server, "app:1"));
        targets[2]
            .faults()
            .arm(on("FinishUpload", action.clone()).nth(2));
        let report = rig.copy(&to).await;
        assert_eq!(report.rereads, 1, "{action:?}");
        assert!(report.read_bytes > rig.bytes && report.read_bytes < 2 * rig.bytes + 1);
        for (to, copied) in to.iter().zip(&report.targets) {
            assert_eq!(copied.as_ref().unwrap().uploaded as usize, BLOBS);
            assert!(rig.has(to).await, "{action:?}");
        }
        assert_eq!(count(&targets[0], 0, "FinishUpload"), BLOBS);
        assert_eq!(count(&targets[2], 0, "FinishUpload"), BLOBS + 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_blob_was_taken_costs_no_other_read() {
    let rig = Rig::new().await;
    let target = simulated().await;
    target
        .faults()
        .arm(on("FinishUpload", Action::LoseAnswer).nth(1));
    let report = rig.copy(&[reference(&target, "app:1")]).await;
    assert_eq!((report.rereads, report.read_bytes), (0, rig.bytes));
    assert_eq!(report.only().unwrap().uploaded as usize, BLOBS);
}

#[tokio::test]
async fn g09_a_blob_that_vanished_at_the_source_fails_every_target_and_no_manifest_is_written() {
    let rig = Rig::new().await;
    let targets = [simulated().await, simulated().await];
    let to = targets.each_ref().map(|server| reference(server, "app:1"));
    let gone = failing(404, "BLOB_UNKNOWN", None);
    rig.source.faults().arm(on("GetBlob", gone).until_lifted());
    for (server, copied) in targets.iter().zip(rig.copy(&to).await.targets) {
        let error = copied.unwrap_err();
        assert!(matches!(error, RegistryError::NotFound { .. }), "{error}");
        let fault = Fault::from(error);
        let place = fault.place.unwrap();
        assert!(place.contains(&rig.source.host()), "{place}");
        assert_eq!(count(server, 0, "PutManifest"), 0);
    }
}

#[tokio::test]
async fn a_source_that_cuts_a_blob_off_is_resumed_and_nobody_notices() {
    let rig = Rig::new().await;
    let targets = [simulated().await, simulated().await];
    let to = targets.each_ref().map(|server| reference(server, "app:1"));
    let cut = Action::CutAnswer { bytes: 100_000 };
    rig.source.faults().arm(on("GetBlob", cut).nth(1));
    let report = rig.copy(&to).await;
    assert_eq!((report.rereads, report.read_bytes), (0, rig.bytes));
    for (to, copied) in to.iter().zip(report.targets) {
        copied.unwrap();
        assert!(rig.has(to).await);
    }
}

async fn thorough(rig: &Rig, to: &fractal_core::artifact::Reference) -> fractal_registry::Copied {
    let options = fractal_registry::CopyOptions {
        referrers: false,
        thorough: true,
        ..fractal_registry::CopyOptions::default()
    };
    let (from, to) = (rig.registry.locate(&rig.from), rig.registry.locate(to));
    let report = fractal_registry::copy(&from, &[to], &options).await;
    report.only().unwrap()
}

#[tokio::test]
async fn a_blob_that_the_target_lost_is_sent_again_by_a_thorough_copy() {
    let rig = Rig::new().await;
    let target = simulated().await;
    let to = reference(&target, "app:1");
    let first = rig.copy(std::slice::from_ref(&to)).await.only().unwrap();
    assert!(first.read_back);
    // Every question is answered with what was lost, once.
    let lost = failing(404, "BLOB_UNKNOWN", None);
    target.faults().arm(on("HeadBlob", lost));
    let before = target.ledger().last();
    let hasty = rig.copy(std::slice::from_ref(&to)).await.only().unwrap();
    assert_eq!((hasty.read_back, hasty.uploaded), (false, 0));
    assert_eq!(
        count(&target, before, "HeadBlob"),
        0,
        "the tag's word was taken"
    );
    let mended = thorough(&rig, &to).await;
    assert_eq!((mended.uploaded, mended.existed as usize), (1, BLOBS - 1));
    assert!(mended.read_back && !mended.tagged);
    assert_eq!(count(&target, before, "PutManifest"), 0);
    let again = thorough(&rig, &to).await;
    assert_eq!((again.uploaded, again.existed as usize), (0, BLOBS));
}
