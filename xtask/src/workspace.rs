//! Where the checkout and its target folder are, and how a child cargo is started from inside cargo. It builds nothing.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::Fault;

/// The checkout this binary was built from.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// Fails where the checkout moved away or cargo cannot describe it.
    pub(crate) fn find() -> Result<Self, Fault> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.parent().unwrap_or(package).to_owned();
        let mut workspace = Self {
            target: root.join("target"),
            root,
        };
        workspace.target = workspace.ask_cargo_for_target()?;
        Ok(workspace)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The target folder as cargo sees it: `CARGO_TARGET_DIR` and cargo's configuration included.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    pub(crate) fn program(&self, profile: &str, name: &str) -> PathBuf {
        self.target
            .join(profile)
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// The names of every workspace package, sorted.
    pub(crate) fn packages(&self) -> Result<Vec<String>, Fault> {
        let mut names = vec!["xtask".to_owned()];
        for folder in ["agents", "crates"] {
            let folder = self.root.join(folder);
            let entries = std::fs::read_dir(&folder).map_err(Fault::at("list", &folder))?;
            names.extend(
                entries
                    .flatten()
                    .filter(|entry| entry.path().join("Cargo.toml").is_file())
                    .map(|entry| entry.file_name().to_string_lossy().into_owned()),
            );
        }
        names.sort();
        Ok(names)
    }

    /// A cargo in the checkout, free of the variables by which the outer `cargo run` describes this binary:
    /// build scripts that watch them would run again for nothing.
    pub(crate) fn cargo(&self) -> Command {
        self.tool(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Any program in the checkout, free of the same variables.
    pub(crate) fn tool(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            if describes_package(&name) {
                command.env_remove(name);
            }
        }
        command
    }

    fn ask_cargo_for_target(&self) -> Result<PathBuf, Fault> {
        let output = self
            .cargo()
            .args([
                "metadata",
                "--no-deps",
                "--format-version",
                "1",
                "--offline",
            ])
            .output()
            .map_err(Fault::start("cargo"))?;
        let json = String::from_utf8_lossy(&output.stdout);
        json_string(&json, "target_directory")
            .map(PathBuf::from)
            .ok_or_else(|| {
                let said = String::from_utf8_lossy(&output.stderr);
                Fault::Failed(format!(
                    "cargo metadata does not name the target folder:\n{}",
                    said.trim_end()
                ))
            })
    }
}

fn describes_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || name.starts_with("CARGO_BIN_")
        || name == "CARGO_CRATE_NAME"
}

/// The first string value of `key`. `cargo metadata` writes compact JSON; backslash escapes are the only ones a path can hold.
fn json_string(json: &str, key: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{key}\":\""))?;
    let mut value = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

/// The version a `major.minor[.patch]` text starts with.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor: String = numbers
        .next()?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Some((major, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_read_from_compact_json() {
        let json = r#"{"packages":[],"target_directory":"C:\\w \"x\"\\target","version":1}"#;
        assert_eq!(
            json_string(json, "target_directory").unwrap(),
            r#"C:\w "x"\target"#
        );
        assert_eq!(json_string(json, "absent"), None);
    }

    #[test]
    fn versions_are_compared_by_their_first_two_numbers() {
        assert_eq!(version("1.95.0"), Some((1, 95)));
        assert_eq!(version("1.26rc1"), Some((1, 26)));
        assert_eq!(version("devel"), None);
    }

    #[test]
    fn only_the_outer_packages_description_is_dropped() {
        assert!(describes_package(OsStr::new("CARGO_PKG_NAME")));
        assert!(!describes_package(OsStr::new("CARGO_TARGET_DIR")));
        assert!(!describes_package(OsStr::new("CARGO_HOME")));
    }
}
