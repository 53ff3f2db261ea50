//! Service accounts, a user, a federated cluster, and a registry that takes their tokens only.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fractal_core::Fault;
use fractal_core::artifact::{Descriptor, Digest, Reference};
use fractal_gcp::{GarCredentials, GcpIdentity};
use fractal_registry::{Options, Registry, RepositoryRef, RetryPolicy};
use fractal_simcloud::{
    Config, Entry, GarAccess, GcpAccount, GcpConfig, GcpConsent, GcpProvider, Outcome,
    RegistryAuth, SimCloud, TokenIssuer,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const HOST: &str = "europe-west1-docker.pkg.dev";
pub(crate) const READER: &str = "reader@project.iam.gserviceaccount.com";
pub(crate) const WRITER: &str = "writer@project.iam.gserviceaccount.com";
pub(crate) const STRANGER: &str = "stranger@project.iam.gserviceaccount.com";
pub(crate) const CONSENT: &str = "canary-refresh-token";
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret";
pub(crate) const SUBJECT: &str = "system:serviceaccount:fractal:caas-agent";
pub(crate) const PROVIDER: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/cluster";

pub(crate) type Blob = (Reference, Descriptor, Bytes);

pub(crate) struct World {
    pub(crate) cloud: SimCloud,
    pub(crate) cluster: TokenIssuer,
    /// The reader's key.
    pub(crate) key: TokenIssuer,
    writers_key: TokenIssuer,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(3599, READER).await
    }

    /// A world whose access tokens hold for so many seconds, on a machine that runs as `attached`.
    pub(crate) async fn with(token_seconds: u64, attached: &str) -> Self {
        let cluster = TokenIssuer::new("https://cluster.example").unwrap();
        let key = TokenIssuer::new("reader's").unwrap();
        let writers_key = TokenIssuer::new("writer's").unwrap();
        let account = |email: &str, access| GcpAccount {
            email: email.to_owned(),
            key: None,
            consent: (email == READER).then(consent),
            attached: email == attached,
            impersonators: vec![],
            access,
        };
        let reader = GcpAccount {
            key: Some(key.trusted()),
            impersonators: vec![SUBJECT.to_owned()],
            ..account(READER, GarAccess::Reader)
        };
        let writer = GcpAccount {
            key: Some(writers_key.trusted()),
            ..account(WRITER, GarAccess::Writer)
        };
        let gcp = GcpConfig {
            accounts: vec![reader, writer, account(STRANGER, GarAccess::None)],
            providers: vec![GcpProvider {
                audience: PROVIDER.to_owned(),
                issuer: cluster.trusted(),
                access: GarAccess::Reader,
            }],
            token_seconds,
            ..GcpConfig::default()
        };
        let cloud = SimCloud::start(Config {
            registry_auth: RegistryAuth::Google { token_seconds: 120 },
            gcp: Some(gcp),
            ..Config::default()
        });
        let world = Self {
            cloud: cloud.await.unwrap(),
            cluster,
            key,
            writers_key,
            folder: tempfile::tempdir().unwrap(),
        };
        world.present(SUBJECT, 600);
        world
    }

    pub(crate) fn google(&self) -> &str {
        self.cloud.endpoints().gcp.as_deref().unwrap()
    }

    pub(crate) fn subject_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// Writes the workload's token, as the kubelet does.
    pub(crate) fn present(&self, subject: &str, seconds: u64) {
        let audience = format!("https:{PROVIDER}");
        let token = self
            .cluster
            .token(self.cloud.clock(), subject, &audience, seconds);
        std::fs::write(self.subject_file(), token).unwrap();
    }

    /// A file of application default credentials.
    pub(crate) fn file(&self, content: &Value) -> GcpIdentity {
        let path = self.folder.path().join("credentials.json");
        std::fs::write(&path, content.to_string()).unwrap();
        GcpIdentity::File(path)
    }

    pub(crate) fn service_account(&self, email: &str, key: &TokenIssuer) -> Value {
        json!({
            "type": "service_account",
            "project_id": "project",
            "private_key_id": key.key_id(),
            "private_key": key.private_key_pem(),
            "client_email": email,
            "token_uri": format!("{}/token", self.google()),
        })
    }

    pub(crate) fn user(&self, refresh_token: &str) -> Value {
        json!({
            "type": "authorized_user",
            "client_id": "client.apps.googleusercontent.com",
            "client_secret": CLIENT_SECRET,
            "refresh_token": refresh_token,
            "token_uri": format!("{}/token", self.google()),
        })
    }

    pub(crate) fn federated(&self, impersonated: Option<&str>) -> Value {
        let impersonation = impersonated.map(|email| {
            format!(
                "{}/v1/projects/-/serviceAccounts/{email}:generateAccessToken",
                self.google()
            )
        });
        json!({
            "type": "external_account",
            "audience": PROVIDER,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{}/v1/token", self.google()),
            "service_account_impersonation_url": impersonation,
            "credential_source": { "file": self.subject_file() },
        })
    }

    pub(crate) fn metadata(&self) -> GcpIdentity {
        let host = self.google().trim_start_matches("http://").to_owned();
        GcpIdentity::from_variables(|name| (name == "GCE_METADATA_HOST").then(|| host.clone()))
            .unwrap()
    }

    pub(crate) fn credentials(&self, identity: GcpIdentity) -> Arc<GarCredentials> {
        Arc::new(GarCredentials::new(identity, self.options()).unwrap())
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

    pub(crate) fn registry(&self, identity: GcpIdentity) -> Registry {
        self.registry_of(self.credentials(identity))
    }

    pub(crate) fn registry_of(&self, credentials: Arc<GarCredentials>) -> Registry {
        Registry::new(Options {
            credentials,
            ..self.options()
        })
        .unwrap()
    }

    /// Publishes a blob as the one who may.
    pub(crate) async fn publish(&self) -> Blob {
        let writer = self.service_account(WRITER, &self.writers_key);
        let registry = self.registry(self.file(&writer));
        let bytes = Bytes::from("blob ".repeat(100_000));
        let descriptor = Descriptor::new("x", Digest::sha256(&bytes), bytes.len() as u64);
        let reference: Reference = format!("{HOST}/project/team/app:1").parse().unwrap();
        let repository = RepositoryRef::from(&reference);
        let pushed = registry.push_blob(&repository, &descriptor, &bytes, None);
        pushed.await.unwrap();
        (reference, descriptor, bytes)
    }

    /// Calls by operation and outcome since `after`.
    pub(crate) fn calls(&self, after: u64, operation: &str, outcome: Outcome) -> usize {
        let wanted = |entry: &&Entry| {
            let google = entry.service == "gcp" || operation == "GetBlob";
            google && entry.operation == operation && entry.outcome == outcome
        };
        self.cloud
            .ledger()
            .since(after)
            .iter()
            .filter(wanted)
            .count()
    }

    pub(crate) fn accepted(&self, after: u64, operation: &str) -> usize {
        self.calls(after, operation, Outcome::Accepted)
    }
}

fn consent() -> GcpConsent {
    GcpConsent {
        client_id: "client.apps.googleusercontent.com".to_owned(),
        client_secret: CLIENT_SECRET.to_owned(),
        refresh_token: CONSENT.to_owned(),
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
