//! Docker's credential helpers: programs called `docker-credential-NAME` that are told a server and print what to show it.
//!
//! One call each, within bounds of time and output. What they print is never repeated but for the words of a refusal, and those
//! without whatever looks like a secret. Nothing is stored or erased through them.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use fractal_core::artifact::RegistryHost;
use fractal_core::{Fault, Reason};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::said::without_secrets;
use crate::auth::credentials::{Credential, Secret};

const HELPER: Reason = Reason::new("CredentialHelper");
/// How long a helper may take.
const TIME_MAX: Duration = Duration::from_secs(30);
/// Longest answer, in bytes.
const ANSWER_MAX: u64 = 1024 * 1024;
/// Longest account of a failure that is looked at, in bytes.
const WORDS_MAX: u64 = 8 * 1024;
/// Longest name, in bytes.
const NAME_MAX: usize = 64;
/// How Docker Hub is called towards helpers.
const HUB: &str = "https://index.docker.io/v1/";
/// What helpers print where they have nothing (docker-credential-helpers, credentials/error.go).
const NOT_FOUND: &str = "credentials not found in native keychain";
/// The user that stands for an identity token.
const TOKEN_USER: &str = "<token>";

/// A helper's name: what follows `docker-credential-` in its program's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HelperName(Box<str>);

impl FromStr for HelperName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if starts && text.len() <= NAME_MAX && text.chars().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err("it names a credential helper with a name that no program should have")
        }
    }
}

impl fmt::Display for HelperName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "docker-credential-{}", self.0)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

impl HelperName {
    /// What the helper has for `host`. Its program is looked for in the folders of `search`, written as `PATH` is.
    pub(super) async fn credential(
        &self,
        search: Option<&OsStr>,
        host: &RegistryHost,
    ) -> Result<Credential, Fault> {
        self.within(TIME_MAX, search, host).await
    }

    async fn within(
        &self,
        limit: Duration,
        search: Option<&OsStr>,
        host: &RegistryHost,
    ) -> Result<Credential, Fault> {
        let program = search.and_then(|search| found(search, &self.to_string()));
        let program = program.ok_or_else(|| {
            self.fault(host, "is not on PATH")
                .next("install it beside this program, or take it out of the Docker configuration")
        })?;
        let asking = self.ask(&program, host);
        let answered = tokio::time::timeout(limit, asking).await;
        answered.map_err(|_| {
            self.fault(host, &format!("does not end within {limit:?}"))
                .next("run it by hand, and see what it waits for")
        })?
    }

    async fn ask(&self, program: &Path, host: &RegistryHost) -> Result<Credential, Fault> {
        let unusable = |error: std::io::Error| {
            self.fault(host, "cannot be run")
                .because(error)
                .next("check that the program can be executed")
        };
        let mut child = Command::new(program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(unusable)?;
        let (printed, words) = talk(&mut child, server(host)).await;
        if printed.len() as u64 > ANSWER_MAX {
            let long = self.fault(host, "answers more than 1 MiB");
            return Err(long.next("run it by hand, and see what it prints"));
        }
        let status = child.wait().await.map_err(unusable)?;
        if status.success() {
            return self.read(host, &printed);
        }
        let printed = String::from_utf8_lossy(&printed);
        if printed.trim() == NOT_FOUND {
            return Ok(Credential::Anonymous);
        }
        let words = String::from_utf8_lossy(&words);
        let words = if words.trim().is_empty() {
            &printed
        } else {
            &words
        };
        let said = without_secrets(words);
        Err(self
            .fault(host, "fails")
            .because(format!("{status}: {said}"))
            .next("run it by hand with the same environment, and mend what it says"))
    }

    fn read(&self, host: &RegistryHost, printed: &[u8]) -> Result<Credential, Fault> {
        // The parser's own message could repeat a secret.
        let answer: Answer = serde_json::from_slice(printed).map_err(|_| {
            self.fault(host, "answers something other than a credential")
                .next("run it by hand, and see what it prints")
        })?;
        Ok(match (answer.username.as_str(), answer.secret.as_str()) {
            (_, "") => Credential::Anonymous,
            (TOKEN_USER, token) => Credential::Refresh(Secret::new(token)),
            (username, password) => Credential::basic(username, password),
        })
    }

    fn fault(&self, host: &RegistryHost, problem: &str) -> Fault {
        Fault::blocked(HELPER, format!("the credential helper {self} {problem}")).at(host)
    }
}

/// Tells it the server, and reads both its outputs to their ends, as far as they are looked at.
async fn talk(child: &mut Child, server: &str) -> (Vec<u8>, Vec<u8>) {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let telling = async {
        if let Some(mut stdin) = stdin {
            // One that ends without reading says so by its status.
            let _ = stdin.write_all(server.as_bytes()).await;
            let _ = stdin.shutdown().await;
        }
    };
    let ((), printed, words) = tokio::join!(telling, start(stdout, ANSWER_MAX + 1), whole(stderr));
    (printed, words)
}

async fn start(from: Option<impl AsyncRead + Unpin>, max: u64) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(from) = from {
        // What came until it broke is judged as it is.
        let _ = from.take(max).read_to_end(&mut all).await;
    }
    all
}

/// The start of it; the rest is read as well, so that whoever writes it comes to an end.
async fn whole(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let Some(mut from) = from else {
        return Vec::new();
    };
    let words = start(Some(&mut from), WORDS_MAX).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    words
}

fn server(host: &RegistryHost) -> &str {
    match host.as_str() {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB,
        other => other,
    }
}

/// The first program of this name. A relative folder of `PATH` is passed over: it depends on where a process was started.
fn found(search: &OsStr, program: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let executable = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(search)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helpers_name_is_no_path() {
        for good in ["ecr-login", "gcloud", "osxkeychain", "desktop.exe", "a_b"] {
            assert!(good.parse::<HelperName>().is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for bad in [
            "",
            "../evil",
            "a/b",
            "/bin/sh",
            ".",
            "..",
            "-x",
            "a b",
            "a\0b",
            "a;b",
            "$(x)",
            "é",
            long.as_str(),
        ] {
            assert!(bad.parse::<HelperName>().is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_helper_that_does_not_end_is_killed_after_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let (program, pid) = (
            folder.path().join("docker-credential-slow"),
            folder.path().join("pid"),
        );
        // Another process writes it: what this one's children hold open cannot be run.
        let script =
            r#"printf '#!/bin/sh\necho $$ > "%s"\nexec sleep 600\n' "$1" > "$0" && chmod 700 "$0""#;
        let written = std::process::Command::new("/bin/sh")
            .args(["-c", script])
            .args([&program, &pid])
            .status();
        assert!(written.unwrap().success());
        let name: HelperName = "slow".parse().unwrap();
        let (search, host) = (folder.path().as_os_str(), "r.example".parse().unwrap());
        let limit = Duration::from_secs(1);
        let fault = name.within(limit, Some(search), &host).await.unwrap_err();
        assert_eq!(
            fault.what,
            "the credential helper docker-credential-slow does not end within 1s"
        );
        let pid = std::fs::read_to_string(&pid).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let began = std::time::Instant::now();
        let alive = || std::fs::read_to_string(&stat).is_ok_and(|state| !state.contains(") Z "));
        while alive() {
            assert!(began.elapsed() < TIME_MAX, "it is still there");
            tokio::task::yield_now().await;
        }
    }
}
