//! Two other clients, unmodified: crane and regctl, each with a home of its own and nothing of the developer's environment.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tokio::process::Command;

use crate::part::part;
use crate::server::{PASSWORD, Server, Setup, USER};

pub(crate) struct Peer {
    program: PathBuf,
    pub(crate) home: TempDir,
    authority: Option<PathBuf>,
}

impl Peer {
    /// crane, logged in where the registry asks for it.
    pub(crate) async fn crane(server: &Server) -> Self {
        let crane = Self::new("bin/crane", server);
        if matches!(server.setup, Setup::Basic | Setup::Bearer) {
            crane
                .ok(&["auth", "login", &server.host, "-u", USER, "-p", PASSWORD])
                .await;
        }
        crane
    }

    /// regctl, told whether the registry speaks TLS, and logged in where it asks for it.
    pub(crate) async fn regctl(server: &Server) -> Self {
        let regctl = Self::new("bin/regctl", server);
        let tls = match server.setup {
            Setup::Tls => "enabled",
            _ => "disabled",
        };
        regctl
            .ok(&[
                "registry",
                "set",
                "--skip-check",
                "--tls",
                tls,
                &server.host,
            ])
            .await;
        if matches!(server.setup, Setup::Basic | Setup::Bearer) {
            let login = [
                "registry",
                "login",
                "--skip-check",
                "-u",
                USER,
                "-p",
                PASSWORD,
                &server.host,
            ];
            regctl.ok(&login).await;
        }
        regctl
    }

    fn new(program: &str, server: &Server) -> Self {
        Self {
            program: part(program),
            home: tempfile::tempdir().unwrap(),
            authority: server.authority.clone(),
        }
    }

    /// What it writes to standard output. Anything but success fails the test.
    pub(crate) async fn bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(arguments).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{} {arguments:?}: {said}",
            self.program.display()
        );
        output.stdout
    }

    pub(crate) async fn ok(&self, arguments: &[&str]) -> String {
        let out = self.bytes(arguments).await;
        String::from_utf8(out).unwrap().trim().to_owned()
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let home = self.home.path();
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .env("DOCKER_CONFIG", home)
            .env("REGCTL_CONFIG", home.join("regctl.json"))
            .envs(self.authority.iter().map(|path| ("SSL_CERT_FILE", path)))
            .current_dir(home)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.output().await.unwrap()
    }
}
