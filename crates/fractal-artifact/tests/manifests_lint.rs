//! What a developer is told of a bundle before it is published.

#![expect(clippy::unwrap_used, reason = "functions for tests only")]

#[expect(dead_code, reason = "this file needs part of it only")]
#[path = "support/bundle.rs"]
mod bundle;

use bundle::{Bundle, parameters};
use fractal_artifact::manifests::{Finding, Level, Overlay, lint, unused_parameters};

fn findings(bundle: &Bundle<'_>) -> Vec<Finding> {
    lint(&bundle.sources(), &bundle.request(&Overlay::default()))
}

fn said(findings: &[Finding]) -> Vec<(Level, Option<usize>, &str)> {
    findings
        .iter()
        .map(|it| (it.level, it.line, it.what.as_str()))
        .collect()
}

/// A workload named like the component, with `container` as its first one.
fn deployment(container: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  template:\n    spec:\n      containers:\n      - {container}\n"
    )
}

#[test]
fn a_sound_bundle_has_no_findings() {
    let manifest =
        deployment("{name: a, image: 'r.example/a@sha256:0', env: [{name: A, value: $A}]}");
    let parameters = parameters(&[("A", "x")]);
    assert_eq!(findings(&Bundle::with(&manifest, &parameters)), []);
}

#[test]
fn a_refusal_is_an_error_with_file_line_and_way_out() {
    let found = findings(&Bundle::of("a: 1\nb: [\n"));
    let [
        Finding {
            level,
            file,
            line,
            next,
            ..
        },
    ] = found.as_slice()
    else {
        panic!("{found:?}")
    };
    assert_eq!((*level, file.as_str()), (Level::Error, "web-fdeploy.yaml"));
    assert!(line.is_some() && !next.is_empty());
    let manifest = deployment("{name: a}");
    let found = findings(&Bundle::with(&manifest, "environments: []\n"));
    assert_eq!(found[0].file, "fractal-parameters.yml");
}

#[test]
fn names_secrets_tags_and_a_missing_workload_are_warnings() {
    let manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: $TYPO}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}\nspec: {template: {spec: {containers: [{name: a, image: 'a:1'}, {name: b, image: b}]}}}\n";
    let parameters = parameters(&[("DB_PASSWORD", "canary"), ("bad-name", "x")]);
    let found = findings(&Bundle::with(manifest, &parameters));
    assert!(!format!("{found:?}").contains("canary"));
    assert_eq!(
        said(&found),
        [
            (
                Level::Warning,
                None,
                "the parameter `bad-name` can never be used"
            ),
            (
                Level::Warning,
                None,
                "parameter `DB_PASSWORD` of the environment `dev` looks like a secret in clear text"
            ),
            (
                Level::Warning,
                None,
                "no Deployment, StatefulSet or DaemonSet is named `web`; it has apps/Deployment other"
            ),
            (
                Level::Warning,
                None,
                "container `b` of apps/Deployment other runs an image whose tag moves"
            ),
            (
                Level::Warning,
                Some(1),
                "Secret s has its values in the bundle"
            ),
            (
                Level::Warning,
                Some(4),
                "`$TYPO` has no value and stays as it is"
            ),
            (
                Level::Warning,
                Some(6),
                "container `a` of apps/Deployment other names its image by tag"
            ),
        ]
    );
}

#[test]
fn what_server_side_apply_refuses_as_twice_is_an_error() {
    let container = "{name: a, image: 'a@sha256:0', env: [{name: A}, {name: B}, {name: A}], ports: [{containerPort: 80}, {containerPort: 80, protocol: TCP}], volumeMounts: [{mountPath: /x}, {mountPath: /x}]}\n      - {name: a, image: 'a@sha256:0', ports: [{containerPort: 80}, {containerPort: 80, protocol: UDP}]}\n      volumes: [{name: v}, {name: v}]";
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{name: a, port: 80}, {name: a, port: 81}, {name: b, port: 81, protocol: TCP}]}\n";
    let manifest = format!("{}{service}", deployment(container));
    let found = findings(&Bundle::of(&manifest));
    assert!(found.iter().all(|it| it.level == Level::Error));
    let what: Vec<_> = found.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "apps/Deployment web has two volumes `v`",
            "apps/Deployment web has two containers `a`",
            "apps/Deployment web has two variables `A` in container `a`",
            "apps/Deployment web has two mounts at `/x` in container `a`",
            "apps/Deployment web has two ports 80/TCP in container `a`",
            "Service web has two ports 81/TCP",
            "Service web has two ports named `a`",
        ]
    );
}

#[test]
fn parameters_that_no_manifest_uses_are_told_over_all_manifests() {
    let parameters = parameters(&[("A", "x"), ("B", "x"), ("C", "x"), ("no-name", "x")]);
    let file = ("fractal-parameters.yml", parameters.as_str());
    let found = unused_parameters(file, &["a: $A\n", "b: '$C_and ${B}'\n"]);
    let what: Vec<_> = found.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "no manifest uses the parameter `B`",
            "no manifest uses the parameter `C`"
        ]
    );
    assert_eq!(unused_parameters(file, &["$A$B$C"]), []);
    assert_eq!(unused_parameters(("p", "["), &[""]), []);
}
