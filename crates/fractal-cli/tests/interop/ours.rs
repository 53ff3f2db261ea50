//! Our side: the `fractal` command as a person runs it, and the registry library below it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use fractal_core::artifact::{Digest, Manifest, Reference};
use fractal_registry::{Credential, Options, Registry, StaticCredentials};
use fractal_testkit::registry::{PASSWORD, Server, Setup, USER};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::content::Content;
use crate::samples::{Sample, Samples, untar};

/// Longer than any command here takes on a busy machine.
const BOUND: Duration = Duration::from_secs(60);

/// The command, with what it has to know of some registries.
pub(crate) struct Fractal {
    flags: Vec<String>,
    home: TempDir,
}

impl Fractal {
    pub(crate) fn new(servers: &[&Server]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut flags = Vec::new();
        let mut flag = |name: &str, value: String| flags.extend([name.to_owned(), value]);
        for server in servers {
            let host = server.host();
            if server.setup() == Setup::Tls {
                flag("--registry-endpoint", format!("{host}={}", server.url()));
            }
            if let Some(authority) = server.authority() {
                flag("--ca-bundle", authority.display().to_string());
            }
            if server.setup().authenticates() {
                let path = home.path().join("config.json");
                std::fs::write(&path, server.docker_config()).unwrap();
                flag("--registry-config", path.display().to_string());
            }
        }
        Self { flags, home }
    }

    /// Runs a command to its success; its JSON document.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fractal"));
        command
            .args(arguments)
            .args(&self.flags)
            .args(["--output", "json"])
            .current_dir(self.home.path())
            .env_clear()
            .env("TMPDIR", self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = tokio::time::timeout(BOUND, command.output()).await;
        let output = ended.expect("the command did not end").unwrap();
        let (out, said) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{arguments:?}: {out}{said}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Publishes a sample; the digest it prints, read back.
    pub(crate) async fn publish(&self, sample: &Sample, to: &str) -> String {
        let mut arguments: Vec<&str> = sample.publish.iter().map(String::as_str).collect();
        arguments.push(to);
        let receipt = self.json(&arguments).await;
        assert_eq!(receipt["published"][0]["digest"], receipt["digest"]);
        assert_eq!(receipt["kind"], sample.kind);
        receipt["digest"].as_str().unwrap().to_owned()
    }
}

/// The library's client.
pub(crate) fn client(server: &Server) -> Registry {
    let host = || server.host().parse().unwrap();
    let credentials = match server.setup().authenticates() {
        true => BTreeMap::from([(host(), Credential::basic(USER, PASSWORD))]),
        false => BTreeMap::new(),
    };
    Registry::new(Options {
        endpoints: BTreeMap::from([(host(), server.url())]),
        ca_bundle: server.authority().map(Path::to_owned),
        credentials: Arc::new(StaticCredentials::new(credentials)),
        ..Options::on_loopback()
    })
    .unwrap()
}

/// Reads an artifact whole, every part verified.
pub(crate) async fn read(registry: &Registry, at: &Reference) -> Content {
    let resolved = registry.resolve(at).await.unwrap();
    let mut content = Content {
        digest: resolved.digest.to_string(),
        parts: BTreeMap::new(),
    };
    let mut pending = vec![resolved.digest];
    while let Some(digest) = pending.pop() {
        let fetched = registry.manifest(at, &digest).await.unwrap();
        match &fetched.manifest {
            Manifest::Index(index) => {
                pending.extend(index.manifests.iter().map(|entry| entry.digest.clone()));
            }
            Manifest::Image(image) => {
                for layer in image.layers.iter().chain([&image.config]) {
                    let blob = registry.blob(at, layer).await.unwrap();
                    let bytes = blob.collect().await.unwrap().to_vec();
                    content.parts.insert(layer.digest.to_string(), bytes);
                }
            }
        }
        let bytes = fetched.bytes.to_vec();
        assert_eq!(Digest::sha256(&bytes), digest);
        content.parts.insert(digest.to_string(), bytes);
    }
    content
}

/// Holds what was read against what lies on the disk.
pub(crate) async fn is_sample(content: &Content, sample: &Sample, samples: &Samples) {
    let Some(bytes) = sample.file_bytes() else {
        assert_eq!(*content, crate::layout::read(&sample.layout).await);
        return;
    };
    if sample.kind == "manifests" {
        let files = untar(content.layer());
        assert!(files.len() > 1);
        let folder = samples.folder().join("shop");
        for (name, bytes) in &files {
            assert_eq!(std::fs::read(folder.join(name)).unwrap(), *bytes, "{name}");
        }
        assert_eq!(files, untar(&bytes));
    } else {
        assert!(content.layer() == bytes, "{}: other bytes", sample.name);
    }
}
