//! Paths of entries: checked once, so that no reader could put a file outside its folder or under two names.

use super::error::BundleError;
use super::{COMPONENT_MAX, DEPTH_MAX, PATH_MAX};

/// The folder whose files a bundle is made of.
pub(super) const ROOT: &str = ".fractal";

/// A path as text for a message: escaped and cut.
pub(super) fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path.get(..96).unwrap_or(path));
    let cut = if path.len() > 96 { "…" } else { "" };
    format!("{}{cut}", text.escape_debug())
}

pub(super) const fn within(what: &'static str, found: u64, max: u64) -> Result<(), BundleError> {
    if found > max {
        Err(BundleError::TooLarge { what, found, max })
    } else {
        Ok(())
    }
}

/// A checked path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// Without `.` parts and without a slash at the end; empty for the archive's own folder.
    pub(super) plain: Box<str>,
    /// Whether it ended with a slash, which names a folder.
    pub(super) slash: bool,
}

impl Path {
    pub(super) fn parse(path: &[u8]) -> Result<Self, BundleError> {
        within("bytes in one path", path.len() as u64, PATH_MAX as u64)?;
        let refuse = |problem| BundleError::Path {
            name: shown(path),
            problem,
        };
        let text = std::str::from_utf8(path).map_err(|_| refuse("is not UTF-8"))?;
        if let Some(problem) = unsafe_whole(text) {
            return Err(refuse(problem));
        }
        let (body, slash) = match text.strip_suffix('/') {
            Some(body) => (body, true),
            None => (text, false),
        };
        within(
            "levels of folders",
            body.split('/').count() as u64,
            DEPTH_MAX as u64,
        )?;
        let mut parts = Vec::new();
        for part in body.split('/') {
            within(
                "bytes in one part of a path",
                part.len() as u64,
                COMPONENT_MAX as u64,
            )?;
            match part {
                ".." => return Err(refuse("leaves its folder")),
                "" => return Err(refuse("has an empty part")),
                "." => {}
                part => parts.push(part),
            }
        }
        Ok(Self {
            plain: parts.join("/").into(),
            slash,
        })
    }

    /// The path below `.fractal/`, where it is there.
    pub(super) fn below_root(&self) -> Option<&str> {
        self.plain.strip_prefix(ROOT)?.strip_prefix('/')
    }
}

fn unsafe_whole(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("has no name");
    }
    if text.chars().any(char::is_control) {
        return Some("holds a control character");
    }
    if text.contains('\\') {
        return Some("has a backslash, which only Windows takes for a separator");
    }
    let drive = matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    (text.starts_with('/') || drive).then_some("is an absolute path")
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Whether a path names a YAML file. AppleDouble files, which tar on macOS puts beside each file, only look so.
pub(super) fn is_yaml(path: &str) -> bool {
    let name = file_name(path);
    !name.starts_with("._") && (name.ends_with(".yaml") || name.ends_with(".yml"))
}

/// Whether a name holds combining accents: the same name has a second spelling then, with composed letters.
pub(super) fn is_decomposed(path: &str) -> bool {
    path.chars()
        .any(|c| matches!(c, '\u{300}'..='\u{36f}' | '\u{3099}' | '\u{309a}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z01_paths_that_leave_the_folder_are_refused() {
        for path in [
            "../x",
            "a/../../x",
            "/etc/x",
            "C:\\x",
            "c:x",
            "a\\..\\b",
            "..",
            "//host/x",
            "a//b",
            "",
            "/",
            "a\0b",
            "a\nb",
            "a//",
            "\u{7f}",
        ] {
            let refused = Path::parse(path.as_bytes());
            assert!(matches!(refused, Err(BundleError::Path { .. })), "{path:?}");
        }
        let refused = Path::parse(b"\xff").unwrap_err();
        assert!(refused.to_string().ends_with("which is not UTF-8"));
    }

    #[test]
    fn plain_paths_are_taken_without_their_dots() {
        for (path, plain, slash) in [
            (".fractal/a.yaml", ".fractal/a.yaml", false),
            ("./.fractal/./a.yaml", ".fractal/a.yaml", false),
            ("./", "", true),
            (".", "", false),
            ("..a/b../", "..a/b..", true),
            ("é/ß", "é/ß", false),
        ] {
            let plain = plain.into();
            assert_eq!(Path::parse(path.as_bytes()), Ok(Path { plain, slash }));
        }
    }

    #[test]
    fn z06_caps_on_paths_hold_at_the_limit_and_not_above() {
        let long = |length: usize| {
            let mut path = "abcdefg/".repeat(length / 8);
            path.push_str(&"x".repeat(length % 8));
            path
        };
        let deep = |levels: usize| vec!["d"; levels].join("/");
        let folders = |length: usize| {
            let part = "p".repeat(250);
            let path = [&*part; 5].join("/");
            path.chars().take(length).collect::<String>()
        };
        for (path, taken) in [
            (folders(1024), true),
            (folders(1025), false),
            ("c".repeat(255), true),
            ("c".repeat(256), false),
            (deep(32), true),
            (deep(33), false),
            (long(2000), false),
        ] {
            let found = Path::parse(path.as_bytes());
            assert_eq!(found.is_ok(), taken, "{} bytes", path.len());
            assert!(taken || matches!(found, Err(BundleError::TooLarge { .. })));
        }
    }

    #[test]
    fn yaml_files_are_told_by_their_name_alone() {
        for (path, yaml) in [
            ("a.yaml", true),
            ("b/c.yml", true),
            ("._a.yaml", false),
            ("b/._c.yml", false),
            ("a.YAML", false),
            ("a.json", false),
        ] {
            assert_eq!(is_yaml(path), yaml, "{path}");
        }
        assert!(is_decomposed("e\u{301}.yaml") && !is_decomposed("é.yaml"));
    }
}
