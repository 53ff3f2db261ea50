//! Python wheels.

use std::collections::BTreeMap;

use fractal_artifact::KeptFile;
use fractal_artifact::targets::{Finding, Settings, Subject, Target, WheelSubject, judge};
use fractal_core::artifact::kind::media_type as mt;
use fractal_core::artifact::{Descriptor, Digest, WheelFacts};

use crate::support::{of, rules};

const NONE: [&str; 0] = [];

fn wheel(tags: &str, declared: &[(&str, &str)]) -> WheelSubject {
    let entries: BTreeMap<Box<str>, Box<str>> = declared
        .iter()
        .map(|(name, object)| ((*name).into(), (*object).into()))
        .collect();
    let facts = WheelFacts {
        layer: Descriptor::new(mt::WHEEL, Digest::sha256(""), 100),
        file_name: format!("etl-1.0-{tags}.whl").into(),
        name: "etl".into(),
        version: "1.0".into(),
        entry_points: [("console_scripts".into(), entries)].into(),
        names: [
            "etl/__init__.py",
            "etl/fast.cpython-312-x86_64-linux-gnu.so",
            "etl/jobs.py",
        ]
        .map(Box::from)
        .into(),
    };
    let text = KeptFile::Whole(b"def main():\n    pass\n".to_vec());
    WheelSubject {
        size: 100,
        facts: Some(facts),
        files: [("etl/jobs.py".into(), text)].into(),
    }
}

fn found(wheel: WheelSubject, target: Target, entry_point: &str) -> Vec<Finding> {
    let settings = Settings {
        entry_point: Some(entry_point.to_owned()).filter(|text| !text.is_empty()),
        ..Settings::default()
    };
    judge(&[Subject::Wheel(wheel)], target, &settings).findings
}

#[test]
fn databricks_calls_what_the_wheel_declares() {
    let declared = [("etl", "etl.jobs:main")];
    let all = |entry_point: &str, declared: &[(&str, &str)]| {
        rules(&found(
            wheel("py3-none-any", declared),
            Target::Databricks,
            entry_point,
        ))
    };
    assert_eq!(all("etl.jobs:main", &declared), NONE);
    assert_eq!(all("etl.jobs:main", &[]), ["error entry-point-undeclared"]);
    assert_eq!(
        all("etl.jobs:other", &declared),
        [
            "error entry-point-undeclared",
            "warning entry-point-function"
        ]
    );
    assert_eq!(
        all("etl.none:main", &declared),
        ["error entry-point-module", "error entry-point-undeclared"]
    );
    assert_eq!(all("", &declared), NONE);
    assert_eq!(all("", &[]), ["warning entry-point-none"]);
    let undeclared = found(
        wheel("py3-none-any", &[]),
        Target::Databricks,
        "etl.jobs:main",
    );
    assert_eq!(
        of(&undeclared, "entry-point-undeclared").fix,
        "add to pyproject.toml: [project.scripts] and below it jobs = \"etl.jobs:main\""
    );
}

#[test]
fn spark_imports_what_is_there_declared_or_not() {
    let all = |entry_point: &str| {
        rules(&found(
            wheel("py3-none-any", &[]),
            Target::Spark,
            entry_point,
        ))
    };
    assert_eq!(all("etl.jobs:main"), NONE);
    assert_eq!(all("etl.fast:anything"), NONE);
    assert_eq!(all("etl:main"), NONE);
    assert_eq!(all("etl.jobs:other"), ["warning entry-point-function"]);
    assert_eq!(all("etl.none:main"), ["error entry-point-module"]);
    assert_eq!(all("et:main"), ["error entry-point-module"]);
    assert_eq!(all(""), NONE);
}

#[test]
fn r16_an_entry_point_is_two_python_names() {
    for text in [
        "etl.jobs",
        "etl.jobs:",
        ":main",
        "etl..jobs:main",
        "etl.jobs:main:x",
        "etl.jobs:import",
        "etl.class:main",
        "etl.jobs:main; rm -rf /",
        "$(id):main",
        "etl/jobs:main",
        "1etl:main",
        "etl.jobs:ma in",
    ] {
        for target in [Target::Databricks, Target::Spark] {
            let all = rules(&found(wheel("py3-none-any", &[]), target, text));
            assert_eq!(all, ["error entry-point-malformed"], "{text}");
        }
    }
}

#[test]
fn tags_bind_a_wheel_to_an_interpreter_and_a_processor() {
    let declared = [("etl", "etl.jobs:main")];
    let all = |tags: &str, target| rules(&found(wheel(tags, &declared), target, "etl.jobs:main"));
    let cases = [
        ("py3-none-any", &NONE[..], &NONE[..]),
        (
            "cp39-abi3-manylinux_2_17_x86_64.manylinux_2_17_aarch64",
            &NONE,
            &NONE,
        ),
        (
            "cp312-cp312-manylinux_2_17_x86_64",
            &["note wheel-python", "note wheel-platform"],
            &["note wheel-python", "note wheel-platform"],
        ),
        (
            "cp39-cp39-manylinux_2_17_x86_64",
            &["warning wheel-python", "note wheel-platform"],
            &["note wheel-python", "note wheel-platform"],
        ),
        (
            "cp312-abi3-manylinux_2_17_aarch64",
            &["note wheel-platform"],
            &["note wheel-platform"],
        ),
    ];
    for (tags, databricks, spark) in cases {
        assert_eq!(all(tags, Target::Databricks), databricks, "{tags}");
        assert_eq!(all(tags, Target::Spark), spark, "{tags}");
    }
    let findings = found(
        wheel("cp312-cp312-manylinux_2_17_x86_64", &declared),
        Target::Databricks,
        "etl.jobs:main",
    );
    assert_eq!(
        of(&findings, "wheel-python").why.as_deref(),
        Some("LTS runtimes that have it: 16.4 and 17.3")
    );
}

#[test]
fn one_upload_to_a_volume_is_limited() {
    let of_size = |size, target| {
        let wheel = WheelSubject {
            size,
            facts: None,
            files: BTreeMap::new(),
        };
        rules(&found(wheel, target, ""))
    };
    assert_eq!(of_size((5 << 30) - 1, Target::Databricks), NONE);
    assert_eq!(of_size(5 << 30, Target::Databricks), NONE);
    assert_eq!(
        of_size((5 << 30) + 1, Target::Databricks),
        ["error wheel-size"]
    );
    assert_eq!(of_size((5 << 30) + 1, Target::Spark), NONE);
}
