//! Zips for Google Cloud Functions.

use fractal_artifact::targets::{Settings, Target};

use crate::support::{Files, found, of, rules};

const NONE: [&str; 0] = [];
const FRAMEWORK: &str = r#"{"dependencies": {"@google-cloud/functions-framework": "3"}}"#;

fn google(files: &[(&str, &str)], runtime: &str, entry_point: &str) -> Vec<String> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let settings = Settings {
        runtime: some(runtime),
        entry_point: some(entry_point),
        ..Settings::default()
    };
    rules(&found(Target::GcpFunctions, files, &settings))
}

#[test]
fn every_runtime_looks_for_its_own_main_file() {
    let layout = ["error source-layout"];
    let main =
        r#"{"main": "dist/a.js", "dependencies": {"@google-cloud/functions-framework": "3"}}"#;
    let cases: &[(&str, Files<'_>, &[&str])] = &[
        ("python313", &[("main.py", "")], &NONE),
        ("python313", &[("app.py", "")], &layout),
        (
            "nodejs22",
            &[("index.js", ""), ("package.json", FRAMEWORK)],
            &NONE,
        ),
        (
            "nodejs22",
            &[("function.js", ""), ("package.json", FRAMEWORK)],
            &NONE,
        ),
        (
            "nodejs22",
            &[("app.js", ""), ("package.json", FRAMEWORK)],
            &layout,
        ),
        (
            "nodejs22",
            &[("dist/a.js", ""), ("package.json", main)],
            &NONE,
        ),
        (
            "nodejs22",
            &[("dist/b.js", ""), ("package.json", main)],
            &["error package-main"],
        ),
        (
            "nodejs22",
            &[("index.js", ""), ("package.json", "{")],
            &["error package-json"],
        ),
        (
            "nodejs22",
            &[("index.js", "")],
            &["note functions-framework"],
        ),
        ("go122", &[("go.mod", ""), ("function.go", "")], &NONE),
        ("go122", &[("function.go", "")], &layout),
        ("go122", &[("go.mod", ""), ("x/function.go", "")], &layout),
        ("java21", &[("pom.xml", ""), ("src/x.java", "")], &NONE),
        ("java21", &[("app.jar", "")], &NONE),
        ("java21", &[("src/x.java", ""), ("x", "")], &layout),
        ("ruby33", &[("app.rb", ""), ("Gemfile", "")], &NONE),
        ("ruby33", &[("main.rb", "")], &layout),
        ("dotnet8", &[("Shop.csproj", "")], &NONE),
        ("dotnet8", &[("Shop.dll", "")], &layout),
        ("php84", &[("index.php", "")], &NONE),
        ("php84", &[("main.php", "")], &layout),
        ("", &[("main.py", "")], &NONE),
        ("", &[("data.bin", "")], &layout),
        ("provided.al2023", &[("bootstrap", "")], &["error runtime"]),
        ("cobol", &[("main.cob", "")], &["error runtime"]),
    ];
    for (runtime, files, expected) in cases {
        assert_eq!(google(files, runtime, ""), *expected, "{runtime} {files:?}");
    }
}

#[test]
fn the_entry_point_is_looked_for_in_the_main_file() {
    let python = [("main.py", "def hello(request):\n    return 'x'\n")];
    assert_eq!(google(&python, "python313", "hello"), NONE);
    assert_eq!(google(&python, "python313", "main:hello"), NONE);
    assert_eq!(
        google(&python, "python313", "bye"),
        ["warning entry-point-function"]
    );
    let node = [
        ("index.js", "functions.http('hello', () => 1)"),
        ("package.json", FRAMEWORK),
    ];
    assert_eq!(google(&node, "nodejs22", "hello"), NONE);
    assert_eq!(
        google(&node, "nodejs22", "bye"),
        ["warning entry-point-function"]
    );
}

#[test]
fn a_folder_around_the_sources_is_told_apart_from_sources_that_are_missing() {
    let files = [("shop/main.py", ""), ("shop/requirements.txt", "")];
    let findings = found(Target::GcpFunctions, &files, &Settings::default());
    assert_eq!(rules(&findings), ["error source-layout"]);
    let finding = of(&findings, "source-layout");
    assert_eq!(finding.place.as_deref(), Some("shop/main.py"));
    assert!(finding.fix.starts_with("zip what is in the folder"));
}

#[test]
fn a_hostile_pattern_for_main_costs_no_time() {
    let stars = format!(r#"{{"main": "{}"}}"#, "*a".repeat(60));
    let name = "a".repeat(200);
    let files: Vec<(String, String)> = (0..2000)
        .map(|n| (format!("{name}{n}"), String::new()))
        .collect();
    let mut files: Vec<(&str, &str)> = files
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    files.push(("package.json", &stars));
    let started = std::time::Instant::now();
    let rules = google(&files, "nodejs22", "");
    assert_eq!(rules, ["error package-main", "note functions-framework"]);
    assert!(started.elapsed().as_secs() < 20);
    let long = format!(r#"{{"main": "{}"}}"#, "*".repeat(1000));
    let files = [("package.json", long.as_str()), ("a.js", "")];
    assert_eq!(google(&files, "nodejs22", ""), ["note functions-framework"]);
}
