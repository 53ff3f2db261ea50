//! `fractal manifests lint`: findings with the place they are at, and how it ends because of them.

use std::collections::BTreeSet;
use std::path::Path;

use fractal_simcloud::RegistryAuth;
use insta::assert_snapshot;
use serde_json::json;

use crate::bundles::{bundle, sample};
use crate::rendering::live_system;
use crate::rig::Rig;

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

/// The page for CI is copied from: its workflow is YAML, and its commands are there with the flags they are given.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_ci_says_what_there_is() {
    let rig = Rig::new();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manifests-in-ci.md");
    let page = std::fs::read_to_string(page).unwrap();
    let workflow = page.split("```yaml\n").nth(1).unwrap();
    let workflow = workflow.split("```").next().unwrap();
    let workflow: serde_json::Value = serde_saphyr::from_str(workflow).unwrap();
    let steps = workflow["jobs"]["manifests"]["steps"].as_array().unwrap();
    let runs: Vec<&str> = steps.iter().filter_map(|it| it["run"].as_str()).collect();
    assert!(
        runs.iter()
            .any(|run| run.starts_with("fractal manifests lint"))
    );
    let mut seen = BTreeSet::new();
    for line in page.replace("\\\n", " ").lines() {
        let Some((_, command)) = line.split_once("fractal manifests ") else {
            continue;
        };
        let Some(name) = command.split_whitespace().next() else {
            continue;
        };
        let name = name.trim_end_matches('`');
        let help = rig.run(&["manifests", name, "--help"]).await;
        assert_eq!(help.code, 0, "{line}: {help}");
        let flags = command.split_whitespace().filter(|it| it.starts_with("--"));
        for flag in flags {
            assert!(
                help.out.contains(&format!("{flag} ")) || help.out.contains(&format!("{flag}\n")),
                "{line}"
            );
            seen.insert(flag.to_owned());
        }
    }
    assert!(seen.len() >= 6, "{seen:?}");
}
