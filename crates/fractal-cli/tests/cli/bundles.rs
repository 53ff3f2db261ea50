//! `fractal manifests push`: the same files have the same digest, and are what `oras push` makes of them.

use std::path::{Path, PathBuf};

use fractal_core::artifact::Manifest;
use fractal_registry::{FetchedManifest, Options, Registry};
use fractal_simcloud::RegistryAuth;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::rig::Rig;

const TYPE: &str = "application/vnd.fractal.workload-manifests.v1+tar";

/// Copies the sample of two workloads to `name`.
pub(crate) fn sample(rig: &Rig, name: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bundles/cloud-conf-demo");
    let to = rig.path(name).join(".fractal");
    std::fs::create_dir_all(&to).unwrap();
    for file in std::fs::read_dir(from.join(".fractal")).unwrap() {
        let file = file.unwrap();
        // Read and written: a copy would keep the times.
        let text = std::fs::read(file.path()).unwrap();
        std::fs::write(to.join(file.file_name()), text).unwrap();
    }
    to
}

pub(crate) fn bundle(rig: &Rig, name: &str, files: &[(&str, &str)]) {
    let folder = rig.path(name).join(".fractal");
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        std::fs::write(folder.join(file), text).unwrap();
    }
}

/// What a registry has under a reference.
async fn fetched(reference: &str) -> FetchedManifest {
    let reference = reference.parse().unwrap();
    let registry = Registry::new(Options::on_loopback()).unwrap();
    let digest = registry.resolve(&reference).await.unwrap().digest;
    registry.manifest(&reference, &digest).await.unwrap()
}

