//! Each way an identity proves itself, and each way it is refused.

use fractal_core::Class;
use fractal_simcloud::Outcome;

use crate::support::{AUDIENCE, HEADER, PULLER, SECRET, STRANGER, SUBJECT, TENANT, World, pull};

#[tokio::test]
async fn a_workload_pulls_with_its_service_account_and_asks_once() {
    let world = World::new().await;
    let blob = world.publish().await;
    let before = world.cloud.ledger().last();
    let registry = world.registry(world.credentials(&world.workload(PULLER)));
    for _ in 0..3 {
        pull(&registry, &blob).await.unwrap();
    }
    assert_eq!(world.accepted(before, "Token"), 1);
    assert_eq!(world.accepted(before, "Exchange"), 1);
}

#[tokio::test]
async fn a_client_secret_pulls_too() {
    let world = World::new().await;
    let blob = world.publish().await;
    let registry = world.registry(world.credentials(&world.secret(PULLER, SECRET)));
    pull(&registry, &blob).await.unwrap();
}

#[tokio::test]
async fn a_managed_identity_of_a_machine_and_of_an_app_pulls() {
    let world = World::new().await;
    let blob = world.publish().await;
    let machine = (
        "AZURE_POD_IDENTITY_AUTHORITY_HOST",
        world.azure().to_owned(),
    );
    let named = ("AZURE_CLIENT_ID", PULLER.to_owned());
    let app = [
        ("IDENTITY_ENDPOINT", format!("{}/msi/token", world.azure())),
        ("IDENTITY_HEADER", HEADER.to_owned()),
    ];
    let sets = [vec![machine.clone()], vec![machine, named], app.to_vec()];
    for variables in sets {
        let registry = world.registry(world.credentials(&variables));
        pull(&registry, &blob).await.unwrap();
    }
    assert_eq!(world.accepted(0, "MachineIdentity"), 2);
    assert_eq!(world.accepted(0, "AppIdentity"), 1);
}

#[tokio::test]
async fn a_refused_identity_says_what_to_mend_and_heals() {
    let world = World::new().await;
    let blob = world.publish().await;
    let refused = async |variables: Vec<(&str, String)>, next: &str| {
        let registry = world.registry(world.credentials(&variables));
        let fault = pull(&registry, &blob).await.unwrap_err();
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "IdentityRefused"),
            "{fault}"
        );
        assert_eq!(fault.next.as_deref(), Some(next), "{fault}");
    };
    let workload = || world.workload(PULLER);
    world.present("system:serviceaccount:other:agent", AUDIENCE, 600);
    let subject =
        "add a federated credential with this service account as its subject to the identity";
    refused(workload(), subject).await;
    world.present(SUBJECT, "others", 600);
    let audience =
        "add a federated credential with the audience api://AzureADTokenExchange to the identity";
    refused(workload(), audience).await;
    world.present(SUBJECT, AUDIENCE, 0);
    let clocks = "set the clocks of cluster and agent, and see that the projected token is renewed";
    refused(workload(), clocks).await;
    world.present(SUBJECT, AUDIENCE, 600);
    refused(
        world.secret(PULLER, "wrong"),
        "set the client secret's value (not its id)",
    )
    .await;
    let unknown = "22222222-0000-0000-0000-000000000000";
    let registered = "correct the client id, or register the application in this tenant";
    refused(world.secret(unknown, SECRET), registered).await;
    let mut elsewhere = workload();
    elsewhere.retain(|(name, _)| *name != "AZURE_TENANT_ID");
    elsewhere.push(("AZURE_TENANT_ID", "nowhere.example".to_owned()));
    refused(elsewhere, "correct the tenant id").await;
    let machine = |client: &str| {
        vec![
            (
                "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                world.azure().to_owned(),
            ),
            ("AZURE_CLIENT_ID", client.to_owned()),
        ]
    };
    let assigned = "assign the managed identity to this machine or app, or correct AZURE_CLIENT_ID";
    refused(machine(STRANGER), assigned).await;
    pull(&world.registry(world.credentials(&workload())), &blob)
        .await
        .unwrap();
}

#[tokio::test]
async fn g08_an_identity_without_a_role_is_named_with_the_role_it_needs() {
    let world = World::new().await;
    let blob = world.publish().await;
    let before = world.cloud.ledger().last();
    let registry = world.registry(world.credentials(&world.workload(STRANGER)));
    let fault = pull(&registry, &blob).await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryForbidden")
    );
    let next = format!(
        "assign the role AcrPull on the registry fractal.azurecr.io to workload identity {STRANGER}"
    );
    assert_eq!(fault.next, Some(next));
    // Once with the token at hand and once with a new one.
    assert_eq!(world.calls(before, "Exchange", Outcome::Refused), 2);
}

#[tokio::test]
async fn a_token_file_that_is_not_there_is_named() {
    let world = World::new().await;
    let blob = world.publish().await;
    let before = world.cloud.ledger().last();
    std::fs::remove_file(world.token_file()).unwrap();
    let registry = world.registry(world.credentials(&world.workload(PULLER)));
    let fault = pull(&registry, &blob).await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "IdentityMissing")
    );
    assert!(fault.what.contains(world.token_file().to_str().unwrap()));
    assert_eq!(world.accepted(before, "Exchange"), 0);
    assert!(!fault.to_string().contains(TENANT));
}
