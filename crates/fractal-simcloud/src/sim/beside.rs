//! What listens beside the cloud and its registry: the identities that registry credentials come from, each where it is set up.

use std::sync::Arc;

use super::Endpoints;
use crate::azure::{Azure, AzureConfig};
use crate::config::Config;
use crate::error::SimError;
use crate::front::Front;
use crate::gcp::{Gcp, GcpConfig};
use crate::registry::Shelf;
use crate::server::{Bound, Listener};
use crate::vault::{Vault, VaultConfig};

pub(super) struct Beside {
    azure: Option<Listener>,
    gcp: Option<Listener>,
    vault: Option<(Vault, Listener)>,
}

impl Beside {
    pub(super) async fn start(
        config: &Config,
        front: &Front,
        shelf: &Arc<Shelf>,
    ) -> Result<Self, SimError> {
        Ok(Self {
            azure: azure(config.azure.clone(), front, shelf).await?,
            gcp: gcp(config.gcp.clone(), front, shelf).await?,
            vault: vault(config.vault.clone(), front).await?,
        })
    }

    /// All endpoints of a cloud at `aws` with a registry.
    pub(super) fn endpoints(&self, aws: &str, registry: &str) -> Endpoints {
        let vault = self.vault.as_ref().map(|(_, listener)| listener);
        Endpoints {
            control: format!("{aws}/_sim"),
            aws: aws.to_owned(),
            registry: registry.to_owned(),
            azure: self.azure.as_ref().map(Listener::endpoint),
            gcp: self.gcp.as_ref().map(Listener::endpoint),
            vault: vault.map(Listener::endpoint),
        }
    }

    pub(super) fn vault(&self) -> Option<&Vault> {
        self.vault.as_ref().map(|(vault, _)| vault)
    }

    pub(super) async fn stop(self) {
        let vault = self.vault.map(|(_, listener)| listener);
        for listener in self.azure.into_iter().chain(self.gcp).chain(vault) {
            listener.stop().await;
        }
    }
}

async fn azure(
    config: Option<AzureConfig>,
    front: &Front,
    shelf: &Arc<Shelf>,
) -> Result<Option<Listener>, SimError> {
    let Some(config) = config else {
        return Ok(None);
    };
    let bound = Bound::loopback(config.port).await?;
    let azure = Azure::new(config, front.clone(), Arc::clone(shelf));
    Ok(Some(bound.serve(Arc::new(azure))))
}

async fn gcp(
    config: Option<GcpConfig>,
    front: &Front,
    shelf: &Arc<Shelf>,
) -> Result<Option<Listener>, SimError> {
    let Some(config) = config else {
        return Ok(None);
    };
    let bound = Bound::loopback(config.port).await?;
    let endpoint = format!("http://{}", bound.address);
    let gcp = Gcp::new(config, front.clone(), Arc::clone(shelf), endpoint);
    Ok(Some(bound.serve(Arc::new(gcp))))
}

async fn vault(
    config: Option<VaultConfig>,
    front: &Front,
) -> Result<Option<(Vault, Listener)>, SimError> {
    let Some(config) = config else {
        return Ok(None);
    };
    let bound = Bound::loopback(config.port).await?;
    let vault = Vault::new(config, front.clone());
    let listener = bound.serve(vault.service());
    Ok(Some((vault, listener)))
}
