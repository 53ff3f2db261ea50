//! What an installed part consists of, recorded at its installation and compared ever after: every file's size, every program's checksum.
//! It does not run the part and does not repair it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::fault::Fault;

use super::pins::{Part, SEED, checksum};
use super::place::remove;

/// How a part is found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Never installed with these pins, or its installation was interrupted.
    Absent,
    /// Installed, and changed since; the text names the first difference.
    Broken(String),
    Ready,
}

/// The record's name in the part's own folder.
const RECORD: &str = "manifest";

/// Takes the record away before anything else of the part is touched.
pub(crate) fn forget(home: &Path) -> Result<(), Fault> {
    remove(&home.join(RECORD))
}

/// Records what is there now. Last act of an installation; the rename makes it all or nothing.
pub(crate) fn record(part: &Part, home: &Path) -> Result<(), Fault> {
    let path = home.join(RECORD);
    let text = describe(part, home).map_err(Fault::at("read", home))?;
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text).map_err(Fault::at("write", &fresh))?;
    std::fs::rename(&fresh, &path).map_err(Fault::at("write", &path))
}

pub(crate) fn state(part: &Part, home: &Path) -> State {
    let Ok(recorded) = std::fs::read_to_string(home.join(RECORD)) else {
        return State::Absent;
    };
    if recorded.lines().next() != Some(headline(part).as_str()) {
        return State::Absent;
    }
    if let Some(program) = part
        .programs
        .iter()
        .find(|program| !home.join(program).is_file())
    {
        return State::Broken(format!("is missing its program {program}"));
    }
    let Ok(now) = describe(part, home) else {
        return State::Broken("cannot be read".to_owned());
    };
    match difference(&recorded, &now) {
        Some(difference) => State::Broken(difference),
        None => State::Ready,
    }
}

fn headline(part: &Part) -> String {
    format!("{} {} {:016x}", part.name, part.version, part.key())
}

fn difference(recorded: &str, now: &str) -> Option<String> {
    if recorded == now {
        return None;
    }
    let (before, after): (BTreeSet<_>, BTreeSet<_>) =
        (recorded.lines().collect(), now.lines().collect());
    let named = |line: &&str| line.splitn(3, ' ').nth(2).unwrap_or(line).to_owned();
    let gone = before
        .difference(&after)
        .next()
        .map(|line| format!("has changed or lost {}", named(line)));
    gone.or_else(|| {
        after
            .difference(&before)
            .next()
            .map(|line| format!("has a foreign file {}", named(line)))
    })
}

fn describe(part: &Part, home: &Path) -> std::io::Result<String> {
    let mut files = Vec::new();
    walk(home, &mut files)?;
    let records = [home.join(RECORD), home.join(RECORD).with_extension("new")];
    files.retain(|file| !records.contains(file));
    files.sort();
    let mut text = headline(part);
    text.push('\n');
    for file in files {
        let name = file
            .strip_prefix(home)
            .unwrap_or(&file)
            .to_string_lossy()
            .replace('\\', "/");
        let program = part.programs.contains(&name.as_str()) && !file.is_symlink();
        let sum = if program {
            format!("{:016x}", checksum(SEED, &std::fs::read(&file)?))
        } else {
            "-".to_owned()
        };
        let size = std::fs::metadata(&file).map(|found| found.len())?;
        let _infallible = writeln!(text, "{size} {sum} {name}");
    }
    Ok(text)
}

/// Compiled Python comes and goes as programs run and is no part of the installation.
fn walk(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_symlink() || !path.is_dir() {
        if !path.is_dir() {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() != "__pycache__" {
            walk(&entry.path(), files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::pins::Source;
    use super::*;

    const PART: Part = Part {
        name: "thing",
        version: "1.0.0",
        source: Source::Crate,
        programs: &["thing/bin/thing"],
        probe: ("thing/bin/thing", &[]),
        cost: "",
    };

    struct Folder(PathBuf);

    impl Folder {
        fn installed(name: &str) -> Self {
            let root = std::env::temp_dir()
                .join(format!("fractal-manifest-{name}-{}", std::process::id()));
            std::fs::create_dir_all(root.join("thing/bin")).unwrap();
            std::fs::write(root.join("thing/bin/thing"), "program").unwrap();
            std::fs::write(root.join("thing/library"), "library").unwrap();
            record(&PART, &root).unwrap();
            Self(root)
        }

        fn broken(&self) -> String {
            match state(&PART, &self.0) {
                State::Broken(why) => why,
                other => panic!("{other:?}"),
            }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn what_was_installed_is_ready_and_compiled_python_is_not_looked_at() {
        let folder = Folder::installed("ready");
        std::fs::create_dir(folder.0.join("thing/__pycache__")).unwrap();
        std::fs::write(folder.0.join("thing/__pycache__/x.pyc"), "x").unwrap();
        assert_eq!(state(&PART, &folder.0), State::Ready);
    }

    #[test]
    fn a_removed_program_is_named() {
        let folder = Folder::installed("removed");
        std::fs::remove_file(folder.0.join("thing/bin/thing")).unwrap();
        assert!(folder.broken().contains("thing/bin/thing"));
    }

    #[test]
    fn a_changed_program_of_the_same_size_a_lost_file_and_a_foreign_one_are_named() {
        let folder = Folder::installed("changed");
        std::fs::write(folder.0.join("thing/bin/thing"), "prograM").unwrap();
        assert!(folder.broken().contains("thing/bin/thing"));
        std::fs::write(folder.0.join("thing/bin/thing"), "program").unwrap();
        std::fs::write(folder.0.join("thing/foreign"), "").unwrap();
        assert!(folder.broken().contains("foreign file thing/foreign"));
        std::fs::remove_file(folder.0.join("thing/foreign")).unwrap();
        std::fs::remove_file(folder.0.join("thing/library")).unwrap();
        assert!(folder.broken().contains("thing/library"));
    }

    #[test]
    fn without_a_record_or_with_other_pins_it_is_absent() {
        let folder = Folder::installed("absent");
        let newer = Part {
            version: "1.0.1",
            source: Source::Crate,
            ..PART
        };
        assert_eq!(state(&newer, &folder.0), State::Absent);
        forget(&folder.0).unwrap();
        assert_eq!(state(&PART, &folder.0), State::Absent);
    }
}
