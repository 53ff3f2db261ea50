//! Which identity we are, from Azure's own standard variables. The environment is read by whoever calls.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use fractal_registry::{Secret, ServiceUrl};

use crate::error::AzureError;

/// Names of the variables an identity is read from: those that Azure's own libraries read.
pub mod variable {
    /// The application's or managed identity's client id.
    pub const CLIENT_ID: &str = "AZURE_CLIENT_ID";
    /// The tenant.
    pub const TENANT_ID: &str = "AZURE_TENANT_ID";
    /// A client secret.
    pub const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
    /// The file of the workload's own token, which the tenant federates with.
    pub const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
    /// Where Entra is, in a sovereign cloud.
    pub const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";
    /// The identity endpoint of App Service, Functions and Container Apps.
    pub const APP_ENDPOINT: &str = "IDENTITY_ENDPOINT";
    /// What is shown to that endpoint.
    pub const APP_HEADER: &str = "IDENTITY_HEADER";
    /// Another address of the machine's metadata service.
    pub const MACHINE_ENDPOINT: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
}

/// Entra of the public cloud.
const AUTHORITY: &str = "https://login.microsoftonline.com";
/// The metadata service of every Azure machine.
const MACHINE: &str = "http://169.254.169.254";

/// A tenant or client: a UUID, or a tenant's domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(Box<str>);

impl FromStr for Name {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let fits = (1..=255).contains(&text.len()) && text.chars().all(plain);
        if fits && !text.starts_with('.') {
            Ok(Self(text.into()))
        } else {
            Err("it is neither a UUID nor a domain")
        }
    }
}

impl Name {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a managed identity's tokens come from.
#[derive(Debug, Clone)]
pub enum ManagedEndpoint {
    /// The metadata service of a machine.
    Machine(ServiceUrl),
    /// The endpoint an app finds in its environment, and what it shows there.
    App(ServiceUrl, Secret),
}

/// An identity, and how it proves itself.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AzureIdentity {
    /// The token of a Kubernetes service account or of another issuer the application federates with.
    Workload {
        /// Entra's URL.
        authority: ServiceUrl,
        /// The tenant.
        tenant: Name,
        /// The application.
        client: Name,
        /// The file of the workload's token; read again each time, since it rotates.
        token_file: PathBuf,
    },
    /// A client secret.
    Secret {
        /// Entra's URL.
        authority: ServiceUrl,
        /// The tenant.
        tenant: Name,
        /// The application.
        client: Name,
        /// The secret.
        secret: Secret,
    },
    /// A managed identity.
    Managed {
        /// Where its tokens come from.
        endpoint: ManagedEndpoint,
        /// Which one, where there are several.
        client: Option<Name>,
        /// The tenant, where it is known.
        tenant: Option<Name>,
    },
}

impl AzureIdentity {
    /// The identity that the variables describe: a client secret, else a workload's token, else the app's or machine's own.
    ///
    /// # Errors
    /// Where a variable cannot be used, or one that goes with another is missing; the error names it.
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Self, AzureError> {
        let read = |name: &'static str| read(name).filter(|value| !value.trim().is_empty());
        let secret = read(variable::CLIENT_SECRET).map(|text| Secret::new(&text));
        let file = read(variable::TOKEN_FILE).map(PathBuf::from);
        let (client, tenant) = (
            optional(variable::CLIENT_ID, read(variable::CLIENT_ID))?,
            optional(variable::TENANT_ID, read(variable::TENANT_ID))?,
        );
        if secret.is_none() && file.is_none() {
            let endpoint = managed(&read)?;
            return Ok(Self::Managed {
                endpoint,
                client,
                tenant,
            });
        }
        let authority = read(variable::AUTHORITY);
        let authority = parsed(
            variable::AUTHORITY,
            authority.as_deref().unwrap_or(AUTHORITY),
        )?;
        let missing = |name| move || AzureError::setting(name, "it is not set");
        let tenant = tenant.ok_or_else(missing(variable::TENANT_ID))?;
        let client = client.ok_or_else(missing(variable::CLIENT_ID))?;
        Ok(match (secret, file) {
            (Some(secret), _) => Self::Secret {
                authority,
                tenant,
                client,
                secret,
            },
            (None, file) => Self::Workload {
                authority,
                tenant,
                client,
                token_file: file.unwrap_or_default(),
            },
        })
    }

