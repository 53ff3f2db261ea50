//! Versions and aliases.

use fractal_simcloud::SimCloud;
use serde_json::{Value, json};

use crate::support::{Caller, base64, cloud, hash64, zip};

const VERSIONS: &str = "/2015-03-31/functions/f/versions";
const ALIASES: &str = "/2015-03-31/functions/f/aliases";

/// A function whose version 1 is "one" and whose version 2 is "two".
async fn two_versions() -> (SimCloud, Caller) {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller.create("f", &zip("one")).await.expect(201);
    caller.settled("f").await;
    assert_eq!(publish(&caller).await, "1");
    assert_eq!(publish(&caller).await, "1");
    caller
        .code("f", json!({ "ZipFile": base64(&zip("two")) }))
        .await
        .expect(200);
    caller.settled("f").await;
    assert_eq!(publish(&caller).await, "2");
    (cloud, caller)
}

async fn publish(caller: &Caller) -> String {
    let version = caller
        .lambda("POST", VERSIONS, json!({}))
        .await
        .expect(201)
        .json();
    version["Version"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_version_is_made_only_when_something_changed() {
    let (_cloud, caller) = two_versions().await;
    let other = caller
        .lambda("POST", VERSIONS, json!({ "CodeSha256": "other" }))
        .await;
    other.refused(400, "InvalidParameterValueException");
    let listed = caller
        .lambda("GET", VERSIONS, Value::Null)
        .await
        .expect(200)
        .json();
    let hashes: Vec<_> = listed["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["Version"].clone(), row["CodeSha256"].clone()))
        .collect();
    let (one, two) = (json!(hash64(&zip("one"))), json!(hash64(&zip("two"))));
    assert_eq!(
        hashes,
        [
            (json!("$LATEST"), two.clone()),
            (json!("1"), one),
            (json!("2"), two)
        ]
    );
}

#[tokio::test]
async fn an_alias_names_a_version_and_keeps_it() {
    let (_cloud, caller) = two_versions().await;
    let absent = json!({ "Name": "live", "FunctionVersion": "3" });
    caller
        .lambda("POST", ALIASES, absent)
        .await
        .refused(404, "ResourceNotFoundException");
    let number = json!({ "Name": "7", "FunctionVersion": "1" });
    caller
        .lambda("POST", ALIASES, number)
        .await
        .refused(400, "ValidationException");
    caller
        .lambda(
            "POST",
            ALIASES,
            json!({ "Name": "live", "FunctionVersion": "1" }),
        )
        .await
        .expect(201);
    let weights = json!({ "RoutingConfig": { "AdditionalVersionWeights": { "2": 0.1 } } });
    let alias = caller
        .lambda("PUT", &format!("{ALIASES}/live"), weights.clone())
        .await
        .expect(200)
        .json();
    assert_eq!(alias["RoutingConfig"], weights["RoutingConfig"]);
    let stale = json!({ "FunctionVersion": "2", "RevisionId": "other" });
    caller
        .lambda("PUT", &format!("{ALIASES}/live"), stale)
        .await
        .refused(412, "PreconditionFailedException");
    let old = caller
        .lambda("GET", "/2015-03-31/functions/f?Qualifier=live", Value::Null)
        .await
        .expect(200)
        .json();
    assert_eq!(old["Configuration"]["CodeSha256"], hash64(&zip("one")));
    let kept = caller
        .lambda("DELETE", "/2015-03-31/functions/f?Qualifier=1", Value::Null)
        .await;
    kept.refused(409, "ResourceConflictException");
    caller.delete("f").await.expect(204);
    caller.create("f", &zip("one")).await.expect(201);
    assert_eq!(
        caller.lambda("GET", ALIASES, Value::Null).await.json()["Aliases"],
        json!([])
    );
}
