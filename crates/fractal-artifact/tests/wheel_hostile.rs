//! Wheels made to be misread, one lie each, with the error each gets. Names begin with the row of the hardening table.

#[path = "support/wheels.rs"]
mod wheels;

use fractal_artifact::{WheelError, WheelScanner};
use fractal_core::artifact::WheelFacts;
use fractal_core::{Class, Fault};
use wheels::{
    FOLDER, METADATA, TITLE, WHEEL, files, hash, layer, packed, record, wheel, wheel_with, with,
    with_metadata,
};

fn read(wheel: &[u8], title: Option<&str>) -> Result<WheelFacts, WheelError> {
    let mut scanner = WheelScanner::new();
    scanner.push(wheel);
    scanner.finish(&layer(wheel, title))
}

#[track_caller]
#[expect(clippy::expect_used, reason = "a check that is used by tests only")]
fn refused(wheel: &[u8], reason: &str, what: &str) {
    let error = read(wheel, Some(TITLE)).expect_err("a wheel with a lie in it");
    says(error, reason, what);
}

#[track_caller]
fn says(error: WheelError, reason: &str, what: &str) {
    let fault = Fault::from(error);
    let why = fault.why.unwrap_or_default();
    assert!(why.contains(what), "{why}");
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Terminal, reason),
        "{why}"
    );
    assert!(fault.next.is_some() && fault.place.is_some());
}

#[test]
fn the_builder_makes_wheels_that_are_taken() {
    let facts = read(&wheel(&files()), Some(TITLE)).unwrap();
    assert_eq!(facts.names.len(), 6);
    assert_eq!(&*facts.file_name, TITLE);
}

#[test]
fn z15_a_record_that_is_not_true_is_refused() {
    let files = files();
    let good = record(&files, FOLDER);
    let line = |name: &str| {
        let lines: Vec<&str> = good.lines().filter(|line| line.starts_with(name)).collect();
        lines.concat()
    };
    let init = line("etl/__init__.py");
    for (from, to, what) in [
        (
            format!("{init}\n"),
            String::new(),
            "it does not list `etl/__init__.py`",
        ),
        (
            init.clone(),
            init.replace(&hash(b"def main():\n    return 0\n"), &hash(b"x")),
            "`etl/__init__.py` has the hash",
        ),
        (
            init.clone(),
            init.replace("sha256", "md5"),
            "by md5, only sha256",
        ),
        (
            init.clone(),
            init.replace(",25", ",26"),
            "`etl/__init__.py` has 25 bytes, it says 26",
        ),
        (
            init.clone(),
            "etl/__init__.py,,".into(),
            "it has no hash of `etl/__init__.py`",
        ),
        (
            init.clone(),
            format!("{init}\n{init}"),
            "it lists `etl/__init__.py` twice",
        ),
        (
            init.clone(),
            format!("{init}\netl/ghost.py,sha256=x,1"),
            "it lists `etl/ghost.py`, which is not in the wheel",
        ),
        (
            init.clone(),
            format!("{init}\n../x.py,sha256=x,1"),
            "it lists `../x.py`, which is not in the wheel",
        ),
        (
            line("etl-1.2.0.dist-info/METADATA"),
            "etl-1.2.0.dist-info/METADATA,,".into(),
            "no hash of `etl-1.2.0.dist-info/METADATA`",
        ),
        (init, "\u{0}".into(), "is no `path,hash,size`"),
    ] {
        let record = good.replace(&from, &to);
        assert_ne!(record, good);
        refused(&wheel_with(&files, &record), "WheelInvalid", what);
    }
    // A file put in after the wheel was built.
    let mut more = files.clone();
    more.push(("etl/evil.py".into(), b"import os".into()));
    refused(
        &wheel_with(&more, &good),
        "WheelInvalid",
        "it does not list `etl/evil.py`",
    );
    // The signatures of RECORD are not in it.
    let mut signed = files.clone();
    signed.push((format!("{FOLDER}/RECORD.jws"), b"{}".into()));
    assert!(read(&wheel_with(&signed, &good), Some(TITLE)).is_ok());
}

#[test]
fn z15_missing_or_malformed_metadata_is_refused() {
    for name in ["METADATA", "WHEEL"] {
        let path = format!("{FOLDER}/{name}");
        refused(
            &wheel(&with(&path, None)),
            "WheelInvalid",
            &format!("has no `{path}`"),
        );
    }
    let no_record = packed(&files(), false);
    refused(
        &no_record,
        "WheelInvalid",
        "has no `etl-1.2.0.dist-info/RECORD`",
    );
    for (name, content, what) in [
        (
            "METADATA",
            METADATA.replace("Name: etl\n", ""),
            "it has no `Name`",
        ),
        (
            "METADATA",
            METADATA.replace("Version: 1.2.0\n", ""),
            "it has no `Version`",
        ),
        (
            "METADATA",
            METADATA.replace("Name: etl\n", "Name: etl\nName: other\n"),
            "it has `Name` twice",
        ),
        (
            "METADATA",
            METADATA.replace("1.2.0", "latest"),
            "`latest` is no version",
        ),
        (
            "METADATA",
            METADATA.replace("etl", "../etl"),
            "`../etl` is no distribution's name",
        ),
        ("METADATA", "no fields".into(), "line 1 has no colon"),
        ("METADATA", String::new(), "it has no `Metadata-Version`"),
        (
            "WHEEL",
            WHEEL.replace("Tag: py3-none-any\n", ""),
            "its tags are missing",
        ),
        (
            "WHEEL",
            WHEEL.replace("py3-none-any", "py3"),
            "its tags are missing or malformed",
        ),
        (
            "WHEEL",
            WHEEL.replace("Wheel-Version: 1.0", "Wheel-Version: 2.0"),
            "of version 2.0",
        ),
        (
            "entry_points.txt",
            "[console_scripts]\netl\n".into(),
            "`entry_points.txt` is malformed: line 2",
        ),
    ] {
        refused(&wheel(&with_metadata(name, &content)), "WheelInvalid", what);
    }
    let latin = with("etl-1.2.0.dist-info/METADATA", Some(b"Name: \xff"));
    refused(&wheel(&latin), "WheelInvalid", "not UTF-8");
}

