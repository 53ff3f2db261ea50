//! Registry credentials from HashiCorp Vault: Kubernetes and JWT login, tokens renewed before their lease ends, KV version 2.
//!
//! It writes nothing to Vault and reads one secret per environment:
//! `<mount>/environments/<environment>/aruba/container-registry`.

mod credentials;
mod error;
mod secret;
mod session;
mod settings;

pub use credentials::VaultCredentials;
pub use error::VaultError;
pub use secret::EnvironmentName;
pub use settings::{LoginMethod, VaultLogin, VaultPath, VaultSettings, variable};
