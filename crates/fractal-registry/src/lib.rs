//! OCI distribution: resolve, verified streaming reads, push, copy, layouts, credentials.
//!
//! Every request to a registry, its token service or a redirect target passes through this crate's one egress layer.
//! It knows nothing of components, clouds or queues, and reads neither environment variables nor a home directory.

mod auth;
mod blob;
mod client;
mod copy;
mod counts;
mod egress;
mod endpoint;
mod error;
mod layout;
mod manifest;
mod options;
mod packed;
mod push;
mod referrers;
mod site;
mod transport;

pub use auth::cache::{Cache, Issued};
pub use auth::credentials::{
    BoxFuture, Chain, Credential, CredentialSource, Secret, StaticCredentials,
};
pub use auth::docker_config::DockerConfig;
pub use auth::host_pattern::HostPattern;
pub use auth::identity::{IdentityAnswer, IdentityClient, IdentityRequest, ServiceUrl};
pub use blob::{BlobSource, BlobStream};
pub use client::Registry;
pub use copy::{Copied, CopyOptions, CopyProgress, CopyReport, LeftBehind, copy};
pub use counts::{RequestKind, Requests};
pub use egress::policy::HostPolicy;
pub use egress::proxy::Proxies;
pub use endpoint::RepositoryRef;
pub use error::{Action, Flaw, Missing, RegistryError, Said};
pub use layout::OciLayout;
pub use manifest::{FetchedManifest, Resolved};
pub use options::{Options, RetryPolicy, Timeouts};
pub use packed::{Packed, Piece};
pub use push::Pushed;
pub use site::{Located, Site};
