//! How a simulated cloud is set up; every field has a default that behaves like the real service.

use std::path::PathBuf;

use crate::aws::eks::EksConfig;
use crate::azure::AzureConfig;
use crate::clock::Clock;
use crate::gcp::GcpConfig;
use crate::registry::RegistryAuth;
use crate::vault::VaultConfig;

/// The account calls belong to when their access key is not listed.
pub(crate) const DEFAULT_ACCOUNT: &str = "123456789012";

/// Settings of one [`SimCloud`](crate::SimCloud).
#[derive(Clone, Debug)]
pub struct Config {
    /// Where state and ledger live; a temporary folder, removed at the end, when absent.
    pub state_dir: Option<PathBuf>,
    /// Loopback port of the AWS endpoint; 0 takes a free one.
    pub port: u16,
    /// Loopback port of the registry; 0 takes a free one.
    pub registry_port: u16,
    /// Whether each journal record is forced to the disk before the answer leaves. A killed process loses nothing either way; a power cut may without it.
    pub fsync: bool,
    /// Known access keys.
    pub identities: Vec<Identity>,
    /// Account of access keys that are not listed; `None` refuses them.
    pub default_account: Option<String>,
    /// Role ARNs Lambda can assume, besides those made by `CreateRole`.
    pub roles: Vec<String>,
    /// When a function's write is finished.
    pub settling: Settling,
    /// Control-plane rates.
    pub quotas: Quotas,
    /// Whether `TagResource` and `UntagResource` move a function's `RevisionId`. Tags are no part of a function's configuration, so not by default.
    pub tags_move_revision: bool,
    /// Who may use the registry. The token `GetAuthorizationToken` hands out is accepted with every kind.
    pub registry_auth: RegistryAuth,
    /// An EKS cluster whose pods get AWS credentials.
    pub eks: Option<EksConfig>,
    /// Azure's identities beside the cloud. Their tokens are for a registry with [`RegistryAuth::Azure`].
    pub azure: Option<AzureConfig>,
    /// Google's identities beside the cloud. Their tokens are for a registry with [`RegistryAuth::Google`].
    pub gcp: Option<GcpConfig>,
    /// A Vault beside the cloud.
    pub vault: Option<VaultConfig>,
    /// Time.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: None,
            port: 0,
            registry_port: 0,
            fsync: false,
            identities: Vec::new(),
            default_account: Some(DEFAULT_ACCOUNT.to_owned()),
            roles: vec![format!("arn:aws:iam::{DEFAULT_ACCOUNT}:role/lambda-role")],
            settling: Settling::default(),
            quotas: Quotas::default(),
            tags_move_revision: false,
            registry_auth: RegistryAuth::Open,
            eks: None,
            azure: None,
            gcp: None,
            vault: None,
            clock: Clock::system(),
        }
    }
}

/// One access key. With a secret, signatures made with it are verified.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key; signatures are not verified without it.
    pub secret_access_key: Option<String>,
    /// Twelve digits.
    pub account: String,
    /// Answer every call as with an expired session token.
    pub expired: bool,
}

/// When a Lambda write settles: at whichever comes first. With neither it never does.
#[derive(Clone, Copy, Debug)]
pub struct Settling {
    /// So many reads of the function still show it in progress, the next one shows it settled.
    pub reads: Option<u32>,
    /// So many milliseconds after the write.
    pub milliseconds: Option<u64>,
}

impl Default for Settling {
    fn default() -> Self {
        Self {
            reads: Some(2),
            milliseconds: None,
        }
    }
}

/// Lambda's control-plane rates per account and region, in calls a second; `None` does not limit.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// `GetFunction`.
    pub get_function: Option<u32>,
    /// All other control-plane calls together.
    pub control_plane: Option<u32>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            get_function: Some(100),
            control_plane: Some(15),
        }
    }
}

impl Quotas {
    /// No limits.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            get_function: None,
            control_plane: None,
        }
    }
}
