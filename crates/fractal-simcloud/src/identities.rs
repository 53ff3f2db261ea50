//! The identities file of the program: whom the simulated vendors know. Its members are the library's own settings.

use std::path::Path;

use serde::Deserialize;

use crate::aws::eks::EksConfig;
use crate::azure::AzureConfig;
use crate::error::SimError;
use crate::gcp::GcpConfig;
use crate::vault::VaultConfig;

/// Identities of every vendor, each absent where it is not simulated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identities {
    /// A Vault.
    pub vault: Option<VaultConfig>,
    /// Azure's applications and managed identities.
    pub azure: Option<AzureConfig>,
    /// Google's accounts and workload identity providers.
    pub gcp: Option<GcpConfig>,
    /// An EKS cluster.
    pub eks: Option<EksConfig>,
}

impl Identities {
    /// Reads a JSON file.
    ///
    /// # Errors
    /// Where it cannot be read, or has not this form.
    pub fn read(path: &Path) -> Result<Self, SimError> {
        let text = std::fs::read(path).map_err(SimError::state(path))?;
        serde_json::from_slice(&text).map_err(|source| SimError::Identities {
            path: path.to_owned(),
            source,
        })
    }
}
