//! The surroundings tests run in: a home full of traps, cloud settings that fail loudly when read, proxies that refuse.
//! A program that a test starts without an environment of its own stumbles over them. It starts nothing itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::Fault;
use crate::snapshot::Snapshot;

/// The only variables that pass from the developer's environment: what compilers, cargo and the terminal need.
const KEPT: &[&str] = &[
    "PATH",
    "TERM",
    "LANG",
    "LC_ALL",
    "TZ",
    "CC",
    "CXX",
    "AR",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "RUSTC",
    "RUSTFLAGS",
    "RUST_BACKTRACE",
    "RUSTC_WRAPPER",
];
const KEPT_PREFIXES: &[&str] = &[
    "CARGO",
    "RUSTUP_",
    "RUST_TEST_",
    "AWS_LC_",
    "PKG_CONFIG",
    "CC_",
    "CFLAGS_",
    "AR_",
];

/// A closed port of loopback: an attempt fails at once.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Values that would show if they were read. `~` stands for the poisoned home.
const POISON: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "AKIAPOISONEDPOISONED"),
    ("AWS_SECRET_ACCESS_KEY", "poisoned"),
    ("AWS_SESSION_TOKEN", "poisoned"),
    ("AWS_PROFILE", "poisoned"),
    ("AWS_REGION", "xx-poisoned-1"),
    ("AWS_DEFAULT_REGION", "xx-poisoned-1"),
    ("AWS_ENDPOINT_URL", NOWHERE),
    ("AWS_ENDPOINT_URL_LAMBDA", NOWHERE),
    ("AWS_ENDPOINT_URL_S3", NOWHERE),
    ("AWS_ENDPOINT_URL_STS", NOWHERE),
    ("AWS_ENDPOINT_URL_ECR", NOWHERE),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", NOWHERE),
    ("AWS_CONFIG_FILE", "~/.aws/config"),
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ("AWS_CA_BUNDLE", "~/poisoned.pem"),
    ("AZURE_TENANT_ID", "poisoned"),
    ("AZURE_CLIENT_ID", "poisoned"),
    ("AZURE_CLIENT_SECRET", "poisoned"),
    ("AZURE_CONFIG_DIR", "~/.azure"),
    ("AZURE_AUTHORITY_HOST", NOWHERE),
    ("IDENTITY_ENDPOINT", NOWHERE),
    ("GOOGLE_APPLICATION_CREDENTIALS", "~/poisoned.json"),
    ("GOOGLE_CLOUD_PROJECT", "poisoned"),
    ("CLOUDSDK_CONFIG", "~/.config/gcloud"),
    ("GCE_METADATA_HOST", "127.0.0.1:1"),
    ("KUBECONFIG", "~/.kube/config"),
    ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
    ("KUBERNETES_SERVICE_PORT", "1"),
    ("DOCKER_CONFIG", "~/.docker"),
    ("DOCKER_HOST", "tcp://127.0.0.1:1"),
    ("REGISTRY_AUTH_FILE", "~/.docker/config.json"),
    ("HTTP_PROXY", NOWHERE),
    ("http_proxy", NOWHERE),
    ("HTTPS_PROXY", NOWHERE),
    ("https_proxy", NOWHERE),
    ("ALL_PROXY", NOWHERE),
    ("all_proxy", NOWHERE),
];

/// Files no parser accepts.
const TRAPS: &[&str] = &[
    ".aws/config",
    ".aws/credentials",
    ".azure/azureProfile.json",
    ".config/gcloud/application_default_credentials.json",
    ".config/fractal/config.yml",
    ".docker/config.json",
    ".kube/config",
    ".netrc",
    ".regctl/config.json",
    "poisoned.json",
    "poisoned.pem",
];

/// A folder with the poisoned home and the tests' temporary folder; removed when dropped.
#[derive(Debug)]
pub(crate) struct Trap {
    folder: PathBuf,
    before: Snapshot,
    kept: Vec<(OsString, OsString)>,
}

