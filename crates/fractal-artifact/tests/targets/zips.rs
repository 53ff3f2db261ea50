//! What all function platforms share.

use fractal_artifact::targets::{READ_MAX, Settings, Subject, Target, ZipSubject, judge};

use crate::support::{found, of, rules};

fn shared(name: &str) -> Vec<String> {
    let files = [("main.py", "def main(request): pass"), (name, "")];
    let settings = Settings {
        entry_point: Some("main".into()),
        ..Settings::default()
    };
    rules(&found(Target::GcpFunctions, &files, &settings))
}

#[test]
fn files_that_usually_hold_secrets_are_warned_of() {
    for name in [
        ".env",
        "config/.env.production",
        "keys/id_rsa",
        ".ssh/id_ed25519",
        ".aws/credentials",
        "home/.aws/credentials",
        ".git/config",
        ".npmrc",
    ] {
        assert_eq!(shared(name), ["warning zip-secrets"], "{name}");
    }
    for name in [
        ".env.example",
        "environment.py",
        "certifi/cacert.pem",
        "id_rsa.pub",
        "x/config",
    ] {
        assert_eq!(shared(name), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn binary_modules_for_other_systems_are_warned_of() {
    for name in [
        "x/_c.cpython-313-darwin.so",
        "x/_c.cp313-win_amd64.pyd",
        "x/lib.dylib",
        "node_modules/x/prebuilds/darwin-arm64/x.node",
    ] {
        assert_eq!(shared(name), ["warning zip-native-code"], "{name}");
    }
    for name in ["x/_c.cpython-313-x86_64-linux-gnu.so", "x/linux-x64/x.node"] {
        assert_eq!(shared(name), Vec::<String>::new(), "{name}");
    }
    // A package with modules for every system has Linux's beside them.
    let files = [
        ("main.py", "def main(request): pass"),
        ("x/_c.cpython-313-darwin.so", ""),
        ("x/_c.cpython-313-x86_64-linux-gnu.so", ""),
    ];
    let findings = found(Target::GcpFunctions, &files, &Settings::default());
    assert_eq!(rules(&findings), Vec::<String>::new());
}

#[test]
fn what_is_not_read_is_said_and_warned_of_only_where_it_is_too_large() {
    let of_size = |size| {
        let zip = ZipSubject {
            size,
            contents: None,
        };
        let settings = Settings::default();
        let verdict = judge(&[Subject::Zip(zip)], Target::GcpFunctions, &settings);
        of(&verdict.findings, "not-read").severity
    };
    assert_eq!(of_size(READ_MAX), fractal_artifact::targets::Severity::Note);
    assert_eq!(
        of_size(READ_MAX + 1),
        fractal_artifact::targets::Severity::Warning
    );
}
