//! The substitution rule of bundles, and the parameters file.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "functions for tests only"
)]

#[path = "support/bundle.rs"]
mod bundle;

use bundle::{Bundle, overlay, parameters};
use fractal_artifact::manifests::{ManifestError, Rendered, Warning, environments};
use fractal_core::Fault;
use serde_json::{Value, json};

/// A ConfigMap whose `data` is the text given.
fn config_map(data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n{data}")
}

/// The `data` after substitution.
fn data(lines: &str, values: &[(&str, &str)]) -> Value {
    rendered(lines, values).objects[0].value()["data"].clone()
}

fn rendered(lines: &str, values: &[(&str, &str)]) -> Rendered {
    let manifest = config_map(lines);
    Bundle::with(&manifest, &parameters(values))
        .render()
        .unwrap()
}

fn refused(lines: &str, values: &[(&str, &str)]) -> ManifestError {
    let manifest = config_map(lines);
    Bundle::with(&manifest, &parameters(values))
        .render()
        .unwrap_err()
}

fn reason(error: ManifestError) -> String {
    Fault::from(error).reason.as_str().to_owned()
}

#[test]
fn y06_the_longest_name_wins() {
    let values = [("A", "1x"), ("A_B", "2x"), ("1", "one"), ("a", "low")];
    for (text, wanted) in [
        ("$A", "1x"),
        ("$A_B", "2x"),
        ("$A-B", "1x-B"),
        ("$A.$A_B", "1x.2x"),
        ("$A$A", "1x1x"),
        ("$A_", "$A_"),
        ("$AB", "$AB"),
        ("$a", "low"),
        ("$$A", "$1x"),
        ("$$$A", "$$1x"),
        ("$1", "one"),
        ("$12", "$12"),
        ("${A}", "${A}"),
        ("$(A)", "$(A)"),
        ("$", "$"),
        ("$$", "$$"),
        ("a$", "a$"),
        ("$ A", "$ A"),
        ("$Äx", "$Äx"),
        ("$Aä", "1xä"),
    ] {
        let lines = format!("  k: '{text}'\n");
        assert_eq!(data(&lines, &values)["k"], wanted, "{text}");
    }
}

#[test]
fn y06_shell_text_is_substituted_too_where_a_name_has_a_value() {
    let lines = "  run.sh: |\n    export PATH=\"$PATH:/app\" # $A\n    exec $0 \"$@\" $A\n";
    let rendered = rendered(lines, &[("A", "1")]);
    let script = &rendered.objects[0].value()["data"]["run.sh"];
    assert_eq!(script, "export PATH=\"$PATH:/app\" # 1\nexec $0 \"$@\" 1\n");
    let names: Vec<_> = rendered
        .unresolved
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(names, ["PATH", "0"]);
}

#[test]
fn y05_names_without_a_value_stay_and_are_listed_once() {
    let lines = "  a: $TYPO\n  b: '$TYPO $OTHER'\n  # $COMMENT\n";
    let rendered = rendered(lines, &[("A", "1")]);
    assert_eq!(
        rendered.objects[0].value()["data"],
        json!({"a": "$TYPO", "b": "$TYPO $OTHER"})
    );
    let listed: Vec<_> = rendered
        .unresolved
        .iter()
        .map(|it| (it.name.as_str(), it.line))
        .collect();
    assert_eq!(listed, [("TYPO", 6), ("OTHER", 7), ("COMMENT", 8)]);
}

#[test]
fn y05_strict_mode_refuses_them() {
    let manifest = config_map("  a: $TYPO\n");
    let bundle = Bundle {
        strict: true,
        ..Bundle::of(&manifest)
    };
    let error = bundle.render().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`web-fdeploy.yaml` uses names without a value, the first at line 6: `TYPO`"
    );
    assert_eq!(reason(error), "ParameterUnresolved");
}

#[test]
fn without_a_parameters_file_nothing_is_substituted() {
    let manifest = config_map("  a: $A\n");
    let rendered = Bundle::of(&manifest).render().unwrap();
    assert_eq!(rendered.objects[0].value()["data"]["a"], "$A");
    assert_eq!(rendered.unresolved.len(), 1);
}

#[test]
fn a_value_is_the_text_that_is_written_and_means_what_it_means_there() {
    let manifest = "apiVersion: v1\nkind: X\nmetadata: {name: web}\nint: $N\nfloat: $F\nflag: $B\ntext: \"$N\"\noctal: $O\n";
    let parameters = "environments:\n- name: dev\n  parameters:\n    N: 3\n    F: 1.10\n    B: yes\n    O: 0755\n";
    let rendered = Bundle::with(manifest, parameters).render().unwrap();
    let value = rendered.objects[0].value();
    assert_eq!(value["int"], 3);
    assert_eq!(value["float"], 1.1);
    assert_eq!(value["flag"], true);
    assert_eq!(value["text"], "3");
    assert_eq!(value["octal"], 493);
}

