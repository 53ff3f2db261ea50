//! The secret of an environment: its path, and what its keys are called. Knows nothing of how it is read.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use fractal_core::artifact::RegistryHost;
use fractal_registry::Credential;
use serde_json::{Map, Value};

use crate::error::VaultError;
use crate::settings::VaultPath;

/// Longest name of an environment, in bytes.
const NAME_MAX: usize = 128;
/// Most of a name that cannot be used, or of another registry's, that is shown, in characters.
const SHOWN: usize = 100;

/// Names a key may have, the first the documented one.
const REGISTRY: [&str; 4] = ["registry", "server", "host", "url"];
const USERNAME: [&str; 2] = ["username", "user"];
const PASSWORD: [&str; 2] = ["password", "token"];

/// An environment's short name: one segment of a path, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvironmentName(Box<str>);

impl FromStr for EnvironmentName {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, VaultError> {
        let refused = |problem| VaultError::Environment {
            name: shown(text),
            problem,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > NAME_MAX {
            return Err(refused("it has no character, or more than 128"));
        }
        if !text.chars().all(plain) || text.contains("..") {
            return Err(refused(
                "it holds other than letters, digits, `-`, `_` and single `.`",
            ));
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(refused("it begins with neither a letter nor a digit"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The API path of an environment's secret, as policies name it.
pub(crate) fn path(mount: &VaultPath, environment: &EnvironmentName) -> Arc<str> {
    format!("{mount}/data/environments/{environment}/aruba/container-registry").into()
}

/// What a secret says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistrySecret {
    /// The registry it names, as it names it.
    registry: Option<Arc<str>>,
    credential: Credential,
}

impl RegistrySecret {
    /// Reads the keys of a secret.
    pub(crate) fn read(path: &Arc<str>, data: &Map<String, Value>) -> Result<Self, VaultError> {
        let (username, password) = (text(data, &USERNAME), text(data, &PASSWORD));
        if let (Some(username), Some(password)) = (username, password) {
            return Ok(Self {
                registry: text(data, &REGISTRY).map(Into::into),
                credential: Credential::basic(username, password),
            });
        }
        let missing = [
            username.is_none().then_some("`username` or `user`"),
            password.is_none().then_some("`password` or `token`"),
        ];
        Err(VaultError::Incomplete {
            path: path.clone(),
            missing: missing.into_iter().flatten().collect(),
        })
    }

    /// The credential, where it is one for `host`: a secret that names no registry is for every host it is read for.
    pub(crate) fn credential(
        &self,
        path: &Arc<str>,
        host: &RegistryHost,
    ) -> Result<Credential, VaultError> {
        match &self.registry {
            Some(named) if !is_host(named, host) => Err(VaultError::OtherRegistry {
                path: path.clone(),
                named: shown(named),
                asked: host.to_string().into(),
            }),
            _ => Ok(self.credential.clone()),
        }
    }
}

/// Registries are named as hosts and as URLs.
fn is_host(named: &str, host: &RegistryHost) -> bool {
    let named = named.trim();
    let bare = named.split_once("://").map_or(named, |(_, rest)| rest);
    let bare = bare.split('/').next().unwrap_or_default();
    let bare = bare.strip_suffix(":443").unwrap_or(bare);
    bare.eq_ignore_ascii_case(host.as_str())
}

fn text<'a>(data: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    let found = names.iter().find_map(|name| data.get(*name)?.as_str());
    found.filter(|text| !text.trim().is_empty())
}

fn shown(text: &str) -> Arc<str> {
    let cut: String = text.chars().take(SHOWN).collect();
    cut.escape_debug().to_string().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(data: &Value) -> Result<RegistrySecret, VaultError> {
        RegistrySecret::read(&"p".into(), data.as_object().unwrap())
    }

    #[test]
    fn keys_are_found_under_every_name() {
        let check = |data: Value, host: &str| {
            let secret = read(&data).unwrap();
            let credential = secret.credential(&"p".into(), &host.parse().unwrap());
            assert_eq!(
                credential.unwrap(),
                Credential::basic("u", "canary"),
                "{data}"
            );
        };
        check(
            json!({ "registry": "r.example", "username": "u", "password": "canary" }),
            "r.example",
        );
        check(
            json!({ "server": "https://r.example/v2/", "user": "u", "token": "canary" }),
            "r.example",
        );
        check(
            json!({ "host": "R.EXAMPLE:443", "user": "u", "password": "canary" }),
            "r.example",
        );
        check(
            json!({ "url": "http://r.example:5000", "username": "u", "token": "canary" }),
            "r.example:5000",
        );
        check(
            json!({ "username": "u", "password": "canary" }),
            "any.example",
        );
    }

    #[test]
    fn h08_what_is_missing_is_named_and_no_value_shown() {
        let check = |data: Value, expected: &str| {
            let error = read(&data).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the secret at p has no text under {expected}")
            );
            assert!(!format!("{error:?}").contains("canary"));
        };
        check(json!({ "password": "canary" }), "`username` or `user`");
        check(
            json!({ "username": "canary", "password": 7 }),
            "`password` or `token`",
        );
        check(
            json!({ "pass": "canary", "username": " " }),
            "`username` or `user`, nor under `password` or `token`",
        );
        let secret =
            read(&json!({ "registry": "r.example", "user": "u", "token": "canary" })).unwrap();
        assert!(!format!("{secret:?}").contains("canary"));
        let other = secret.credential(&"p".into(), &"evil.example".parse().unwrap());
        assert_eq!(
            other.unwrap_err().to_string(),
            "the secret at p is for the registry r.example, not for evil.example"
        );
    }

    #[test]
    fn r12_an_environment_is_one_segment_of_a_path() {
        let mount: VaultPath = "fractal_cloud".parse().unwrap();
        let name: EnvironmentName = "dev-1.eu_x".parse().unwrap();
        assert_eq!(
            &*path(&mount, &name),
            "fractal_cloud/data/environments/dev-1.eu_x/aruba/container-registry"
        );
        let long = "x".repeat(129);
        for bad in [
            "", ".", "..", "a/b", "../prod", "a..b", "a%2fb", "a?b", "a b", "-a", ".a", "é",
            "a\nb", &long,
        ] {
            let error = bad.parse::<EnvironmentName>().unwrap_err();
            assert!(matches!(error, VaultError::Environment { .. }), "{bad}");
            assert!(!error.to_string().contains('\n'));
        }
    }
}
