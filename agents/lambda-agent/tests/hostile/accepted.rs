//! The other side of the rows: what looks alike and is to be deployed, and what a registry does and is forgiven.

use fractal_queue::Selector;
use fractal_testkit::liar::{Lie, Part};
use serde_json::{Value, json};

use crate::stage::{SYSTEM, Stage, function, live_system, parse, zip_digest};

/// Deploys a reference, once the registry was told its lie, and gives the stage with it active.
async fn deployed(flags: &[&str], lie: Lie, reference: &str, parameters: &Value) -> Stage {
    let mut stage = Stage::new(flags, None).await;
    stage.liar.tell(lie);
    let function = function("victim", &stage.named(reference), parameters);
    stage.submit(&live_system(SYSTEM, &[function])).await;
    stage.active(SYSTEM, "victim").await;
    stage.assert_no_secret(&[]).await;
    stage
}

async fn serves_two(flags: &[&str], lie: Lie, reference: &str) -> Stage {
    let stage = deployed(flags, lie, reference, &json!({})).await;
    assert_eq!(stage.serves("victim"), Some(zip_digest("two")));
    stage
}

const TWO: &str = "lying.example/shop/zip:2";

#[tokio::test]
async fn r04_a_digest_wins_over_the_tag_beside_it_and_both_are_shown() {
    let mut stage = Stage::new(&[], None).await;
    let key = ("shop/zip".to_owned(), "2".to_owned());
    let manifest = stage.liar.shelf().manifests[&key].1.clone();
    let digest = fractal_core::artifact::Digest::sha256(&manifest);
    let reference = format!("lying.example/shop/zip:1@{digest}");
    let function = function("victim", &reference, &json!({}));
    stage.submit(&live_system(SYSTEM, &[function])).await;
    let artifact = stage
        .active(SYSTEM, "victim")
        .await
        .status
        .artifact
        .unwrap();
    assert_eq!(stage.serves("victim"), Some(zip_digest("two")));
    assert_eq!(artifact.desired, digest);
    assert_eq!(artifact.reference.to_string(), reference);
    assert!(
        stage
            .liar
            .lines()
            .iter()
            .all(|line| !line.ends_with("/manifests/1"))
    );
}

#[tokio::test]
async fn r08_loopback_that_the_operator_names_is_reached() {
    let flags = ["--allow-private={trap}"];
    let stage = serves_two(&flags, Lie::None, "127.0.0.1:{port}/shop/zip:2").await;
    assert!(
        stage
            .trap
            .seen()
            .iter()
            .all(|request| request.authorization().is_none())
    );
}

#[tokio::test]
async fn r08_a_registry_that_is_named_as_plain_http_may_be_private() {
    serves_two(
        &["--plain-http={trap}"],
        Lie::None,
        "127.0.0.1:{port}/shop/zip:2",
    )
    .await;
}

#[tokio::test]
async fn r08_the_agents_own_registry_may_be_private() {
    serves_two(&["--registry={trap}"], Lie::None, "shop/zip:2").await;
}

#[tokio::test]
async fn r09_a_name_at_loopback_that_the_operator_names_is_reached() {
    let flags = ["--allow-private=localhost:{port}"];
    serves_two(&flags, Lie::None, "localhost:{port}/shop/zip:2").await;
}

#[tokio::test]
async fn r13_a_zip_under_an_image_config_is_what_the_package_type_says() {
    let zip = json!({ "packageType": "zip" });
    let stage = deployed(&[], Lie::None, "lying.example/shop/either:1", &zip).await;
    assert_eq!(stage.serves("victim"), Some(zip_digest("either")));
}

#[tokio::test]
async fn g03_a_blob_store_elsewhere_gets_no_credentials() {
    let mut stage = Stage::new(&["--allow-private={trap}"], None).await;
    let to = format!("{}/", stage.trap.url());
    stage.liar.tell(Lie::Redirect(Part::Blobs, to));
    let function = function("victim", TWO, &json!({}));
    stage.submit(&live_system(SYSTEM, &[function])).await;
    stage.active(SYSTEM, "victim").await;
    assert_eq!(stage.serves("victim"), Some(zip_digest("two")));
    assert!(!stage.trap.seen().is_empty());
    assert!(
        stage
            .trap
            .seen()
            .iter()
            .all(|request| request.authorization().is_none())
    );
}

#[tokio::test]
async fn g03_five_hops_are_followed() {
    serves_two(&[], Lie::Chain(5), TWO).await;
}

#[tokio::test]
async fn g05_data_and_subject_change_nothing() {
    let mut stage = Stage::new(&[], None).await;
    let manifest = {
        let shelf = stage.liar.shelf();
        shelf.manifests[&("shop/zip".to_owned(), "2".to_owned())]
            .1
            .clone()
    };
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["layers"][0]["data"] = "AAAA".into();
    manifest["layers"][0]["urls"] = json!([format!("{}/elsewhere", stage.trap.url())]);
    // A subject that names a manifest of the same kind, which names the next: nobody walks there.
    manifest["subject"] = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": format!("sha256:{}", "1".repeat(64)), "size": 7 });
    let bytes = manifest.to_string().into_bytes();
    stage.liar.tell(Lie::Manifest(
        "application/vnd.oci.image.manifest.v1+json",
        bytes,
    ));
    let function = function("victim", TWO, &json!({}));
    stage.submit(&live_system(SYSTEM, &[function])).await;
    stage.active(SYSTEM, "victim").await;
    assert_eq!(stage.serves("victim"), Some(zip_digest("two")));
    assert_eq!(stage.trap.traffic().connections, 0);
    assert!(stage.liar.lines().iter().all(|line| !line.contains("1111")));
}

#[tokio::test]
async fn g06_a_token_that_ends_within_a_blob_costs_one_re_authentication() {
    let stage = serves_two(&[], Lie::ShortToken, TWO).await;
    let tokens = stage
        .liar
        .seen()
        .iter()
        .filter(|request| request.path() == "/token")
        .count();
    assert_eq!(tokens, 2, "{:?}", stage.liar.lines());
    let resumed = stage
        .liar
        .seen()
        .iter()
        .any(|request| request.header("range").is_some());
    assert!(resumed, "{:?}", stage.liar.lines());
}

#[tokio::test]
async fn g07_a_token_of_any_lifetime_is_used_for_a_while() {
    for lifetime in ["0", "-1", "1000000000000", "1e300"] {
        let token = format!(r#"{{"token":"good","expires_in":{lifetime}}}"#);
        let stage = serves_two(&[], Lie::Token(200, token), TWO).await;
        let tokens = stage
            .liar
            .seen()
            .iter()
            .filter(|request| request.path() == "/token")
            .count();
        assert_eq!(tokens, 1, "{lifetime}: {:?}", stage.liar.lines());
    }
}

#[tokio::test]
async fn g23_a_tag_that_moves_within_a_pass_is_what_it_was_first_and_the_next_pass_sees_it() {
    let mut stage = serves_two(&[], Lie::Tags(vec!["2", "3"]), TWO).await;
    let reads = stage.liar.lines();
    let tags = reads.iter().filter(|line| line.ends_with("/manifests/2"));
    assert_eq!(tags.count(), 1, "{reads:?}");
    assert!(reads.iter().any(|line| line.contains("/manifests/sha256:")));
    let system = Selector::LiveSystem(parse(SYSTEM));
    stage.queue.wake(&system, "the tag moved").await.unwrap();
    stage.until_it_serves("victim", "three").await;
    stage.active(SYSTEM, "victim").await;
}