    /// The tenant, where it is known.
    #[must_use]
    pub const fn tenant(&self) -> Option<&Name> {
        match self {
            Self::Workload { tenant, .. } | Self::Secret { tenant, .. } => Some(tenant),
            Self::Managed { tenant, .. } => tenant.as_ref(),
        }
    }
}

/// Who this is, for people: no secret.
impl fmt::Display for AzureIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload { client, .. } => write!(f, "workload identity {client}"),
            Self::Secret { client, .. } => write!(f, "application {client}"),
            Self::Managed {
                client: Some(client),
                ..
            } => write!(f, "managed identity {client}"),
            Self::Managed { client: None, .. } => f.write_str("the only managed identity here"),
        }
    }
}

fn managed(read: &impl Fn(&'static str) -> Option<String>) -> Result<ManagedEndpoint, AzureError> {
    let address = |name, text: &str| {
        ServiceUrl::metadata(text.trim()).map_err(|problem| AzureError::setting(name, problem))
    };
    if let (Some(endpoint), Some(header)) =
        (read(variable::APP_ENDPOINT), read(variable::APP_HEADER))
    {
        let endpoint = address(variable::APP_ENDPOINT, &endpoint)?;
        return Ok(ManagedEndpoint::App(endpoint, Secret::new(&header)));
    }
    let machine = read(variable::MACHINE_ENDPOINT);
    let machine = address(
        variable::MACHINE_ENDPOINT,
        machine.as_deref().unwrap_or(MACHINE),
    )?;
    Ok(ManagedEndpoint::Machine(machine))
}

fn optional(name: &'static str, text: Option<String>) -> Result<Option<Name>, AzureError> {
    text.map(|text| parsed(name, text.trim())).transpose()
}

fn parsed<T: FromStr<Err: fmt::Display>>(name: &'static str, text: &str) -> Result<T, AzureError> {
    text.parse()
        .map_err(|problem: T::Err| AzureError::setting(name, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<AzureIdentity, AzureError> {
        AzureIdentity::from_variables(|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const IDS: [(&str, &str); 2] = [
        ("AZURE_CLIENT_ID", "11111111-2222-3333-4444-555555555555"),
        ("AZURE_TENANT_ID", "contoso.example"),
    ];

    #[test]
    fn variables_name_one_identity() {
        let with = |more: &[(&'static str, &'static str)]| {
            let pairs: Vec<_> = IDS.iter().chain(more).copied().collect();
            read(&pairs).unwrap()
        };
        let file = (
            "AZURE_FEDERATED_TOKEN_FILE",
            "/var/run/secrets/azure/tokens/azure-identity-token",
        );
        let secret = ("AZURE_CLIENT_SECRET", "canary");
        assert!(matches!(with(&[file]), AzureIdentity::Workload { .. }));
        assert!(matches!(
            with(&[secret, file]),
            AzureIdentity::Secret { .. }
        ));
        let app = [
            ("IDENTITY_ENDPOINT", "http://127.0.0.1:42356/msi/token"),
            ("IDENTITY_HEADER", "canary"),
        ];
        let app = with(&app);
        assert!(matches!(
            app,
            AzureIdentity::Managed {
                endpoint: ManagedEndpoint::App(..),
                ..
            }
        ));
        assert!(!format!("{:?} {:?} {app}", with(&[secret]), app).contains("canary"));
        let AzureIdentity::Managed {
            endpoint, client, ..
        } = read(&[]).unwrap()
        else {
            panic!("no managed identity")
        };
        assert!(matches!(endpoint, ManagedEndpoint::Machine(url) if url.as_str() == MACHINE));
        assert_eq!(client, None);
    }

    #[test]
    fn h11_what_cannot_be_used_is_named() {
        let check = |pairs: &[(&str, &str)], name: &str| {
            let error = read(pairs).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        };
        let secret = ("AZURE_CLIENT_SECRET", "canary");
        check(&[secret], "AZURE_TENANT_ID");
        check(&[secret, IDS[1]], "AZURE_CLIENT_ID");
        check(
            &[("AZURE_TENANT_ID", "a/b"), IDS[0], secret],
            "AZURE_TENANT_ID",
        );
        check(
            &[
                IDS[0],
                IDS[1],
                secret,
                ("AZURE_AUTHORITY_HOST", "http://login.example"),
            ],
            "AZURE_AUTHORITY_HOST",
        );
        check(
            &[
                ("IDENTITY_ENDPOINT", "nowhere at all"),
                ("IDENTITY_HEADER", "x"),
            ],
            "IDENTITY_ENDPOINT",
        );
    }
}
