//! Tokens: shared, renewed, replaced when they end under way, sent nowhere else, and never seen.

use std::time::{Duration, Instant};

use fractal_core::Class;
use fractal_registry::{Credential, CredentialSource as _};
use fractal_simcloud::{Action, Filter, Rule};
use fractal_testkit::logs::recorded;

use crate::support::{HOST, PULLER, SECRET, World, pull};

fn on(service: &str, operation: &str, action: Action) -> Rule {
    let filter = Filter {
        service: Some(service.to_owned()),
        operation: Some(operation.to_owned()),
        ..Filter::default()
    };
    Rule::new(filter, action)
}

#[tokio::test]
async fn many_who_need_one_at_once_cost_one_token_and_one_exchange() {
    let world = World::new().await;
    let credentials = world.credentials(&world.workload(PULLER));
    let all: Vec<_> = (0..20)
        .map(|_| {
            let credentials = credentials.clone();
            tokio::spawn(async move { credentials.credential(&HOST.parse().unwrap(), false).await })
        })
        .collect();
    for one in all {
        assert!(matches!(
            one.await.unwrap().unwrap(),
            Credential::Refresh(_)
        ));
    }
    assert_eq!(
        (world.accepted(0, "Token"), world.accepted(0, "Exchange")),
        (1, 1)
    );
}

#[tokio::test]
async fn g06_a_token_that_ends_under_way_costs_one_re_authentication() {
    let world = World::new().await;
    let blob = world.publish().await;
    let registry = world.registry(world.credentials(&world.workload(PULLER)));
    pull(&registry, &blob).await.unwrap();
    let before = world.cloud.ledger().last();
    // By the registry's clock the access token ended; by ours it has time left.
    world.cloud.clock().advance(130_000);
    pull(&registry, &blob).await.unwrap();
    assert_eq!(world.accepted(before, "Exchange"), 1);
    assert_eq!(
        world.accepted(before, "Token"),
        0,
        "the Entra token still holds"
    );
    assert_eq!(world.accepted(before, "GetBlob"), 1);
    // Now the refresh token and Entra's ended as well.
    world.cloud.clock().advance(4 * 3_600_000);
    world.present(crate::support::SUBJECT, crate::support::AUDIENCE, 600);
    let before = world.cloud.ledger().last();
    pull(&registry, &blob).await.unwrap();
    assert_eq!(world.accepted(before, "Token"), 1);
    assert_eq!(world.accepted(before, "Exchange"), 1);
}

/// Reads a blob whose connection breaks off within it, and at that very moment its token ends.
#[tokio::test]
async fn g06_a_token_that_ends_within_a_blob_costs_one_re_authentication() {
    let world = World::new().await;
    let (reference, descriptor, bytes) = world.publish().await;
    let registry = world.registry(world.credentials(&world.workload(PULLER)));
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
    assert_eq!(world.accepted(before, "Exchange"), 1);
    assert_eq!(
        world.accepted(before, "GetBlob"),
        1,
        "the rest, asked for once"
    );
}

#[tokio::test]
async fn an_entra_token_is_renewed_before_it_ends() {
    let world = World::with(2).await;
    let credentials = world.credentials(&world.workload(PULLER));
    let resource = "https://containerregistry.azure.net";
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.accepted(0, "Token") < 3 {
        credentials.entra().token(resource, false).await.unwrap();
        assert!(Instant::now() < deadline, "it was not renewed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_outage_passes_by_its_class_and_is_asked_again() {
    let world = World::new().await;
    let blob = world.publish().await;
    let faults = world.cloud.faults();
    let busy = Action::Throttle {
        retry_after: Some(1),
    };
    faults.arm(on("azure", "Token", busy));
    faults.arm(on("registry", "Exchange", Action::Reset));
    let registry = world.registry(world.credentials(&world.workload(PULLER)));
    let started = Instant::now();
    pull(&registry, &blob).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    let down = Action::Fail {
        status: 503,
        code: "x".to_owned(),
        message: "down".to_owned(),
        retry_after: None,
    };
    faults.arm(on("azure", "Token", down).until_lifted());
    let fresh = world.credentials(&world.workload(PULLER));
    let fault = fresh
        .credential(&HOST.parse().unwrap(), false)
        .await
        .unwrap_err();
    assert!(matches!(fault.class, Class::Transient { .. }));
    assert_eq!(fault.reason.as_str(), "IdentityUnavailable");
    assert_eq!(fault.what, "Microsoft Entra is not available");
    // The one that holds tokens is not touched by it.
    pull(&registry, &blob).await.unwrap();
}

#[tokio::test]
async fn another_host_is_sent_nothing() {
    let world = World::new().await;
    let credentials = world.credentials(&world.workload(PULLER));
    for host in ["fractal.azurecr.io.evil.tld", "ghcr.io", "127.0.0.1:5000"] {
        let credential = credentials.credential(&host.parse().unwrap(), false).await;
        assert_eq!(credential.unwrap(), Credential::Anonymous, "{host}");
    }
    assert_eq!(world.cloud.ledger().last(), 0);
}

#[tokio::test]
async fn h08_nothing_secret_is_in_any_error_log_or_debug_output() {
    let lines = recorded();
    let world = World::new().await;
    let assertion = std::fs::read_to_string(world.token_file()).unwrap();
    let repeats = |text: &str| Action::Fail {
        status: 401,
        code: "invalid_client".to_owned(),
        message: format!("AADSTS7000215: you sent {text}"),
        retry_after: None,
    };
    let host = HOST.parse().unwrap();
    let mut shown = String::new();
    for (variables, secret) in [
        (world.workload(PULLER), assertion.as_str()),
        (world.secret(PULLER, SECRET), SECRET),
    ] {
        world
            .cloud
            .faults()
            .arm(on("azure", "Token", repeats(secret)));
        let credentials = world.credentials(&variables);
        let fault = credentials.credential(&host, false).await.unwrap_err();
        assert!(fault.to_string().contains("you sent <redacted>"), "{fault}");
        let credential = credentials.credential(&host, false).await.unwrap();
        let token = credentials
            .entra()
            .token("https://management.azure.com", false)
            .await
            .unwrap();
        let Credential::Refresh(refresh) = &credential else {
            panic!("no refresh token")
        };
        let text = format!("{credentials:?} {credential:?} {token:?} {fault:?} {fault}");
        assert!(!text.contains(token.reveal()) && !text.contains(refresh.reveal()));
        shown.push_str(&text);
    }
    let lines = lines.text();
    assert!(lines.contains("registry answered"), "{lines}");
    shown.push_str(&lines);
    let signature = assertion.rsplit('.').next().unwrap();
    let ledger = serde_json::to_string(&world.cloud.ledger().since(0)).unwrap();
    for secret in [signature, SECRET] {
        assert!(
            !shown.contains(secret) && !ledger.contains(secret),
            "{secret}"
        );
    }
}
