//! Other people's clients, unmodified: boto3 against the AWS endpoint, crane and regctl against the registry.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use fractal_simcloud::{Registry, RegistryAuth, RegistryConfig};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::process::Program;
use crate::support::{digest, push_image};

/// A program among the parts the tests install.
fn part(path: &str) -> PathBuf {
    let missing = |what: &str| -> ! {
        panic!(
            "{what}: install the parts with `cargo xtask parts`, which sets FRACTAL_PARTS for the tests"
        )
    };
    let Some(parts) = std::env::var_os("FRACTAL_PARTS") else {
        missing("FRACTAL_PARTS is not set")
    };
    let found = Path::new(&parts).join(path);
    if !found.exists() {
        missing(&format!("{} is missing", found.display()));
    }
    found
}

/// A client with a home of its own and nothing of the developer's environment.
struct Client {
    program: PathBuf,
    home: TempDir,
}

impl Client {
    fn new(path: &str) -> Self {
        Self {
            program: part(path),
            home: tempfile::tempdir().unwrap(),
        }
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("DOCKER_CONFIG", self.home.path());
        command
            .env("REGCTL_CONFIG", self.home.path().join("regctl.json"))
            .current_dir(self.home.path());
        command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap()
    }

    async fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{arguments:?}: {out}{err}");
        out.trim().to_owned()
    }
}

#[tokio::test]
async fn boto3_drives_it_unmodified() {
    let state = tempfile::tempdir().unwrap();
    let program = Program::start(
        state.path(),
        &[
            "--no-quotas",
            "--known-keys-only",
            "--identity",
            "AKID:123456789012:a+secret/with=signs",
        ],
    )
    .await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boto3_drive.py");
    let python = Client::new("boto3/bin/python");
    let seen = python
        .ok(&[
            "-B",
            script,
            &program.endpoints.aws,
            "AKID",
            "a+secret/with=signs",
        ])
        .await;
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(
        (seen["arn"].as_str(), seen["registry"].as_str()),
        (
            Some("arn:aws:iam::123456789012:user/AKID"),
            Some(program.endpoints.registry.as_str())
        )
    );
}

async fn registry() -> Registry {
    let auth = RegistryAuth::Bearer {
        username: "user".into(),
        password: "pass".into(),
        token_seconds: 60,
        anonymous_pull: false,
    };
    Registry::start(RegistryConfig {
        auth,
        ..RegistryConfig::default()
    })
    .await
    .unwrap()
}

/// An uncompressed tar with one file, which is a layer.
fn layer(folder: &Path) -> PathBuf {
    let mut header = [0_u8; 512];
    let mut field = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    field(0, b"hello.txt");
    field(100, b"0000644\0");
    field(108, b"0000000\0");
    field(116, b"0000000\0");
    field(124, b"00000000005\0");
    field(136, b"00000000000\0");
    field(148, b"        ");
    field(156, b"0");
    field(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut content = [0_u8; 512];
    content[..5].copy_from_slice(b"hello");
    let path = folder.join("layer.tar");
    std::fs::write(&path, [header.as_slice(), &content, &[0; 1024]].concat()).unwrap();
    path
}

#[tokio::test]
async fn crane_pushes_pulls_copies_and_deletes() {
    let (registry, crane) = (registry().await, Client::new("bin/crane"));
    let (host, image) = (registry.host(), format!("{}/team/app:v1", registry.host()));
    assert!(!crane.run(&["digest", &image]).await.status.success());
    crane
        .ok(&["auth", "login", &host, "-u", "user", "-p", "pass"])
        .await;
    let layer = layer(crane.home.path());
    let pushed = crane
        .ok(&[
            "append",
            "--oci-empty-base",
            "-f",
            layer.to_str().unwrap(),
            "-t",
            &image,
        ])
        .await;
    let pinned = crane.ok(&["digest", &image]).await;
    assert_eq!(pushed, format!("{host}/team/app@{pinned}"));
    let manifest = crane.ok(&["manifest", &image]).await;
    assert_eq!(digest(manifest.as_bytes()), pinned);
    crane.ok(&["pull", "--format=oci", &image, "pulled"]).await;
    crane
        .ok(&["push", "pulled", &format!("{host}/other:v2")])
        .await;
    let copy = format!("{host}/third:v3");
    crane.ok(&["copy", &image, &copy]).await;
    assert_eq!(crane.ok(&["digest", &copy]).await, pinned);
    crane.ok(&["validate", "--remote", &copy]).await;
    assert_eq!(crane.ok(&["ls", &format!("{host}/third")]).await, "v3");
    assert_eq!(
        crane.ok(&["catalog", &host]).await,
        "other\nteam/app\nthird"
    );
    crane
        .ok(&["delete", &format!("{host}/third@{pinned}")])
        .await;
    assert!(!crane.run(&["digest", &copy]).await.status.success());
    assert!(
        registry
            .ledger()
            .since(0)
            .iter()
            .any(|entry| entry.operation == "MountBlob" && entry.status == 201)
    );
}

#[tokio::test]
async fn regctl_attaches_referrers_and_copies_them() {
    let (registry, regctl) = (registry().await, Client::new("bin/regctl"));
    let open = Registry::start(RegistryConfig::default()).await.unwrap();
    push_image(&open.endpoint(), "source", "v1", "amd64").await;
    let (host, image) = (registry.host(), format!("{}/team/app:v1", registry.host()));
    for host in [&host, &open.host()] {
        regctl
            .ok(&["registry", "set", "--tls", "disabled", "--skip-check", host])
            .await;
    }
    regctl
        .ok(&[
            "registry",
            "login",
            "--skip-check",
            "-u",
            "user",
            "-p",
            "pass",
            &host,
        ])
        .await;
    let source = format!("{}/source:v1", open.host());
    regctl.ok(&["image", "copy", &source, &image]).await;
    let pinned = regctl.ok(&["image", "digest", &image]).await;
    assert_eq!(regctl.ok(&["image", "digest", &source]).await, pinned);
    let file = regctl.home.path().join("note.txt");
    std::fs::write(&file, "a note").unwrap();
    let file = file.to_str().unwrap();
    regctl
        .ok(&[
            "artifact",
            "put",
            "--artifact-type",
            "application/example",
            "--subject",
            &image,
            "--file",
            file,
        ])
        .await;
    let listed: Value = serde_json::from_str(
        &regctl
            .ok(&["artifact", "list", "--format", "{{json .}}", &image])
            .await,
    )
    .unwrap();
    assert_eq!(
        listed["descriptors"][0]["artifactType"],
        "application/example"
    );
    assert_eq!(
        regctl
            .ok(&[
                "artifact",
                "get",
                "--subject",
                &image,
                "--filter-artifact-type",
                "application/example"
            ])
            .await,
        "a note"
    );
    let copy = format!("{}/copy:v1", open.host());
    regctl
        .ok(&["image", "copy", "--referrers", &image, &copy])
        .await;
    assert_eq!(regctl.ok(&["image", "digest", &copy]).await, pinned);
    let listed: Value = serde_json::from_str(
        &regctl
            .ok(&["artifact", "list", "--format", "{{json .}}", &copy])
            .await,
    )
    .unwrap();
    assert_eq!(listed["descriptors"].as_array().unwrap().len(), 1);
    assert_eq!(
        regctl.ok(&["tag", "ls", &format!("{host}/team/app")]).await,
        "v1"
    );
    regctl.ok(&["tag", "rm", &image]).await;
    assert!(
        !regctl
            .run(&["image", "digest", &image])
            .await
            .status
            .success()
    );
}
