//! A referrer that cannot be brought to one place: the artifact is there, the others have all, and the report says what is missing.

use fractal_core::artifact::Digest;
use fractal_core::artifact::kind::media_type;
use fractal_testkit::liar::Reply;

use crate::rig::{at, client, copied, has, image, is_tagged, listing, plain, refer, simulated};

#[tokio::test]
async fn a_registry_that_refuses_subjects_has_the_artifact_and_the_others_have_all() {
    for status in [400, 403, 404, 405, 500, 503] {
        let (source, good) = (simulated().await, simulated().await);
        let (refusing, shelf) = plain(move |request, _| {
            let body = String::from_utf8_lossy(&request.body);
            let refused = request.method == "PUT" && body.contains("\"subject\"");
            refused.then(|| Reply::refusing(status, "UNSUPPORTED", "no subjects here"))
        })
        .await;
        let registry = client();
        let from = at(&source.host(), "team/app:1");
        let root = image(&registry, &from, "app").await;
        let signature = refer(&registry, &from, "signature", &root).await;
        let to = [refusing.reference("app:1"), at(&good.host(), "app:1")];
        let report = copied(&registry, &from, &to).await;
        let [refused, complete] = &report.targets[..] else {
            panic!("{report:?}")
        };
        let refused = refused.as_ref().unwrap();
        assert_eq!(
            (refused.left_behind.len(), refused.referrers),
            (1, 0),
            "{status}"
        );
        assert_eq!(refused.left_behind[0].digest, signature);
        let words = refused.left_behind[0].error.to_string();
        assert!(words.contains(&refusing.host()), "{words}");
        assert!(is_tagged(&shelf, "app", "1"), "{status}");
        let complete = complete.as_ref().unwrap();
        assert_eq!((complete.left_behind.len(), complete.referrers), (0, 1));
        assert!(has(&registry, &to[1], &signature).await);
    }
}

#[tokio::test]
async fn a_blob_of_a_referrer_that_is_refused_leaves_that_referrer_behind() {
    let source = simulated().await;
    let registry = client();
    let from = at(&source.host(), "team/app:1");
    let root = image(&registry, &from, "app").await;
    let signature = refer(&registry, &from, "signature", &root).await;
    let bill = refer(&registry, &from, "bill", &root).await;
    let refused = Digest::sha256(b"signature").hex().to_owned();
    let (target, shelf) = plain(move |request, _| {
        let is_it = request.method == "PUT" && request.target.contains(&refused);
        is_it.then(|| Reply::refusing(403, "DENIED", "not this one"))
    })
    .await;
    let report = copied(&registry, &from, &[target.reference("app:1")]).await;
    let copied = report.only().unwrap();
    assert_eq!((copied.left_behind.len(), copied.referrers), (1, 1));
    assert_eq!(copied.left_behind[0].digest, signature);
    assert!(is_tagged(&shelf, "app", "1") && is_tagged(&shelf, "app", bill.as_str()));
    assert!(!is_tagged(&shelf, "app", signature.as_str()));
}

#[tokio::test]
async fn a_referrer_that_the_source_lists_and_lacks_is_left_behind() {
    let missing = crate::rig::descriptor(media_type::OCI_MANIFEST, b"collected as garbage");
    let entry = missing.clone();
    let (source, _) = plain(move |request, _| {
        let asked = request.path().contains("/referrers/");
        asked.then(|| listing(std::slice::from_ref(&entry)))
    })
    .await;
    let (target, shelf) = plain(|_, _| None).await;
    let registry = client();
    let from = source.reference("team/app:1");
    image(&registry, &from, "app").await;
    let report = copied(&registry, &from, &[target.reference("app:1")]).await;
    let copied = report.only().unwrap();
    assert_eq!(copied.left_behind[0].digest, missing.digest);
    assert!(is_tagged(&shelf, "app", "1"));
}
