//! A Vault that is sealed, busy or away, and what must never be seen of a secret.

use std::time::{Duration, Instant};

use fractal_core::Class;
use fractal_registry::{Credential, CredentialSource as _};
use fractal_simcloud::{Action, Filter, Outcome, Rule};
use fractal_testkit::logs::recorded;

use crate::support::{PASSWORD, Shape, USER, World, pull, registry};

fn on(operation: &str, action: Action) -> Rule {
    let filter = Filter {
        service: Some("vault".to_owned()),
        operation: Some(operation.to_owned()),
        ..Filter::default()
    };
    Rule::new(filter, action)
}

#[tokio::test]
async fn a_sealed_vault_passes_and_what_is_at_hand_serves_on() {
    let world = World::new(Shape::default()).await;
    world.write_good("dev");
    let (credentials, host) = (world.credentials(), world.host());
    let vault = world.cloud.vault().unwrap().clone();
    vault.seal(true);
    let fault = credentials
        .credential_in("dev", &host, false)
        .await
        .unwrap_err();
    assert!(matches!(fault.class, Class::Transient { .. }));
    assert_eq!(fault.reason.as_str(), "IdentityUnavailable");
    assert!(fault.why.unwrap().ends_with("Vault is sealed"));
    vault.seal(false);
    let good = Ok(Credential::basic(USER, PASSWORD));
    assert_eq!(credentials.credential_in("dev", &host, false).await, good);
    vault.seal(true);
    assert_eq!(credentials.credential_in("dev", &host, false).await, good);
}

#[tokio::test]
async fn g10_a_busy_vault_is_asked_again_after_the_time_it_names() {
    let world = World::new(Shape::default()).await;
    let blob = world.publish().await;
    world.write_good("dev");
    world.cloud.faults().arm(on(
        "Login",
        Action::Throttle {
            retry_after: Some(1),
        },
    ));
    world.cloud.faults().arm(on("ReadSecret", Action::Reset));
    let registry = registry(world.credentials()).in_environment("dev");
    let started = Instant::now();
    pull(&registry, &blob).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(world.calls("Login", Outcome::FaultBefore), 1);
    assert_eq!(
        (world.accepted("Login"), world.accepted("ReadSecret")),
        (1, 1)
    );
    let again = on(
        "Login",
        Action::Throttle {
            retry_after: Some(3600),
        },
    );
    world.cloud.faults().arm(again.until_lifted());
    let waiting = world.credentials();
    let fault = waiting
        .credential_in("dev", &world.host(), false)
        .await
        .unwrap_err();
    let retry_after = Some(Duration::from_secs(900));
    assert_eq!(fault.class, Class::Transient { retry_after });
}

#[tokio::test]
async fn a_vault_that_is_not_there_passes_and_says_where_it_was_looked_for() {
    let world = World::new(Shape::default()).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut settings = world.settings();
    settings.address = nowhere.parse().unwrap();
    let credentials = world.credentials_by(settings);
    let fault = credentials
        .credential_in("dev", &world.host(), false)
        .await
        .unwrap_err();
    assert!(matches!(fault.class, Class::Transient { .. }));
    assert_eq!(
        fault.place,
        Some(format!("{nowhere}/v1/auth/kubernetes/login"))
    );
}

#[tokio::test]
async fn h08_nothing_secret_is_in_any_error_log_or_debug_output() {
    let lines = recorded();
    let world = World::new(Shape::default()).await;
    world.write_good("dev");
    let jwt = std::fs::read_to_string(world.token_file()).unwrap();
    let repeats = Action::Fail {
        status: 400,
        code: "x".to_owned(),
        message: format!("what you sent was {}", jwt.trim()),
        retry_after: None,
    };
    let (credentials, host) = (world.credentials(), world.host());
    world.cloud.faults().arm(on("Login", repeats));
    let fault = credentials
        .credential_in("dev", &host, false)
        .await
        .unwrap_err();
    assert_eq!(fault.why.as_deref(), Some("what you sent was <redacted>"));
    let credential = credentials
        .credential_in("dev", &host, false)
        .await
        .unwrap();
    let lines = lines.text();
    assert!(lines.contains("registry answered"), "{lines}");
    let shown = format!("{lines} {credentials:?} {credential:?} {fault:?} {fault}");
    let ledger = serde_json::to_string(&world.cloud.ledger().since(0)).unwrap();
    let signature = jwt.trim().rsplit('.').next().unwrap();
    for secret in [PASSWORD, signature, "hvs."] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
        assert!(!ledger.contains(secret), "{secret} in the ledger");
    }
}
