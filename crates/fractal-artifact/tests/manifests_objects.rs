//! Which documents are objects that can be applied by name, how large they may be, and in which order they come.

#![expect(clippy::unwrap_used, reason = "functions for tests only")]

#[expect(dead_code, reason = "this file needs part of it only")]
#[path = "support/bundle.rs"]
mod bundle;

use bundle::{Bundle, overlay};
use fractal_artifact::manifests::{ManifestError, Warning, apply_order};
use fractal_core::{Class, Fault};
use serde_json::json;

fn refused(manifest: &str) -> ManifestError {
    Bundle::of(manifest).render().unwrap_err()
}

fn reason(error: ManifestError) -> String {
    let fault = Fault::from(error);
    assert_eq!(fault.class, Class::Terminal);
    assert!(fault.next.is_some());
    fault.reason.as_str().to_owned()
}

#[test]
fn y12_what_cannot_be_applied_by_name_is_refused_with_the_fix() {
    for (manifest, said) in [
        ("- a\n", "a document (line 1) is no mapping"),
        ("just text\n", "a document (line 1) is no mapping"),
        ("{}\n", "a document (line 1) has no text as `apiVersion`"),
        (
            "apiVersion: v1\nmetadata: {name: a}\n",
            "a document (line 1) has no text as `kind`",
        ),
        (
            "apiVersion: 1\nkind: A\n",
            "a document of kind `A` (line 1) has no text as `apiVersion`",
        ),
        (
            "apiVersion: v1\nkind: A\n",
            "a document of kind `A` (line 1) has no text as `metadata.name`",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: 1}\n",
            "a document of kind `A` (line 1) has no text as `metadata.name`",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: ''}\n",
            "a document of kind `A` (line 1) has no text as `metadata.name`",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {generateName: a-}\n",
            "a document of kind `A` (line 1) has a `metadata.generateName` and no `metadata.name`",
        ),
        (
            "apiVersion: v1\nkind: List\nitems: []\n",
            "a document of kind `List` (line 1) is a list of objects",
        ),
        (
            "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- {}\n",
            "a document of kind `DeploymentList` (line 1) is a list of objects",
        ),
        (
            "apiVersion: a/b/c\nkind: A\nmetadata: {name: a}\n",
            "`A` `a` (line 1) has a `apiVersion` that cannot be part of an API path",
        ),
        (
            "apiVersion: ../v1\nkind: A\nmetadata: {name: a}\n",
            "`A` `a` (line 1) has a `apiVersion` that cannot be part of an API path",
        ),
        (
            "apiVersion: v1\nkind: A/b\nmetadata: {name: a}\n",
            "`A/b` `a` (line 1) has a `kind` that cannot be part of an API path",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: ../a}\n",
            "`A` `../a` (line 1) has a `metadata.name` that cannot be part of an API path",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: \"a\\n\"}\n",
            "`A` `a\\n` (line 1) has a `metadata.name` that cannot be part of an API path",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: a, namespace: ..}\n",
            "`A` `a` (line 1) has a `metadata.namespace` that cannot be part of an API path",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: a, namespace: ''}\n",
            "`A` `a` (line 1) has no text as `metadata.namespace`",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: a, uid: b}\n",
            "`A` `a` (line 1) has `metadata.uid`, which only the cluster sets",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: a, managedFields: []}\n",
            "`A` `a` (line 1) has `metadata.managedFields`, which only the cluster sets",
        ),
    ] {
        let error = refused(manifest);
        assert_eq!(error.to_string(), said);
        assert_eq!(reason(error), "BundleObject");
    }
}

#[test]
fn y12_one_object_twice_is_refused() {
    let one = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: team}\n";
    let other_version =
        "apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a, namespace: team}\n";
    for second in [one, other_version] {
        let error = refused(&format!("{one}---\n{second}"));
        assert_eq!(
            error.to_string(),
            "apps/Deployment team/a (line 5) is in the bundle twice, first at line 1"
        );
    }
    for second in [
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: other}\n",
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a, namespace: team}\n",
        "apiVersion: example.com/v1\nkind: Deployment\nmetadata: {name: a, namespace: team}\n",
    ] {
        let rendered = Bundle::of(&format!("{one}---\n{second}")).render().unwrap();
        assert_eq!(rendered.objects.len(), 2);
    }
}

#[test]
fn a_kind_that_ends_in_list_and_holds_no_items_is_an_object() {
    let manifest = "apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: a}\nspec: {}\n";
    assert_eq!(Bundle::of(manifest).render().unwrap().objects.len(), 1);
}

