//! A real registry, and artifacts in it: images by our own client, bundles by `tar` and `oras` as developers push them.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, ImageManifest, Reference};
use fractal_registry::{Options, Registry, RepositoryRef};
use fractal_testkit::registry::{Server, Setup};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

const MANIFESTS: &str = "application/vnd.fractal.workload-manifests.v1+tar";

/// The reference registry, ended when dropped.
pub(crate) struct Published {
    server: Server,
    folder: TempDir,
}

impl Published {
    pub(crate) async fn start() -> Self {
        Self {
            server: Server::start(Setup::Plain).await,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn host(&self) -> &str {
        self.server.host()
    }

    /// An image of one layer; its digest.
    pub(crate) async fn image(&self, name: &str, says: &str) -> Digest {
        let registry = Registry::new(Options::on_loopback()).unwrap();
        let to: Reference = self.server.reference(name);
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
        let reference = self.server.reference(name).to_string();
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
