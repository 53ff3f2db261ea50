//! A token service behind TLS with an authority of its own.

use fractal_core::Class;
use fractal_gcp::GarCredentials;
use fractal_registry::{CredentialSource as _, Options};
use fractal_testkit::liar::{Authority, Liar, Lie, Shelf};

use crate::support::{CONSENT, HOST, World};

#[tokio::test]
async fn the_token_service_of_a_private_authority_is_asked_with_the_bundle_only() {
    let world = World::new().await;
    let authority = Authority::new();
    let google = Liar::over_tls(Shelf::default(), &authority.issue("127.0.0.1", 2999)).await;
    google.tell(Lie::Status(400, Vec::new()));
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, authority.pem()).unwrap();
    let mut user = world.user(CONSENT);
    user["token_uri"] = format!("{}/token", google.url()).into();
    let credentials = |ca_bundle| {
        let options = Options {
            ca_bundle,
            ..world.options()
        };
        GarCredentials::new(world.file(&user), options).unwrap()
    };
    let host = HOST.parse().unwrap();
    let stranger = credentials(None);
    let fault = stranger.credential(&host, false).await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "IdentityTls"),
        "{fault}"
    );
    assert!(google.seen().is_empty());
    let known = credentials(Some(bundle));
    let fault = known.credential(&host, false).await.unwrap_err();
    assert_eq!(fault.reason.as_str(), "IdentityRefused", "{fault}");
    assert_eq!(google.lines(), ["POST /token"]);
}
