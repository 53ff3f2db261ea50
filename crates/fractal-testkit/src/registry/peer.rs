//! Other clients of registries, unmodified, each with a home of its own and nothing of the developer's environment.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::error::{ServerError, must};
use super::{PASSWORD, Server, Setup, USER};
use crate::cluster::part;

/// Longest a client may take for one command.
const BOUND: Duration = Duration::from_secs(60);

/// A client that knows some registries: their credentials, their authority, whether they speak TLS.
#[derive(Debug)]
pub struct Peer {
    program: PathBuf,
    home: TempDir,
    authority: Option<PathBuf>,
}

impl Peer {
    /// crane, logged in where the registry asks for it.
    ///
    /// # Panics
    /// When the part is missing or cannot log in.
    pub async fn crane(server: &Server) -> Self {
        let crane = must(Self::part("crane", server));
        if server.setup().authenticates() {
            let login = ["auth", "login", server.host(), "-u", USER, "-p", PASSWORD];
            crane.text(&login).await;
        }
        crane
    }

    /// regctl, told whether the registry speaks TLS, and logged in where it asks for it.
    ///
    /// # Panics
    /// As [`Peer::crane`].
    pub async fn regctl(server: &Server) -> Self {
        let regctl = must(Self::part("regctl", server));
        regctl.introduce(server).await;
        regctl
    }

    /// The same regctl comes to know another registry.
    ///
    /// # Panics
    /// When it refuses to.
    pub async fn introduce(&self, server: &Server) {
        let tls = match server.setup() {
            Setup::Tls => "enabled",
            _ => "disabled",
        };
        let (set, host) = (["registry", "set", "--skip-check", "--tls"], server.host());
        self.text(&[&set[..], &[tls, host]].concat()).await;
        if server.setup().authenticates() {
            let login = ["registry", "login", "--skip-check", "-u", USER, "-p"];
            self.text(&[&login[..], &[PASSWORD, host]].concat()).await;
        }
    }

    /// The oras library with the calls of its command, its credentials in a Docker configuration. Say `--plain-http` where it applies:
    /// [`Peer::oras_flags`].
    ///
    /// # Panics
    /// When the part is missing.
    #[must_use]
    pub fn oras(server: &Server) -> Self {
        must(Self::part("oras", server).and_then(|oras| oras.configured(server)))
    }

    /// What oras has to be told of the registry's scheme.
    #[must_use]
    pub const fn oras_flags(server: &Server) -> &'static [&'static str] {
        match server.setup() {
            Setup::Tls => &[],
            _ => &["--plain-http"],
        }
    }

    /// A program that may be on this machine and is no part, such as skopeo: `None` where no folder of PATH has it.
    ///
    /// # Panics
    /// When its home cannot be made.
    #[must_use]
    pub fn installed(name: &str, server: &Server) -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
        let program = places.find(|place| place.is_file())?;
        Some(must(
            Self::at(program, server).and_then(|peer| peer.configured(server)),
        ))
    }

    fn part(name: &str, server: &Server) -> Result<Self, ServerError> {
        Self::at(part::program(name)?, server)
    }

    fn at(program: PathBuf, server: &Server) -> Result<Self, ServerError> {
        let home =
            tempfile::tempdir().map_err(ServerError::file(Path::new("a temporary folder")))?;
        Ok(Self {
            program,
            home,
            authority: server.authority().map(Path::to_owned),
        })
    }

    fn configured(self, server: &Server) -> Result<Self, ServerError> {
        let path = self.home.path().join("config.json");
        std::fs::write(&path, server.docker_config()).map_err(ServerError::file(&path))?;
        Ok(self)
    }

    /// Its home and working folder, empty but for its settings.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it writes to standard output.
    ///
    /// # Panics
    /// When it ends with anything but success, or not within a minute; the message has what it wrote.
    pub async fn bytes(&self, arguments: &[&str]) -> Vec<u8> {
        must(self.succeeded(arguments).await)
    }

    /// [`Peer::bytes`] as text, without the space around it.
    ///
    /// # Panics
    /// As [`Peer::bytes`], and when it is no text.
    pub async fn text(&self, arguments: &[&str]) -> String {
        let text = String::from_utf8(self.bytes(arguments).await);
        let text = text.map_err(|_| ServerError::Text {
            call: self.call(arguments),
        });
        must(text).trim().to_owned()
    }

    async fn succeeded(&self, arguments: &[&str]) -> Result<Vec<u8>, ServerError> {
        let output = self.run(arguments).await?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(ServerError::Refused {
            call: self.call(arguments),
            status: output.status,
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    async fn run(&self, arguments: &[&str]) -> Result<Output, ServerError> {
        let home = self.home.path();
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("DOCKER_CONFIG", home)
            .env("REGCTL_CONFIG", home.join("regctl.json"))
            .env("REGISTRY_AUTH_FILE", home.join("config.json"))
            .envs(self.authority.iter().map(|path| ("SSL_CERT_FILE", path)))
            .current_dir(home)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = tokio::time::timeout(BOUND, command.output()).await;
        let ended = ended.map_err(|_| ServerError::Slow {
            call: self.call(arguments),
        })?;
        ended.map_err(|source| ServerError::Start {
            program: self.program.clone(),
            source,
        })
    }

    /// Passwords stand in arguments of logging in only, and those are the tests' own.
    fn call(&self, arguments: &[&str]) -> String {
        let program = self.program.file_name().unwrap_or_default();
        format!("{} {}", program.display(), arguments.join(" "))
    }
}
