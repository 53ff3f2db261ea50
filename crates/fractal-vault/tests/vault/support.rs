//! A cluster that issues tokens, a Vault that believes it, and a registry that wants what Vault holds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fractal_core::Fault;
use fractal_core::artifact::{Descriptor, Digest, Reference, RegistryHost};
use fractal_registry::{
    Credential, CredentialSource, Options, Registry, RepositoryRef, RetryPolicy, StaticCredentials,
};
use fractal_simcloud::{
    Config, Entry, Outcome, RegistryAuth, SimCloud, TokenIssuer, VaultConfig, VaultLogin,
    VaultPolicy, VaultRole,
};
use fractal_vault::{LoginMethod, VaultCredentials, VaultLogin as Login, VaultSettings};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const USER: &str = "robot";
pub(crate) const PASSWORD: &str = "canary-password";
pub(crate) const SUBJECT: &str = "system:serviceaccount:fractal:caas-agent";
pub(crate) const AUDIENCE: &str = "vault";
pub(crate) const MOUNT: &str = "fractal_cloud";

/// The secret's path below the mount.
pub(crate) fn below(environment: &str) -> String {
    format!("environments/{environment}/aruba/container-registry")
}

pub(crate) struct World {
    pub(crate) cloud: SimCloud,
    pub(crate) issuer: TokenIssuer,
    folder: TempDir,
    login: VaultLogin,
}

/// How the world's Vault differs from the usual one.
pub(crate) struct Shape {
    pub(crate) login: VaultLogin,
    pub(crate) namespace: Option<String>,
    pub(crate) ttl_seconds: u64,
    pub(crate) max_ttl_seconds: u64,
    pub(crate) renewable: bool,
    /// The role's policies.
    pub(crate) policies: Vec<String>,
    /// Life of the registry's own tokens; without it the registry takes name and password itself.
    pub(crate) token_seconds: Option<u64>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            login: VaultLogin::Kubernetes,
            namespace: None,
            ttl_seconds: 3600,
            max_ttl_seconds: 7200,
            renewable: true,
            policies: vec!["registries".to_owned()],
            token_seconds: None,
        }
    }
}

impl World {
    pub(crate) async fn new(shape: Shape) -> Self {
        let issuer = TokenIssuer::new("https://cluster.example").unwrap();
        let login = shape.login;
        let role = VaultRole {
            mount: method(login).as_str().to_owned(),
            login,
            name: "fractal".to_owned(),
            issuer: issuer.trusted(),
            subject: SUBJECT.to_owned(),
            audience: Some(AUDIENCE.to_owned()),
            policies: shape.policies,
            ttl_seconds: shape.ttl_seconds,
            max_ttl_seconds: shape.max_ttl_seconds,
            renewable: shape.renewable,
        };
        let path = format!("{MOUNT}/data/environments/+/aruba/container-registry");
        let vault = VaultConfig {
            namespace: shape.namespace,
            roles: vec![role],
            policies: vec![VaultPolicy::read("registries", &[&path])],
            ..VaultConfig::default()
        };
        let cloud = SimCloud::start(Config {
            registry_auth: registry_auth(shape.token_seconds),
            vault: Some(vault),
            ..Config::default()
        });
        let world = Self {
            cloud: cloud.await.unwrap(),
            issuer,
            folder: tempfile::tempdir().unwrap(),
            login,
        };
        world.present(SUBJECT, AUDIENCE, 600);
        world
    }