impl Trap {
    pub(crate) fn lay() -> Result<Self, Fault> {
        let folder = std::env::temp_dir().join(format!("fractal-test-{}", std::process::id()));
        let home = folder.join("home");
        for trap in TRAPS {
            let path = home.join(trap);
            let parent = path.parent().unwrap_or(&home);
            std::fs::create_dir_all(parent).map_err(Fault::at("create", parent))?;
            std::fs::write(
                &path,
                "\u{0}[[[ poisoned: a test or a program of it reads the developer's settings\n",
            )
            .map_err(Fault::at("write", &path))?;
        }
        let temporary = folder.join("tmp");
        std::fs::create_dir_all(&temporary).map_err(Fault::at("create", &temporary))?;
        Ok(Self {
            before: Snapshot::take(&home, &temporary)?,
            kept: kept(std::env::vars_os().collect()),
            folder,
        })
    }

    /// Replaces the command's whole environment. What it set explicitly before is gone too.
    pub(crate) fn apply(&self, command: &mut Command) {
        let home = self.folder.join("home");
        command
            .env_clear()
            .envs(self.kept.iter().map(|(name, value)| (name, value)));
        for (name, value) in POISON {
            match value.strip_prefix("~/") {
                Some(path) => command.env(name, home.join(path)),
                None => command.env(name, value),
            };
        }
        command
            .env("HOME", &home)
            .env("TMPDIR", self.folder.join("tmp"))
            .env("INSTA_UPDATE", "no")
            .env("CARGO_NET_OFFLINE", "true");
    }

    /// A file of this run, outside the home and the temporary folder of the tests.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What the tests wrote into the home or left in their temporary folder.
    pub(crate) fn traces(&self) -> Result<Vec<String>, Fault> {
        let nothing = Path::new("");
        let mut traces = self
            .before
            .changes(&Snapshot::take(&self.folder.join("home"), nothing)?);
        let temporary = self.folder.join("tmp");
        let entries = std::fs::read_dir(&temporary).map_err(Fault::at("list", &temporary))?;
        traces.extend(entries.flatten().map(|entry| {
            format!(
                "left {} in the temporary folder",
                entry.file_name().to_string_lossy()
            )
        }));
        Ok(traces)
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// cargo and rustup keep their folders though the home changes.
fn kept(all: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let home = all
        .iter()
        .find(|(name, _)| name == "HOME")
        .map(|(_, value)| PathBuf::from(value));
    let mut kept: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| name.to_str().is_some_and(is_kept))
        .collect();
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let set = kept.iter().any(|(known, _)| known == name);
        if let (false, Some(home)) = (set, &home) {
            kept.push((name.into(), home.join(folder).into()));
        }
    }
    kept
}

fn is_kept(name: &str) -> bool {
    let described = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix));
    !described
        && (KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_replaced_and_the_toolchains_folders_stay() {
        let all = [
            ("HOME", "/somewhere"),
            ("PATH", "/bin"),
            ("AWS_PROFILE", "real"),
            ("CARGO_PKG_NAME", "xtask"),
            ("CARGO_HOME", "/cargo"),
        ];
        let kept = kept(
            all.into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        );
        let expected = [
            ("PATH", "/bin"),
            ("CARGO_HOME", "/cargo"),
            ("RUSTUP_HOME", "/somewhere/.rustup"),
        ];
        assert_eq!(
            kept,
            expected.map(|(name, value)| (OsString::from(name), OsString::from(value)))
        );
    }

    #[test]
    fn a_command_in_the_trap_sees_poison_and_its_traces_are_told() {
        let trap = Trap::lay().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "printf '%s %s' \"$AWS_PROFILE\" \"$AWS_CONFIG_FILE\"; : > $HOME/trace; : > $TMPDIR/rest"]);
        trap.apply(&mut command);
        let output = command.output().unwrap();
        let home = trap.folder.join("home");
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            format!("poisoned {}", home.join(".aws/config").display())
        );
        let expected = [
            format!("added {}", home.join("trace").display()),
            "left rest in the temporary folder".to_owned(),
        ];
        assert_eq!(trap.traces().unwrap(), expected);
        let folder = trap.folder.clone();
        drop(trap);
        assert!(!folder.exists());
    }
}
