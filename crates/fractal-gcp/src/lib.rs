//! What Google Cloud agents share: application default credentials and registry logins.
//!
//! The metadata server (machines, GKE workload identity), service account keys, a user's own consent, and workload identity
//! federation from a file or URL. Federation from AWS or a program is not here.

mod document;
mod error;
mod federation;
mod gar;
mod identity;
mod metadata;
mod service_account;
mod tokens;

pub use error::GcpError;
pub use gar::GarCredentials;
pub use identity::{GcpIdentity, variable};
pub use tokens::GoogleTokens;
