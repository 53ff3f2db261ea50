//! `fractal check`: whether an artifact can run where it is to run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, ImageManifest};
use fractal_simcloud::RegistryAuth;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::inspecting::{image_layout, index_layout, tar, tar_of};
use crate::rig::Rig;

/// One zip that runs on all three clouds: each finds its own files, and what they need is there twice.
const PORTABLE: [(&str, &str); 8] = [
    (
        "app.py",
        "import requests\n\n\ndef handler(event, context):\n    return 1\n",
    ),
    (
        "main.py",
        "from app import handler\n\n\ndef hello(request):\n    return str(handler({}, None))\n",
    ),
    (
        "function_app.py",
        "import azure.functions as func\n\napp = func.FunctionApp()\n",
    ),
    ("host.json", r#"{"version": "2.0"}"#),
    ("requirements.txt", "requests==2.32.3\nazure-functions\n"),
    ("requests/__init__.py", ""),
    ("azure_functions-1.21.dist-info/METADATA", ""),
    (
        ".python_packages/lib/site-packages/requests/__init__.py",
        "",
    ),
];

/// What has to be corrected on every cloud.
const WRONG: [(&str, &str); 5] = [
    ("orders.py", "def run(event, context):\n    return 1\n"),
    ("requirements.txt", "requests\n"),
    ("local.settings.json", "{}"),
    (".env", "TOKEN=x"),
    ("lib/_fast.cpython-313-darwin.so", ""),
];

fn wheel(rig: &Rig, name: &str, entry_points: &str) {
    let metadata = "Metadata-Version: 2.1\nName: etl\nVersion: 1.4.2\n";
    let tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let files = [
        ("etl/__init__.py", ""),
        ("etl/jobs.py", "def main():\n    return 0\n"),
        ("etl-1.4.2.dist-info/METADATA", metadata),
        ("etl-1.4.2.dist-info/WHEEL", tags),
        ("etl-1.4.2.dist-info/entry_points.txt", entry_points),
    ];
    let mut record: String = files
        .iter()
        .map(|(name, text)| {
            let hash = URL_SAFE_NO_PAD.encode(Digest::sha256(text).to_bytes());
            format!("{name},sha256={hash},{}\n", text.len())
        })
        .collect();
    record.push_str("etl-1.4.2.dist-info/RECORD,,\n");
    let record = [("etl-1.4.2.dist-info/RECORD", record.as_str())];
    let files: Vec<(&str, &str)> = files.into_iter().chain(record).collect();
    rig.zip(name, &files);
}

fn rules(document: &Value, target: &str) -> Vec<String> {
    let targets = document["targets"].as_array().unwrap();
    let verdict = targets
        .iter()
        .find(|verdict| verdict["target"] == target)
        .unwrap();
    let findings = verdict["findings"].as_array().unwrap().iter();
    findings
        .map(|it| {
            let text = |field: &str| it[field].as_str().unwrap().to_owned();
            format!("{} {}", text("severity"), text("rule"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_zip_can_be_right_for_three_clouds_here_and_in_a_registry() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    rig.zip("orders.zip", &PORTABLE);
    let flags = [
        "--handler",
        "app.handler",
        "--runtime",
        "python3.13",
        "--entry-point",
        "hello",
        "--plan",
        "flex",
    ];
    let check = |subject: &str| {
        let mut args = vec!["check".to_owned(), subject.to_owned()];
        args.extend(flags.map(str::to_owned));
        args
    };
    let args = check("orders.zip");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    assert_snapshot!("portable_zip", rig.run(&args).await);
    let to = format!("{}/acme/orders:1", registry.host());
    assert_eq!(rig.run(&["publish", "orders.zip", &to]).await.code, 0);
    let mut here = args.clone();
    here.extend(["--output", "json"]);
    let here = rig.run(&here).await.json();
    let args = check(&to);
    let mut there: Vec<&str> = args.iter().map(String::as_str).collect();
    there.extend(["--output", "json"]);
    let there = rig.run(&there).await.json();
    for field in ["digest", "kind", "passed", "errors", "warnings", "targets"] {
        assert_eq!(here[field], there[field], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_once_with_its_targets_and_the_fix() {
    let rig = Rig::new();
    rig.zip("orders.zip", &WRONG);
    let args = [
        "check",
        "orders.zip",
        "--handler",
        "app.handler",
        "--runtime",
        "python3.13",
    ];
    let ran = rig.run(&args).await;
    assert_eq!(ran.code, 1);
    assert_snapshot!("wrong_zip", ran);
    let mut args = args.to_vec();
    args.extend(["--target", "aws-lambda,azure-functions", "--output", "json"]);
    assert_snapshot!("wrong_zip_json", rig.run(&args).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_targets_that_were_asked_for_count() {
    let rig = Rig::new();
    rig.zip(
        "orders.zip",
        &[("app.py", "def handler(event, context): pass\n")],
    );
    let run = async |targets: &str| {
        let args = ["check", "orders.zip", "--target", targets];
        rig.run(&args).await.code
    };
    assert_eq!(run("aws-lambda").await, 0);
    assert_eq!(run("azure-functions").await, 1);
    assert_eq!(run("aws-lambda,local").await, 0);
    assert_eq!(run("aws-lambda,gcp-functions").await, 1);
    // One that runs no zips at all.
    assert_eq!(run("kubernetes").await, 1);
    assert_snapshot!(
        "unknown_target",
        rig.run(&["check", "orders.zip", "--target", "lambda"])
            .await
    );
    let plan = rig.run(&["check", "orders.zip", "--plan", "basic"]).await;
    assert_eq!(plan.code, 2, "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wheels_entry_point_has_to_be_declared_for_databricks() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    let name = "etl-1.4.2-py3-none-any.whl";
    wheel(&rig, name, "[console_scripts]\netl = etl.jobs:main\n");
    let to = format!("{}/acme/etl:1.4.2", registry.host());
    assert_eq!(rig.run(&["publish", name, &to]).await.code, 0);
    let declared = rig
        .run(&["check", &to, "--entry-point", "etl.jobs:main"])
        .await;
    assert_snapshot!("wheel_declared", declared);
    let undeclared = rig
        .run(&["check", name, "--entry-point", "etl.jobs:other"])
        .await;
    assert_snapshot!("wheel_undeclared", undeclared);
    let inspected = rig.run(&["inspect", &to, "--contents"]).await;
    assert_snapshot!("wheel_inspected", inspected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_checked_by_the_image_that_each_target_runs() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    index_layout(&rig, "image");
    let to = format!("{}/acme/app:1", registry.host());
    assert_eq!(rig.run(&["publish", "image", &to]).await.code, 0);
    assert_snapshot!("checked_index", rig.run(&["check", &to]).await);
    image_layout(&rig, "arm");
    tar(&rig, "arm", "arm.tar");
    for subject in ["arm", "arm.tar", "oci-layout:arm:1.4.2"] {
        let args = ["check", subject, "--output", "json"];
        let ran = rig.run(&args).await;
        assert_eq!(ran.code, 1, "{ran}");
        let document = ran.json();
        assert_eq!(rules(&document, "gcp-cloud-run"), ["error architecture"]);
        assert_eq!(
            rules(&document, "aws-ecs"),
            ["warning image-command"],
            "{subject}"
        );
    }
    let google = ["check", "arm", "--target", "gcp-functions"];
    assert_snapshot!("r14_image_for_google", rig.run(&google).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_checked_as_its_own_lint_does() {
    let rig = Rig::new();
    let manifest = "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec:\n  ports:\n  - {name: a, port: 80}\n  - {name: a, port: 80}\n";
    std::fs::create_dir(rig.path(".fractal")).unwrap();
    rig.write(".fractal/shop-fdeploy.yaml", manifest);
    let folder = rig.run(&["check", "."]).await;
    assert_snapshot!("checked_bundle", folder);
    let files: [(&str, &[u8]); 1] = [(".fractal/shop-fdeploy.yaml", manifest.as_bytes())];
    rig.write("bundle.tar", tar_of(&files));
    let of_tar = rig.run(&["check", "bundle.tar", "--output", "json"]).await;
    let here = rig.run(&["check", ".", "--output", "json"]).await.json();
    assert_eq!(of_tar.code, 1, "{of_tar}");
    assert_eq!(
        rules(&of_tar.json(), "kubernetes"),
        rules(&here, "kubernetes")
    );
    assert_eq!(of_tar.json()["kind"], "manifests");
    let inspected = rig.run(&["inspect", "."]).await;
    assert!(inspected.out.contains("manifests"), "{inspected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_zip_is_a_finding_and_what_cannot_be_read_an_error() {
    let rig = Rig::new();
    rig.write("orders.zip", "no zip at all");
    assert_snapshot!("no_zip", rig.run(&["check", "orders.zip"]).await);
    let json = rig.run(&["check", "orders.zip", "--output", "json"]).await;
    assert_eq!(rules(&json.json(), "aws-lambda"), ["error zip-invalid"]);
    rig.write("etl.whl", "no wheel");
    let json = rig.run(&["check", "etl.whl", "--output", "json"]).await;
    assert_eq!(rules(&json.json(), "databricks"), ["error wheel-invalid"]);
    rig.write("notes.txt", "x");
    let text = rig.run(&["check", "notes.txt"]).await;
    assert_eq!(text.code, 1, "{text}");
    assert!(text.err.contains("[PackageUnknown]"), "{text}");
    let missing = rig.run(&["check", "missing.zip"]).await;
    assert!(missing.err.contains("[RegistryUnresolved]"), "{missing}");
}

/// A layout with one artifact of one layer, whose blob holds `bytes`, while the manifest describes `described`.
fn zip_layout(rig: &Rig, name: &str, described: (&Digest, u64), bytes: Option<&[u8]>) {
    let blobs = rig.path(name).join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let (digest, size) = described;
    if let Some(bytes) = bytes {
        std::fs::write(blobs.join(digest.hex()), bytes).unwrap();
    }
    let manifest = zip_manifest(digest, size);
    let entry = Descriptor::new(
        media_type::OCI_MANIFEST,
        Digest::sha256(&manifest),
        manifest.len() as u64,
    );
    std::fs::write(blobs.join(entry.digest.hex()), &manifest).unwrap();
    let list = json!({"schemaVersion": 2, "manifests": [entry]});
    std::fs::write(rig.path(name).join("index.json"), list.to_string()).unwrap();
    let version = r#"{"imageLayoutVersion":"1.0.0"}"#;
    std::fs::write(rig.path(name).join("oci-layout"), version).unwrap();
}

fn zip_manifest(digest: &Digest, size: u64) -> Vec<u8> {
    manifest(media_type::FUNCTION_ZIP, digest, size)
}

fn manifest(kind: &str, digest: &Digest, size: u64) -> Vec<u8> {
    let config = Descriptor::new(media_type::OCI_EMPTY, Digest::sha256("{}"), 2);
    let layer = Descriptor::new(kind, digest.clone(), size);
    let manifest = ImageManifest::new(Some(kind), config, vec![layer]);
    serde_json::to_vec(&manifest).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_the_digests_are_never_judged() {
    let rig = Rig::new();
    let path = rig.zip("a.zip", &[("app.py", "def handler(a, b): pass\n")]);
    let honest = std::fs::read(path).unwrap();
    let path = rig.zip("b.zip", &[("app.py", "def HANDLER(a, b): pass\n")]);
    let other = std::fs::read(path).unwrap();
    assert_eq!(honest.len(), other.len());
    let described = (&Digest::sha256(&honest), honest.len() as u64);
    let args = ["check", "layout", "--target", "aws-lambda"];
    zip_layout(&rig, "layout", described, Some(&honest));
    assert_eq!(rig.run(&args).await.code, 0);
    zip_layout(&rig, "layout", described, Some(&other));
    let ran = rig.run(&args).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran}");
    assert!(ran.err.contains("[DigestMismatch]"), "{ran}");
}

/// A registry with one manifest, whose blobs it counts the requests for and gives to nobody.
async fn manifest_only(manifest: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let blobs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&blobs);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                match stream.read(&mut piece).await {
                    Ok(length) if length > 0 => request.extend_from_slice(&piece[..length]),
                    _ => break,
                }
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let answer = if request.contains("/blobs/") {
                counted.fetch_add(1, Ordering::SeqCst);
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
            } else {
                let digest = Digest::sha256(&manifest);
                let length = manifest.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nDocker-Content-Digest: {digest}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
                    media_type::OCI_MANIFEST
                );
                let body: &[u8] = if request.starts_with("HEAD") {
                    b""
                } else {
                    &manifest
                };
                [head.as_bytes(), body].concat()
            };
            let _ = stream.write_all(&answer).await;
        }
    });
    (host, blobs)
}

#[tokio::test(flavor = "multi_thread")]
async fn g27_a_zip_that_no_target_takes_is_refused_from_its_manifest_alone() {
    let rig = Rig::new();
    let digest = Digest::sha256("ten gibibytes");
    let (host, blobs) = manifest_only(zip_manifest(&digest, 10 << 30)).await;
    let subject = format!("{host}/acme/orders:1");
    let targets = "aws-lambda,azure-functions";
    let args = ["check", &subject, "--target", targets, "--output", "json"];
    let ran = rig.run(&args).await;
    assert_eq!(ran.code, 1, "{ran}");
    let document = ran.json();
    assert_eq!(
        rules(&document, "aws-lambda"),
        ["error zip-unpacked-size", "warning not-read"]
    );
    assert_eq!(
        rules(&document, "azure-functions"),
        ["error zip-packed-size", "warning not-read"]
    );
    // Google documents no limit, and even so nothing of that size is read.
    let every = rig.run(&["check", &subject]).await;
    assert_eq!(every.code, 1, "{every}");
    assert_eq!(
        blobs.load(Ordering::SeqCst),
        0,
        "bytes of the blob were asked for"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn g27_a_bundle_too_large_to_be_one_is_refused_from_its_manifest_alone() {
    let rig = Rig::new();
    let digest = Digest::sha256("ten gibibytes");
    let bundle = manifest(media_type::MANIFESTS, &digest, 10 << 30);
    let (host, blobs) = manifest_only(bundle).await;
    let subject = format!("{host}/acme/shop:1");
    let ran = rig.run(&["check", &subject, "--output", "json"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(rules(&ran.json(), "kubernetes"), ["error bundle-invalid"]);
    let what = &ran.json()["targets"][0]["findings"][0]["what"];
    assert!(what.as_str().unwrap().contains("BundleTooLarge"), "{what}");
    assert_eq!(
        blobs.load(Ordering::SeqCst),
        0,
        "bytes of the blob were asked for"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_refused_is_a_finding() {
    let rig = Rig::new();
    let files: [(&str, &[u8]); 1] = [(".fractal/../../etc/passwd", b"x")];
    rig.write("bundle.tar", tar_of(&files));
    let ran = rig.run(&["check", "bundle.tar", "--output", "json"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(rules(&ran.json(), "kubernetes"), ["error bundle-invalid"]);
}

/// No target takes them, and a script that asked for JSON gets its document.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_without_an_image_is_a_finding() {
    let rig = Rig::new();
    crate::inspecting::index_layout(&rig, "image");
    let folder = rig.path("image");
    let read = |path: &std::path::Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    };
    let index = read(&folder.join("index.json"))["manifests"][0].clone();
    let media_type = index["mediaType"].clone();
    for (case, entries) in [("empty", json!([])), ("nested", json!([index]))] {
        let outer = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries});
        let outer = outer.to_string();
        let digest = fractal_core::artifact::Digest::sha256(&outer);
        std::fs::write(folder.join("blobs/sha256").join(digest.hex()), &outer).unwrap();
        let entry = json!({"mediaType": media_type, "digest": digest, "size": outer.len()});
        let list = json!({"schemaVersion": 2, "manifests": [entry]});
        std::fs::write(folder.join("index.json"), list.to_string()).unwrap();
        let args = ["check", "image", "--target", "kubernetes"];
        let ran = rig.run(&args).await;
        assert_eq!(ran.code, 1, "{case}: {ran}");
        let ran = rig.run(&[&args[..], &["--output", "json"]].concat()).await;
        let found = &ran.json()["targets"][0]["findings"];
        assert_eq!(found[0]["rule"], "index", "{case}: {ran}");
        assert_eq!(found.as_array().unwrap().len(), 1, "{case}: {ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_neither_layout_nor_bundle_is_said() {
    let rig = Rig::new();
    std::fs::create_dir(rig.path("folder")).unwrap();
    let ran = rig.run(&["check", "folder"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(
        ran.err
            .contains("neither an `oci-layout` file nor a `.fractal` folder"),
        "{ran}"
    );
}
