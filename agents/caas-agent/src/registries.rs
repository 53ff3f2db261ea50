//! How the agent logs in to registries: by the cloud's own identity, and by what Vault holds for the environment.

use std::sync::Arc;

use fractal_aws::{EcrCredentials, Session};
use fractal_azure::{AcrCredentials, AzureIdentity};
use fractal_core::Fault;
use fractal_gcp::{GarCredentials, GcpIdentity};
use fractal_registry::{Chain, CredentialSource};
use fractal_runtime::RegistryOptions;
use fractal_vault::{VaultCredentials, VaultSettings};

use crate::config::Provider;

type Source = Arc<dyn CredentialSource>;

/// The sources that are configured, the cloud's own first; nothing where there are none.
pub(crate) async fn credentials(
    provider: Option<Provider>,
    options: &RegistryOptions,
) -> Result<Option<Source>, Fault> {
    let mut sources: Vec<Source> = Vec::new();
    match provider {
        Some(Provider::Aws) => {
            let session = Session::connect(options).await?;
            sources.push(Arc::new(EcrCredentials::new(session)));
        }
        Some(Provider::Azure) => {
            let identity = AzureIdentity::from_variables(variable)?;
            sources.push(Arc::new(AcrCredentials::new(identity, options.clone())?));
        }
        Some(Provider::Gcp) => {
            let identity = GcpIdentity::from_variables(variable)?;
            sources.push(Arc::new(GarCredentials::new(identity, options.clone())?));
        }
        Some(Provider::Aruba) | None => {}
    }
    // Without Vault the pods' own pull secrets and --registry-config remain.
    if let Some(settings) = VaultSettings::from_variables(variable)? {
        sources.push(Arc::new(VaultCredentials::new(settings, options.clone())?));
    }
    Ok((!sources.is_empty()).then(|| Arc::new(Chain::new(sources)) as Source))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
