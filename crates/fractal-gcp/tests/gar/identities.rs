//! Each way an identity proves itself, and each way it is refused.

use fractal_core::Class;
use fractal_simcloud::{Outcome, TokenIssuer};
use serde_json::{Value, json};

use crate::support::{CONSENT, READER, STRANGER, SUBJECT, World, pull};

#[tokio::test]
async fn a_machine_or_pod_pulls_through_the_metadata_server_and_asks_once() {
    let world = World::new().await;
    let blob = world.publish().await;
    let registry = world.registry(world.metadata());
    for _ in 0..3 {
        pull(&registry, &blob).await.unwrap();
    }
    assert_eq!(world.accepted(0, "MetadataToken"), 1);
}

#[tokio::test]
async fn a_key_a_users_consent_and_a_federated_workload_pull() {
    let world = World::new().await;
    let blob = world.publish().await;
    let files = [
        world.service_account(READER, &world.key),
        world.user(CONSENT),
        world.federated(None),
        world.federated(Some(READER)),
    ];
    for file in files {
        let kind = file["type"].clone();
        let pulled = pull(&world.registry(world.file(&file)), &blob).await;
        pulled.unwrap_or_else(|fault| panic!("{kind}: {fault}"));
    }
    // The writer's to publish, and the reader's two.
    assert_eq!(world.accepted(0, "Token"), 3);
    assert_eq!(world.accepted(0, "ExchangeToken"), 2);
    assert_eq!(world.accepted(0, "GenerateAccessToken"), 1);
}

#[tokio::test]
async fn a_workloads_token_may_lie_at_a_url_in_json() {
    let world = World::new().await;
    let blob = world.publish().await;
    let token = std::fs::read_to_string(world.subject_file()).unwrap();
    let body = json!({ "access_token": token }).to_string();
    let (url, seen) = one_answer(body).await;
    let mut file = world.federated(None);
    file["credential_source"] = json!({
        "url": format!("{url}/token?api-version=2018-02-01"),
        "headers": { "Metadata": "True" },
        "format": { "type": "json", "subject_token_field_name": "access_token" },
    });
    pull(&world.registry(world.file(&file)), &blob)
        .await
        .unwrap();
    let head = seen.await.unwrap().to_lowercase();
    assert!(
        head.starts_with("get /token?api-version=2018-02-01 "),
        "{head}"
    );
    assert!(head.contains("\r\nmetadata: true\r\n"), "{head}");
}

/// Answers one request with `body`; the request's head comes back.
async fn one_answer(body: String) -> (String, tokio::task::JoinHandle<String>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert_ne!(socket.read_buf(&mut head).await.unwrap(), 0);
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap()
    });
    (url, answering)
}

#[tokio::test]
async fn a_refused_identity_says_what_to_mend() {
    let world = World::new().await;
    let blob = world.publish().await;
    let refused = async |file: &Value, next: &str| {
        let fault = pull(&world.registry(world.file(file)), &blob)
            .await
            .unwrap_err();
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "IdentityRefused"),
            "{fault}"
        );
        assert_eq!(fault.next.as_deref(), Some(next), "{fault}");
    };
    let deleted = TokenIssuer::new("deleted").unwrap();
    let key = "make a new key for the service account: this one was deleted";
    refused(&world.service_account(READER, &deleted), key).await;
    let gone = "correct the service account: it was deleted";
    refused(&world.service_account(STRANGER, &world.key), gone).await;
    let login = "log in again with gcloud auth application-default login";
    refused(&world.user("1//of-yesterday"), login).await;
    let binding = "give this workload roles/iam.workloadIdentityUser on the service account";
    refused(&world.federated(Some(STRANGER)), binding).await;
    let mut elsewhere = world.federated(None);
    elsewhere["audience"] = json!("//iam.googleapis.com/other");
    refused(
        &elsewhere,
        "correct the workload identity provider the file names",
    )
    .await;
    world.present(SUBJECT, 0);
    let provider = "correct issuer and audience of the workload identity provider, and see that the token is renewed";
    refused(&world.federated(None), provider).await;
    // By the service's clock our assertion ended long ago.
    world.cloud.clock().advance(2 * 3_600_000);
    let clock = "set the clock of the agent's host";
    refused(&world.service_account(READER, &world.key), clock).await;
}

#[tokio::test]
async fn a_machine_without_an_account_says_so() {
    let world = World::with(3599, "nobody").await;
    let blob = world.publish().await;
    let fault = pull(&world.registry(world.metadata()), &blob)
        .await
        .unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "IdentityRefused")
    );
    assert_eq!(
        fault.next.as_deref(),
        Some("attach a service account to the machine or node pool")
    );
}

#[tokio::test]
async fn g08_an_account_without_a_role_is_told_the_role_it_needs() {
    let world = World::with(3599, STRANGER).await;
    let blob = world.publish().await;
    let fault = pull(&world.registry(world.metadata()), &blob)
        .await
        .unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryForbidden")
    );
    assert!(fault.next.unwrap().contains("artifactregistry.reader"));
    assert!(
        fault
            .why
            .unwrap()
            .contains("artifactregistry.repositories.downloadArtifacts")
    );
    assert_eq!(world.calls(0, "GetBlob", Outcome::Accepted), 0);
}

#[tokio::test]
async fn g11_a_stranger_at_the_metadata_address_is_not_believed() {
    let world = World::new().await;
    let blob = world.publish().await;
    let portal = r#"{"access_token":"x","expires_in":3599,"token_type":"Bearer"}"#;
    let (url, _seen) = one_answer(portal.to_owned()).await;
    let host = url.trim_start_matches("http://").to_owned();
    let identity = fractal_gcp::GcpIdentity::from_variables(|name| {
        (name == "GCE_METADATA_HOST").then(|| host.clone())
    });
    let fault = pull(&world.registry(identity.unwrap()), &blob)
        .await
        .unwrap_err();
    assert_eq!(fault.reason.as_str(), "IdentityUnavailable");
    assert!(fault.why.unwrap().contains("not Google's metadata server"));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let world = World::new().await;
    let blob = world.publish().await;
    let mut plain = world.user(CONSENT);
    plain["token_uri"] = json!("http://oauth2.example/token");
    let mut aws = world.federated(None);
    aws["credential_source"] = json!({ "environment_id": "aws1", "regional_cred_verification_url": "https://sts.example" });
    for (file, problem) in [
        (json!({ "type": "canary" }), "it is no service account key"),
        (plain, "it must be https"),
        (aws, "neither a file nor a URL"),
    ] {
        let fault = pull(&world.registry(world.file(&file)), &blob)
            .await
            .unwrap_err();
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "IdentityMissing")
        );
        assert!(
            fault.what.contains("credentials.json") && fault.what.contains(problem),
            "{fault}"
        );
        assert!(!fault.to_string().contains("canary"));
    }
    let gone = fractal_gcp::GcpIdentity::File("/nowhere/credentials.json".into());
    let fault = pull(&world.registry(gone), &blob).await.unwrap_err();
    assert_eq!(fault.reason.as_str(), "IdentityMissing");
}
