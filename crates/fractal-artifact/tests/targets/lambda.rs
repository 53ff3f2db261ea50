//! Zips for AWS Lambda.

use fractal_artifact::targets::{Settings, Subject, Target, ZipSubject, judge};

use crate::raw::{self, Entry};
use crate::support::{Files, found, of, read, rules, settings};

const PYTHON: &str = "def handler(event, context):\n    return 1\n";

fn lambda(files: &[(&str, &str)], handler: &str, runtime: &str) -> Vec<String> {
    rules(&found(
        Target::AwsLambda,
        files,
        &settings(handler, runtime),
    ))
}

/// A zip that says it unpacks to so many bytes; deflate needs a byte for at most 1032 of them.
fn unpacking_to(size: u32) -> Vec<u8> {
    let data = vec![0; size.div_ceil(1032) as usize];
    let mut entry = raw::file("app.py", &data);
    for header in [&mut entry.local, &mut entry.central] {
        header.method = 8;
        header.size = size;
    }
    raw::zip(&[entry])
}

fn judged(zip: ZipSubject) -> Vec<String> {
    let settings = Settings::default();
    rules(&judge(&[Subject::Zip(zip)], Target::AwsLambda, &settings).findings)
}

#[test]
fn z13_the_unpacked_size_counts_to_the_byte() {
    let of_size = |size| judged(read(&unpacking_to(size), &Settings::default()));
    assert_eq!(of_size(262_143_999), Vec::<String>::new());
    assert_eq!(of_size(262_144_000), Vec::<String>::new());
    assert_eq!(of_size(262_144_001), ["error zip-unpacked-size"]);
    let zip = read(&unpacking_to(262_144_001), &Settings::default());
    let verdict = judge(
        &[Subject::Zip(zip)],
        Target::AwsLambda,
        &Settings::default(),
    );
    let finding = of(&verdict.findings, "zip-unpacked-size");
    assert_eq!(
        finding.what,
        "the zip unpacks to 262144001 bytes, at most 262144000 are taken"
    );
    let limit = finding.limit.unwrap();
    assert_eq!(
        (limit.found, limit.max, limit.unit),
        (262_144_001, 262_144_000, "bytes")
    );
    assert_eq!(finding.fix, "publish a smaller zip, or a container image");
}

#[test]
fn g27_a_packed_size_that_no_directory_could_make_good_is_refused_unread() {
    let of_size = |size| {
        judged(ZipSubject {
            size,
            contents: None,
        })
    };
    let surely = 262_144_000 + (24 << 20);
    assert_eq!(of_size(surely), ["note zip-staging"]);
    assert_eq!(of_size(surely + 1), ["error zip-unpacked-size"]);
    assert_eq!(of_size(10 << 30), ["error zip-unpacked-size"]);
}

#[test]
fn what_goes_through_a_bucket_is_said() {
    let of_size = |size| {
        judged(ZipSubject {
            size,
            contents: None,
        })
    };
    assert_eq!(of_size(40 << 20), Vec::<String>::new());
    assert_eq!(of_size((40 << 20) + 1), ["note zip-staging"]);
}

