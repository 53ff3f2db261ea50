//! `fractal manifests`: bundles packed, checked and rendered as agents would, and differences as agents tell them.

use std::path::{Path, PathBuf};

use fractal_core::artifact::Manifest;
use fractal_registry::{FetchedManifest, Options, Registry};
use fractal_simcloud::RegistryAuth;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::rig::{Agent, OFFER, Rig, SYSTEM};

const TYPE: &str = "application/vnd.fractal.workload-manifests.v1+tar";

/// Copies the sample of two workloads to `name`.
fn sample(rig: &Rig, name: &str) -> PathBuf {
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

fn bundle(rig: &Rig, name: &str, files: &[(&str, &str)]) {
    let folder = rig.path(name).join(".fractal");
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        std::fs::write(folder.join(file), text).unwrap();
    }
}

/// What a registry has under a reference.
async fn fetched(reference: &str) -> FetchedManifest {
    let reference = reference.parse().unwrap();
    let registry = Registry::new(Options::default()).unwrap();
    let digest = registry.resolve(&reference).await.unwrap().digest;
    registry.manifest(&reference, &digest).await.unwrap()
}

/// The layer of an artifact that has one.
async fn layer(reference: &str) -> Vec<u8> {
    let Manifest::Image(image) = fetched(reference).await.manifest else {
        panic!("an index")
    };
    let registry = Registry::new(Options::default()).unwrap();
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
    for bundle in [
        to("ours"),
        to("theirs"),
        "pulled/manifests.tar".into(),
        "shop".into(),
    ] {
        let args = [
            "manifests",
            "render",
            &bundle,
            "--component",
            "producer",
            "--environment",
            "dev",
        ];
        let rendered = rig.run(&[&args[..], &["--output", "json"]].concat()).await;
        assert_eq!(rendered.code, 0, "{rendered}");
        assert_eq!(
            rendered.json()["objects"].as_array().unwrap().len(),
            3,
            "{bundle}"
        );
    }
}