#[test]
fn y08_a_value_is_not_looked_at_again() {
    let lines = "  a: \"$A\"\n  b: $B\n";
    let values = [("A", "$B and $A"), ("B", "b")];
    let rendered = rendered(lines, &values);
    assert_eq!(
        rendered.objects[0].value()["data"],
        json!({"a": "$B and $A", "b": "b"})
    );
    assert_eq!(rendered.unresolved, []);
}

#[test]
fn y07_values_that_change_the_structure_are_refused() {
    for (lines, value) in [
        ("  a: $V\n", "x\n  b: y"),
        (
            "  a: $V\n",
            "x\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}",
        ),
        ("  a: $V\n", "b: c"),
        ("  a: $V\n", "{b: c}"),
        ("  a: $V\n", "[b]"),
        ("  a: $V\n", "- b"),
        ("  a: $V\n", "&anchor x"),
        ("  a: $V\n", "!!int 3"),
        ("  a: $V\n", "|"),
        ("  a: $V\n", "x #"),
        ("  a: $V\n", "'x"),
        ("  a: $V\n", "\"x"),
        ("  a: '$V'\n", "x', b: 'y"),
        ("  a: '$V'\n", "x'\n  b: 'y"),
        ("  a: \"$V\"\n", "x\"\n  b: \"y"),
        ("  a: |\n    $V\n  b: x\n", "x\n  c: y"),
        ("  a: x # $V\n", "\n  b: y"),
        ("  $V: x\n", "a: b\n  c"),
        ("  a: {b: $V}\n", "c, d: e"),
        ("  a: [$V]\n", "c, d"),
        ("  a: &x 1\n  b: $V\n", "*x"),
        ("  a:\n    - $V\n", "x\n    - y"),
        ("  a: x\n$V\n", "b: y"),
        ("  <<: {$V: x}\n", "a: b, c"),
        ("  a: $V\n", "-----BEGIN KEY-----\nabc\n-----END KEY-----"),
    ] {
        let error = refused(lines, &[("V", value)]);
        let text = error.to_string();
        assert!(!text.contains("BEGIN"), "{text}");
        assert_eq!(
            reason(error),
            "ParameterInjection",
            "{lines:?} {value:?}: {text}"
        );
    }
}

#[test]
fn y07_odd_values_that_stay_one_scalar_are_taken() {
    for (lines, value, wanted) in [
        ("  a: $V\n", "x y  z", "x y  z"),
        ("  a: $V\n", "a,b:c", "a,b:c"),
        (
            "  a: $V\n",
            "https://x.example/?a=b&c=d",
            "https://x.example/?a=b&c=d",
        ),
        ("  a: $V\n", "'quoted: #1'", "quoted: #1"),
        ("  a: \"$V\"\n", "a: b # c {d}", "a: b # c {d}"),
        ("  a: '$V'\n", "[x]", "[x]"),
        ("  a: |-\n    $V\n", "x: {y} # z", "x: {y} # z"),
        ("  a: $V$V\n", "x", "xx"),
        ("  a: \"$V\"\n", "", ""),
        ("  a: x$V\n", "", "x"),
        ("  a: \"$V\"\n", "one\n    two", "one two"),
        ("  a: |-\n    $V\n", "one\n    two", "one\ntwo"),
    ] {
        assert_eq!(
            data(lines, &[("V", value)])["a"],
            wanted,
            "{lines:?} {value:?}"
        );
    }
}

#[test]
fn y07_names_may_come_from_values() {
    let rendered = rendered(
        "  $K: $V\n  pre-$K: 'x'\n",
        &[("K", "a.key with space"), ("V", "v")],
    );
    let wanted = json!({"a.key with space": "v", "pre-a.key with space": "x"});
    assert_eq!(rendered.objects[0].value()["data"], wanted);
    let error = refused("  $K: v\n  a: w\n", &[("K", "a")]);
    assert_eq!(reason(error), "YamlSyntax");
}

#[test]
fn y07_the_message_names_the_parameter_and_the_line_and_not_the_value() {
    let error = refused("  a: x\n  b: $V\n", &[("V", "canary: [")]);
    assert_eq!(
        error.to_string(),
        "the values of `V` change the structure of `web-fdeploy.yaml` at line 7"
    );
    assert!(!Fault::from(error).to_string().contains("canary"));
}

#[test]
fn values_may_not_grow_a_manifest_without_bound() {
    let lines = format!("  a: \"{}\"\n", "$V".repeat(1000));
    let error = refused(&lines, &[("V", &"x".repeat(10_000))]);
    assert!(
        error.to_string().contains("more bytes after substitution"),
        "{error}"
    );
    assert_eq!(reason(error), "YamlBudget");
}

