//! A tenant with applications, a cluster it federates with, and a registry that takes their tokens only.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fractal_azure::{AcrCredentials, AzureIdentity};
use fractal_core::Fault;
use fractal_core::artifact::{Descriptor, Digest, Reference};
use fractal_registry::{Options, Registry, RepositoryRef, RetryPolicy};
use fractal_simcloud::{
    AcrAccess, AzureApplication, AzureConfig, Config, Entry, Federation, Outcome, RegistryAuth,
    SimCloud, TokenIssuer,
};
use tempfile::TempDir;

pub(crate) const HOST: &str = "fractal.azurecr.io";
pub(crate) const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
pub(crate) const PULLER: &str = "11111111-0000-0000-0000-000000000001";
pub(crate) const PUSHER: &str = "11111111-0000-0000-0000-000000000002";
pub(crate) const STRANGER: &str = "11111111-0000-0000-0000-000000000003";
pub(crate) const SECRET: &str = "canary-client-secret";
pub(crate) const HEADER: &str = "canary-identity-header";
pub(crate) const SUBJECT: &str = "system:serviceaccount:fractal:caas-agent";
pub(crate) const AUDIENCE: &str = "api://AzureADTokenExchange";
const ACCESS_SECONDS: u64 = 120;

pub(crate) type Blob = (Reference, Descriptor, Bytes);

pub(crate) struct World {
    pub(crate) cloud: SimCloud,
    pub(crate) issuer: TokenIssuer,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(3600).await
    }

    /// A world whose Entra tokens hold for so many seconds.
    pub(crate) async fn with(token_seconds: u64) -> Self {
        let issuer = TokenIssuer::new("https://cluster.example").unwrap();
        let application = |client: &str, access, managed| AzureApplication {
            tenant: TENANT.to_owned(),
            client_id: client.to_owned(),
            secret: Some(SECRET.to_owned()),
            federation: Some(Federation {
                issuer: issuer.trusted(),
                subject: SUBJECT.to_owned(),
                audience: AUDIENCE.to_owned(),
            }),
            managed,
            access,
        };
        let azure = AzureConfig {
            applications: vec![
                application(PULLER, AcrAccess::Pull, true),
                application(PUSHER, AcrAccess::Push, false),
                application(STRANGER, AcrAccess::None, false),
            ],
            token_seconds,
            identity_header: HEADER.to_owned(),
            ..AzureConfig::default()
        };
        let cloud = SimCloud::start(Config {
            registry_auth: RegistryAuth::Azure {
                login_server: HOST.to_owned(),
                refresh_seconds: 10_800,
                access_seconds: ACCESS_SECONDS,
            },
            azure: Some(azure),
            ..Config::default()
        });
        let world = Self {
            cloud: cloud.await.unwrap(),
            issuer,
            folder: tempfile::tempdir().unwrap(),
        };
        world.present(SUBJECT, AUDIENCE, 600);
        world
    }

    pub(crate) fn azure(&self) -> &str {
        self.cloud.endpoints().azure.as_deref().unwrap()
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// Writes the workload's token, as the kubelet does.
    pub(crate) fn present(&self, subject: &str, audience: &str, seconds: u64) {
        let clock = self.cloud.clock();
        let token = self.issuer.token(clock, subject, audience, seconds);
        std::fs::write(self.token_file(), token).unwrap();
    }

    /// What the Azure webhook puts into a pod's environment.
    pub(crate) fn workload(&self, client: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_TENANT_ID", TENANT.to_owned()),
            ("AZURE_CLIENT_ID", client.to_owned()),
            ("AZURE_AUTHORITY_HOST", format!("{}/", self.azure())),
            (
                "AZURE_FEDERATED_TOKEN_FILE",
                self.token_file().display().to_string(),
            ),
        ]
    }

    pub(crate) fn secret(&self, client: &str, secret: &str) -> Vec<(&'static str, String)> {
        let mut all = self.workload(client);
        all.retain(|(name, _)| *name != "AZURE_FEDERATED_TOKEN_FILE");
        all.push(("AZURE_CLIENT_SECRET", secret.to_owned()));
        all
    }

    pub(crate) fn credentials(&self, variables: &[(&str, String)]) -> Arc<AcrCredentials> {
        let identity = AzureIdentity::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.clone())
        });
        Arc::new(AcrCredentials::new(identity.unwrap(), self.options()).unwrap())
    }

    pub(crate) fn options(&self) -> Options {
        let endpoint = self.cloud.registry_endpoint().to_owned();
        Options {
            endpoints: [(HOST.parse().unwrap(), endpoint)].into(),
            retry: RetryPolicy {
                base: Duration::from_millis(1),
                cap: Duration::from_millis(2),
                ..RetryPolicy::default()
            },
            seed: Some(1),
            ..Options::default()
        }
    }

    pub(crate) fn registry(&self, credentials: Arc<AcrCredentials>) -> Registry {
        Registry::new(Options {
            credentials,
            ..self.options()
        })
        .unwrap()
    }

    /// Publishes a blob as the one who may.
    pub(crate) async fn publish(&self) -> Blob {
        let registry = self.registry(self.credentials(&self.secret(PUSHER, SECRET)));
        let bytes = Bytes::from("blob ".repeat(100_000));
        let descriptor = Descriptor::new("x", Digest::sha256(&bytes), bytes.len() as u64);
        let reference: Reference = format!("{HOST}/team/app:1").parse().unwrap();
        let repository = RepositoryRef::from(&reference);
        let pushed = registry.push_blob(&repository, &descriptor, &bytes, None);
        pushed.await.unwrap();
        (reference, descriptor, bytes)
    }

    /// Calls by operation and outcome since `after`.
    pub(crate) fn calls(&self, after: u64, operation: &str, outcome: Outcome) -> usize {
        let wanted = |entry: &Entry| entry.operation == operation && entry.outcome == outcome;
        let entries = self.cloud.ledger().since(after);
        let of_azure = entries.iter().filter(|entry| match operation {
            "Token" => entry.service == "azure",
            _ => true,
        });
        of_azure.filter(|entry| wanted(entry)).count()
    }

    pub(crate) fn accepted(&self, after: u64, operation: &str) -> usize {
        self.calls(after, operation, Outcome::Accepted)
    }
}

pub(crate) async fn pull(
    registry: &Registry,
    (reference, descriptor, bytes): &Blob,
) -> Result<(), Fault> {
    let stream = registry.blob(reference, descriptor).await?;
    assert_eq!(stream.collect().await?, bytes);
    Ok(())
}