/// The layer of an artifact that has one.
async fn layer(reference: &str) -> Vec<u8> {
    let Manifest::Image(image) = fetched(reference).await.manifest else {
        panic!("an index")
    };
    let registry = Registry::new(Options::on_loopback()).unwrap();
    let reference = reference.parse().unwrap();
    let bytes = registry.blob_bytes(&reference, &image.layers[0], 1 << 20);
    bytes.await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_files_have_one_digest_whatever_lies_beside_them() {
    let mut rig = Rig::new();
    let one = rig.registry("one.example", RegistryAuth::Open).await;
    let two = rig.registry("two.example", RegistryAuth::Open).await;
    let first = sample(&rig, "first");
    let to = [
        format!("{}/acme/shop-manifests:1", one.host()),
        format!("{}/mirror/shop-manifests:1", two.host()),
    ];
    let push = [
        "manifests",
        "push",
        "first",
        &to[0],
        &to[1],
        "--tag",
        "latest",
    ];
    let ran = rig.run(&push).await;
    assert_snapshot!("push", ran);
    let again = rig.run(&push).await;
    assert_eq!(again.out.matches("there already").count(), 2, "{again}");

    let second = sample(&rig, "second");
    for (name, text) in [
        (".DS_Store", "x"),
        ("._producer-fdeploy.yaml", "not: [yaml"),
        ("producer-fdeploy.yaml~", "kind: Old"),
        (".producer-fdeploy.yaml.swp", "x"),
        ("#producer-fdeploy.yaml#", "x"),
    ] {
        std::fs::write(second.join(name), text).unwrap();
    }
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
    let file = std::fs::File::options()
        .write(true)
        .open(second.join("producer-fdeploy.yaml"));
    file.unwrap().set_modified(long_ago).unwrap();
    assert_ne!(first, second);
    let to = format!("{}/acme/shop-manifests:2", one.host());
    let args = ["manifests", "push", "second", &to, "--output", "json"];
    let receipt = rig.run(&args).await.json();
    let digest = receipt["digest"].as_str().unwrap();
    assert!(ran.out.contains(digest), "{digest} {ran}");
    assert_eq!(receipt["leftOut"].as_array().unwrap().len(), 5);
    assert_eq!(receipt["files"], 3);
    assert_eq!(receipt["published"][0]["sentBytes"], 0);
    let pinned = format!("oci://one.example/acme/shop-manifests@{digest}");
    assert_eq!(receipt["pinned"], json!([pinned]));
    let latest = format!("{}/acme/shop-manifests:latest", one.host());
    assert_eq!(fetched(&latest).await.digest.as_str(), digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_refused_is_not_pushed_unless_asked() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let to = format!("{}/acme/manifests:1", registry.host());
    bundle(&rig, "wrong", &[("api-fdeploy.yaml", "kind: Deployment\n")]);
    let before = registry.ledger().last();
    assert_snapshot!(
        "push_refused",
        rig.run(&["manifests", "push", "wrong", &to]).await
    );
    let json = ["manifests", "push", "wrong", &to, "--output", "json"];
    let refused = rig.run(&json).await;
    let fault: Value = serde_json::from_str(&refused.err).unwrap();
    assert_eq!(fault["fault"]["reason"], "BundleInvalid", "{refused}");
    assert_eq!(registry.ledger().last(), before, "something was sent");
    let pushed = rig
        .run(&["manifests", "push", "wrong", &to, "--no-lint"])
        .await;
    assert_eq!(pushed.code, 0, "{pushed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_has_to_be_something_to_push_and_somewhere() {
    let rig = Rig::new();
    let to = "registry.example/acme/manifests:1";
    let push = async |args: &[&str]| rig.run(&[&["manifests", "push"], args].concat()).await;
    let mut all = push(&[to]).await.to_string();
    std::fs::create_dir_all(rig.path("empty/.fractal")).unwrap();
    all.push_str(&push(&["empty", to]).await.to_string());
    bundle(&rig, "notes", &[("README.md", "hello")]);
    all.push_str(&push(&["notes", to]).await.to_string());
    sample(&rig, "shop");
    all.push_str(&push(&["shop"]).await.to_string());
    all.push_str(
        &push(&["shop", "registry.example/acme/manifests"])
            .await
            .to_string(),
    );
    assert_snapshot!("push_nothing", all);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_folder_is_refused_and_not_followed() {
    let rig = Rig::new();
    let folder = sample(&rig, "shop");
    rig.write("secret.yaml", "password: canary");
    std::os::unix::fs::symlink(rig.path("secret.yaml"), folder.join("x.yaml")).unwrap();
    let to = "registry.example/acme/manifests:1";
    let ran = rig.run(&["manifests", "push", "shop", to]).await;
    assert_snapshot!("push_link", ran);
}

/// A program among the parts that `cargo xtask parts` installs.
fn part(name: &str) -> PathBuf {
    let parts = std::env::var_os("FRACTAL_PARTS");
    let found = parts.map(|parts| Path::new(&parts).join("bin").join(name));
    match found {
        Some(path) if path.exists() => path,
        _ => panic!(
            "{name} is missing: `cargo xtask test` installs the parts and sets FRACTAL_PARTS"
        ),
    }
}

async fn oras(rig: &Rig, arguments: &[&str]) {
    let ran = tokio::process::Command::new(part("oras"))
        .args(arguments)
        .env_clear()
        .env("HOME", rig.path("."))
        .env("DOCKER_CONFIG", rig.path("."))
        .current_dir(rig.path("."))
        .kill_on_drop(true)
        .output();
    let output = ran.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_what_oras_pushes_of_the_same_tar() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let to = |tag: &str| format!("{}/acme/shop-manifests:{tag}", registry.host());
    sample(&rig, "shop");
    let ran = rig.run(&["manifests", "push", "shop", &to("ours")]).await;
    assert_eq!(ran.code, 0, "{ran}");
    rig.write("manifests.tar", layer(&to("ours")).await);
    let file = format!("manifests.tar:{TYPE}");
    let push = [
        "push",
        "--plain-http",
        &to("theirs"),
        "--artifact-type",
        TYPE,
        &file,
    ];
    oras(&rig, &push).await;
    let document = async |tag: &str| -> Value {
        serde_json::from_slice(&fetched(&to(tag)).await.bytes).unwrap()
    };
    let (ours, mut theirs) = (document("ours").await, document("theirs").await);
    // All that differs: the time, and the empty config's two bytes repeated in its descriptor.
    let created = theirs
        .as_object_mut()
        .unwrap()
        .remove("annotations")
        .unwrap();
    assert_eq!(created.as_object().unwrap().len(), 1, "{created}");
    theirs["config"].as_object_mut().unwrap().remove("data");
    assert_eq!(ours, theirs);
    assert_eq!(
        ours["layers"][0]["annotations"]["org.opencontainers.image.title"],
        "manifests.tar"
    );

    std::fs::create_dir(rig.path("pulled")).unwrap();
    oras(&rig, &["pull", "--plain-http", "-o", "pulled", &to("ours")]).await;
    let pulled = std::fs::read(rig.path("pulled/manifests.tar")).unwrap();
    assert_eq!(pulled, std::fs::read(rig.path("manifests.tar")).unwrap());
    for bundle in [to("ours"), to("theirs"), "pulled/manifests.tar".into()] {
        renders(&rig, &bundle).await;
    }
}

/// Whether a bundle is read, wherever it lies.
async fn renders(rig: &Rig, bundle: &str) {
    let flags = [
        "--component",
        "producer",
        "--environment",
        "dev",
        "--output",
        "json",
    ];
    let rendered = rig
        .run(&[&["manifests", "render", bundle], &flags[..]].concat())
        .await;
    assert_eq!(rendered.code, 0, "{rendered}");
    assert_eq!(
        rendered.json()["objects"].as_array().unwrap().len(),
        3,
        "{bundle}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tar_and_oras_push_by_themselves_is_read() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let to = format!("{}/acme/shop-manifests:1", registry.host());
    sample(&rig, "shop");
    let tar = tokio::process::Command::new("tar")
        .args(["-C", "shop", "-cf", "manifests.tar", ".fractal"])
        .current_dir(rig.path("."))
        .status();
    assert!(tar.await.unwrap().success());
    let file = format!("manifests.tar:{TYPE}");
    oras(
        &rig,
        &["push", "--plain-http", &to, "--artifact-type", TYPE, &file],
    )
    .await;
    for bundle in [to.as_str(), "shop", "shop/.fractal", "manifests.tar"] {
        renders(&rig, bundle).await;
    }
    let published = rig.run(&["publish", "manifests.tar", &to]).await;
    assert!(
        published.err.contains("`fractal manifests push`"),
        "{published}"
    );
}
