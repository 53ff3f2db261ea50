//! Docker's `config.json`: its credential helpers, and what stands in it itself. In Docker's order: `credHelpers` before
//! `credsStore` before `auths`, and where a helper is to be asked, its answer is the answer.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fractal_core::artifact::RegistryHost;
use fractal_core::{Fault, Reason};
use serde::Deserialize;

use super::cache::{Cache, Issued};
use super::credentials::{BoxFuture, Credential, CredentialSource, Secret};
use crate::error::RegistryError;

mod program;
mod said;

use program::HelperName;

/// Largest file read, in bytes.
const FILE_MAX: u64 = 1024 * 1024;
/// How long a helper's answer is used: helpers keep tokens themselves, and do not say for how long theirs holds.
const HELPER_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Credentials of a Docker configuration file; read again when one of them is refused.
#[derive(Debug)]
pub struct DockerConfig {
    path: PathBuf,
    search: Option<OsString>,
    read: Mutex<Content>,
    answers: Cache<(String, RegistryHost), Credential>,
}

/// What the file says.
#[derive(Debug, Default)]
struct Content {
    by_host: BTreeMap<RegistryHost, Result<Credential, &'static str>>,
    /// `None` says that no helper is asked for the host, whatever is asked for all.
    helpers: BTreeMap<RegistryHost, Option<HelperName>>,
    helper_for_all: Option<HelperName>,
}

/// Where a host's credential is.
enum Place {
    Here(Result<Credential, &'static str>),
    With(HelperName),
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: HashMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: HashMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: String,
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
    /// Where it cannot be read, is larger than 1 MiB, is no such configuration, or names a helper as no program is named.
    pub fn read(path: &Path) -> Result<Self, RegistryError> {
        Ok(Self {
            path: path.to_owned(),
            search: None,
            read: Mutex::new(load(path)?),
            answers: Cache::default(),
        })
    }

    /// With its credential helpers looked for in these folders, written as `PATH` is. Without, a host that needs one is an error.
    ///
    /// A helper inherits this process's environment. It is given 30 seconds and 1 MiB, its answer is used for five minutes, and
    /// it is asked again when that is refused.
    #[must_use]
    pub fn with_helpers_in(self, search: Option<OsString>) -> Self {
        Self { search, ..self }
    }

    async fn read_again(&self) -> Result<(), Fault> {
        let path = self.path.clone();
        let loaded = tokio::task::spawn_blocking(move || load(&path)).await;
        let content = loaded.map_err(|_| {
            Fault::transient(
                Reason::new("ResourceLocal"),
                "reading the Docker configuration was interrupted",
            )
        })??;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = content;
        Ok(())
    }

    /// An entry that is there and cannot be used is no reason to ask as nobody.
    fn unusable(&self, host: &RegistryHost, problem: &str) -> Fault {
        let what = format!("the Docker configuration's entry for {host} cannot be used");
        Fault::blocked(Reason::new("RegistryAuth"), what)
            .at(self.path.display())
            .because(problem)
            .next("log in again with `docker login`, or correct the entry")
    }

    async fn answer(
        &self,
        helper: &HelperName,
        host: &RegistryHost,
        fresh: bool,
    ) -> Result<Credential, Fault> {
        let ask = || async {
            tracing::debug!(%helper, %host, "credential helper asked");
            let value = helper.credential(self.search.as_deref(), host).await?;
            let lifetime = HELPER_LIFETIME;
            Ok(Issued { value, lifetime })
        };
        let key = (helper.to_string(), host.clone());
        self.answers.get(&key, fresh, ask).await
    }
}

impl Content {
    fn place(&self, host: &RegistryHost) -> Place {
        let helper = match self.helpers.get(host) {
            Some(own) => own.as_ref(),
            None => self.helper_for_all.as_ref(),
        };
        match helper {
            Some(helper) => Place::With(helper.clone()),
            None => Place::Here(
                self.by_host
                    .get(host)
                    .cloned()
                    .unwrap_or(Ok(Credential::Anonymous)),
            ),
        }
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
            let place = self
                .read
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .place(host);
            match place {
                Place::Here(entry) => entry.map_err(|problem| self.unusable(host, problem)),
                Place::With(helper) => self.answer(&helper, host, fresh).await,
            }
        })
    }
}

fn load(path: &Path) -> Result<Content, RegistryError> {
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
    content(&file).map_err(|problem| setting(path, problem))
}

