//! The installed programs, and wheels made with them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use fractal_artifact::wheel::WheelScanner;
use fractal_core::artifact::{Descriptor, Digest};
use fractal_core::reconcile::Rollout;
use tokio::process::Command;

use crate::job;

/// A program or folder of the installed parts.
pub(crate) fn part(path: &str) -> PathBuf {
    let parts = std::env::var_os("FRACTAL_PARTS")
        .expect("FRACTAL_PARTS is not set: run the tests with `cargo xtask test`, which installs the parts they need");
    Path::new(&parts).join(path)
}

/// A file beside these tests.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/spark")
        .join(name)
}

/// What a program prints, with `home` as its home folder; it has to succeed.
pub(crate) async fn said(command: &mut Command, home: &Path) -> String {
    let command = command
        .env_clear()
        .env("HOME", home)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The sample's wheel, built into `folder`.
pub(crate) async fn build(folder: &Path) -> PathBuf {
    let sample =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/samples/argument-report");
    let mut python = Command::new(part("pyspark/bin/python"));
    python.arg(script("build_wheel.py")).arg(sample).arg(folder);
    let built = said(&mut python, folder).await;
    PathBuf::from(built.trim_end())
}

/// Pushes a wheel as developers do, and reads it as the agent does.
pub(crate) async fn publish(wheel: &Path, reference: &str) -> Rollout {
    let name = wheel.file_name().unwrap().to_str().unwrap();
    let folder = wheel.parent().unwrap();
    let mut oras = Command::new(part("bin/oras"));
    oras.args(["push", reference, name]).current_dir(folder);
    let answer = said(&mut oras, folder).await;
    let digest = answer
        .lines()
        .find_map(|line| line.strip_prefix("Digest: "))
        .unwrap();
    let bytes = std::fs::read(wheel).unwrap();
    let media_type = "application/vnd.oci.image.layer.v1.tar";
    let mut layer = Descriptor::new(media_type, Digest::sha256(&bytes), bytes.len() as u64);
    layer
        .annotations
        .insert("org.opencontainers.image.title".into(), name.into());
    let mut scanner = WheelScanner::new();
    scanner.push(&bytes);
    job::rollout(
        reference,
        digest.parse().unwrap(),
        scanner.finish(&layer).unwrap(),
    )
}