/// A live system of one workload on Kubernetes.
fn live_system(rig: &Rig, name: &str, parameters: &Value) {
    let body = json!({
        "liveSystemId": SYSTEM, "fractalId": "bc/shop:1.0.0",
        "environment": {"id": {"type": "Personal", "ownerId": "o", "shortName": "prod"}, "parameters": {}},
        "blueprintMap": {"dashboard": {
            "id": "dashboard", "type": "CustomWorkloads.CaaS.K8sDeployment", "provider": "CaaS",
            "parameters": parameters,
        }},
    });
    rig.write(name, body.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rendered_is_yaml_with_where_it_comes_from() {
    let rig = Rig::new();
    sample(&rig, "shop");
    let parameters = json!({
        "containerImage": "oci://ghcr.io/acme/dashboard:1.4.2", "desiredCount": 2, "cpu": "250m",
        "resourceLimits": {"memory": "256Mi"},
        "manifestUri": "oci://ghcr.io/acme/shop-manifests:1",
    });
    live_system(&rig, "shop.json", &parameters);
    let args = [
        "manifests",
        "render",
        "shop",
        "--component",
        "dashboard",
        "-f",
        "shop.json",
        "--provenance",
        "--set",
        "containerPort=8080",
        "--set",
        "resourceLimits.cpu=1",
    ];
    let rendered = rig.run(&args).await;
    assert_snapshot!("render", rendered);
    let json = rig.run(&[&args[..], &["--output", "json"]].concat()).await;
    assert_eq!((json.code, json.err.as_str()), (0, ""));
    let document = json.json();
    assert_eq!(document["environment"], "prod");
    assert_eq!(document["provenance"].as_array().unwrap().len(), 6);
    assert_eq!(document["unresolved"][0]["name"], "PORT");
    // What was printed is read back as the same objects.
    let rendered = rendered.out;
    bundle(&rig, "printed", &[("dashboard-fdeploy.yaml", &rendered)]);
    let args = [
        "manifests",
        "render",
        "printed",
        "--component",
        "dashboard",
        "--output",
        "json",
    ];
    assert_eq!(rig.run(&args).await.json()["objects"], document["objects"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_rendered_says_where_and_why() {
    let rig = Rig::new();
    sample(&rig, "shop");
    rig.write(
        "policy.yaml",
        "kinds: [apps/*, Service]\nnamespaces: [shop]\n",
    );
    live_system(&rig, "shop.json", &json!({}));
    let mut all = String::new();
    let cases: [&[&str]; 8] = [
        &["shop", "--component", "producer"],
        &["shop", "--component", "producer", "--environment", "test"],
        &["shop", "--component", "produce", "--environment", "dev"],
        &[
            "shop",
            "--component",
            "dashboard",
            "--environment",
            "dev",
            "--strict",
        ],
        &[
            "shop",
            "--component",
            "producer",
            "--environment",
            "dev",
            "--set",
            "port=99999",
        ],
        &[
            "shop",
            "--component",
            "producer",
            "--environment",
            "dev",
            "--policy",
            "policy.yaml",
        ],
        &["shop", "--component", "producer", "-f", "shop.json"],
        &["absent", "--component", "producer"],
    ];
    for case in cases {
        let ran = rig.run(&[&["manifests", "render"], case].concat()).await;
        assert_eq!(ran.out, "", "{ran}");
        all.push_str(&format!("{}: {}\n{}", case.join(" "), ran.code, ran.err));
    }
    assert_snapshot!("render_refused", all);
}

const WRONG: &[(&str, &str)] = &[
    (
        "api-fdeploy.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}\nspec:\n  template:\n    spec:\n      containers:\n      - name: api\n        image: $IMAGE\n        env:\n        - {name: A, value: $TYPO}\n        - {name: A, value: b}\n",
    ),
    ("mail-fdeploy.yaml", "apiVersion: v1\nkind: ConfigMap\n"),
    ("web.yaml", "a: b\n"),
    (
        "fractal-parameters.yml",
        "environments:\n- name: dev\n  parameters: {IMAGE: 'ghcr.io/a/b:1', DB_PASSWORD: canary}\n- name: prod\n  parameters: {IMAGE: ghcr.io/a/b, TYPO: x}\n",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_linter_finds_what_is_wrong_and_says_where() {
    let rig = Rig::new();
    bundle(&rig, "wrong", WRONG);
    let ran = rig.run(&["manifests", "lint", "wrong"]).await;
    assert_snapshot!("lint", ran);
    assert!(!ran.to_string().contains("canary"), "{ran}");
    let json = rig
        .run(&["manifests", "lint", "wrong", "--output", "json"])
        .await;
    let document = json.json();
    assert_eq!((json.code, &document["errors"]), (1, &json!(2)));
    assert_eq!(document["findings"][0]["level"], "error");
    let only = [
        "manifests",
        "lint",
        "wrong",
        "--component",
        "mail",
        "--environment",
        "dev",
    ];
    let ran = rig.run(&only).await;
    assert!(
        ran.out.contains("1 component in 1 environment: 1 error"),
        "{ran}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_fail_where_they_are_to() {
    let rig = Rig::new();
    sample(&rig, "shop");
    assert_snapshot!("lint_sample", rig.run(&["manifests", "lint", "shop"]).await);
    let strict = rig.run(&["manifests", "lint", "shop", "--strict"]).await;
    assert_eq!(strict.code, 1, "{strict}");
    live_system(&rig, "shop.json", &json!({"port": "many"}));
    let ran = rig
        .run(&["manifests", "lint", "shop", "-f", "shop.json"])
        .await;
    assert!(
        ran.code == 1 && ran.out.contains("shop.json: error: component `dashboard`"),
        "{ran}"
    );
    assert!(ran.out.contains("in 1 environment: 1 error"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_is_no_bundle_is_said_to_be_what_it_is() {
    let mut rig = Rig::new();
    let registry = rig.registry("registry.example", RegistryAuth::Open).await;
    rig.zip("orders.zip", &[("app.py", "x")]);
    let to = format!("{}/acme/orders:1", registry.host());
    assert_eq!(rig.run(&["publish", "orders.zip", &to]).await.code, 0);
    assert_snapshot!("no_bundle", rig.run(&["manifests", "lint", &to]).await);
    let file = rig.run(&["manifests", "lint", "orders.zip"]).await;
    assert!(file.err.contains("[BundleInvalid]"), "{file}");
}

fn answer(component: &str) -> Value {
    match component {
        "api" => json!({"preview": {"now": [
            {"place": "kubernetes shop/api", "step": "record 3 objects in the inventory", "effect": "Stage"},
            {"place": "kubernetes shop/api", "step": "create Service shop/api", "effect": "Create"},
            {"place": "kubernetes shop/api", "step": "update apps/Deployment shop/api: spec.replicas and 1 more",
             "effect": "Update", "details": ["spec.replicas: 2 -> 3", "spec.template.spec.containers[name=api].image: \"a\" -> \"b\""]},
            {"place": "kubernetes shop/api", "step": "delete ConfigMap shop/old", "effect": "Delete"},
        ], "later": ["wait for the rollout"], "notices": [{"reason": "Unresolved", "message": "$HOME has no value"}]}}),
        "busy" => json!({"preview": {"now": [], "later": [], "wait": "1 of 3 pods are ready"}}),
        _ => json!({"preview": {"now": [], "later": []}}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_is_what_the_agent_would_change() {
    let rig = Rig::new();
    assert!(
        OFFER.contains("Lambda"),
        "the rig's agent answers for any offer alike"
    );
    rig.live_system("shop.json", &["api", "busy", "same"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    rig.live_system("small.json", &["api", "busy"]);
    let agent = Agent::start(&rig).await;
    let diff = async |component: &str, args: &[&str]| {
        let command = ["manifests", "diff", "--component", component];
        rig.run(&[&command, args].concat()).await
    };
    let (api, script, from_file, busy, same, gone, json) = tokio::select! {
        () = agent.answer(answer) => unreachable!("an agent answers until it is dropped"),
        ran = async { (
            diff("api", &["shop"]).await,
            diff("api", &["shop", "--exit-code"]).await,
            diff("api", &["-f", "shop.json"]).await,
            diff("busy", &["shop", "--exit-code"]).await,
            diff("same", &["shop", "--exit-code"]).await,
            diff("same", &["-f", "small.json", "--exit-code"]).await,
            diff("api", &["shop", "--output", "json"]).await,
        ) } => ran,
    };
    assert_snapshot!("diff", api);
    assert_eq!((script.code, &script.out), (1, &api.out));
    assert_eq!((from_file.code, &from_file.out), (0, &api.out));
    assert_eq!(
        (busy.code, same.code, gone.code),
        (75, 0, 1),
        "{busy}{same}{gone}"
    );
    assert_snapshot!("diff_others", format!("{busy}{same}{gone}"));
    assert_eq!(json.json()["changes"], true);
    let details = &json.json()["plans"][0]["preview"]["now"][2]["details"];
    assert_eq!(details[0], "spec.replicas: 2 -> 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_needs_a_component_that_is_there_and_an_agent() {
    let rig = Rig::new();
    rig.live_system("shop.json", &["api"]);
    assert_eq!(rig.run(&["up", "shop.json"]).await.code, 0);
    let mut all = String::new();
    let cases: [&[&str]; 5] = [
        &["--component", "web", "shop"],
        &["--component", "web", "-f", "shop.json"],
        &["--component", "api", "-f", "shop.json", "other"],
        &["--component", "api"],
        &["--component", "api", "shop"],
    ];
    for case in cases {
        let ran = rig.run(&[&["manifests", "diff"], case].concat()).await;
        all.push_str(&ran.to_string());
    }
    assert_snapshot!("diff_refused", all);
}

#[tokio::test(flavor = "multi_thread")]
async fn help_teaches_each_command() {
    let rig = Rig::new();
    for name in ["push", "render", "diff", "lint"] {
        let ran = rig.run(&["manifests", name, "--help"]).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran}");
        let long = ran.out.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None, "{name}: a line is wrapped by every terminal");
        assert_snapshot!(format!("help_{name}"), ran.out);
    }
}
