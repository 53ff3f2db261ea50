//! Simulated clouds and a registry on loopback, speaking the real wire protocols, with a durable ledger.
//!
//! [`SimCloud`] is AWS (Lambda, S3, STS, IAM roles, ECR tokens) plus the registry that plays ECR; beside it, where they are set up, the
//! identities that registry credentials come from: Vault, Azure's, Google's, and those of pods on EKS. [`Registry`] is an OCI registry alone.
//! Functions are never executed here, and nothing listens anywhere but on 127.0.0.1.

mod aws;
mod azure;
mod clock;
mod config;
mod control;
mod encoding;
mod error;
mod exchange;
mod faults;
mod front;
mod gcp;
mod identities;
mod issuer;
mod ledger;
mod quota;
mod registry;
mod server;
mod sim;
mod vault;

pub use crate::aws::eks::EksConfig;
pub use crate::aws::lambda::Served;
pub use crate::aws::s3::StagedObject;
pub use crate::azure::{AcrAccess, AzureApplication, AzureConfig, Federation};
pub use crate::clock::Clock;
pub use crate::config::{Config, Identity, Quotas, Settling};
pub use crate::error::SimError;
pub use crate::faults::{Action, Armed, Faults, Filter, Rule};
pub use crate::gcp::{GarAccess, GcpAccount, GcpConfig, GcpConsent, GcpProvider};
pub use crate::identities::Identities;
pub use crate::issuer::{TokenIssuer, TrustedIssuer};
pub use crate::ledger::{Entry, Ledger, Outcome};
pub use crate::registry::{Registry, RegistryAuth, RegistryConfig};
pub use crate::sim::{Endpoints, SimCloud};
pub use crate::vault::{Vault, VaultConfig, VaultLogin, VaultPolicy, VaultRole};
