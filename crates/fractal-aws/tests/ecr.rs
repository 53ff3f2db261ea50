//! ECR's registry token: had once, and had anew when it ends within a blob.

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use fractal_aws::{EcrCredentials, Session};
    use fractal_core::artifact::{Descriptor, Digest, Reference};
    use fractal_registry::{Options, Registry, RepositoryRef};
    use fractal_simcloud::{Action, Config, Filter, RegistryAuth, Rule, SimCloud};

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
        let registry = registry(&cloud);
        let bytes = Bytes::from("blob ".repeat(100_000));
        let descriptor = Descriptor::new("x", Digest::sha256(&bytes), bytes.len() as u64);
        let reference: Reference = format!("{HOST}/team/app:1").parse().unwrap();
        let repository = RepositoryRef::from(&reference);
        let pushed = registry.push_blob(&repository, &descriptor, &bytes, None);
        pushed.await.unwrap();
        assert_eq!(logins(&cloud), 1);
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
        assert_eq!(logins(&cloud), 2);
    }
}