#[test]
fn objects_say_what_they_are() {
    let manifest = "# first\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: team}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n";
    let rendered = Bundle::of(manifest).render().unwrap();
    let [first, second] = rendered.objects.as_slice() else {
        panic!("{:?}", rendered.objects)
    };
    assert_eq!(
        (first.api_version(), first.group(), first.kind()),
        ("apps/v1", "apps", "Deployment")
    );
    assert_eq!(
        (first.name(), first.namespace(), first.line()),
        ("a", Some("team"), 2)
    );
    assert_eq!((second.group(), second.namespace()), ("", None));
    assert_eq!(first.identity().to_string(), "apps/Deployment team/a");
    assert_eq!(second.identity().to_string(), "Namespace team");
    assert_eq!(serde_json::to_value(second).unwrap(), *second.value());
}

#[test]
fn a_bundle_without_objects_is_one() {
    for manifest in ["", "# nothing\n", "---\n---\n"] {
        assert_eq!(Bundle::of(manifest).render().unwrap().objects, []);
    }
}

#[test]
fn y13_objects_larger_than_the_server_stores_are_refused() {
    let object = |annotation: usize, data: usize| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  annotations:\n    a: {}\ndata:\n  a: {}\n",
            "x".repeat(annotation),
            "x".repeat(data)
        )
    };
    assert!(Bundle::of(&object(262_143, 100)).render().is_ok());
    let error = refused(&object(262_144, 100));
    assert_eq!(
        error.to_string(),
        "ConfigMap web has 262145 bytes of annotations, at most 262144 are taken"
    );
    assert_eq!(reason(error), "ObjectTooLarge");
    assert!(Bundle::of(&object(10, 1_048_400)).render().is_ok());
    let error = refused(&object(10, 1_048_500));
    assert!(
        error
            .to_string()
            .ends_with("bytes, at most 1048576 are taken"),
        "{error}"
    );
    assert_eq!(reason(error), "ObjectTooLarge");
}

#[test]
fn y13_an_object_made_large_by_aliases_is_refused() {
    let aliases = vec!["*a"; 30].join(", ");
    let manifest = format!(
        "apiVersion: v1\nkind: X\nmetadata: {{name: a}}\nspec:\n  a: &a {}\n  b: [{aliases}]\n",
        "x".repeat(50_000)
    );
    assert_eq!(reason(refused(&manifest)), "ObjectTooLarge");
}

#[test]
fn objects_come_in_stages() {
    let kinds = [
        ("apps/v1", "Deployment"),
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
        ),
        ("example.com/v1", "Thing"),
        ("v1", "Service"),
        ("batch/v1", "Job"),
        ("v1", "ConfigMap"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        ("v1", "Namespace"),
        ("rbac.authorization.k8s.io/v1", "Role"),
        ("v1", "ServiceAccount"),
        ("sparkoperator.k8s.io/v1beta2", "SparkApplication"),
        ("v1", "Secret"),
    ];
    let manifest: String = kinds
        .iter()
        .map(|(api, kind)| format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: a}}\n---\n"))
        .collect();
    let objects = Bundle::of(&manifest).render().unwrap().objects;
    let stages: Vec<Vec<&str>> = apply_order(&objects)
        .iter()
        .map(|stage| stage.iter().map(|index| objects[*index].kind()).collect())
        .collect();
    let wanted = [
        vec!["Namespace", "CustomResourceDefinition"],
        vec![
            "ServiceAccount",
            "Role",
            "RoleBinding",
            "Secret",
            "ConfigMap",
            "Service",
            "Thing",
        ],
        vec![
            "Deployment",
            "Job",
            "SparkApplication",
            "ValidatingWebhookConfiguration",
        ],
    ];
    assert_eq!(stages, wanted);
    assert_eq!(apply_order(&[]), vec![Vec::<usize>::new(); 3]);
}

#[test]
fn images_whose_tag_moves_are_warned_of_after_the_overlay() {
    let manifest = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      initContainers:\n      - {name: i, image: 'localhost:5000/i'}\n      containers:\n      - {name: a, image: 'a:latest'}\n      - {name: b, image: 'r:5000/b:1'}\n      - {name: c, image: 'c:latest@sha256:0'}\n---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: j, image: j}]}}}}}\n";
    let named = |overlay| {
        let warnings = Bundle::of(manifest).laid_over(&overlay).unwrap().warnings;
        let name = |warning: &Warning| match warning {
            Warning::MovingTag { container, .. } => container.clone(),
            other => panic!("{other:?}"),
        };
        warnings.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(named(overlay(json!({}))), ["i", "a", "j"]);
    assert_eq!(
        named(overlay(json!({"artifactUri": "a@sha256:1"}))),
        ["i", "j"]
    );
}
