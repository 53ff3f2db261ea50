//! Lambda's states and revisions, and whose they are.

use fractal_simcloud::{Clock, Config, Quotas, Settling, SimCloud};
use serde_json::json;

use crate::support::{Caller, base64, cloud, hash64, zip};

#[tokio::test]
async fn a_creation_is_pending_for_two_reads_and_refuses_updates() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    let made = caller.create("f", &zip("one")).await.expect(201).json();
    assert_eq!(
        (made["State"].as_str(), made["StateReasonCode"].as_str()),
        (Some("Pending"), Some("Creating"))
    );
    assert_eq!(made["CodeSha256"], hash64(&zip("one")));
    assert_eq!(
        made["FunctionArn"],
        "arn:aws:lambda:eu-west-1:123456789012:function:f"
    );
    let pending = "The operation cannot be performed at this time. The function is currently in the following state: Pending";
    let refused = caller
        .code("f", json!({ "ZipFile": base64(&zip("two")) }))
        .await
        .refused(409, "ResourceConflictException");
    assert_eq!(
        refused.json(),
        json!({ "Type": "User", "message": pending })
    );
    caller
        .configure("f", json!({ "Timeout": 9 }))
        .await
        .refused(409, "ResourceConflictException");
    caller
        .lambda("POST", "/2015-03-31/functions/f/versions", json!({}))
        .await
        .refused(409, "ResourceConflictException");
    assert!(cloud.functions()[0].digest.is_none());
    for _ in 0..2 {
        assert_eq!(
            caller.get("f").await.json()["Configuration"]["State"],
            "Pending"
        );
    }
    let active = caller.get("f").await.json()["Configuration"].clone();
    assert_eq!(
        (
            active["State"].as_str(),
            active["LastUpdateStatus"].as_str()
        ),
        (Some("Active"), Some("Successful"))
    );
    assert_ne!(active["RevisionId"], made["RevisionId"]);
    assert_eq!(caller.get("f").await.json()["Configuration"], active);
    let refused = caller
        .create("f", &zip("one"))
        .await
        .refused(409, "ResourceConflictException");
    assert_eq!(refused.json()["message"], "Function already exist: f");
    caller.delete("f").await.expect(204);
    let gone = caller
        .delete("f")
        .await
        .refused(404, "ResourceNotFoundException")
        .json();
    assert_eq!(
        gone["Message"],
        "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:f"
    );
}

#[tokio::test]
async fn an_update_is_in_progress_and_moves_the_revision_twice() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller.create("f", &zip("one")).await.expect(201);
    let first = caller.settled("f").await["RevisionId"].clone();
    let stale = caller
        .code(
            "f",
            json!({ "ZipFile": base64(&zip("two")), "RevisionId": "other" }),
        )
        .await;
    stale.refused(412, "PreconditionFailedException");
    let written = caller
        .code(
            "f",
            json!({ "ZipFile": base64(&zip("two")), "RevisionId": first }),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(
        (
            written["State"].as_str(),
            written["LastUpdateStatus"].as_str()
        ),
        (Some("Active"), Some("InProgress"))
    );
    let refused = caller
        .configure("f", json!({ "Timeout": 9 }))
        .await
        .refused(409, "ResourceConflictException")
        .json();
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    assert_eq!(
        refused["message"],
        format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        )
    );
    assert_eq!(
        cloud.functions()[0].digest.as_deref(),
        Some(crate::support::digest(&zip("one")).as_str())
    );
    let settled = caller.settled("f").await;
    assert_eq!(settled["CodeSha256"], hash64(&zip("two")));
    let revisions = [&first, &written["RevisionId"], &settled["RevisionId"]];
    assert!(revisions[0] != revisions[1] && revisions[1] != revisions[2]);
    assert_eq!(
        cloud.functions()[0].digest.as_deref(),
        Some(crate::support::digest(&zip("two")).as_str())
    );
    caller
        .code("f", json!({ "ZipFile": base64(&zip("two")) }))
        .await
        .expect(200);
    assert_ne!(
        caller.settled("f").await["RevisionId"],
        settled["RevisionId"]
    );
}

#[tokio::test]
async fn settling_by_time_follows_the_clock() {
    let clock = Clock::manual();
    let settling = Settling {
        reads: None,
        milliseconds: Some(5000),
    };
    let config = Config {
        settling,
        clock: clock.clone(),
        quotas: Quotas::unlimited(),
        ..Config::default()
    };
    let cloud = SimCloud::start(config).await.unwrap();
    let caller = Caller::of(&cloud);
    caller.create("f", &zip("one")).await.expect(201);
    for _ in 0..5 {
        assert_eq!(
            caller.get("f").await.json()["Configuration"]["State"],
            "Pending"
        );
    }
    clock.advance(5000);
    caller
        .configure("f", json!({ "Timeout": 9 }))
        .await
        .expect(200);
    clock.advance(4999);
    assert_eq!(
        caller.get("f").await.json()["Configuration"]["LastUpdateStatus"],
        "InProgress"
    );
    clock.advance(1);
    assert_eq!(
        caller.get("f").await.json()["Configuration"]["LastUpdateStatus"],
        "Successful"
    );
}

#[tokio::test]
async fn a_dry_run_checks_and_changes_nothing() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    caller.create("f", &zip("one")).await.expect(201);
    let before = caller.settled("f").await;
    let body = json!({ "ZipFile": base64(&zip("two")), "DryRun": true });
    let shown = caller.code("f", body).await.expect(200).json();
    assert_eq!(shown["CodeSha256"], hash64(&zip("two")));
    assert_eq!(caller.get("f").await.json()["Configuration"], before);
    let broken = json!({ "ZipFile": base64(b"no zip"), "DryRun": true });
    caller
        .code("f", broken)
        .await
        .refused(400, "InvalidParameterValueException");
}

#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let other = fractal_simcloud::Identity {
        access_key_id: "OTHER".into(),
        secret_access_key: None,
        account: "210987654321".into(),
        expired: false,
    };
    let cloud = SimCloud::start(Config {
        identities: vec![other],
        ..Config::default()
    })
    .await
    .unwrap();
    let caller = Caller::of(&cloud);
    caller.create("f", &zip("one")).await.expect(201);
    let elsewhere = Caller {
        region: "us-east-1",
        ..Caller::of(&cloud)
    };
    elsewhere
        .get("f")
        .await
        .refused(404, "ResourceNotFoundException");
    let arn = "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af";
    let far = elsewhere
        .get(arn)
        .await
        .refused(404, "ResourceNotFoundException")
        .json();
    assert_eq!(
        far["Message"],
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    );
    let stranger = Caller {
        key: "OTHER",
        ..Caller::of(&cloud)
    };
    stranger
        .get("f")
        .await
        .refused(404, "ResourceNotFoundException");
    stranger
        .create("g", &zip("one"))
        .await
        .refused(403, "AccessDeniedException");
    caller.get(arn).await.expect(200);
}