#[test]
fn z14_the_handlers_file_has_to_be_there() {
    let none: [&str; 0] = [];
    let node = "exports.handler = async () => 1";
    let cases: &[(&str, &str, Files<'_>, &[&str])] = &[
        ("app.handler", "python3.13", &[("app.py", PYTHON)], &none),
        ("a.b.handler", "python3.13", &[("a/b.py", PYTHON)], &none),
        ("a/b.handler", "python3.13", &[("a/b.py", PYTHON)], &none),
        (
            "a.handler",
            "python3.13",
            &[("a/__init__.py", PYTHON), ("x.py", "")],
            &none,
        ),
        (
            "app.handler",
            "python3.13",
            &[("application.py", PYTHON)],
            &["error handler"],
        ),
        (
            "app.run",
            "python3.13",
            &[("app.py", PYTHON)],
            &["warning handler-function"],
        ),
        ("index.handler", "nodejs22.x", &[("index.mjs", node)], &none),
        (
            "dist/index.handler",
            "nodejs22.x",
            &[("dist/index.js", node), ("x.js", "")],
            &none,
        ),
        (
            "index.handler",
            "nodejs22.x",
            &[("app.js", node)],
            &["error handler"],
        ),
        (
            "index.run",
            "nodejs22.x",
            &[("index.js", node)],
            &["warning handler-function"],
        ),
        (
            "function.handler",
            "ruby3.4",
            &[("function.rb", "def handler(event:, context:)")],
            &none,
        ),
        (
            "lambda.Shop::Orders.run",
            "ruby3.4",
            &[("lambda.rb", "def self.run")],
            &none,
        ),
        (
            "Shop::Shop.Orders::Run",
            "dotnet8",
            &[("Shop.dll", "MZ")],
            &none,
        ),
        (
            "Shop::Shop.Orders::Run",
            "dotnet8",
            &[("Other.dll", "MZ")],
            &["error handler"],
        ),
    ];
    for (handler, runtime, files, expected) in cases {
        assert_eq!(
            lambda(files, handler, runtime),
            *expected,
            "{handler} {files:?}"
        );
    }
}

#[test]
fn a_handler_that_cannot_be_looked_for_is_said_to_be_unchecked() {
    let not_checked = |files: &[(&str, &str)], handler: &str, runtime: &str| {
        let findings = found(Target::AwsLambda, files, &settings(handler, runtime));
        of(&findings, "not-checked").clone()
    };
    let java = not_checked(&[("lib/app.jar", "")], "shop.Orders::run", "java21");
    assert_eq!(
        java.what,
        "not checked: whether the handler `shop.Orders::run` is there"
    );
    let unsaid = not_checked(&[("app.py", PYTHON)], "", "");
    assert_eq!(unsaid.why.as_deref(), Some("it could be app.handler"));
    let unknown = not_checked(&[("data.bin", "")], "", "");
    assert_eq!(
        unknown.what,
        "not checked: the handler, since the runtime cannot be told"
    );
}

#[test]
fn a_zip_of_one_folder_is_told_how_to_zip_what_is_in_it() {
    let files = [("orders/app.py", PYTHON), ("orders/requirements.txt", "")];
    let findings = found(
        Target::AwsLambda,
        &files,
        &settings("app.handler", "python3.13"),
    );
    assert_eq!(rules(&findings), ["error handler"]);
    let finding = of(&findings, "handler");
    assert_eq!(finding.place.as_deref(), Some("orders/app.py"));
    assert!(
        finding.fix.starts_with("zip what is in the folder"),
        "{}",
        finding.fix
    );
    // Without a handler to look for, the folder alone is conspicuous.
    let findings = found(Target::AwsLambda, &files, &Settings::default());
    assert_eq!(rules(&findings), ["warning zip-wrapped"]);
    // A handler that names the folder is right as it is.
    let right = lambda(&files, "orders.app.handler", "python3.13");
    assert_eq!(right, Vec::<String>::new());
    assert_eq!(lambda(&[("lib/app.jar", "")], "", ""), Vec::<String>::new());
}

fn with_mode(name: &str, mode: u16) -> Vec<String> {
    let entry = Entry {
        mode,
        ..raw::file(name, b"text")
    };
    let settings = settings("app.handler", "provided.al2023");
    let zip = read(&raw::zip(&[entry]), &settings);
    rules(&judge(&[Subject::Zip(zip)], Target::AwsLambda, &settings).findings)
}

#[test]
fn bootstrap_has_to_be_there_and_executable_by_everybody() {
    let none: [&str; 0] = [];
    for (mode, expected) in [
        (0o100_755, &none[..]),
        (0o100_555, &none),
        (0o100_644, &["error bootstrap"]),
        (0o100_754, &["error bootstrap"]),
        (0o100_700, &["error zip-permissions", "error bootstrap"]),
        // Zips that were made on Windows say nothing.
        (0, &["warning bootstrap"]),
        (0o100_000, &["warning bootstrap"]),
    ] {
        assert_eq!(with_mode("bootstrap", mode), expected, "{mode:o}");
    }
    assert_eq!(with_mode("main", 0o100_755), ["error bootstrap"]);
}

#[test]
fn everybody_has_to_be_able_to_read_every_file() {
    let of_mode = |mode| {
        let entry = Entry {
            mode,
            ..raw::file("app.py", b"text")
        };
        judged(read(&raw::zip(&[entry]), &Settings::default()))
    };
    let none: [&str; 0] = [];
    for mode in [0o100_644, 0o100_444, 0o100_777, 0] {
        assert_eq!(of_mode(mode), none, "{mode:o}");
    }
    for mode in [0o100_600, 0o100_640, 0o100_604, 0o100_200] {
        assert_eq!(of_mode(mode), ["error zip-permissions"], "{mode:o}");
    }
}

#[test]
fn runtimes_are_lambdas_own() {
    let files = [("app.py", PYTHON), ("bootstrap", "")];
    let of_runtime = |runtime: &str| {
        let findings = found(Target::AwsLambda, &files, &settings("app.handler", runtime));
        let all = findings.iter().filter(|it| it.rule == "runtime");
        all.map(|it| (crate::support::line(it), it.fix.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of_runtime("python3.13"), []);
    let spelled = of_runtime("python313");
    assert_eq!(
        spelled,
        [(
            "note runtime".into(),
            "set the component's runtime to python3.13".into()
        )]
    );
    assert_eq!(of_runtime("python3.8")[0].0, "warning runtime");
    assert_eq!(of_runtime("go1.x")[0].0, "warning runtime");
    assert_eq!(of_runtime("python")[0].0, "note runtime");
    assert_eq!(of_runtime("python3.99")[0].0, "error runtime");
    assert_eq!(of_runtime("cobol")[0].0, "error runtime");
}

#[test]
fn dependencies_that_are_named_and_not_brought_along_are_noted() {
    let missing = |files: &[(&str, &str)]| {
        let mut files = files.to_vec();
        files.push(("app.py", PYTHON));
        let all = found(
            Target::AwsLambda,
            &files,
            &settings("app.handler", "python3.13"),
        );
        let all = all.iter().filter(|it| it.rule == "dependencies");
        all.map(|it| it.what.clone()).collect::<Vec<_>>()
    };
    let wanted = "requests>=2\nFoo.Bar\nboto3\n# no\n-r x.txt\n";
    assert_eq!(
        missing(&[("requirements.txt", wanted)]),
        ["the zip does not bring along foo-bar, requests"]
    );
    let brought = [
        ("requirements.txt", wanted),
        ("requests-2.32.dist-info/METADATA", ""),
        ("foo_bar/__init__.py", ""),
    ];
    assert_eq!(missing(&brought), Vec::<String>::new());
    let node = |folders: &[(&str, &str)]| {
        let mut files = folders.to_vec();
        let package = r#"{"dependencies": {"express": "4", "@aws-sdk/client-s3": "3"}}"#;
        files.extend([
            ("index.js", "exports.handler = 1"),
            ("package.json", package),
        ]);
        lambda(&files, "index.handler", "nodejs22.x")
    };
    assert_eq!(node(&[]), ["note dependencies"]);
    assert_eq!(
        node(&[("node_modules/express/index.js", "")]),
        Vec::<String>::new()
    );
}

#[test]
fn binary_modules_have_to_be_for_the_runtimes_python() {
    let module = |name: &str| {
        lambda(
            &[("app.py", PYTHON), (name, "")],
            "app.handler",
            "python3.13",
        )
    };
    let none: [&str; 0] = [];
    assert_eq!(module("x/_c.cpython-313-x86_64-linux-gnu.so"), none);
    assert_eq!(module("x/_c.abi3.so"), none);
    assert_eq!(
        module("x/_c.cpython-312-x86_64-linux-gnu.so"),
        ["warning zip-python"]
    );
    assert_eq!(
        module("x/_c.cpython-313-darwin.so"),
        ["warning zip-native-code"]
    );
}

#[test]
fn bootstrap_has_to_be_something_that_linux_runs() {
    let of = |content: &str| {
        let findings = found(
            Target::AwsLambda,
            &[("bootstrap", content)],
            &settings("app.handler", "provided.al2023"),
        );
        let cannot = findings
            .iter()
            .find(|finding| finding.what == "Lambda cannot run bootstrap");
        cannot.and_then(|finding| finding.why.clone())
    };
    assert_eq!(of("#!/bin/sh\nexec true\n"), None);
    assert_eq!(of("\u{7f}ELF and so on"), None);
    for (content, said) in [
        ("#!/bin/sh\r\nexec true\r\n", "Windows"),
        ("MZ\u{1}", "Windows"),
        ("exec true\n", "neither"),
        ("", "neither"),
    ] {
        assert!(
            of(content).is_some_and(|why| why.contains(said)),
            "{content:?}"
        );
    }
}

#[test]
fn a_handler_names_a_file_within_the_zip_and_a_function_in_it() {
    for handler in [
        "app",
        "app.",
        ".handler",
        "../app.handler",
        "/app.handler",
        "./app.handler",
    ] {
        for runtime in ["python3.13", "nodejs22.x", "ruby3.4"] {
            let findings = lambda(&[("app.py", PYTHON)], handler, runtime);
            assert_eq!(findings, ["error handler"], "{handler} on {runtime}");
        }
    }
    let right = lambda(&[("app.py", PYTHON)], "app.handler", "python3.13");
    assert_eq!(right, Vec::<String>::new());
    // What is inside of archives is named otherwise.
    let java = lambda(&[("lib/app.jar", "")], "Handler", "java21");
    assert!(!java.contains(&"error handler".to_owned()), "{java:?}");
}
