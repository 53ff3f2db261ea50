//! How a simulated Vault is set up: mounts, roles and policies.

use serde::Deserialize;

use crate::issuer::TrustedIssuer;

/// Settings of a simulated Vault.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VaultConfig {
    /// Loopback port; 0 takes a free one.
    pub port: u16,
    /// The namespace everything lies in; a request must name it. Without one, a request may name none.
    pub namespace: Option<String>,
    /// Mounts of KV version 2.
    pub kv_mounts: Vec<String>,
    /// Who may log in.
    pub roles: Vec<VaultRole>,
    /// What a policy allows.
    pub policies: Vec<VaultPolicy>,
    /// A token that may do everything and has no end.
    pub root_token: Option<String>,
}

impl Default for VaultConfig {
    fn default() -> Self {
        Self {
            port: 0,
            namespace: None,
            kv_mounts: vec!["fractal_cloud".to_owned()],
            roles: Vec::new(),
            policies: Vec::new(),
            root_token: None,
        }
    }
}

/// How a role's callers prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VaultLogin {
    /// The service account token of a pod; the subject is `system:serviceaccount:NAMESPACE:NAME`.
    Kubernetes,
    /// Any issuer's JWT.
    Jwt,
}

/// A role of an auth method.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultRole {
    /// The auth method's mount, such as `kubernetes`.
    pub mount: String,
    /// The method.
    pub login: VaultLogin,
    /// The role's name.
    pub name: String,
    /// Who signs the tokens.
    pub issuer: TrustedIssuer,
    /// The subject a token must have.
    pub subject: String,
    /// The audience a token must have; any where there is none.
    #[serde(default)]
    pub audience: Option<String>,
    /// Policies of its tokens.
    pub policies: Vec<String>,
    /// Lease of its tokens.
    pub ttl_seconds: u64,
    /// Longest life of a token with all its renewals.
    pub max_ttl_seconds: u64,
    /// Whether its tokens can be renewed.
    #[serde(default = "yes")]
    pub renewable: bool,
}

/// A policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultPolicy {
    /// Its name.
    pub name: String,
    /// Paths and what may be done there: `read`, `create`, `update`, `delete`. A path may end in `*`; `+` is any one segment.
    pub rules: Vec<(String, Vec<String>)>,
}

const fn yes() -> bool {
    true
}

impl VaultPolicy {
    /// A policy to read these paths.
    #[must_use]
    pub fn read(name: &str, paths: &[&str]) -> Self {
        let rules = paths
            .iter()
            .map(|path| ((*path).to_owned(), vec!["read".to_owned()]));
        Self {
            name: name.to_owned(),
            rules: rules.collect(),
        }
    }
}