#[test]
fn z15_the_folder_of_the_metadata_is_one_and_the_distributions_own() {
    let mut two = files();
    two.push(("etl-1.1.0.dist-info/METADATA".into(), METADATA.into()));
    refused(
        &wheel(&two),
        "WheelInvalid",
        "`etl-1.2.0.dist-info` and `etl-1.1.0.dist-info`",
    );
    // One below another folder is a copy of someone else's.
    let mut vendored = files();
    vendored.push(("etl/_vendor/six-1.0.dist-info/METADATA".into(), b"".into()));
    assert!(read(&wheel(&vendored), Some(TITLE)).is_ok());
    let none = packed(&vec![("etl.py".into(), b"".into())], false);
    refused(&none, "WheelInvalid", "no such folder at its top");
    for (from, to) in [("Name: etl", "Name: other"), ("1.2.0", "1.2.1")] {
        let other = with_metadata("METADATA", &METADATA.replace(from, to));
        refused(
            &wheel(&other),
            "WheelInvalid",
            "the folder `etl-1.2.0.dist-info` is not that of",
        );
    }
    for same in ["Version: 1.2", "Version: v1.2.0.0"] {
        let other = with_metadata("METADATA", &METADATA.replace("Version: 1.2.0", same));
        assert!(read(&wheel(&other), Some(TITLE)).is_ok(), "{same}");
    }
}

#[test]
fn z16_a_title_that_is_not_the_wheels_own_name_is_refused() {
    let wheel = wheel(&files());
    for (title, what) in [
        (
            "other-1.2.0-py3-none-any.whl",
            "differs from its metadata in name or version: etl 1.2.0",
        ),
        (
            "etl-1.2.1-py3-none-any.whl",
            "differs from its metadata in name or version: etl 1.2.0",
        ),
        (
            "etl-1.2.0-py2.py3-none-any.whl",
            "differs from its metadata in the tags: py3-none-any",
        ),
        (
            "etl-1.2.0-cp311-cp311-linux_x86_64.whl",
            "differs from its metadata in the tags",
        ),
        ("job.whl", "it has 1 parts between hyphens"),
        ("etl-1.2.0-py3-none-any.zip", "it does not end in .whl"),
        ("../etl-1.2.0-py3-none-any.whl", "it is no plain file name"),
        (
            "a/../etl-1.2.0-py3-none-any.whl",
            "it is no plain file name",
        ),
        (
            "/tmp/etl-1.2.0-py3-none-any.whl",
            "it is no plain file name",
        ),
        ("C:\\etl-1.2.0-py3-none-any.whl", "it is no plain file name"),
        (
            "dist//etl-1.2.0-py3-none-any.whl",
            "it is no plain file name",
        ),
        ("", "it does not end in .whl"),
    ] {
        says(
            read(&wheel, Some(title)).unwrap_err(),
            "WheelNameInvalid",
            what,
        );
    }
    // What `oras push dist/x.whl` gives, and other spellings of the same.
    for title in [
        "dist/etl-1.2.0-py3-none-any.whl",
        "./etl-1.2.0-py3-none-any.whl",
        "ETL-1.2-py3-none-any.whl",
        "etl-1.2.0-1-py3-none-any.whl",
    ] {
        let name = title.rsplit('/').next().unwrap();
        assert_eq!(&*read(&wheel, Some(title)).unwrap().file_name, name);
    }
    let built = with_metadata("WHEEL", &format!("{WHEEL}Build: 7\n"));
    refused(
        &wheels::wheel(&built),
        "WheelNameInvalid",
        "the build number: 7",
    );
    let odd = WHEEL.replace(
        "Tag: py3-none-any",
        "Tag: py3-none-any\nTag: cp311-abi3-linux_x86_64",
    );
    let odd = wheels::wheel(&with_metadata("WHEEL", &odd));
    says(
        read(&odd, None).unwrap_err(),
        "WheelNameInvalid",
        "no file name says the wheel's tags",
    );
}

#[test]
fn z16_a_wheel_for_another_platform_is_refused() {
    for (tag, runs) in [
        ("cp311-cp311-manylinux_2_17_x86_64", true),
        ("cp311-cp311-musllinux_1_2_aarch64", true),
        ("cp311-cp311-win_amd64", false),
        ("cp311-cp311-macosx_11_0_arm64", false),
        ("py2-none-any", false),
    ] {
        let wheel = wheel(&with_metadata("WHEEL", &WHEEL.replace("py3-none-any", tag)));
        let title = format!("etl-1.2.0-{tag}.whl");
        match read(&wheel, Some(&title)) {
            Ok(facts) => assert!(runs && *facts.file_name == *title, "{tag}"),
            Err(error) => {
                assert!(!runs, "{tag}: {error}");
                says(error, "WheelUnsupported", tag);
            }
        }
    }
}
