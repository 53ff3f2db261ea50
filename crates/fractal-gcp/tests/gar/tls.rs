//! Google's token service and the registry behind TLS with a private authority.

use std::sync::Arc;

use fractal_core::Class;
use fractal_gcp::GarCredentials;
use fractal_registry::{Options, Registry};
use fractal_simcloud::{Action, Filter, Rule};
use fractal_testkit::liar::Authority;
use fractal_testkit::tls_front::TlsFront;
use serde_json::json;

use crate::support::{CONSENT, HOST, World, pull};

/// A world whose every service is reached over TLS.
struct Secured {
    world: World,
    authority: Authority,
    tokens: TlsFront,
    registry: TlsFront,
}

impl Secured {
    async fn new() -> Self {
        let (world, authority) = (World::new().await, Authority::new());
        Self {
            tokens: TlsFront::before(world.google(), &authority).await,
            registry: TlsFront::before(world.cloud.registry_endpoint(), &authority).await,
            world,
            authority,
        }
    }

    /// A client that trusts the authority, or that was not told of it.
    fn registry(&self, trusting: bool) -> Registry {
        let bundle = self.world.subject_file().with_file_name("ca.pem");
        std::fs::write(&bundle, self.authority.pem()).unwrap();
        let options = Options {
            endpoints: [(HOST.parse().unwrap(), self.registry.url().to_owned())].into(),
            ca_bundle: trusting.then_some(bundle),
            ..self.world.options()
        };
        // A user: a service account's assertion names the endpoint it is for, and that one goes by its own address only.
        let mut user = self.world.user(CONSENT);
        user["token_uri"] = json!(format!("{}/token", self.tokens.url()));
        let identity = self.world.file(&user);
        let credentials = Arc::new(GarCredentials::new(identity, options.clone()).unwrap());
        Registry::new(Options {
            credentials,
            ..options
        })
        .unwrap()
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_only_where_it_is_named() {
    let secured = Secured::new().await;
    let blob = secured.world.publish().await;
    let before = secured.world.cloud.ledger().last();
    let fault = pull(&secured.registry(false), &blob).await.unwrap_err();
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Blocked, "RegistryTls")
    );
    assert_eq!(secured.world.cloud.ledger().last(), before, "no call came");
    pull(&secured.registry(true), &blob).await.unwrap();
    let accepted = |operation| secured.world.accepted(before, operation);
    assert_eq!((accepted("Token"), accepted("GetBlob")), (1, 1));
}

#[tokio::test]
async fn g06_over_tls_a_token_that_ends_within_a_blob_costs_one_re_authentication() {
    let secured = Secured::new().await;
    let world = &secured.world;
    let (reference, descriptor, bytes) = world.publish().await;
    let registry = secured.registry(true);
    let filter = Filter {
        service: Some("registry".to_owned()),
        operation: Some("GetBlob".to_owned()),
        ..Filter::default()
    };
    // The first is challenged.
    let cut = Rule::new(filter, Action::CutAnswer { bytes: 200_000 }).nth(2);
    world.cloud.faults().arm(cut);
    let mut stream = registry.blob(&reference, &descriptor).await.unwrap();
    let mut read = stream.next().await.unwrap().unwrap().to_vec();
    let before = world.cloud.ledger().last();
    // By the registry's clock both tokens ended.
    world.cloud.clock().advance(2 * 3_600_000);
    while let Some(chunk) = stream.next().await {
        read.extend(chunk.unwrap());
    }
    assert!(read == bytes, "{} of {} bytes", read.len(), bytes.len());
    assert_eq!(world.accepted(before, "Token"), 1);
    assert_eq!(world.accepted(before, "GetBlob"), 1);
}
