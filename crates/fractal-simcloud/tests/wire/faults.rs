//! Armed faults over the wire: what the caller sees, what has happened, and what the ledger says.

use fractal_simcloud::{Action, Filter, Outcome, Rule};
use serde_json::{Value, json};

use crate::support::{Caller, base64, cloud, digest, hash64, push_blob, send, zip};

fn on(operation: &str) -> Filter {
    Filter {
        operation: Some(operation.to_owned()),
        ..Filter::default()
    }
}

#[tokio::test]
async fn the_nth_write_fails_before_its_effect() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    let fail = Action::Fail {
        status: 500,
        code: "ServiceException".into(),
        message: "later".into(),
        retry_after: Some(7),
    };
    cloud.faults().arm(
        Rule::new(
            Filter {
                mutating: Some(true),
                ..Filter::default()
            },
            fail,
        )
        .nth(2),
    );
    caller.create("a", &zip("one")).await.expect(201);
    let failed = caller
        .create("b", &zip("one"))
        .await
        .refused(500, "ServiceException");
    assert_eq!(
        (
            failed.header("retry-after"),
            failed.json()["Message"].as_str()
        ),
        ("7", Some("later"))
    );
    caller
        .get("b")
        .await
        .refused(404, "ResourceNotFoundException");
    caller.create("b", &zip("one")).await.expect(201);
    let outcomes: Vec<_> = cloud
        .ledger()
        .since(0)
        .iter()
        .map(|entry| (entry.outcome, entry.status))
        .collect();
    assert_eq!(
        outcomes,
        [
            (Outcome::Accepted, 201),
            (Outcome::FaultBefore, 500),
            (Outcome::Refused, 404),
            (Outcome::Accepted, 201)
        ]
    );
}

#[tokio::test]
async fn a_lost_answer_leaves_the_effect() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    cloud
        .faults()
        .arm(Rule::new(on("CreateFunction"), Action::LoseAnswer));
    let body = crate::support::creation("f", &zip("one"));
    assert!(
        caller
            .try_lambda("POST", "/2015-03-31/functions", &body)
            .await
            .is_err()
    );
    caller.get("f").await.expect(200);
    let entry = &cloud.ledger().since(0)[0];
    assert_eq!((entry.outcome, entry.status), (Outcome::LostAnswer, 201));
    assert!(entry.is_accepted_write());
    cloud
        .faults()
        .arm(Rule::new(on("CreateFunction"), Action::LoseAnswer));
    assert!(
        caller
            .try_lambda("POST", "/2015-03-31/functions", &body)
            .await
            .is_err()
    );
    assert_eq!(cloud.ledger().since(2)[0].outcome, Outcome::Refused);
}

#[tokio::test]
async fn a_reset_has_no_effect_and_no_answer() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    cloud
        .faults()
        .arm(Rule::new(on("CreateFunction"), Action::Reset));
    let body = crate::support::creation("f", &zip("one"));
    assert!(
        caller
            .try_lambda("POST", "/2015-03-31/functions", &body)
            .await
            .is_err()
    );
    caller
        .get("f")
        .await
        .refused(404, "ResourceNotFoundException");
    assert_eq!(cloud.ledger().since(0)[0].outcome, Outcome::FaultBefore);
}

#[tokio::test]
async fn a_denied_action_is_named_until_lifted() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    let id = cloud
        .faults()
        .arm(Rule::new(on("CreateFunction"), Action::Deny).until_lifted());
    for _ in 0..2 {
        let denied = caller
            .create("f", &zip("one"))
            .await
            .refused(403, "AccessDeniedException")
            .json();
        assert!(denied["Message"].as_str().unwrap().contains("is not authorized to perform: lambda:CreateFunction on resource: arn:aws:lambda:eu-west-1:123456789012:function:f"));
    }
    cloud.faults().lift(id);
    caller.create("f", &zip("one")).await.expect(201);
    cloud
        .faults()
        .arm(Rule::new(on("HeadObject"), Action::Deny));
    caller.bucket("bucket").await;
    caller.s3("HEAD", "/bucket/k", &[], "").await.expect(403);
    assert_eq!(
        cloud.ledger().since(4)[0].code.as_deref(),
        Some("AccessDenied")
    );
}

#[tokio::test]
async fn throttling_speaks_each_protocol() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    cloud.faults().arm(Rule::new(
        Filter::default(),
        Action::Throttle {
            retry_after: Some(3),
        },
    ));
    assert_eq!(
        caller
            .get("f")
            .await
            .refused(429, "TooManyRequestsException")
            .header("retry-after"),
        "3"
    );
    cloud.faults().arm(Rule::new(
        Filter {
            service: Some("s3".into()),
            ..Filter::default()
        },
        Action::Throttle { retry_after: None },
    ));
    caller
        .s3("PUT", "/bucket/k", &[], "x")
        .await
        .refused(503, "SlowDown");
    cloud.faults().arm(Rule::new(
        Filter {
            service: Some("registry".into()),
            ..Filter::default()
        },
        Action::Throttle {
            retry_after: Some(1),
        },
    ));
    send(cloud.registry_endpoint(), "GET", "/v2/", &[], "")
        .await
        .unwrap()
        .refused(429, "TOOMANYREQUESTS");
}

