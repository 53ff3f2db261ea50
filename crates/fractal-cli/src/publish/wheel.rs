//! Wheels, as far as publishing has to know them: the file's name and the metadata that installers look for (PEP 427).

use std::path::Path;

use fractal_core::artifact::ZipFacts;
use fractal_core::fault::chain;
use fractal_core::{Fault, Reason};

const WHEEL_NAME: Reason = Reason::new("WheelNameInvalid");
const WHEEL_INVALID: Reason = Reason::new("WheelInvalid");
/// What every wheel has in its `.dist-info` folder.
const METADATA: [&str; 3] = ["METADATA", "WHEEL", "RECORD"];

/// Why a file's name is no wheel's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrongName {
    /// It does not end in `.whl`.
    #[error("it does not end in .whl")]
    Extension,
    /// Not five or six parts between hyphens.
    #[error(
        "it has {0} parts between hyphens, a wheel's name has five, or six with a build number"
    )]
    Parts(usize),
    /// A part holds a character it may not, or nothing.
    #[error("its {0} is empty or holds a character that it may not")]
    Part(&'static str),
}

/// Checks the wheel at `path`, whose directory is `facts`.
pub(super) fn check(path: &Path, facts: &ZipFacts) -> Result<(), Fault> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let release = release(&name).map_err(|error| {
        Fault::terminal(WHEEL_NAME, "the file's name is no wheel's")
            .at(path.display())
            .because(chain(&error))
            .next("keep the name the build gave it: NAME-VERSION-PYTHON-ABI-PLATFORM.whl")
    })?;
    let folder = dist_info(facts, &release);
    let missing = METADATA
        .iter()
        .find(|file| !folder.is_some_and(|folder| facts.has(&format!("{folder}/{file}"))));
    match missing {
        None => Ok(()),
        Some(file) => Err(
            Fault::terminal(WHEEL_INVALID, "the file is no wheel that installs")
                .at(path.display())
                .because(format!("it has no {release}.dist-info/{file}"))
                .next("build the wheel again, for example with `python -m build --wheel`"),
        ),
    }
}

/// The folder of the metadata. Case, dots and underscores of its name may differ from the file's (PEP 503, PEP 625).
fn dist_info<'a>(facts: &'a ZipFacts, release: &str) -> Option<&'a str> {
    let folders = facts.names.iter().filter_map(|name| name.split('/').next());
    folders
        .filter_map(|folder| Some((folder, folder.strip_suffix(".dist-info")?)))
        .find(|(_, name)| folded(name) == folded(release))
        .map(|(folder, _)| folder)
}

fn folded(name: &str) -> String {
    let one = |c: char| {
        if matches!(c, '_' | '.') {
            '-'
        } else {
            c.to_ascii_lowercase()
        }
    };
    name.chars().map(one).collect()
}

/// `NAME-VERSION` of a wheel's file name.
fn release(name: &str) -> Result<String, WrongName> {
    let stem = name.strip_suffix(".whl").ok_or(WrongName::Extension)?;
    let parts: Vec<&str> = stem.split('-').collect();
    let (name, version, build, tags) = match parts.as_slice() {
        [name, version, tags @ ..] if tags.len() == 3 => (name, version, None, tags),
        [name, version, build, tags @ ..] if tags.len() == 3 => (name, version, Some(build), tags),
        other => return Err(WrongName::Parts(other.len())),
    };
    let is_of = |text: &str, more: &str| {
        let fits = |c: char| c.is_alphanumeric() || c == '_' || more.contains(c);
        !text.is_empty() && text.chars().all(fits)
    };
    if !is_of(name, ".") {
        return Err(WrongName::Part("name"));
    }
    // A version begins with a digit (PEP 440): a hyphen in the name is told by that.
    if !version.starts_with(|c: char| c.is_ascii_digit()) || !is_of(version, ".!+") {
        return Err(WrongName::Part("version"));
    }
    if build.is_some_and(|build| !build.starts_with(|c: char| c.is_ascii_digit())) {
        return Err(WrongName::Part("build number"));
    }
    if tags.iter().any(|tag| !is_of(tag, ".")) {
        return Err(WrongName::Part("compatibility tag"));
    }
    Ok(format!("{name}-{version}"))
}

#[cfg(test)]
mod tests {
    use fractal_core::artifact::{Descriptor, Digest};

    use super::*;

    #[test]
    fn names_are_read_as_pep_427_writes_them() {
        let check = |name: &str, expected: Result<&str, WrongName>| {
            assert_eq!(release(name), expected.map(str::to_owned), "{name}");
        };
        check("etl-2.0-py3-none-any.whl", Ok("etl-2.0"));
        check(
            "my_etl-2.0.1+local-1abc-cp311-cp311-manylinux_2_17_x86_64.whl",
            Ok("my_etl-2.0.1+local"),
        );
        check("etl-2.0-py3-none-any.zip", Err(WrongName::Extension));
        check("etl.whl", Err(WrongName::Parts(1)));
        check(
            "my-etl-2.0-py3-none-any.whl",
            Err(WrongName::Part("version")),
        );
        check(
            "etl-2.0-a1-py3-none-any.whl",
            Err(WrongName::Part("build number")),
        );
        check("-2.0-py3-none-any.whl", Err(WrongName::Part("name")));
        check("etl-2 0-py3-none-any.whl", Err(WrongName::Part("version")));
        check(
            "etl-2.0-py3--any.whl",
            Err(WrongName::Part("compatibility tag")),
        );
    }

    fn facts(names: &[&str]) -> ZipFacts {
        let mut names: Vec<Box<str>> = names.iter().map(|name| Box::from(*name)).collect();
        names.sort();
        ZipFacts {
            layer: Descriptor::new("x", Digest::sha256(""), 0),
            unpacked: 0,
            names,
        }
    }

    #[test]
    fn what_installers_look_for_has_to_be_there() {
        let path = Path::new("My.Etl-2.0-py3-none-any.whl");
        let whole = [
            "my_etl-2.0.dist-info/METADATA",
            "my_etl-2.0.dist-info/RECORD",
            "my_etl-2.0.dist-info/WHEEL",
        ];
        assert_eq!(check(path, &facts(&whole)), Ok(()));
        let because = |names: &[&str]| check(path, &facts(names)).unwrap_err().why.unwrap();
        assert_eq!(because(&whole[..2]), "it has no My.Etl-2.0.dist-info/WHEEL");
        assert_eq!(
            because(&["other-2.0.dist-info/METADATA"]),
            "it has no My.Etl-2.0.dist-info/METADATA"
        );
    }
}
