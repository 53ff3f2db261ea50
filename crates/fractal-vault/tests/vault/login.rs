//! Logins of both kinds, leases and their renewal, and logins that are refused.

use fractal_core::Class;
use fractal_registry::CredentialSource as _;
use fractal_simcloud::{Outcome, VaultLogin};

use crate::support::{AUDIENCE, SUBJECT, Shape, World, pull, registry, until};

#[tokio::test]
async fn a_pod_pulls_with_what_vault_holds_and_asks_once() {
    let world = World::new(Shape::default()).await;
    let blob = world.publish().await;
    world.write_good("dev");
    let registry = registry(world.credentials()).in_environment("dev");
    for _ in 0..3 {
        pull(&registry, &blob).await.unwrap();
    }
    assert_eq!(
        (world.accepted("Login"), world.accepted("ReadSecret")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_jwt_login_in_a_namespace_with_mounts_of_its_own() {
    let shape = Shape {
        login: VaultLogin::Jwt,
        namespace: Some("team/eu".to_owned()),
        ..Shape::default()
    };
    let world = World::new(shape).await;
    let blob = world.publish().await;
    world.write_good("dev");
    let mut settings = world.settings();
    let outside = registry(world.credentials_by(settings.clone())).in_environment("dev");
    let fault = pull(&outside, &blob).await.unwrap_err();
    assert_eq!(fault.reason.as_str(), "IdentityRefused");
    settings.namespace = Some("team/eu".parse().unwrap());
    settings.environment = Some("dev".parse().unwrap());
    // Without an environment of its own, a pull is one of the agent's.
    pull(&registry(world.credentials_by(settings)), &blob)
        .await
        .unwrap();
}

#[tokio::test]
async fn many_who_need_it_at_once_cost_one_login_and_one_read() {
    let world = World::new(Shape::default()).await;
    world.write_good("dev");
    let (credentials, host) = (world.credentials(), world.host());
    let all: Vec<_> = (0..20)
        .map(|_| {
            let (credentials, host) = (credentials.clone(), host.clone());
            tokio::spawn(async move { credentials.credential_in("dev", &host, false).await })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert_eq!(
        (world.accepted("Login"), world.accepted("ReadSecret")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_lease_is_renewed_before_it_ends() {
    let shape = Shape {
        ttl_seconds: 6,
        max_ttl_seconds: 3600,
        ..Shape::default()
    };
    let world = World::new(shape).await;
    world.write_good("dev");
    let (credentials, host) = (world.credentials(), world.host());
    until(async || {
        credentials.credential_in("dev", &host, true).await.unwrap();
        world.accepted("RenewSelf") >= 1
    })
    .await;
    assert_eq!(world.accepted("Login"), 1, "renewals need no login");
    assert_eq!(
        world.calls("ReadSecret", Outcome::Refused),
        0,
        "no lease ran out"
    );
}

#[tokio::test]
async fn a_token_near_its_longest_life_is_replaced_before_it_ends() {
    let shape = Shape {
        ttl_seconds: 6,
        max_ttl_seconds: 8,
        ..Shape::default()
    };
    let world = World::new(shape).await;
    world.write_good("dev");
    let (credentials, host) = (world.credentials(), world.host());
    until(async || {
        credentials.credential_in("dev", &host, true).await.unwrap();
        world.accepted("Login") == 2
    })
    .await;
    assert_eq!(world.calls("ReadSecret", Outcome::Refused), 0);
}

#[tokio::test]
async fn where_renewal_is_refused_the_login_is_made_again() {
    for renewable in [true, false] {
        let shape = Shape {
            ttl_seconds: 2,
            renewable,
            ..Shape::default()
        };
        let world = World::new(shape).await;
        world.write_good("dev");
        let (credentials, host) = (world.credentials(), world.host());
        let get = async || credentials.credential_in("dev", &host, true).await;
        get().await.unwrap();
        if renewable {
            let renewals = fractal_simcloud::Filter {
                operation: Some("RenewSelf".to_owned()),
                ..Default::default()
            };
            let refuse = fractal_simcloud::Rule::new(renewals, fractal_simcloud::Action::Deny);
            world.cloud.faults().arm(refuse);
        }
        until(async || {
            get().await.unwrap();
            world.accepted("Login") >= 2
        })
        .await;
    }
}

#[tokio::test]
async fn a_token_that_ended_costs_one_login() {
    let world = World::new(Shape::default()).await;
    world.write_good("dev");
    let (credentials, host) = (world.credentials(), world.host());
    credentials
        .credential_in("dev", &host, false)
        .await
        .unwrap();
    // By Vault's clock the token is gone; by ours it has an hour left: as after a revocation.
    world.cloud.clock().advance(3_600_000);
    world.present(SUBJECT, AUDIENCE, 600);
    credentials.credential_in("dev", &host, true).await.unwrap();
    assert_eq!(
        (world.accepted("Login"), world.accepted("ReadSecret")),
        (2, 2)
    );
    assert_eq!(world.calls("ReadSecret", Outcome::Refused), 1);
}

#[tokio::test]
async fn a_refused_login_says_which_binding_is_missing_and_heals() {
    for login in [VaultLogin::Kubernetes, VaultLogin::Jwt] {
        let world = World::new(Shape {
            login,
            ..Shape::default()
        })
        .await;
        world.write_good("dev");
        let (credentials, host) = (world.credentials(), world.host());
        let strangers = [
            ("system:serviceaccount:other:caas-agent", AUDIENCE, 600),
            (SUBJECT, "others", 600),
            (SUBJECT, AUDIENCE, 0),
        ];
        for (subject, audience, seconds) in strangers {
            world.present(subject, audience, seconds);
            let fault = credentials
                .credential_in("dev", &host, false)
                .await
                .unwrap_err();
            assert_eq!(
                (fault.class, fault.reason.as_str()),
                (Class::Blocked, "IdentityRefused")
            );
            let next = fault.next.unwrap();
            assert!(next.contains("create role `fractal` at auth/"), "{next}");
        }
        world.present(SUBJECT, AUDIENCE, 600);
        credentials
            .credential_in("dev", &host, false)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_token_file_that_is_not_there_is_named() {
    let world = World::new(Shape::default()).await;
    std::fs::remove_file(world.token_file()).unwrap();
    let asked = world.credentials();
    let fault = asked
        .credential_in("dev", &world.host(), false)
        .await
        .unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "IdentityMissing")
    );
    assert!(fault.what.contains(world.token_file().to_str().unwrap()));
    assert_eq!(world.cloud.ledger().last(), 0);
}
