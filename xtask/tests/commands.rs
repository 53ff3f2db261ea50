//! The built binary as a person starts it: exit codes and what is said, in surroundings of its own. Nothing is installed or fetched.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments);
    command
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_ends_with_zero_and_an_unknown_command_with_two() {
    let help = xtask(&["--help"]).output().unwrap();
    assert_eq!(code(&help), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes:"));
    let unknown = xtask(&["--", "nonsense"]).output().unwrap();
    assert_eq!(code(&unknown), Some(2));
    assert!(said(&unknown).contains("nonsense"));
}

#[test]
fn a_machine_without_a_c_compiler_is_told_at_once_how_to_get_one() {
    let output = xtask(&["demo"])
        .env("CC", "/nonexistent/cc")
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("a C compiler") && said(&output).contains("apt install"),
        "{}",
        said(&output)
    );
    assert!(
        !said(&output).contains("Compiling"),
        "the build began on a machine that cannot finish it"
    );
}

#[test]
fn parts_that_were_never_installed_are_listed_as_such_and_nothing_is_fetched() {
    let folder = Folder::new("list");
    let output = xtask(&["parts", "--list"])
        .env("FRACTAL_PARTS_DIR", &folder.0)
        .output()
        .unwrap();
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "registry",
        "crane",
        "regctl",
        "oras",
        "referrers",
        "kubernetes",
        "etcd",
        "kwok",
        "kustomize-bench",
        "ministack",
        "boto3",
        "pyspark",
        "kubeflow-spark-api",
        "cargo-deny",
    ] {
        assert!(
            text.lines()
                .any(|line| line.starts_with(part) && line.contains("not installed")),
            "{part} in:\n{text}"
        );
    }
}

#[test]
fn a_part_whose_program_was_removed_behind_its_back_is_named_with_the_way_out() {
    let installed = std::env::var_os("FRACTAL_PARTS")
        .expect("FRACTAL_PARTS names the installed parts: start the tests with cargo xtask test");
    let folder = Folder::new("removed");
    for (part, files) in [
        ("registry", ["manifest", "bin/registry"].as_slice()),
        ("crane", &["manifest"]),
    ] {
        let program = fs::read_link(Path::new(&installed).join("bin").join(part)).unwrap();
        let home = program.ancestors().nth(2).unwrap();
        for name in files {
            let target = folder.0.join(home.file_name().unwrap()).join(name);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(home.join(name), target).unwrap();
        }
    }
    for command in ["parts", "test"] {
        let output = xtask(&[command])
            .env("FRACTAL_PARTS_DIR", &folder.0)
            .output()
            .unwrap();
        assert_eq!(code(&output), Some(4), "{command}: {}", said(&output));
        let text = said(&output);
        assert!(
            text.contains("the part crane is missing its program bin/crane"),
            "{command}: {text}"
        );
        assert!(
            text.contains("cargo xtask parts --repair"),
            "{command}: {text}"
        );
    }
}
