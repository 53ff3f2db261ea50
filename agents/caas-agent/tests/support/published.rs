//! A real registry, and artifacts in it: images by our own client, bundles by `tar` and `oras` as developers push them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, ImageManifest, Reference};
use fractal_registry::{Options, Registry, RepositoryRef};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const START: Duration = Duration::from_secs(30);
const MANIFESTS: &str = "application/vnd.fractal.workload-manifests.v1+tar";

/// The reference registry, ended when dropped.
pub(crate) struct Published {
    host: String,
    folder: TempDir,
    _process: Child,
}

impl Published {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "version": "0.1", "log": { "level": "info", "formatter": "json" },
            "storage": { "filesystem": { "rootdirectory": folder.path().join("storage") } },
            "http": { "addr": "127.0.0.1:0", "secret": "one process needs none of its own" },
        });
        let path = folder.path().join("config.yml");
        std::fs::write(&path, config.to_string()).unwrap();
        let mut process = Command::new(part("bin/registry"))
            .arg("serve")
            .arg(&path)
            .env_clear()
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let listening = async {
            loop {
                let line = lines.next_line().await.unwrap().unwrap();
                let entry: Value = serde_json::from_str(&line).unwrap_or_default();
                let message = entry["msg"].as_str().unwrap_or_default();
                if let Some(host) = message.strip_prefix("listening on ") {
                    return host.split(',').next().unwrap().to_owned();
                }
            }
        };
        let host = tokio::time::timeout(START, listening).await.unwrap();
        // A full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            host,
            folder,
            _process: process,
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// An image of one layer; its digest.
    pub(crate) async fn image(&self, name: &str, says: &str) -> Digest {
        let registry = Registry::new(Options::default()).unwrap();
        let to: Reference = format!("{}/{name}", self.host).parse().unwrap();
        let layer = Bytes::from(says.to_owned());
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(&layer).to_string()] },
        });
        let config = Bytes::from(config.to_string());
        let described = |media_type: &str, bytes: &Bytes| {
            Descriptor::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
        };
        let blobs = [
            (described(media_type::OCI_CONFIG, &config), config),
            (described(media_type::OCI_LAYER_GZIP, &layer), layer),
        ];
        let repository = RepositoryRef::from(&to);
        for (descriptor, bytes) in &blobs {
            registry
                .push_blob(&repository, descriptor, bytes, None)
                .await
                .unwrap();
        }
        let [(config, _), (layer, _)] = blobs;
        let manifest = ImageManifest::new(None, config, vec![layer]);
        let bytes = Bytes::from(serde_json::to_vec(&manifest).unwrap());
        let digest = Digest::sha256(&bytes);
        registry
            .push_manifest(&to, bytes, media_type::OCI_MANIFEST)
            .await
            .unwrap();
        digest
    }

    /// A bundle, made and pushed word for word as the documentation says.
    pub(crate) async fn bundle(&self, name: &str, files: &[(&str, &str)]) {
        let work = tempfile::tempdir_in(self.folder.path()).unwrap();
        std::fs::create_dir(work.path().join(".fractal")).unwrap();
        for (file, text) in files {
            std::fs::write(work.path().join(".fractal").join(file), text).unwrap();
        }
        run(
            Path::new("tar"),
            &["-cf", "manifests.tar", ".fractal"],
            work.path(),
        )
        .await;
        let reference = format!("{}/{name}", self.host);
        let layer = format!("manifests.tar:{MANIFESTS}");
        let push = [
            "push",
            "--plain-http",
            &reference,
            "--artifact-type",
            MANIFESTS,
            &layer,
        ];
        run(&part("bin/oras"), &push, work.path()).await;
    }
}

async fn run(program: &Path, args: &[&str], folder: &Path) {
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program:?} {args:?}: {said}");
}

fn part(path: &str) -> PathBuf {
    let parts = std::env::var_os("FRACTAL_PARTS")
        .expect("FRACTAL_PARTS is not set: run the tests with `cargo xtask test`, which installs the parts they need");
    Path::new(&parts).join(path)
}
