//! A private authority is trusted wherever a request goes: registry, token service, redirect target and identity service.

use std::path::PathBuf;

use fractal_core::Class;
use fractal_registry::{
    Credential, IdentityClient, IdentityRequest, Options, Registry, StaticCredentials,
};
use fractal_testkit::liar::{Authority, Liar, Lie, Part, Shelf};

use crate::support::quick;

struct Trust {
    authority: Authority,
    bundle: PathBuf,
    _folder: tempfile::TempDir,
}

impl Trust {
    fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
        let bundle = folder.path().join("ca.pem");
        std::fs::write(&bundle, authority.pem()).unwrap();
        Self {
            authority,
            bundle,
            _folder: folder,
        }
    }

    async fn server(&self) -> Liar {
        Liar::over_tls(Shelf::stocked(), &self.authority.issue("127.0.0.1", 2999)).await
    }

    fn options(&self, liar: &Liar) -> Options {
        let host = "r.example".parse().unwrap();
        let known = [(
            "r.example".parse().unwrap(),
            Credential::basic("user", "password"),
        )];
        Options {
            endpoints: [(host, liar.url())].into(),
            credentials: std::sync::Arc::new(StaticCredentials::new(known.into())),
            ca_bundle: Some(self.bundle.clone()),
            ..quick()
        }
    }
}

#[tokio::test]
async fn a_token_service_of_a_private_authority_is_asked() {
    let trust = Trust::new();
    let (registry, service) = (trust.server().await, trust.server().await);
    service.tell(Lie::Token(200, r#"{"token":"good"}"#.into()));
    registry.tell(Lie::Realm(format!("{}/token", service.url())));
    let client = Registry::new(trust.options(&registry)).unwrap();
    client
        .resolve(&"r.example/shop/zip:1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(service.seen().len(), 1);
    assert!(service.seen()[0].path().starts_with("/token"));
}

#[tokio::test]
async fn a_redirect_target_of_a_private_authority_is_read() {
    let trust = Trust::new();
    let (registry, target) = (trust.server().await, trust.server().await);
    let to = format!("{}/v2/shop/zip/manifests/1", target.url());
    registry.tell(Lie::Redirect(Part::Manifests, to));
    let client = Registry::new(trust.options(&registry)).unwrap();
    client
        .resolve(&"r.example/shop/zip:1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(target.lines(), ["HEAD /v2/shop/zip/manifests/1"]);
    assert_eq!(target.seen()[0].authorization(), None);
}

#[tokio::test]
async fn an_identity_service_of_a_private_authority_is_asked_and_without_the_bundle_it_is_not() {
    let trust = Trust::new();
    let service = trust.server().await;
    service.tell(Lie::Status(200, Vec::new()));
    let request =
        || IdentityRequest::form(&service.url().parse().unwrap(), "/token", &[("a", "b")]);
    let client = IdentityClient::new(trust.options(&service)).unwrap();
    assert_eq!(client.send(&request()).await.unwrap().status, 200);
    let strangers = Options {
        ca_bundle: None,
        ..trust.options(&service)
    };
    let strangers = IdentityClient::new(strangers).unwrap();
    let fault = strangers
        .send(&request())
        .await
        .unwrap_err()
        .of_identity("the service");
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "IdentityTls"),
        "{fault}"
    );
    assert_eq!(service.lines(), ["POST /token"]);
}
