//! Pages, tags and quotas.

use fractal_simcloud::{Clock, Config, Outcome, SimCloud};
use serde_json::{Value, json};

use crate::support::{Caller, cloud, creation, zip};

#[tokio::test]
async fn lists_give_fifty_a_page_without_states_or_tags() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    for number in 0..51 {
        let mut body = creation(&format!("f{number:02}"), &zip("one"));
        body["Tags"] = json!({ "k": "v" });
        caller
            .lambda("POST", "/2015-03-31/functions", body)
            .await
            .expect(201);
    }
    let first = caller
        .lambda("GET", "/2015-03-31/functions?MaxItems=10000", Value::Null)
        .await
        .expect(200)
        .json();
    let rows = first["Functions"].as_array().unwrap();
    assert_eq!(
        (rows.len(), rows[0]["FunctionName"].as_str()),
        (50, Some("f00"))
    );
    for absent in ["State", "LastUpdateStatus", "Tags"] {
        assert!(rows[0].get(absent).is_none());
    }
    assert!(rows[0]["RevisionId"].is_string() && rows[0]["CodeSha256"].is_string());
    let marker = first["NextMarker"].as_str().unwrap();
    let rest = caller
        .lambda(
            "GET",
            &format!("/2015-03-31/functions?Marker={marker}"),
            Value::Null,
        )
        .await
        .json();
    assert_eq!(rest["Functions"].as_array().unwrap().len(), 1);
    assert!(rest.get("NextMarker").is_none());
    caller
        .lambda("GET", "/2015-03-31/functions?MaxItems=0", Value::Null)
        .await
        .refused(400, "ValidationException");
}

#[tokio::test]
async fn tags_are_by_arn_limited_and_leave_the_revision() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller.create("f", &zip("one")).await.expect(201);
    let before = caller.settled("f").await;
    let path = "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af";
    caller
        .lambda(
            "POST",
            path,
            json!({ "Tags": { "a": "1", "fractal:owner": "x" } }),
        )
        .await
        .expect(204);
    caller
        .lambda("DELETE", &format!("{path}?tagKeys=a"), Value::Null)
        .await
        .expect(204);
    assert_eq!(
        caller.get("f").await.json()["Tags"],
        json!({ "fractal:owner": "x" })
    );
    assert_eq!(caller.get("f").await.json()["Configuration"], before);
    let many: serde_json::Map<String, Value> = (0..50)
        .map(|number| (format!("k{number}"), "v".into()))
        .collect();
    caller
        .lambda("POST", path, json!({ "Tags": many }))
        .await
        .refused(400, "InvalidParameterValueException");
    for bad in [
        json!({ "k".repeat(129): "v" }),
        json!({ "k": "v".repeat(257) }),
        json!({ "k": "semi;colon" }),
    ] {
        caller
            .lambda("POST", path, json!({ "Tags": bad }))
            .await
            .refused(400, "ValidationException");
    }
    caller
        .lambda("POST", path, json!({ "Tags": { "aws:x": "v" } }))
        .await
        .refused(400, "InvalidParameterValueException");
    caller
        .lambda("POST", "/2017-03-31/tags/f", json!({ "Tags": {} }))
        .await
        .refused(400, "ValidationException");
    assert_eq!(
        caller.lambda("GET", path, Value::Null).await.json()["Tags"],
        json!({ "fractal:owner": "x" })
    );
}

#[tokio::test]
async fn quotas_are_per_account_and_region_and_refill() {
    let clock = Clock::manual();
    let cloud = SimCloud::start(Config {
        clock: clock.clone(),
        ..Config::default()
    })
    .await
    .unwrap();
    let caller = Caller::of(&cloud);
    for _ in 0..15 {
        caller
            .lambda("GET", "/2015-03-31/functions", Value::Null)
            .await
            .expect(200);
    }
    let throttled = caller
        .create("f", &zip("one"))
        .await
        .refused(429, "TooManyRequestsException");
    assert_eq!(throttled.header("retry-after"), "1");
    assert_eq!(throttled.json()["Reason"], "CallerRateLimitExceeded");
    for _ in 0..100 {
        caller
            .get("f")
            .await
            .refused(404, "ResourceNotFoundException");
    }
    caller
        .get("f")
        .await
        .refused(429, "TooManyRequestsException");
    let elsewhere = Caller {
        region: "us-east-1",
        ..Caller::of(&cloud)
    };
    elsewhere.create("f", &zip("one")).await.expect(201);
    clock.advance(1000);
    caller.create("f", &zip("one")).await.expect(201);
    let entries = cloud.ledger().since(15);
    assert_eq!(
        (
            entries[0].outcome,
            entries[0].status,
            entries[0].code.as_deref()
        ),
        (Outcome::Refused, 429, Some("TooManyRequestsException"))
    );
}