    pub(crate) fn host(&self) -> RegistryHost {
        let endpoint = self.cloud.registry_endpoint();
        endpoint.trim_start_matches("http://").parse().unwrap()
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Writes the workload's token, as the kubelet does.
    pub(crate) fn present(&self, subject: &str, audience: &str, seconds: u64) {
        let clock = self.cloud.clock();
        let token = self.issuer.token(clock, subject, audience, seconds);
        std::fs::write(self.token_file(), format!("{token}\n")).unwrap();
    }

    pub(crate) fn write(&self, environment: &str, data: &Value) {
        self.cloud
            .vault()
            .unwrap()
            .write(MOUNT, &below(environment), data);
    }

    /// Writes the credential that the registry takes.
    pub(crate) fn write_good(&self, environment: &str) {
        let data =
            json!({ "registry": self.host().as_str(), "username": USER, "password": PASSWORD });
        self.write(environment, &data);
    }

    pub(crate) fn settings(&self) -> VaultSettings {
        let address = self.cloud.endpoints().vault.clone().unwrap();
        VaultSettings {
            address: address.parse().unwrap(),
            namespace: None,
            ca_bundle: None,
            login: Login {
                method: method(self.login),
                mount: method(self.login).as_str().parse().unwrap(),
                role: "fractal".to_owned(),
                token_file: self.token_file(),
            },
            kv_mount: MOUNT.parse().unwrap(),
            registries: vec![self.host().as_str().parse().unwrap()],
            environment: None,
        }
    }

    pub(crate) fn credentials(&self) -> Arc<VaultCredentials> {
        self.credentials_by(self.settings())
    }

    pub(crate) fn credentials_by(&self, settings: VaultSettings) -> Arc<VaultCredentials> {
        Arc::new(VaultCredentials::new(settings, quick()).unwrap())
    }

    /// Publishes a blob by name and password, and says what it is.
    pub(crate) async fn publish(&self) -> (Reference, Descriptor, Bytes) {
        let known = BTreeMap::from([(self.host(), Credential::basic(USER, PASSWORD))]);
        let registry = registry(Arc::new(StaticCredentials::new(known)));
        let bytes = Bytes::from("blob ".repeat(100_000));
        let descriptor = Descriptor::new("x", Digest::sha256(&bytes), bytes.len() as u64);
        let reference: Reference = format!("{}/team/app:1", self.host()).parse().unwrap();
        let repository = RepositoryRef::from(&reference);
        let pushed = registry.push_blob(&repository, &descriptor, &bytes, None);
        pushed.await.unwrap();
        (reference, descriptor, bytes)
    }

    /// Calls of Vault's by operation and outcome.
    pub(crate) fn calls(&self, operation: &str, outcome: Outcome) -> usize {
        let wanted = |entry: &Entry| {
            entry.service == "vault" && entry.operation == operation && entry.outcome == outcome
        };
        self.cloud
            .ledger()
            .since(0)
            .iter()
            .filter(|entry| wanted(entry))
            .count()
    }

    pub(crate) fn accepted(&self, operation: &str) -> usize {
        self.calls(operation, Outcome::Accepted)
    }
}

fn registry_auth(token_seconds: Option<u64>) -> RegistryAuth {
    let (username, password) = (USER.to_owned(), PASSWORD.to_owned());
    match token_seconds {
        None => RegistryAuth::Basic { username, password },
        Some(token_seconds) => RegistryAuth::Bearer {
            username,
            password,
            token_seconds,
            anonymous_pull: false,
        },
    }
}

const fn method(login: VaultLogin) -> LoginMethod {
    match login {
        VaultLogin::Kubernetes => LoginMethod::Kubernetes,
        VaultLogin::Jwt => LoginMethod::Jwt,
    }
}

/// Settings that do not wait long between attempts.
pub(crate) fn quick() -> Options {
    Options {
        retry: RetryPolicy {
            base: Duration::from_millis(1),
            cap: Duration::from_millis(2),
            ..RetryPolicy::default()
        },
        seed: Some(1),
        ..Options::on_loopback()
    }
}

pub(crate) fn registry(credentials: Arc<dyn CredentialSource>) -> Registry {
    Registry::new(Options {
        credentials,
        ..quick()
    })
    .unwrap()
}

pub(crate) async fn pull(
    registry: &Registry,
    (reference, descriptor, bytes): &(Reference, Descriptor, Bytes),
) -> Result<(), Fault> {
    let stream = registry.blob(reference, descriptor).await?;
    assert_eq!(stream.collect().await?, bytes);
    Ok(())
}

/// Asks again and again until `done`, for at most thirty seconds.
pub(crate) async fn until(mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done().await {
        assert!(
            Instant::now() < deadline,
            "it did not happen within thirty seconds"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
