//! Where Vault is, how we log in, and which registries its secrets are for. The environment is read by whoever calls.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use fractal_registry::{HostPattern, ServiceUrl};

use crate::error::VaultError;
use crate::secret::EnvironmentName;

/// Names of the variables settings are read from; those that begin with `VAULT_` are Vault's own.
pub mod variable {
    /// Vault's address; without it there is no Vault.
    pub const ADDRESS: &str = "VAULT_ADDR";
    /// The namespace, where Vault has them.
    pub const NAMESPACE: &str = "VAULT_NAMESPACE";
    /// A PEM file of the authorities Vault's certificate is signed by.
    pub const CA_BUNDLE: &str = "VAULT_CACERT";
    /// `kubernetes` or `jwt`.
    pub const LOGIN: &str = "FRACTAL_VAULT_LOGIN";
    /// The auth method's mount; by default the method's name.
    pub const LOGIN_MOUNT: &str = "FRACTAL_VAULT_LOGIN_MOUNT";
    /// The role to log in as.
    pub const ROLE: &str = "FRACTAL_VAULT_ROLE";
    /// The file of the token shown at login.
    pub const TOKEN_FILE: &str = "FRACTAL_VAULT_TOKEN_FILE";
    /// The mount of KV version 2.
    pub const KV_MOUNT: &str = "FRACTAL_VAULT_KV_MOUNT";
    /// Registry hosts the secrets are for, separated by commas.
    pub const REGISTRIES: &str = "FRACTAL_VAULT_REGISTRIES";
    /// The environment of what says none.
    pub const ENVIRONMENT: &str = "FRACTAL_VAULT_ENVIRONMENT";
}

/// Where Kubernetes puts a pod's service account token.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// The mount the environments' secrets are written to.
const KV_MOUNT: &str = "fractal_cloud";
/// Longest path, in bytes.
const PATH_MAX: usize = 256;

/// A mount or namespace: segments of letters, digits, `-`, `_` and `.`, separated by slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VaultPath(Box<str>);

impl FromStr for VaultPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let text = text.trim_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let segment =
            |part: &str| !part.is_empty() && part.chars().all(plain) && !part.starts_with('.');
        if text.len() > PATH_MAX || !text.split('/').all(segment) {
            return Err("it has segments of other than letters, digits, `-`, `_` and `.`");
        }
        Ok(Self(text.into()))
    }
}

impl VaultPath {
    /// Its text, without slashes around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How we prove who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginMethod {
    /// The Kubernetes auth method: a pod's service account token.
    Kubernetes,
    /// The JWT auth method: any issuer's token.
    Jwt,
}

impl LoginMethod {
    /// Its name, and the mount it has by default.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Jwt => "jwt",
        }
    }
}

/// A login.
#[derive(Debug, Clone)]
pub struct VaultLogin {
    /// The auth method.
    pub method: LoginMethod,
    /// Where it is mounted.
    pub mount: VaultPath,
    /// The role.
    pub role: String,
    /// The file of the token to show; read again at each login, since it rotates.
    pub token_file: PathBuf,
}

/// All settings.
#[derive(Debug, Clone)]
pub struct VaultSettings {
    /// Vault's URL: https, or plain HTTP on loopback.
    pub address: ServiceUrl,
    /// The namespace.
    pub namespace: Option<VaultPath>,
    /// A PEM file of authorities trusted besides the system's.
    pub ca_bundle: Option<PathBuf>,
    /// The login.
    pub login: VaultLogin,
    /// The mount of KV version 2.
    pub kv_mount: VaultPath,
    /// Registries the secrets are for. No other host is ever shown one.
    pub registries: Vec<HostPattern>,
    /// The environment of what says none.
    pub environment: Option<EnvironmentName>,
}

