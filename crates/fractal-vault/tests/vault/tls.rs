//! A Vault behind TLS with an authority of its own.

use fractal_core::Class;
use fractal_registry::CredentialSource as _;
use fractal_testkit::liar::Authority;
use fractal_testkit::tls_front::TlsFront;

use crate::support::{Shape, World};

#[tokio::test]
async fn an_authority_of_its_own_is_trusted_only_where_it_is_named() {
    let world = World::new(Shape::default()).await;
    world.write_good("dev");
    let authority = Authority::new();
    let vault = world.cloud.endpoints().vault.as_deref().unwrap();
    let front = TlsFront::before(vault, &authority).await;
    let mut settings = world.settings();
    settings.address = front.url().parse().unwrap();
    let stranger = world.credentials_by(settings.clone());
    let fault = stranger
        .credential_in("dev", &world.host(), false)
        .await
        .unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "IdentityTls")
    );
    assert_eq!(
        world.accepted("Login"),
        0,
        "nothing falls back to plain HTTP"
    );
    let bundle = world.folder().join("ca.pem");
    std::fs::write(&bundle, authority.pem()).unwrap();
    settings.ca_bundle = Some(bundle);
    let known = world.credentials_by(settings);
    known
        .credential_in("dev", &world.host(), false)
        .await
        .unwrap();
}
