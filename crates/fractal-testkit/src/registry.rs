//! Real registries on loopback: the reference registry as users set it up, and one that lists referrers. And other clients of registries.
//!
//! Each is a process of the installed parts that ends with its owner. Nothing here lies: for that there is [`crate::liar`].

mod error;
mod peer;
mod server;
mod tokens;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fractal_core::artifact::Reference;
use serde_json::json;
use tempfile::TempDir;

use crate::cluster::process::Processes;

pub use peer::Peer;
pub use tokens::TokenService;

use error::ServerError;

/// Who may read and write everything, where a registry asks who one is.
pub const USER: &str = "publisher";
/// Who may read and nothing else, known to the token service only.
pub const READER: &str = "reader";
/// The password of both.
pub const PASSWORD: &str = "canary-password";

/// How a registry is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// The reference registry over HTTP, open to everyone.
    Plain,
    /// The same with a password file.
    Basic,
    /// The same with tokens of a [`TokenService`].
    Bearer,
    /// The same over TLS, with a certificate of a private authority, open to everyone.
    Tls,
    /// A second implementation that serves the referrers API, over HTTP, open to everyone, in memory. The reference registry answers
    /// 404 there, so clients keep a tag instead.
    Referrers,
}

impl Setup {
    /// Are credentials asked for?
    #[must_use]
    pub const fn authenticates(self) -> bool {
        matches!(self, Self::Basic | Self::Bearer)
    }
}

/// A running registry. It is killed, and its folder removed, when this is dropped or when the test process ends.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    host: String,
    authority: Option<PathBuf>,
    tokens: Option<TokenService>,
    // The process ends before its folder goes.
    _processes: Processes,
    folder: TempDir,
}

impl Server {
    /// Starts a registry and waits until it listens, on a port that was free. Needs a Tokio runtime with time and network.
    ///
    /// # Panics
    /// When `FRACTAL_PARTS` names no parts or the program does not serve; the message says what to do.
    pub async fn start(setup: Setup) -> Self {
        error::must(server::start(setup).await)
    }

    /// How it was set up.
    #[must_use]
    pub const fn setup(&self) -> Setup {
        self.setup
    }

    /// Where it listens, `127.0.0.1:PORT`, or `localhost:PORT` where it takes tokens.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its root, with the scheme it speaks.
    #[must_use]
    pub fn url(&self) -> String {
        match self.setup {
            Setup::Tls => format!("https://{}", self.host),
            _ => format!("http://{}", self.host),
        }
    }

    /// The PEM file of the authority to trust, where it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// Its token service, where it has one.
    #[must_use]
    pub const fn tokens(&self) -> Option<&TokenService> {
        self.tokens.as_ref()
    }

    /// A reference into it: `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.
    ///
    /// # Panics
    /// When `rest` is neither.
    #[must_use]
    pub fn reference(&self, rest: &str) -> Reference {
        error::must(
            format!("{}/{rest}", self.host)
                .parse()
                .map_err(ServerError::Reference),
        )
    }

    /// A Docker configuration with [`USER`]'s password for it, empty where nobody is asked; the text of a `config.json`.
    #[must_use]
    pub fn docker_config(&self) -> String {
        if !self.setup.authenticates() {
            return json!({ "auths": {} }).to_string();
        }
        let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        json!({ "auths": { &self.host: { "auth": auth } } }).to_string()
    }

    /// The folder with its log and its settings.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