impl VaultSettings {
    /// Settings from variables; `None` where `VAULT_ADDR` is not set.
    ///
    /// # Errors
    /// Where a variable cannot be used, or one that is needed is missing; the error names it.
    pub fn from_variables(
        read: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, VaultError> {
        let read = |name: &'static str| read(name).filter(|value| !value.trim().is_empty());
        let Some(address) = read(variable::ADDRESS) else {
            return Ok(None);
        };
        Ok(Some(Self {
            address: parsed(variable::ADDRESS, address.trim())?,
            namespace: optional(variable::NAMESPACE, read(variable::NAMESPACE))?,
            ca_bundle: read(variable::CA_BUNDLE).map(PathBuf::from),
            login: login(&read)?,
            kv_mount: parsed(
                variable::KV_MOUNT,
                read(variable::KV_MOUNT).as_deref().unwrap_or(KV_MOUNT),
            )?,
            registries: registries(read(variable::REGISTRIES))?,
            environment: optional(variable::ENVIRONMENT, read(variable::ENVIRONMENT))?,
        }))
    }
}

fn login(read: &impl Fn(&'static str) -> Option<String>) -> Result<VaultLogin, VaultError> {
    let method = match read(variable::LOGIN).as_deref() {
        None | Some("kubernetes") => LoginMethod::Kubernetes,
        Some("jwt") => LoginMethod::Jwt,
        Some(_) => {
            return Err(VaultError::setting(
                variable::LOGIN,
                "it is neither `kubernetes` nor `jwt`",
            ));
        }
    };
    let mount = read(variable::LOGIN_MOUNT);
    let role = read(variable::ROLE);
    Ok(VaultLogin {
        method,
        mount: parsed(
            variable::LOGIN_MOUNT,
            mount.as_deref().unwrap_or(method.as_str()),
        )?,
        role: role.ok_or_else(|| VaultError::setting(variable::ROLE, "it is not set"))?,
        token_file: read(variable::TOKEN_FILE)
            .map_or_else(|| SERVICE_ACCOUNT_TOKEN.into(), PathBuf::from),
    })
}

fn registries(text: Option<String>) -> Result<Vec<HostPattern>, VaultError> {
    let text = text.ok_or_else(|| {
        VaultError::setting(
            variable::REGISTRIES,
            "it is not set: a secret is shown to named hosts only",
        )
    })?;
    let hosts = text
        .split(',')
        .map(str::trim)
        .filter(|host| !host.is_empty());
    hosts
        .map(|host| parsed(variable::REGISTRIES, host))
        .collect()
}

fn optional<T: FromStr<Err: fmt::Display>>(
    name: &'static str,
    text: Option<String>,
) -> Result<Option<T>, VaultError> {
    text.map(|text| parsed(name, text.trim())).transpose()
}

fn parsed<T: FromStr<Err: fmt::Display>>(name: &'static str, text: &str) -> Result<T, VaultError> {
    text.parse()
        .map_err(|problem: T::Err| VaultError::setting(name, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<VaultSettings>, VaultError> {
        let find = |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        VaultSettings::from_variables(find)
    }

    const LEAST: [(&str, &str); 3] = [
        ("VAULT_ADDR", "https://vault.example:8200/"),
        ("FRACTAL_VAULT_ROLE", "fractal"),
        ("FRACTAL_VAULT_REGISTRIES", "r.example, *.aruba.example"),
    ];

    #[test]
    fn three_variables_are_enough() {
        let settings = read(&LEAST).unwrap().unwrap();
        assert_eq!(settings.address.as_str(), "https://vault.example:8200");
        assert_eq!(settings.login.method, LoginMethod::Kubernetes);
        assert_eq!(settings.login.mount.as_str(), "kubernetes");
        assert_eq!(
            settings.login.token_file.to_str(),
            Some(SERVICE_ACCOUNT_TOKEN)
        );
        assert_eq!(settings.kv_mount.as_str(), "fractal_cloud");
        assert_eq!(settings.registries.len(), 2);
        assert!(read(&[]).unwrap().is_none());
    }

    #[test]
    fn h11_what_cannot_be_used_is_named() {
        let check = |name: &str, value: &str, problem: &str| {
            let mut pairs = LEAST.to_vec();
            pairs.retain(|(key, _)| *key != name);
            pairs.push((name, value));
            let error = read(&pairs).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(problem), "{error}");
        };
        check("VAULT_ADDR", "http://vault.example", "https");
        check(
            "VAULT_ADDR",
            "https://user:canary@vault.example",
            "without user information",
        );
        check("FRACTAL_VAULT_ROLE", "", "not set");
        check("FRACTAL_VAULT_REGISTRIES", " ", "not set");
        check("FRACTAL_VAULT_REGISTRIES", "*", "no registry host");
        check("FRACTAL_VAULT_LOGIN", "ldap", "neither");
        check("FRACTAL_VAULT_KV_MOUNT", "a/../b", "segments");
        check("VAULT_NAMESPACE", "a?b", "segments");
        check("FRACTAL_VAULT_ENVIRONMENT", "../prod", "environment");
    }
}
