//! An Entra behind TLS with an authority of its own, as in a sovereign or test cloud.

use fractal_azure::{AcrCredentials, AzureIdentity};
use fractal_core::Class;
use fractal_registry::{CredentialSource as _, Options};
use fractal_testkit::liar::{Authority, Liar, Lie, Shelf};

use crate::support::{HOST, PULLER, SECRET, World};

#[tokio::test]
async fn the_token_service_of_a_private_authority_is_asked_with_the_bundle_only() {
    let world = World::new().await;
    let authority = Authority::new();
    let entra = Liar::over_tls(Shelf::default(), &authority.issue("127.0.0.1", 2999)).await;
    entra.tell(Lie::Status(400, Vec::new()));
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("ca.pem");
    std::fs::write(&bundle, authority.pem()).unwrap();
    let credentials = |ca_bundle| {
        let variables = world.secret(PULLER, SECRET);
        let identity = AzureIdentity::from_variables(|name| match name {
            "AZURE_AUTHORITY_HOST" => Some(entra.url()),
            name => variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.clone()),
        });
        let options = Options {
            ca_bundle,
            ..world.options()
        };
        AcrCredentials::new(identity.unwrap(), options).unwrap()
    };
    let host = HOST.parse().unwrap();
    let stranger = credentials(None);
    let fault = stranger.credential(&host, false).await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "IdentityTls"),
        "{fault}"
    );
    assert!(entra.seen().is_empty());
    let known = credentials(Some(bundle));
    let fault = known.credential(&host, false).await.unwrap_err();
    assert_eq!(fault.reason.as_str(), "IdentityRefused", "{fault}");
    assert_eq!(entra.seen().len(), 1);
    assert!(entra.seen()[0].path().ends_with("/oauth2/v2.0/token"));
}
