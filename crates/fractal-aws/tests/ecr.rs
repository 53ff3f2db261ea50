//! ECR's registry token: had once, and had anew when it ends within a blob; over TLS with a private authority too.

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_http_client::Builder;
    use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
    use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
    use bytes::Bytes;
    use fractal_aws::{EcrCredentials, Session};
    use fractal_core::artifact::{Descriptor, Digest, Reference};
    use fractal_core::{Class, Fault};
    use fractal_registry::{Options, Registry, RepositoryRef};
    use fractal_simcloud::{Action, Config, Filter, RegistryAuth, Rule, SimCloud};
    use fractal_testkit::liar::Authority;
    use fractal_testkit::tls_front::TlsFront;

    const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    const TWELVE_HOURS_MS: u64 = 12 * 3600 * 1000;

    async fn cloud() -> SimCloud {
        let registry_auth = RegistryAuth::Basic {
            username: "nobody".to_owned(),
            password: "nothing".to_owned(),
        };
        let config = Config {
            registry_auth,
            ..Config::default()
        };
        SimCloud::start(config).await.unwrap()
    }

    fn registry(cloud: &SimCloud) -> Registry {
        let session = Session::simulated(cloud.endpoint(), "eu-west-1", "123456789012");
        let endpoint = cloud.registry_endpoint().to_owned();
        Registry::new(Options {
            endpoints: [(HOST.parse().unwrap(), endpoint)].into(),
            credentials: Arc::new(EcrCredentials::new(session)),
            ..Options::default()
        })
        .unwrap()
    }

    /// The API and the registry behind TLS with an authority of their own.
    struct Secured {
        cloud: SimCloud,
        authority: Authority,
        api: TlsFront,
        registry: TlsFront,
        folder: tempfile::TempDir,
    }

    impl Secured {
        async fn new() -> Self {
            let (cloud, authority) = (cloud().await, Authority::new());
            Self {
                api: TlsFront::before(cloud.endpoint(), &authority).await,
                registry: TlsFront::before(cloud.registry_endpoint(), &authority).await,
                cloud,
                authority,
                folder: tempfile::tempdir().unwrap(),
            }
        }

        /// A client whose SDK trusts the authority, as it does any that the system trusts; the registry's side, only where it is told.
        fn registry(&self, trusting: bool) -> Registry {
            let bundle = self.folder.path().join("ca.pem");
            std::fs::write(&bundle, self.authority.pem()).unwrap();
            let trust = TrustStore::empty().with_pem_certificate(self.authority.pem());
            let tls = TlsContext::builder().with_trust_store(trust).build();
            let client = Builder::new()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(tls.unwrap())
                .build_https();
            let keys = Credentials::new("simulated", "simulated", None, None, "test");
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-west-1"))
                .endpoint_url(self.api.url())
                .credentials_provider(SharedCredentialsProvider::new(keys))
                .http_client(client)
                .build();
            let session = Session::with(&config, "123456789012", "eu-west-1");
            Registry::new(Options {
                endpoints: [(HOST.parse().unwrap(), self.registry.url().to_owned())].into(),
                ca_bundle: trusting.then_some(bundle),
                credentials: Arc::new(EcrCredentials::new(session)),
                ..Options::default()
            })
            .unwrap()
        }
    }

    fn logins(cloud: &SimCloud) -> usize {
        let entries = cloud.ledger().since(0);
        let logins = entries
            .iter()
            .filter(|entry| entry.operation == "GetAuthorizationToken");
        logins.count()
    }

    #[tokio::test]
    async fn g06_a_token_that_ends_within_a_blob_costs_one_re_authentication() {
        let cloud = cloud().await;
        costs_one_re_authentication(&cloud, &registry(&cloud)).await;
    }

    #[tokio::test]
    async fn g06_over_tls_a_token_that_ends_within_a_blob_costs_one_re_authentication() {
        let secured = Secured::new().await;
        costs_one_re_authentication(&secured.cloud, &secured.registry(true)).await;
    }

    #[tokio::test]
    async fn a_private_authority_is_trusted_only_where_it_is_named() {
        let secured = Secured::new().await;
        let reference: Reference = format!("{HOST}/team/app:1").parse().unwrap();
        let stranger = secured.registry(false);
        let fault = Fault::from(stranger.resolve(&reference).await.unwrap_err());
        assert_eq!(
            (fault.class, fault.reason.as_str()),
            (Class::Blocked, "RegistryTls")
        );
        assert_eq!(secured.cloud.ledger().last(), 0, "no call came");
        let missing = secured.registry(true).resolve(&reference).await;
        let fault = Fault::from(missing.unwrap_err());
        assert_eq!(fault.reason.as_str(), "RegistryNotFound", "{fault}");
        assert_eq!(logins(&secured.cloud), 1);
    }

    async fn costs_one_re_authentication(cloud: &SimCloud, registry: &Registry) {
        let bytes = Bytes::from("blob ".repeat(100_000));
        let descriptor = Descriptor::new("x", Digest::sha256(&bytes), bytes.len() as u64);
        let reference: Reference = format!("{HOST}/team/app:1").parse().unwrap();
        let repository = RepositoryRef::from(&reference);
        let pushed = registry.push_blob(&repository, &descriptor, &bytes, None);
        pushed.await.unwrap();
        assert_eq!(logins(cloud), 1);
        let blobs = Filter {
            operation: Some("GetBlob".to_owned()),
            ..Filter::default()
        };
        let cut = Action::CutAnswer { bytes: 200_000 };
        cloud.faults().arm(Rule::new(blobs, cut));
        let mut stream = registry.blob(&reference, &descriptor).await.unwrap();
        let mut read = stream.next().await.unwrap().unwrap().to_vec();
        cloud.clock().advance(TWELVE_HOURS_MS);
        while let Some(chunk) = stream.next().await {
            read.extend(chunk.unwrap());
        }
        assert!(read == bytes, "{} of {} bytes", read.len(), bytes.len());
        assert_eq!(logins(cloud), 2);
    }
}
