//! Docker's `config.json`: its `auths` only. Credential helpers are programs, and none is started here.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fractal_core::artifact::RegistryHost;
use fractal_core::{Fault, Reason};
use serde::Deserialize;

use super::credentials::{BoxFuture, Credential, CredentialSource, Secret};
use crate::error::RegistryError;

/// Largest file read, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// Credentials of a Docker configuration file; read again when one of them is refused.
#[derive(Debug)]
pub struct DockerConfig {
    path: PathBuf,
    by_host: Mutex<BTreeMap<RegistryHost, Credential>>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: HashMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    #[serde(rename = "identitytoken")]
    identity_token: Option<String>,
    #[serde(rename = "registrytoken")]
    registry_token: Option<String>,
}

impl DockerConfig {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Where it cannot be read, is larger than 1 MiB, or is no such configuration.
    pub fn read(path: &Path) -> Result<Self, RegistryError> {
        Ok(Self {
            path: path.to_owned(),
            by_host: Mutex::new(load(path)?),
        })
    }

    async fn read_again(&self) -> Result<(), Fault> {
        let path = self.path.clone();
        let loaded = tokio::task::spawn_blocking(move || load(&path)).await;
        let by_host = loaded.map_err(|_| {
            Fault::transient(
                Reason::new("ResourceLocal"),
                "reading the Docker configuration was interrupted",
            )
        })??;
        *self.by_host.lock().unwrap_or_else(PoisonError::into_inner) = by_host;
        Ok(())
    }
}

impl CredentialSource for DockerConfig {
    fn credential<'a>(
        &'a self,
        host: &'a RegistryHost,
        fresh: bool,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(async move {
            if fresh {
                self.read_again().await?;
            }
            let found = self
                .by_host
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(host)
                .cloned();
            Ok(found.unwrap_or(Credential::Anonymous))
        })
    }
}

fn load(path: &Path) -> Result<BTreeMap<RegistryHost, Credential>, RegistryError> {
    let length = std::fs::metadata(path)
        .map_err(|error| RegistryError::file(path, error))?
        .len();
    if length > FILE_MAX {
        return Err(setting(path, "it is larger than 1 MiB"));
    }
    let text = std::fs::read(path).map_err(|error| RegistryError::file(path, error))?;
    // The parser's own message could repeat a secret.
    let file: File = serde_json::from_slice(&text)
        .map_err(|_| setting(path, "it is no Docker configuration"))?;
    Ok(file
        .auths
        .iter()
        .filter_map(|(key, entry)| Some((host_of(key)?, credential_of(entry)?)))
        .collect())
}

fn setting(path: &Path, problem: &str) -> RegistryError {
    RegistryError::Setting {
        setting: "docker-config",
        problem: format!("{}: {problem}", path.display()).into(),
    }
}

/// Keys are hosts or URLs; an entry for a path within a host is for no host as a whole.
fn host_of(key: &str) -> Option<RegistryHost> {
    if matches!(
        key,
        "https://index.docker.io/v1/" | "index.docker.io" | "registry-1.docker.io"
    ) {
        return "docker.io".parse().ok();
    }
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let bare = bare
        .trim_end_matches('/')
        .trim_end_matches("/v2")
        .trim_end_matches("/v1");
    bare.parse().ok()
}

fn credential_of(entry: &Entry) -> Option<Credential> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(token) = filled(&entry.registry_token) {
        return Some(Credential::Token(Secret::new(&token)));
    }
    if let Some(token) = filled(&entry.identity_token) {
        return Some(Credential::Refresh(Secret::new(&token)));
    }
    if let (Some(username), Some(password)) = (filled(&entry.username), filled(&entry.password)) {
        return Some(Credential::basic(&username, &password));
    }
    let decoded = String::from_utf8(STANDARD.decode(filled(&entry.auth)?).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some(Credential::basic(username, password.trim_end_matches('\0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, password: &str) {
        let auth = STANDARD.encode(format!("bob:{password}"));
        let text = format!(
            r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}},"https://index.docker.io/v1/":{{"username":"u","password":"p"}},
            "acr.azurecr.io":{{"identitytoken":"r"}},"quay.io/team":{{"auth":"{auth}"}},"empty.io":{{}}}},"credsStore":"desktop"}}"#
        );
        std::fs::write(path, text).unwrap();
    }

    #[tokio::test]
    async fn entries_are_found_by_host_and_read_again_when_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        write(&path, "old");
        let config = DockerConfig::read(&path).unwrap();
        let get = async |host: &str, fresh| {
            config
                .credential(&host.parse().unwrap(), fresh)
                .await
                .unwrap()
        };
        assert_eq!(get("ghcr.io", false).await, Credential::basic("bob", "old"));
        assert_eq!(get("docker.io", false).await, Credential::basic("u", "p"));
        assert_eq!(
            get("acr.azurecr.io", false).await,
            Credential::Refresh(Secret::new("r"))
        );
        assert_eq!(get("quay.io", false).await, Credential::Anonymous);
        assert_eq!(get("empty.io", false).await, Credential::Anonymous);
        write(&path, "new");
        assert_eq!(get("ghcr.io", false).await, Credential::basic("bob", "old"));
        assert_eq!(get("ghcr.io", true).await, Credential::basic("bob", "new"));
    }

    #[test]
    fn h08_a_broken_file_is_named_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, r#"{"auths":{"h.io":{"auth":"canary"#).unwrap();
        let error = DockerConfig::read(&path).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("canary"));
        assert!(error.to_string().contains("config.json"));
    }
}