fn content(file: &File) -> Result<Content, &'static str> {
    // Docker takes an empty name for none.
    let named = |name: &str| (!name.is_empty()).then(|| name.parse()).transpose();
    let by_host = file
        .auths
        .iter()
        .filter_map(|(key, entry)| Some((host_of(key)?, credential_of(entry)?)));
    let helpers = file.helpers.iter().filter_map(|(key, name)| {
        let host = host_of(key)?;
        Some(named(name).map(|name| (host, name)))
    });
    Ok(Content {
        by_host: by_host.collect(),
        helpers: helpers.collect::<Result<_, _>>()?,
        helper_for_all: named(&file.store)?,
    })
}

fn setting(path: &Path, problem: &str) -> RegistryError {
    RegistryError::Setting {
        setting: "registry-config",
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

/// `None` for an empty entry: Docker leaves one behind where a helper keeps the credential.
fn credential_of(entry: &Entry) -> Option<Result<Credential, &'static str>> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(token) = filled(&entry.registry_token) {
        return Some(Ok(Credential::Token(Secret::new(&token))));
    }
    if let Some(token) = filled(&entry.identity_token) {
        return Some(Ok(Credential::Refresh(Secret::new(&token))));
    }
    match (filled(&entry.username), filled(&entry.password)) {
        (Some(username), Some(password)) => {
            return Some(Ok(Credential::basic(&username, &password)));
        }
        (Some(_), None) if filled(&entry.auth).is_none() => {
            return Some(Err("it has a `username` and no `password`"));
        }
        _ => {}
    }
    let pair = STANDARD.decode(filled(&entry.auth)?).ok();
    let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
    let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
    Some(match pair {
        Some((user, password)) => Ok(Credential::basic(user, password.trim_end_matches('\0'))),
        None => Err("its `auth` is not the base64 of USER:PASSWORD"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, password: &str) {
        let auth = STANDARD.encode(format!("bob:{password}"));
        let text = format!(
            r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}},"https://index.docker.io/v1/":{{"username":"u","password":"p"}},
            "acr.azurecr.io":{{"identitytoken":"r"}},"quay.io/team":{{"auth":"{auth}"}},"empty.io":{{}}}},"credsStore":""}}"#
        );
        std::fs::write(path, text).unwrap();
    }

    #[tokio::test]
    async fn h08_an_entry_that_cannot_be_used_is_named_and_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        for (entry, problem) in [
            (r#"{"auth":"canary!"}"#, "USER:PASSWORD"),
            (r#"{"auth":"Y2FuYXJ5"}"#, "USER:PASSWORD"),
            (r#"{"username":"canary"}"#, "no `password`"),
        ] {
            std::fs::write(&path, format!(r#"{{"auths":{{"h.io":{entry}}}}}"#)).unwrap();
            let config = DockerConfig::read(&path).unwrap();
            let fault = config.credential(&"h.io".parse().unwrap(), false).await;
            let fault = fault.unwrap_err();
            assert!(fault.to_string().contains(problem), "{fault}");
            assert!(!format!("{fault:?}").contains("canary"), "{fault}");
            let other = config.credential(&"other.io".parse().unwrap(), false).await;
            assert_eq!(other, Ok(Credential::Anonymous));
        }
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
    fn helpers_are_chosen_as_docker_does() {
        let text = r#"{"auths":{"ghcr.io":{"username":"u","password":"p"},"quay.io":{"username":"u","password":"p"}},
            "credHelpers":{"ghcr.io":"one","https://index.docker.io/v1/":"hub","quay.io":""},"credsStore":"all"}"#;
        let content = content(&serde_json::from_str(text).unwrap()).unwrap();
        let check = |host: &str, expected: Option<&str>| {
            let helper = match content.place(&host.parse().unwrap()) {
                Place::With(helper) => Some(helper.to_string()),
                Place::Here(credential) => {
                    assert_eq!(credential, Ok(Credential::basic("u", "p")));
                    None
                }
            };
            assert_eq!(helper.as_deref(), expected, "{host}");
        };
        check("ghcr.io", Some("docker-credential-one"));
        check("docker.io", Some("docker-credential-hub"));
        check("quay.io", None);
        check("other.io", Some("docker-credential-all"));
    }

    #[test]
    fn a_helper_that_is_a_path_makes_the_file_unusable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        for text in [
            r#"{"credsStore":"../sh"}"#,
            r#"{"credHelpers":{"h.io":"a/b"}}"#,
        ] {
            std::fs::write(&path, text).unwrap();
            let error = DockerConfig::read(&path).unwrap_err();
            assert!(error.to_string().contains("credential helper"), "{error}");
        }
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
