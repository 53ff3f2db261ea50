//! What Azure agents share: Entra identities and the registry tokens they are exchanged for.
//!
//! Workload identity, a client secret, and managed identities of machines and apps. Calls to Azure Resource Manager are not here.

mod acr;
mod entra;
mod error;
mod identity;
mod managed;

pub use acr::AcrCredentials;
pub use entra::EntraTokens;
pub use error::AzureError;
pub use identity::{AzureIdentity, ManagedEndpoint, Name, variable};
