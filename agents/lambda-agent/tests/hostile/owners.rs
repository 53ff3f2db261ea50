//! Row R18: one component id in two live systems; and that the check for secrets finds what is there.

use serde_json::json;

use crate::stage::{SYSTEM, Stage, function, live_system, zip_digest};

const OTHER: &str = "Personal/owner/rows/other";

#[tokio::test]
async fn r18_a_function_that_another_live_system_made_is_refused_and_left_alone() {
    let mut stage = Stage::new(&[], None).await;
    let named = json!({ "functionName": "orders" });
    let first = function("orders", "honest.example/shop/zip:1", &named);
    stage.submit(&live_system(SYSTEM, &[first])).await;
    stage.active(SYSTEM, "orders").await;
    let since = stage.cloud.ledger().last();
    let second = function("orders", "honest.example/shop/zip:2", &named);
    let healthy = function("healthy", "honest.example/shop/zip:3", &json!({}));
    stage.submit(&live_system(OTHER, &[second, healthy])).await;
    let fault = stage.faulty(OTHER, "orders").await.fault.unwrap();
    stage.active(OTHER, "healthy").await;
    assert_eq!(
        (fault.class.as_str(), fault.reason.as_str()),
        ("Blocked", "OwnedByOther"),
        "{fault}"
    );
    let text = fault.to_string();
    assert!(
        text.contains("orders") && text.contains("fractal:owner"),
        "{text}"
    );
    assert!(
        fault
            .next
            .unwrap()
            .contains("choose another `functionName`")
    );
    // Removing the second does not take away what is the first's.
    stage
        .queue
        .remove_live_system(&OTHER.parse().unwrap())
        .await
        .unwrap();
    stage.gone(OTHER).await;
    assert_eq!(stage.writes_on("orders", since), []);
    assert_eq!(stage.serves("orders"), Some(zip_digest("one")));
    stage.assert_no_secret(&[]).await;
}

#[tokio::test]
async fn r18_without_a_name_of_its_own_each_live_system_has_its_function() {
    let mut stage = Stage::new(&[], None).await;
    for (system, version) in [(SYSTEM, "1"), (OTHER, "2")] {
        let artifact = format!("honest.example/shop/zip:{version}");
        let function = function("orders", &artifact, &json!({}));
        stage.submit(&live_system(system, &[function])).await;
    }
    for system in [SYSTEM, OTHER] {
        stage.active(system, "orders").await;
    }
    let mut served: Vec<_> = stage
        .cloud
        .functions()
        .into_iter()
        .map(|one| one.digest.unwrap())
        .collect();
    served.sort();
    let mut wanted = vec![zip_digest("one"), zip_digest("two")];
    wanted.sort();
    assert_eq!(served, wanted);
}

/// What every row asks for last would hold of anything if it looked nowhere.
#[tokio::test]
#[should_panic(expected = "is in the store")]
async fn h08_what_came_out_is_found() {
    let mut stage = Stage::new(&[], None).await;
    let parameters = json!({ "environment": { "SHOWN": "canary-in-the-clear" } });
    let function = function("orders", "honest.example/shop/zip:1", &parameters);
    stage.submit(&live_system(SYSTEM, &[function])).await;
    stage.active(SYSTEM, "orders").await;
    stage.assert_no_secret(&["canary-in-the-clear"]).await;
}
