//! Who calls: signatures, unknown and expired keys, and STS.

use fractal_simcloud::{Config, Identity, SimCloud};

use crate::support::{Caller, authorization, cloud, send};

const LIST: &str = "/2015-03-31/functions";

#[tokio::test]
async fn an_unsigned_or_malformed_call_is_refused_and_recorded() {
    let cloud = cloud().await;
    let malformed = [
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/lambda, SignedHeaders=host, Signature=0",
    ];
    for value in malformed {
        let headers: &[(&str, &str)] = if value.is_empty() {
            &[]
        } else {
            &[("authorization", value)]
        };
        let refused = send(cloud.endpoint(), "GET", LIST, headers, "")
            .await
            .unwrap();
        refused.refused(403, "MissingAuthenticationTokenException");
    }
    assert_eq!(
        cloud
            .ledger()
            .since(0)
            .iter()
            .filter(|entry| entry.status == 403 && entry.service == "lambda")
            .count(),
        3
    );
}

#[tokio::test]
async fn unknown_expired_and_wrongly_signed_keys_are_told_apart() {
    let identity = |key: &str, secret: Option<&str>, expired| Identity {
        access_key_id: key.into(),
        secret_access_key: secret.map(str::to_owned),
        account: "123456789012".into(),
        expired,
    };
    let identities = vec![
        identity("OLD", None, true),
        identity("SIGNED", Some("secret"), false),
    ];
    let cloud = SimCloud::start(Config {
        identities,
        default_account: None,
        ..Config::default()
    })
    .await
    .unwrap();
    let rows = [
        ("NOBODY", "lambda", LIST, 403, "UnrecognizedClientException"),
        ("NOBODY", "s3", "/b/k", 403, "InvalidAccessKeyId"),
        ("NOBODY", "sts", "/", 403, "InvalidClientTokenId"),
        ("OLD", "lambda", LIST, 403, "ExpiredTokenException"),
        ("OLD", "s3", "/b/k", 400, "ExpiredToken"),
        ("SIGNED", "lambda", LIST, 403, "InvalidSignatureException"),
        ("SIGNED", "sts", "/", 403, "SignatureDoesNotMatch"),
    ];
    for (key, service, path, status, code) in rows {
        let signed = authorization(key, "eu-west-1", service);
        let refused = send(
            cloud.endpoint(),
            "GET",
            path,
            &[("authorization", &signed)],
            "",
        )
        .await
        .unwrap();
        refused.refused(status, code);
    }
}

#[tokio::test]
async fn sts_says_who_calls() {
    let cloud = cloud().await;
    let signed = authorization("AKID", "eu-west-1", "sts");
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    let answer = send(
        cloud.endpoint(),
        "POST",
        "/",
        &[("authorization", &signed)],
        body,
    )
    .await
    .unwrap()
    .expect(200);
    assert!(answer.text().contains("<Account>123456789012</Account>"));
    let unknown = send(
        cloud.endpoint(),
        "POST",
        "/",
        &[("authorization", &signed)],
        "Action=Nothing",
    )
    .await
    .unwrap();
    unknown.refused(400, "InvalidAction");
    assert!(
        Caller::of(&cloud)
            .s3("GET", "/", &[], "")
            .await
            .expect(200)
            .text()
            .contains("<ListAllMyBucketsResult")
    );
}
