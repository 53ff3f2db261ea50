//! Python environments: one per part, every file's hash checked by pip. Wheels only, except where a part says that it is published as a source archive.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::Fault;
use crate::workspace::version;

use super::install::Site;

/// The oldest Python the pinned wheels are resolved for.
const PYTHON: (u32, u32) = (3, 11);

/// The user's settings that would make pip or Python look elsewhere than in the new environment.
const MISLEADING: &[&str] = &[
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
    "PIP_TARGET",
    "PIP_USER",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
];

/// Prints its version and where it really is: a shim on PATH may depend on the home it was made in.
const QUESTION: &str =
    "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2]); print(sys.executable)";

/// What an environment consists of.
#[derive(Debug)]
pub(crate) struct Environment {
    /// Wheels, with every hash.
    pub(crate) wheels: &'static str,
    /// Source archives, with their hashes, built by what `wheels` brought. Empty for most.
    pub(crate) archives: &'static str,
}

pub(crate) fn install(site: &Site, folder: &Path, environment: &Environment) -> Result<(), Fault> {
    let mut venv = tool(site, &interpreter()?);
    venv.args(["-m", "venv", "--clear"]).arg(folder);
    site.finish(venv)?;
    pip(
        site,
        folder,
        environment.wheels,
        &["--only-binary", ":all:"],
    )?;
    if environment.archives.is_empty() {
        return Ok(());
    }
    let built_here = ["--no-binary", ":all:", "--no-build-isolation"];
    pip(site, folder, environment.archives, &built_here)
}

fn pip(site: &Site, folder: &Path, requirements: &str, forms: &[&str]) -> Result<(), Fault> {
    let listed = site.scratch.join("requirements.txt");
    std::fs::write(&listed, requirements).map_err(Fault::at("write", &listed))?;
    let mut pip = tool(site, &folder.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--no-cache-dir",
        "--disable-pip-version-check",
    ])
    .args(forms)
    .args(["--no-deps", "--require-hashes", "--requirement"])
    .arg(&listed)
    .env("TMPDIR", &site.scratch);
    site.finish(pip)
}

fn tool(site: &Site, program: &Path) -> Command {
    let mut command = site.tool(program);
    for name in MISLEADING {
        command.env_remove(name);
    }
    command
}

fn interpreter() -> Result<PathBuf, Fault> {
    let mut found = Vec::new();
    for name in [
        "python3",
        "python3.13",
        "python3.12",
        "python3.11",
        "python",
    ] {
        let mut command = Command::new(name);
        for misleading in MISLEADING {
            command.env_remove(misleading);
        }
        let Ok(output) = command.args(["-c", QUESTION]).output() else {
            continue;
        };
        match answered(&String::from_utf8_lossy(&output.stdout)) {
            Some((release, path)) if release >= PYTHON => return Ok(path),
            Some(((major, minor), _)) => found.push(format!("{name} is {major}.{minor}")),
            None => found.push(format!("{name} has no venv")),
        }
    }
    let found = if found.is_empty() {
        "there is none on PATH".to_owned()
    } else {
        found.join(", ")
    };
    Err(Fault::Machine(vec![format!(
        "Python 3.11 or later with venv, for the tests only ({found}): Debian and Ubuntu: apt install python3 python3-venv; \
         Fedora: dnf install python3; macOS: brew install python"
    )]))
}

fn answered(said: &str) -> Option<((u32, u32), PathBuf)> {
    let mut lines = said.lines();
    let release = version(lines.next()?)?;
    let path = lines.next().filter(|path| !path.is_empty())?;
    Some((release, PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_answers_with_version_and_place() {
        assert_eq!(
            answered("3.11\n/usr/bin/python3\n"),
            Some(((3, 11), PathBuf::from("/usr/bin/python3")))
        );
        assert_eq!(answered("3.9\n/usr/bin/python3\n").unwrap().0, (3, 9));
        assert_eq!(answered("3.11\n"), None);
        assert_eq!(answered(""), None);
    }
}
