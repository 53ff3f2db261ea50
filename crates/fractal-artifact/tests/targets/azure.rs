//! Zips for Azure Functions.

use fractal_artifact::targets::{AzurePlan, Settings, Subject, Target, ZipSubject, judge};

use crate::raw::{self, Entry};
use crate::support::{Files, found, of, read, rules, settings};

const HOST: (&str, &str) = ("host.json", r#"{"version": "2.0"}"#);
const APP: (&str, &str) = ("function_app.py", "app = func.FunctionApp()\n");
const BINDING: &str = r#"{"bindings": [{"type": "httpTrigger"}]}"#;
const NONE: [&str; 0] = [];

fn azure(files: &[(&str, &str)]) -> Vec<String> {
    rules(&found(Target::AzureFunctions, files, &Settings::default()))
}

fn on(plan: AzurePlan) -> Settings {
    Settings {
        plan: Some(plan),
        ..Settings::default()
    }
}

fn of_size(size: u64, settings: &Settings) -> Vec<String> {
    let zip = ZipSubject {
        size,
        contents: None,
    };
    rules(&judge(&[Subject::Zip(zip)], Target::AzureFunctions, settings).findings)
}

#[test]
fn a_package_may_have_a_gibibyte() {
    let settings = Settings::default();
    assert_eq!(of_size((1 << 30) - 1, &settings), NONE);
    assert_eq!(of_size(1 << 30, &settings), NONE);
    assert_eq!(of_size((1 << 30) + 1, &settings), ["error zip-packed-size"]);
}

#[test]
fn plans_differ_in_their_temporary_storage() {
    let consumption = on(AzurePlan::Consumption);
    assert_eq!(of_size(500_000_000, &consumption), NONE);
    assert_eq!(
        of_size(500_000_001, &consumption),
        ["warning zip-temporary-storage"]
    );
    for plan in [AzurePlan::Flex, AzurePlan::Premium, AzurePlan::Dedicated] {
        assert_eq!(of_size(500_000_001, &on(plan)), NONE, "{plan:?}");
    }
    let findings = found(Target::AzureFunctions, &[HOST, APP], &consumption);
    assert_eq!(rules(&findings), ["note azure-plan"]);
}

#[test]
fn host_json_lies_outside_of_folders_and_says_version_2() {
    assert_eq!(azure(&[HOST, APP]), NONE);
    assert_eq!(
        azure(&[("host.json", "\u{feff}{\"version\": \"2.0\"}"), APP]),
        NONE
    );
    assert_eq!(azure(&[APP]), ["error host-json"]);
    for text in [
        "{",
        "{}",
        r#"{"version": "1.0"}"#,
        r#"{"version": 2}"#,
        "[]",
    ] {
        assert_eq!(
            azure(&[("host.json", text), APP]),
            ["error host-json"],
            "{text}"
        );
    }
    let wrapped = [("shop/host.json", HOST.1), ("shop/function_app.py", APP.1)];
    let findings = found(Target::AzureFunctions, &wrapped, &Settings::default());
    let finding = of(&findings, "host-json");
    assert_eq!(finding.place.as_deref(), Some("shop/host.json"));
    assert!(finding.fix.starts_with("zip what is in the folder"));
}

#[test]
fn one_of_the_programming_models_has_to_be_there() {
    let package = r#"{"main": "src/functions/*.js"}"#;
    let none = ["error functions"];
    let cases: &[(Files<'_>, &[&str])] = &[
        (&[HOST], &none),
        (&[HOST, ("app.py", "")], &none),
        (
            &[HOST, ("function_app.py", "app = 1")],
            &["warning function-app"],
        ),
        (
            &[
                HOST,
                ("hello/function.json", BINDING),
                ("hello/__init__.py", ""),
            ],
            &NONE,
        ),
        (
            &[HOST, ("package.json", package), ("src/functions/a.js", "")],
            &NONE,
        ),
        (
            &[HOST, ("package.json", package), ("src/a.js", "")],
            &["error package-main"],
        ),
        (
            &[HOST, ("package.json", "{}"), ("index.js", "")],
            &["error package-main"],
        ),
        (
            &[
                HOST,
                ("package.json", "{}"),
                ("hello/function.json", BINDING),
            ],
            &NONE,
        ),
        (
            &[HOST, ("package.json", "[")],
            &["error package-json", "error functions"],
        ),
        (
            &[
                HOST,
                ("functions.metadata", "[]"),
                ("worker.config.json", "{}"),
                (".azurefunctions/x.dll", ""),
            ],
            &NONE,
        ),
        (
            &[
                HOST,
                ("functions.metadata", "[]"),
                ("worker.config.json", "{}"),
            ],
            &["warning azure-functions-folder"],
        ),
    ];
    for (files, expected) in cases {
        assert_eq!(azure(files), *expected, "{files:?}");
    }
    let named = found(Target::AzureFunctions, &[HOST], &settings("", "python"));
    assert_eq!(rules(&named), ["error functions"]);
}

#[test]
fn a_binding_names_a_file_of_the_zip() {
    let of_binding = |text: &str| {
        let files = [
            HOST,
            ("hello/function.json", text),
            ("hello/index.js", ""),
            ("lib.jar", ""),
        ];
        azure(&files)
    };
    let script = |path: &str| format!(r#"{{"bindings": [], "scriptFile": "{path}"}}"#);
    assert_eq!(of_binding(&script("index.js")), NONE);
    assert_eq!(of_binding(&script("../lib.jar")), NONE);
    assert_eq!(of_binding(&script("other.js")), ["error function-json"]);
    assert_eq!(
        of_binding(&script("../../etc/passwd")),
        ["error function-json"]
    );
    assert_eq!(of_binding("{}"), ["error function-json"]);
    assert_eq!(of_binding("{"), ["error function-json"]);
}

#[test]
fn nothing_is_built_remotely_so_dependencies_have_to_be_there() {
    let wanted = ("requirements.txt", "azure-functions\nrequests\n");
    assert_eq!(azure(&[HOST, APP, wanted]), ["warning dependencies"]);
    let brought = (
        ".python_packages/lib/site-packages/requests/__init__.py",
        "",
    );
    assert_eq!(azure(&[HOST, APP, wanted, brought]), NONE);
    // Where Lambda looks for them is not where Azure does.
    assert_eq!(
        azure(&[HOST, APP, wanted, ("requests/__init__.py", "")]),
        ["warning dependencies"]
    );
}

#[test]
fn local_settings_are_warned_of() {
    let files = [HOST, APP, ("local.settings.json", "{}")];
    assert_eq!(azure(&files), ["warning local-settings"]);
    assert_eq!(azure(&[HOST, APP, ("x/local.settings.json", "{}")]), NONE);
}

#[test]
fn a_custom_handler_is_there_and_executable() {
    let host = r#"{"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "bin/run"}}}"#;
    assert_eq!(azure(&[("host.json", host)]), ["error custom-handler"]);
    let of_mode = |mode| {
        let zip = crate::support::zipped(&[("host.json", host)]);
        // The text of host.json is needed, so the executable is put beside it with a mode of its own.
        let mut subject = read(&zip, &Settings::default());
        let entry = Entry {
            mode,
            ..raw::file("bin/run", b"x")
        };
        let with = read(
            &raw::zip(&[entry, raw::file("host.json", host.as_bytes())]),
            &Settings::default(),
        );
        if let (Some(contents), Some(with)) = (&mut subject.contents, with.contents) {
            contents.directory = with.directory;
        }
        let settings = Settings::default();
        rules(&judge(&[Subject::Zip(subject)], Target::AzureFunctions, &settings).findings)
    };
    assert_eq!(of_mode(0o100_755), NONE);
    assert_eq!(of_mode(0o100_644), ["warning custom-handler"]);
    // An interpreter of the host's own.
    let node = r#"{"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "node"}}}"#;
    assert_eq!(azure(&[("host.json", node)]), ["note custom-handler"]);
}