#[test]
fn y09_one_entry_has_exactly_the_environments_name() {
    let manifest = config_map("  a: $A\n");
    let entry = |name: &str| format!("- name: {name}\n  parameters: {{A: 1}}\n");
    for (entries, said) in [
        (
            vec!["prod", "test"],
            "has no entry for the environment `dev`, it has `prod`, `test`",
        ),
        (
            vec!["dev", "prod", "dev"],
            "has two entries for the environment `dev`",
        ),
        (
            vec!["Dev"],
            "has an entry `Dev`, the environment is called `dev`",
        ),
        (
            vec!["dev", "DEV"],
            "has an entry `DEV`, the environment is called `dev`",
        ),
    ] {
        let entries: String = entries.into_iter().map(entry).collect();
        let parameters = format!("environments:\n{entries}");
        let error = Bundle::with(&manifest, &parameters).render().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`fractal-parameters.yml` {said}")
        );
        assert_eq!(reason(error), "EnvironmentParameters");
    }
}

#[test]
fn y09_entries_of_another_form_are_refused() {
    let manifest = config_map("  a: $A\n");
    for parameters in [
        "",
        "# nothing\n",
        "- name: dev\n",
        "environments:\n",
        "environments: {dev: {A: 1}}\n",
        "environments: [dev]\n",
        "environments:\n- parameters: {A: 1}\n",
        "environments:\n- name: [dev]\n",
        "environments:\n- name: dev\n  parameters: [A]\n",
        "environments:\n- name: dev\n  parameters: {A: [1]}\n",
        "environments:\n- name: dev\n  parameters: {A: {b: 1}}\n",
        "environments:\n- name: dev\n  parameters: {A: }\n",
        "environments:\n- name: prod\n  parameters: {A: [1]}\n- name: dev\n",
        "environments: []\n---\nenvironments: []\n",
    ] {
        let error = Bundle::with(&manifest, parameters).render().unwrap_err();
        assert_eq!(reason(error), "EnvironmentParameters", "{parameters}");
    }
    let many: String = (0..257).map(|at| format!("    P{at}: x\n")).collect();
    let parameters = format!("environments:\n- name: dev\n  parameters:\n{many}");
    let error = Bundle::with(&manifest, &parameters).render().unwrap_err();
    assert!(error.to_string().contains("257 parameters"), "{error}");
}

#[test]
fn an_environment_without_parameters_is_one() {
    let manifest = config_map("  a: $A\n");
    for parameters in [
        "environments:\n- name: dev\n",
        "environments: [{name: dev, parameters: }]\n",
    ] {
        let rendered = Bundle::with(&manifest, parameters).render().unwrap();
        assert_eq!(rendered.unresolved.len(), 1);
    }
}

#[test]
fn y15_a_secret_in_clear_text_is_a_warning_in_every_environment() {
    let manifest = config_map("  a: x\n");
    let parameters = "environments:\n- name: prod\n  parameters: {DB_PASSWORD: canary}\n- name: dev\n  parameters: {DB_SECRET_NAME: canary}\n";
    let rendered = Bundle::with(&manifest, parameters).render().unwrap();
    let wanted = Warning::CleartextSecret {
        environment: "prod".into(),
        parameter: "DB_PASSWORD".into(),
    };
    assert_eq!(rendered.warnings, [wanted]);
    let said = format!("{:?} {}", rendered.warnings, rendered.warnings[0]);
    assert!(!said.contains("canary"), "{said}");
}

#[test]
fn substitution_comes_before_the_overlay() {
    let manifest = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: $NAME}\nspec:\n  replicas: $REPLICAS\n  template: {spec: {containers: [{name: web, image: $IMAGE}]}}\n";
    let parameters = parameters(&[("NAME", "web"), ("REPLICAS", "2"), ("IMAGE", "a:1")]);
    let overlay = overlay(json!({"artifactUri": "b:2"}));
    let rendered = Bundle::with(manifest, &parameters)
        .laid_over(&overlay)
        .unwrap();
    let spec = &rendered.objects[0].value()["spec"];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(spec["template"]["spec"]["containers"][0]["image"], "b:2");
    assert_eq!(rendered.provenance[0].replaced, Some(json!("a:1")));
}

#[test]
fn environments_are_those_of_the_file_each_once_in_its_order() {
    let of = |text: &str| environments(("fractal-parameters.yml", text));
    let file =
        "environments:\n- name: prod\n- {name: dev, parameters: {A: b}}\n- name: 1\n- name: prod\n";
    assert_eq!(of(file).unwrap(), ["prod", "dev", "1"]);
    assert_eq!(of("environments: []").unwrap(), Vec::<String>::new());
    for (text, reason) in [
        ("", "EnvironmentParameters"),
        ("environments: {}", "EnvironmentParameters"),
        ("environments:\n- name: [", "YamlSyntax"),
        (&"#".repeat(256 * 1024 + 1), "YamlBudget"),
    ] {
        let error = of(text).unwrap_err();
        assert_eq!(error.file(), Some("fractal-parameters.yml"));
        assert_eq!(Fault::from(error).reason.as_str(), reason);
    }
}
