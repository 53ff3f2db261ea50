//! Credentials that do not hold, or not for long enough.

use std::time::{Duration, Instant};

use fractal_core::{Class, Fault};
use fractal_registry::{Credential, RepositoryRef};
use fractal_testkit::registry::{PASSWORD, READER, Server, Setup, USER};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::artifacts::function;
use crate::client::{client, client_as};

#[tokio::test]
async fn wrong_or_no_credentials_are_named_and_nothing_is_written() {
    for setup in [Setup::Basic, Setup::Bearer] {
        let server = Server::start(setup).await;
        let to = server.reference("team/function:1");
        for (credential, who) in [
            (Credential::basic(USER, "canary-wrong"), USER),
            (Credential::Anonymous, "anonymous"),
        ] {
            let registry = client_as(&server, credential);
            let pushed = Fault::from(function().push(&registry, &to).await.unwrap_err());
            let read = Fault::from(registry.resolve(&to).await.unwrap_err());
            for fault in [pushed, read] {
                assert_eq!(
                    (fault.class, fault.reason.as_str()),
                    (Class::Blocked, "RegistryAuth"),
                    "{setup:?} {who}: {fault}"
                );
                let text = fault.to_string();
                assert!(text.contains(who) && !text.contains("canary"), "{text}");
            }
        }
        let missing = Fault::from(client(&server).resolve(&to).await.unwrap_err());
        assert_eq!(missing.reason.as_str(), "RegistryNotFound", "{setup:?}");
    }
}

#[tokio::test]
async fn who_may_only_pull_pulls_and_is_forbidden_to_push() {
    let server = Server::start(Setup::Bearer).await;
    let to = server.reference("team/function:1");
    let digest = function().push(&client(&server), &to).await.unwrap();
    let reader = client_as(&server, Credential::basic(READER, PASSWORD));
    assert_eq!(reader.resolve(&to).await.unwrap().digest, digest);
    let other = server.reference("team/other:1");
    let fault = Fault::from(function().push(&reader, &other).await.unwrap_err());
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryForbidden"),
        "{fault}"
    );
    assert!(fault.what.contains(READER), "{fault}");
}

/// The service says that its tokens hold for five minutes; the registry takes each for seconds only.
#[tokio::test]
async fn a_token_that_runs_out_between_two_requests_is_renewed() {
    let server = Server::start(Setup::Bearer).await;
    let tokens = server.tokens().unwrap();
    let (registry, artifact) = (client(&server), function());
    let to = server.reference("team/function:1");
    tokens.hold_for(2);
    let (config, bytes) = &artifact.blobs[0];
    registry
        .push_blob(&RepositoryRef::from(&to), config, bytes, None)
        .await
        .unwrap();
    let given = tokens.given();
    run_out(&server, given.last().unwrap()).await;
    tokens.hold_for(300);
    let digest = artifact.push(&registry, &to).await.unwrap();
    assert!(tokens.given().len() > given.len());
    let all = tokens.given().len();
    assert_eq!(registry.resolve(&to).await.unwrap().digest, digest);
    registry.manifest(&to, &digest).await.unwrap();
    assert!(
        tokens.given().len() <= all + 1,
        "one token for pulling, and none for each request"
    );
}

/// Waits until the registry itself refuses the token.
async fn run_out(server: &Server, token: &str) {
    let began = Instant::now();
    while status(server, token).await != 401 {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "the registry still takes the token"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn status(server: &Server, token: &str) -> u16 {
    let mut stream = TcpStream::connect(server.host()).await.unwrap();
    let request = format!(
        "GET /v2/ HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n",
        server.host()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
