//! Tokens: shared, renewed, replaced when they end under way, sent nowhere else, and never seen.

use std::time::{Duration, Instant};

use fractal_core::Class;
use fractal_registry::{Credential, CredentialSource as _};
use fractal_simcloud::{Action, Filter, Rule};
use fractal_testkit::logs::recorded;

use crate::support::{CLIENT_SECRET, CONSENT, HOST, READER, World, pull};

fn on(service: &str, operation: &str, action: Action) -> Rule {
    let filter = Filter {
        service: Some(service.to_owned()),
        operation: Some(operation.to_owned()),
        ..Filter::default()
    };
    Rule::new(filter, action)
}

#[tokio::test]
async fn many_who_need_one_at_once_cost_one_token() {
    let world = World::new().await;
    let credentials = world.credentials(world.metadata());
    let all: Vec<_> = (0..20)
        .map(|_| {
            let credentials = credentials.clone();
            tokio::spawn(async move { credentials.credential(&HOST.parse().unwrap(), false).await })
        })
        .collect();
    for one in all {
        assert!(matches!(
            one.await.unwrap().unwrap(),
            Credential::Basic { .. }
        ));
    }
    assert_eq!(world.accepted(0, "MetadataToken"), 1);
}

#[tokio::test]
async fn g06_a_token_that_ends_under_way_costs_one_re_authentication() {
    let world = World::new().await;
    let blob = world.publish().await;
    let registry = world.registry(world.metadata());
    pull(&registry, &blob).await.unwrap();
    let before = world.cloud.ledger().last();
    // By the registry's clock both tokens ended; by ours they have time left.
    world.cloud.clock().advance(2 * 3_600_000);
    pull(&registry, &blob).await.unwrap();
    assert_eq!(world.accepted(before, "MetadataToken"), 1);
    assert_eq!(world.accepted(before, "GetBlob"), 1);
}

/// Reads a blob whose connection breaks off within it, and at that very moment its token ends.
#[tokio::test]
async fn g06_a_token_that_ends_within_a_blob_costs_one_re_authentication() {
    let world = World::new().await;
    let (reference, descriptor, bytes) = world.publish().await;
    let registry = world.registry(world.metadata());
    let cut = Action::CutAnswer { bytes: 200_000 };
    // The first is challenged.
    world
        .cloud
        .faults()
        .arm(on("registry", "GetBlob", cut).nth(2));
    let mut stream = registry.blob(&reference, &descriptor).await.unwrap();
    let mut read = stream.next().await.unwrap().unwrap().to_vec();
    let before = world.cloud.ledger().last();
    world.cloud.clock().advance(130_000);
    while let Some(chunk) = stream.next().await {
        read.extend(chunk.unwrap());
    }
    assert!(read == bytes, "{} of {} bytes", read.len(), bytes.len());
    assert_eq!(world.accepted(before, "MetadataToken"), 1);
    assert_eq!(
        world.accepted(before, "GetBlob"),
        1,
        "the rest, asked for once"
    );
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let world = World::with(2, READER).await;
    let credentials = world.credentials(world.metadata());
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.accepted(0, "MetadataToken") < 3 {
        credentials
            .credential(&HOST.parse().unwrap(), false)
            .await
            .unwrap();
        assert!(Instant::now() < deadline, "it was not renewed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_outage_passes_by_its_class_and_is_asked_again() {
    let world = World::new().await;
    let blob = world.publish().await;
    let faults = world.cloud.faults();
    faults.arm(on(
        "gcp",
        "Token",
        Action::Throttle {
            retry_after: Some(1),
        },
    ));
    faults.arm(on("gcp", "Token", Action::Reset).nth(2));
    let file = world.service_account(READER, &world.key);
    let registry = world.registry(world.file(&file));
    let started = Instant::now();
    pull(&registry, &blob).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    let down = Action::Fail {
        status: 503,
        code: "x".to_owned(),
        message: "down".to_owned(),
        retry_after: None,
    };
    faults.arm(on("gcp", "Token", down).until_lifted());
    let fresh = world.credentials(world.file(&file));
    let fault = fresh
        .credential(&HOST.parse().unwrap(), false)
        .await
        .unwrap_err();
    assert!(matches!(fault.class, Class::Transient { .. }));
    assert_eq!(fault.reason.as_str(), "IdentityUnavailable");
    assert_eq!(fault.what, "Google's token service is not available");
}

#[tokio::test]
async fn another_host_is_sent_nothing() {
    let world = World::new().await;
    let credentials = world.credentials(world.metadata());
    for host in [
        "europe-west1-docker.pkg.dev.evil.tld",
        "ghcr.io",
        "127.0.0.1:5000",
    ] {
        let credential = credentials.credential(&host.parse().unwrap(), false).await;
        assert_eq!(credential.unwrap(), Credential::Anonymous, "{host}");
    }
    assert_eq!(world.cloud.ledger().last(), 0);
}

#[tokio::test]
async fn h08_nothing_secret_is_in_any_error_log_or_debug_output() {
    let lines = recorded();
    let world = World::new().await;
    let host = HOST.parse().unwrap();
    let repeats = Action::Fail {
        status: 400,
        code: "invalid_grant".to_owned(),
        message: format!("you sent {CONSENT} of {CLIENT_SECRET}"),
        retry_after: None,
    };
    world.cloud.faults().arm(on("gcp", "Token", repeats));
    let credentials = world.credentials(world.file(&world.user(CONSENT)));
    let fault = credentials.credential(&host, false).await.unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("you sent <redacted> of <redacted>"),
        "{fault}"
    );
    let credential = credentials.credential(&host, false).await.unwrap();
    let Credential::Basic { password, .. } = &credential else {
        panic!("no password")
    };
    let lines = lines.text();
    assert!(lines.contains("registry answered"), "{lines}");
    let shown = format!("{lines} {credentials:?} {credential:?} {fault:?} {fault}");
    let ledger = serde_json::to_string(&world.cloud.ledger().since(0)).unwrap();
    for secret in [password.reveal(), CONSENT, CLIENT_SECRET] {
        assert!(
            !shown.contains(secret) && !ledger.contains(secret),
            "{secret}"
        );
    }
    let key = world.credentials(world.file(&world.service_account(READER, &world.key)));
    key.credential(&host, false).await.unwrap();
    let line = world.key.private_key_pem();
    let line = line.lines().nth(1).unwrap();
    assert!(!format!("{key:?}").contains(line));
}
