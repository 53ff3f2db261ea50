//! The file of application default credentials: its kinds and their members. Nothing of it is ever printed.

use std::collections::BTreeMap;
use std::path::Path;

use fractal_registry::{Secret, ServiceUrl};
use serde::{Deserialize, Deserializer};
use tokio::io::AsyncReadExt as _;

use crate::error::GcpError;

/// Largest file read, in bytes.
const FILE_MAX: u64 = 1024 * 1024;
/// Where tokens are had, unless the file says another place.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// A file's content, by its `type`.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Document {
    ServiceAccount(ServiceAccount),
    AuthorizedUser(AuthorizedUser),
    ExternalAccount(Box<ExternalAccount>),
}

#[derive(Deserialize)]
pub(crate) struct ServiceAccount {
    pub(crate) client_email: String,
    #[serde(default)]
    pub(crate) private_key_id: String,
    #[serde(deserialize_with = "secret")]
    pub(crate) private_key: Secret,
    #[serde(default = "token_uri")]
    pub(crate) token_uri: String,
}

#[derive(Deserialize)]
pub(crate) struct AuthorizedUser {
    pub(crate) client_id: String,
    #[serde(deserialize_with = "secret")]
    pub(crate) client_secret: Secret,
    #[serde(deserialize_with = "secret")]
    pub(crate) refresh_token: Secret,
    #[serde(default = "token_uri")]
    pub(crate) token_uri: String,
}

#[derive(Deserialize)]
pub(crate) struct ExternalAccount {
    pub(crate) audience: String,
    pub(crate) subject_token_type: String,
    pub(crate) token_url: String,
    pub(crate) credential_source: Source,
    pub(crate) service_account_impersonation_url: Option<String>,
}

/// Where the token to exchange lies.
#[derive(Deserialize)]
pub(crate) struct Source {
    pub(crate) file: Option<String>,
    pub(crate) url: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) format: Format,
}

#[derive(Default, Deserialize)]
pub(crate) struct Format {
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) subject_token_field_name: Option<String>,
}

fn token_uri() -> String {
    TOKEN_URI.to_owned()
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    String::deserialize(from).map(|text| Secret::new(&text))
}

impl Document {
    /// Reads the file.
    pub(crate) async fn read(path: &Path) -> Result<Self, GcpError> {
        let bytes = bytes(path).await?;
        // The parser's own message could repeat a secret.
        serde_json::from_slice(&bytes).map_err(|_| {
            let problem = "it is no service account key, user's credentials or federation settings";
            GcpError::document(path, problem)
        })
    }
}

/// The bytes of a small file.
pub(crate) async fn bytes(path: &Path) -> Result<Vec<u8>, GcpError> {
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        let mut bytes = Vec::new();
        file.take(FILE_MAX).read_to_end(&mut bytes).await?;
        Ok(bytes)
    };
    read.await.map_err(|error| GcpError::file(path, error))
}

/// A URL that a file names.
pub(crate) fn service(path: &Path, url: &str) -> Result<ServiceUrl, GcpError> {
    url.parse().map_err(|problem| {
        GcpError::document(path, &format!("a URL in it cannot be used: {problem}"))
    })
}
