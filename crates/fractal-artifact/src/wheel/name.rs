//! A wheel's file name (PEP 427): `NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl`.

use super::error::WheelNameError;
use super::tags::Tags;
use super::version;

/// Longest file name in bytes, on every file system and volume in use.
const NAME_MAX: usize = 255;

/// A wheel's file name. It holds ASCII letters, digits and `._+!-` only, so it is safe as a file name anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WheelName {
    text: Box<str>,
    name: Box<str>,
    version: Box<str>,
    build: Option<Box<str>>,
    tags: Box<str>,
}

impl WheelName {
    /// Parses a plain file name, without folders.
    ///
    /// # Errors
    /// Where it is none that a wheel may have.
    pub fn parse(text: &str) -> Result<Self, WheelNameError> {
        if text.contains(['/', '\\', '\0']) || text.len() > NAME_MAX {
            return Err(WheelNameError::Path);
        }
        let stem = text.strip_suffix(".whl").ok_or(WheelNameError::Extension)?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, build, tags) = match parts.as_slice() {
            [name, version, tags @ ..] if tags.len() == 3 => (name, version, None, tags),
            [name, version, build, tags @ ..] if tags.len() == 3 => {
                (name, version, Some(*build), tags)
            }
            other => return Err(WheelNameError::Parts(other.len())),
        };
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !is_of(name, "._") {
            return Err(WheelNameError::Part("name"));
        }
        // A version begins with a digit (PEP 440): a hyphen in the name is told by that.
        if !version.starts_with(|c: char| c.is_ascii_digit()) || !is_of(version, "._!+") {
            return Err(WheelNameError::Part("version"));
        }
        let digit = |build: &str| build.starts_with(|c: char| c.is_ascii_digit());
        if build.is_some_and(|build| !digit(build) || !is_of(build, "._")) {
            return Err(WheelNameError::Part("build number"));
        }
        if tags.iter().any(|tag| !is_of(tag, "._")) {
            return Err(WheelNameError::Part("compatibility tag"));
        }
        Ok(Self {
            text: text.into(),
            name: (*name).into(),
            version: (*version).into(),
            build: build.map(Into::into),
            tags: tags.join("-").into(),
        })
    }

    /// The whole file name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The distribution's name as the file name spells it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version as the file name spells it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The build number, where it has one.
    #[must_use]
    pub fn build(&self) -> Option<&str> {
        self.build.as_deref()
    }

    /// `python-abi-platform`.
    #[must_use]
    pub fn tags(&self) -> &str {
        &self.tags
    }

    /// Whether this is a file name of the distribution `name` at `version`, however either is spelled.
    #[must_use]
    pub fn is_of(&self, name: &str, version: &str) -> bool {
        normal(&self.name) == normal(name)
            && version::of_file_name(&self.version)
                .is_some_and(|own| version::canonical(version) == Some(own))
    }

    pub(super) fn has_tags(&self, tags: &Tags) -> bool {
        Tags::parse([&*self.tags].into_iter()).as_ref() == Some(tags)
    }
}

fn is_of(text: &str, more: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
    !text.is_empty() && text.chars().all(fits)
}

/// A distribution's name in the one spelling that all its spellings have in common (PEP 503).
pub(super) fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            c => normal.push(c.to_ascii_lowercase()),
        }
    }
    normal
}

/// Whether a text may be a distribution's name (PEP 508).
pub(super) fn is_distribution(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    is_of(name, "-_.") && edge(name.chars().next()) && edge(name.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_pep_427_writes_them() {
        let name =
            WheelName::parse("my_etl-2.0.1+local-1abc-cp311-cp311-manylinux_2_17_x86_64.whl");
        let name = name.unwrap();
        assert_eq!((name.name(), name.version()), ("my_etl", "2.0.1+local"));
        assert_eq!(name.build(), Some("1abc"));
        assert_eq!(name.tags(), "cp311-cp311-manylinux_2_17_x86_64");
        assert!(name.is_of("My.ETL", "2.0.1+LOCAL") && !name.is_of("my-etl", "2.0.1"));
        let name = WheelName::parse("etl-1.0_1-py2.py3-none-any.whl").unwrap();
        assert!(name.is_of("etl", "1.0.post1") && !name.is_of("etl2", "1.0.post1"));
        assert!(name.has_tags(&Tags::parse(["py3-none-any", "py2-none-any"].into_iter()).unwrap()));
    }

    #[test]
    fn z16_other_names_are_refused() {
        use WheelNameError::{Extension, Part, Parts, Path};
        for (name, error) in [
            ("etl-2.0-py3-none-any.zip", Extension),
            ("etl.whl", Parts(1)),
            ("my-etl-2.0-py3-none-any.whl", Part("version")),
            ("etl-2.0-a1-py3-none-any.whl", Part("build number")),
            ("-2.0-py3-none-any.whl", Part("name")),
            (".etl-2.0-py3-none-any.whl", Part("name")),
            ("étl-2.0-py3-none-any.whl", Part("name")),
            ("etl-2 0-py3-none-any.whl", Part("version")),
            ("etl-2.0-py3--any.whl", Part("compatibility tag")),
            ("../etl-2.0-py3-none-any.whl", Path),
            ("a\\etl-2.0-py3-none-any.whl", Path),
            ("etl-2.0-py3-none-any\0.whl", Path),
        ] {
            assert_eq!(WheelName::parse(name), Err(error), "{name}");
        }
        let long = format!("{}-2.0-py3-none-any.whl", "e".repeat(255));
        assert_eq!(WheelName::parse(&long), Err(Path));
    }

    #[test]
    fn spellings_of_one_name_are_one() {
        assert_eq!(normal("My--Etl._x"), "my-etl-x");
        assert!(is_distribution("a") && is_distribution("A-b_c.d1"));
        for name in ["", "-a", "a-", "a b", "a/b", "é", ".a"] {
            assert!(!is_distribution(name), "{name}");
        }
    }
}
