//! Which secret is read, what it may lack, and whom it is shown to.

use fractal_core::Class;
use fractal_registry::{Credential, CredentialSource as _};
use fractal_simcloud::{Action, Filter, Outcome, Rule};
use serde_json::json;

use crate::support::{MOUNT, PASSWORD, Shape, USER, World, below, pull, registry};

#[tokio::test]
async fn r12_a_name_that_is_no_path_segment_costs_no_call() {
    let world = World::new(Shape::default()).await;
    let credentials = world.credentials();
    for name in [
        "../prod",
        "a/b",
        "..",
        "",
        "a%2fb",
        "dev\n",
        "dev?version=1",
    ] {
        let fault = credentials
            .credential_in(name, &world.host(), false)
            .await
            .unwrap_err();
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Terminal, "EnvironmentInvalid"),
            "{name}"
        );
    }
    let fault = credentials
        .credential(&world.host(), false)
        .await
        .unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "ConfigInvalid")
    );
    assert_eq!(world.cloud.ledger().last(), 0);
}

#[tokio::test]
async fn a_host_that_is_not_named_costs_no_call_and_gets_nothing() {
    let world = World::new(Shape::default()).await;
    world.write_good("dev");
    let credentials = world.credentials();
    for host in ["ghcr.io", "evil.example", "127.0.0.1:1"] {
        let credential = credentials
            .credential_in("dev", &host.parse().unwrap(), false)
            .await;
        assert_eq!(credential.unwrap(), Credential::Anonymous, "{host}");
    }
    assert_eq!(world.accepted("Login"), 0);
}

#[tokio::test]
async fn a_secret_of_another_registry_is_not_shown_to_this_one() {
    let world = World::new(Shape::default()).await;
    let data = json!({ "registry": "other.example", "username": USER, "password": PASSWORD });
    world.write("dev", &data);
    let blob = world.publish().await;
    let registry = registry(world.credentials()).in_environment("dev");
    let fault = pull(&registry, &blob).await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "VaultSecretInvalid")
    );
    assert!(fault.what.contains("other.example"), "{fault}");
}

#[tokio::test]
async fn each_environment_has_its_own_credential_and_token() {
    let world = World::new(Shape::default()).await;
    let blob = world.publish().await;
    world.write_good("dev");
    world.write("prod", &json!({ "username": USER, "password": "wrong" }));
    let registry = registry(world.credentials());
    pull(&registry.in_environment("dev"), &blob).await.unwrap();
    let fault = pull(&registry.in_environment("prod"), &blob)
        .await
        .unwrap_err();
    assert_eq!(fault.reason.as_str(), "RegistryAuth");
    pull(&registry.in_environment("dev"), &blob).await.unwrap();
}

#[tokio::test]
async fn a_missing_or_deleted_secret_is_named_by_its_path_and_heals() {
    let world = World::new(Shape::default()).await;
    let (credentials, host) = (world.credentials(), world.host());
    let get = async || credentials.credential_in("dev", &host, false).await;
    let path = format!("{MOUNT}/data/{}", below("dev"));
    let fault = get().await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "VaultSecretMissing")
    );
    assert_eq!(fault.place.as_deref(), Some(path.as_str()));
    assert_eq!(fault.what, format!("Vault has no secret at {path}"));
    world.write_good("dev");
    assert_eq!(get().await.unwrap(), Credential::basic(USER, PASSWORD));
    world.cloud.vault().unwrap().delete(MOUNT, &below("dev"));
    let fault = credentials
        .credential_in("dev", &host, true)
        .await
        .unwrap_err();
    assert_eq!(
        fault.what,
        format!("Vault has no secret at {path}: it was deleted")
    );
    world.write("dev", &json!({ "username": "robot" }));
    let fault = get().await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "VaultSecretInvalid")
    );
    assert!(
        fault.what.ends_with("no text under `password` or `token`"),
        "{fault}"
    );
}

#[tokio::test]
async fn g08_a_missing_policy_is_given_word_for_word() {
    let world = World::new(Shape {
        policies: vec!["default".to_owned()],
        ..Shape::default()
    })
    .await;
    world.write_good("dev");
    let credentials = world.credentials();
    let fault = credentials
        .credential_in("dev", &world.host(), false)
        .await
        .unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "VaultForbidden")
    );
    let path = format!("{MOUNT}/data/{}", below("dev"));
    let expected = format!(
        "give role `fractal` a policy with: path \"{path}\" {{ capabilities = [\"read\"] }}"
    );
    assert_eq!(fault.next, Some(expected));
    assert_eq!(world.calls("ReadSecret", Outcome::Refused), 1);
}

#[tokio::test]
async fn g06_a_password_that_changed_costs_one_read_and_the_pull_goes_on() {
    let world = World::new(Shape::default()).await;
    let blob = world.publish().await;
    world.write(
        "dev",
        &json!({ "username": USER, "password": "of-yesterday" }),
    );
    let credentials = world.credentials();
    credentials
        .credential_in("dev", &world.host(), false)
        .await
        .unwrap();
    world.write_good("dev");
    let registry = registry(credentials).in_environment("dev");
    pull(&registry, &blob).await.unwrap();
    pull(&registry, &blob).await.unwrap();
    assert_eq!(
        (world.accepted("Login"), world.accepted("ReadSecret")),
        (1, 2)
    );
    assert_eq!(world.calls("ReadSecret", Outcome::Refused), 0);
}

/// Reads a blob whose connection breaks off within it, and at that very moment the registry's token ends.
#[tokio::test]
async fn g06_a_token_that_ends_within_a_blob_costs_one_re_authentication() {
    let world = World::new(Shape {
        token_seconds: Some(120),
        ..Shape::default()
    })
    .await;
    world.write_good("dev");
    let (reference, descriptor, bytes) = world.publish().await;
    let registry = registry(world.credentials()).in_environment("dev");
    let blobs = Filter {
        service: Some("registry".to_owned()),
        operation: Some("GetBlob".to_owned()),
        ..Filter::default()
    };
    // The first is challenged.
    let cut = Rule::new(blobs, Action::CutAnswer { bytes: 200_000 }).nth(2);
    world.cloud.faults().arm(cut);
    let mut stream = registry.blob(&reference, &descriptor).await.unwrap();
    let mut read = stream.next().await.unwrap().unwrap().to_vec();
    let before = world.cloud.ledger().last();
    world.cloud.clock().advance(130_000);
    while let Some(chunk) = stream.next().await {
        read.extend(chunk.unwrap());
    }
    assert!(read == bytes, "{} of {} bytes", read.len(), bytes.len());
    let entries = world.cloud.ledger().since(before);
    let accepted = |operation: &str| {
        let wanted = entries.iter().filter(|entry| {
            entry.service == "registry"
                && entry.operation == operation
                && entry.outcome == Outcome::Accepted
        });
        wanted.count()
    };
    assert_eq!((accepted("Token"), accepted("GetBlob")), (1, 1));
    // Vault is asked once more, since the password might be what does not hold any longer.
    assert_eq!(
        (world.accepted("Login"), world.accepted("ReadSecret")),
        (1, 2)
    );
}
