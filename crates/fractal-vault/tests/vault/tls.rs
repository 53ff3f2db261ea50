//! A Vault behind TLS with an authority of its own.

use std::sync::Arc;

use fractal_core::Class;
use fractal_registry::CredentialSource as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::{Shape, World};

/// Ends TLS in front of `endpoint`; the URL to use, and the authority's certificate.
async fn tls_before(endpoint: &str) -> (String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let behind = endpoint.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut front) = acceptor.accept(socket).await else {
                continue;
            };
            let mut back = TcpStream::connect(&behind).await.unwrap();
            tokio::spawn(async move {
                // Either side may hang up first.
                let _ = tokio::io::copy_bidirectional(&mut front, &mut back).await;
            });
        }
    });
    (url, authority.pem())
}

#[tokio::test]
async fn an_authority_of_its_own_is_trusted_only_where_it_is_named() {
    let world = World::new(Shape::default()).await;
    world.write_good("dev");
    let (url, authority) = tls_before(world.cloud.endpoints().vault.as_deref().unwrap()).await;
    let mut settings = world.settings();
    settings.address = url.parse().unwrap();
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
    std::fs::write(&bundle, authority).unwrap();
    settings.ca_bundle = Some(bundle);
    let known = world.credentials_by(settings);
    known
        .credential_in("dev", &world.host(), false)
        .await
        .unwrap();
}