#[tokio::test]
async fn late_failures_keep_what_was_there() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    let late = |code: &str| {
        Rule::new(
            Filter {
                mutating: Some(true),
                ..Filter::default()
            },
            Action::FailLate {
                code: code.into(),
                reason: "because".into(),
            },
        )
    };
    cloud.faults().arm(late("InvalidRuntime"));
    caller.create("f", &zip("one")).await.expect(201);
    let failed = caller.settled("f").await;
    assert_eq!(
        (
            failed["State"].as_str(),
            failed["StateReasonCode"].as_str(),
            failed["StateReason"].as_str()
        ),
        (Some("Failed"), Some("InvalidRuntime"), Some("because"))
    );
    caller
        .code("f", json!({ "ZipFile": base64(&zip("two")) }))
        .await
        .refused(409, "ResourceConflictException");
    assert_eq!(cloud.functions()[0].digest, None);
    caller.delete("f").await.expect(204);
    caller.create("f", &zip("one")).await.expect(201);
    caller.settled("f").await;
    cloud.faults().arm(late("InvalidZipFileException"));
    caller
        .code("f", json!({ "ZipFile": base64(&zip("two")) }))
        .await
        .expect(200);
    let failed = caller.settled("f").await;
    assert_eq!(
        (
            failed["State"].as_str(),
            failed["LastUpdateStatus"].as_str(),
            failed["LastUpdateStatusReasonCode"].as_str()
        ),
        (
            Some("Active"),
            Some("Failed"),
            Some("InvalidZipFileException")
        )
    );
    assert_eq!(cloud.functions()[0].digest, Some(digest(&zip("one"))));
    caller
        .code("f", json!({ "ZipFile": base64(&zip("two")) }))
        .await
        .expect(200);
    assert_eq!(caller.settled("f").await["LastUpdateStatus"], "Successful");
    assert_eq!(cloud.functions()[0].digest, Some(digest(&zip("two"))));
}

#[tokio::test]
async fn stale_reads_show_what_was_before_the_write() {
    let cloud = cloud().await;
    let caller = Caller::of(&cloud);
    let stale = |operation| Rule::new(on(operation), Action::StaleReads { reads: 2 });
    cloud.faults().arm(stale("CreateFunction"));
    caller.create("f", &zip("one")).await.expect(201);
    caller
        .get("f")
        .await
        .refused(404, "ResourceNotFoundException");
    let listed = caller
        .lambda("GET", "/2015-03-31/functions", Value::Null)
        .await
        .json();
    assert_eq!(listed["Functions"], json!([]));
    caller.settled("f").await;
    cloud.faults().arm(stale("UpdateFunctionCode"));
    caller
        .code("f", json!({ "ZipFile": base64(&zip("two")) }))
        .await
        .expect(200);
    for _ in 0..2 {
        let seen = caller.get("f").await.json()["Configuration"].clone();
        assert_eq!(
            (&seen["CodeSha256"], seen["LastUpdateStatus"].as_str()),
            (&json!(hash64(&zip("one"))), Some("Successful"))
        );
    }
    assert_eq!(caller.settled("f").await["CodeSha256"], hash64(&zip("two")));
    cloud.faults().arm(stale("DeleteFunction"));
    caller.delete("f").await.expect(204);
    let listed = caller
        .lambda("GET", "/2015-03-31/functions", Value::Null)
        .await
        .json();
    assert_eq!(listed["Functions"][0]["FunctionName"], "f");
    caller.get("f").await.expect(200);
    caller
        .get("f")
        .await
        .refused(404, "ResourceNotFoundException");
}

#[tokio::test]
async fn registry_faults_are_the_same_faults() {
    let cloud = cloud().await;
    let registry = cloud.registry_endpoint();
    push_blob(registry, "app", b"blob").await;
    cloud
        .faults()
        .arm(Rule::new(on("GetBlob"), Action::LoseAnswer));
    let path = format!("/v2/app/blobs/{}", digest(b"blob"));
    assert!(send(registry, "GET", &path, &[], "").await.is_err());
    assert_eq!(
        send(registry, "GET", &path, &[], "")
            .await
            .unwrap()
            .expect(200)
            .body,
        "blob"
    );
    let entries = cloud.ledger().since(0);
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.operation.as_str())
            .collect::<Vec<_>>(),
        ["StartUpload", "GetBlob", "GetBlob"]
    );
    assert_eq!(entries[1].resource, format!("app@{}", digest(b"blob")));
}
