//! Names of entries: checked once, so that no target unpacks a file outside its folder or under two names.

use std::cmp::Ordering;

use super::error::ZipError;
use super::limits::Limits;

/// A name as text for a message: escaped and cut.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name.get(..96).unwrap_or(name));
    let cut = if name.len() > 96 { "…" } else { "" };
    format!("{}{cut}", text.escape_debug())
}

/// Checks a name and gives it back as text.
pub(super) fn check<'a>(name: &'a [u8], limits: &Limits) -> Result<&'a str, ZipError> {
    Limits::check("bytes in one name", name.len() as u64, limits.name as u64)?;
    let refuse = |problem| {
        Err(ZipError::Name {
            name: shown(name),
            problem,
        })
    };
    let Ok(text) = std::str::from_utf8(name) else {
        return refuse("is not UTF-8");
    };
    if text.is_empty() {
        return refuse("has no name");
    }
    if text.chars().any(char::is_control) {
        return refuse("holds a control character");
    }
    if text.contains('\\') {
        return refuse("has a backslash, which only Windows takes for a separator");
    }
    if text.starts_with('/')
        || matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
    {
        return refuse("is an absolute path");
    }
    let parts = text.strip_suffix('/').unwrap_or(text).split('/');
    if !text.ends_with('/') && parts.clone().all(|part| part == ".") {
        return refuse("has no name");
    }
    Limits::check(
        "levels of folders",
        parts.clone().count() as u64,
        limits.depth as u64,
    )?;
    for part in parts {
        Limits::check(
            "bytes in one part of a name",
            part.len() as u64,
            limits.component as u64,
        )?;
        match part {
            ".." => return refuse("leaves its folder"),
            "" => return refuse("has an empty part"),
            _ => {}
        }
    }
    Ok(text)
}

/// The path a checked name unpacks to: without `.` parts and without the slash that marks a folder.
pub(super) fn path(name: Box<str>) -> Box<str> {
    let plain = name.strip_suffix('/').unwrap_or(&name);
    if plain.split('/').any(|part| part == ".") {
        return plain
            .split('/')
            .filter(|part| *part != ".")
            .collect::<Vec<_>>()
            .join("/")
            .into();
    }
    if plain.len() == name.len() {
        name
    } else {
        plain.into()
    }
}

/// Orders paths so that those a case-insensitive file system takes for the same are equal.
pub(super) fn fold(a: &str, b: &str) -> Ordering {
    let lower = |text: &str| {
        text.chars()
            .flat_map(char::to_lowercase)
            .collect::<Box<[char]>>()
    };
    if a.is_ascii() && b.is_ascii() {
        let (a, b) = (
            a.bytes().map(|b| b.to_ascii_lowercase()),
            b.bytes().map(|b| b.to_ascii_lowercase()),
        );
        return a.cmp(b);
    }
    lower(a).cmp(&lower(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z01_z12_names_that_leave_the_folder_are_refused() {
        for name in [
            "../x",
            "a/../../x",
            "/etc/x",
            "C:\\x",
            "c:x",
            "a\\..\\b",
            "..",
            "\\\\host\\share\\x",
            "//host/share/x",
            "a//b",
            "",
            "/",
            ".",
            "./.",
            "a\0b",
            "a\nb",
        ] {
            assert!(
                matches!(
                    check(name.as_bytes(), &Limits::FUNCTION),
                    Err(ZipError::Name { .. })
                ),
                "{name:?}"
            );
        }
        assert!(matches!(
            check(b"\xff", &Limits::FUNCTION),
            Err(ZipError::Name {
                problem: "is not UTF-8",
                ..
            })
        ));
    }

    #[test]
    fn plain_names_are_taken_and_normalised() {
        for (name, expected) in [
            ("a/b.py", "a/b.py"),
            ("./a/./b", "a/b"),
            ("dir/", "dir"),
            ("./", ""),
            ("..a/b..", "..a/b.."),
            ("é/ß", "é/ß"),
        ] {
            let text = check(name.as_bytes(), &Limits::FUNCTION).unwrap();
            assert_eq!(&*path(text.into()), expected);
        }
    }

    #[test]
    fn z06_name_caps_hold_at_the_limit_and_not_above() {
        let limits = Limits {
            name: 12,
            component: 4,
            depth: 3,
            ..Limits::FUNCTION
        };
        for (name, ok) in [
            ("aaaa/bbbb/cc", true),
            ("aaaa/bbbb/ccc", false),
            ("aaa", true),
            ("aaaa", true),
            ("aaaaa", false),
            ("a/b", true),
            ("a/b/c", true),
            ("a/b/c/", true),
            ("a/b/c/d", false),
        ] {
            let found = check(name.as_bytes(), &limits);
            assert_eq!(found.is_ok(), ok, "{name}");
            assert!(
                ok || matches!(found, Err(ZipError::TooLarge { .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn z08_folding_ignores_case_beyond_ascii() {
        assert_eq!(fold("A/b", "a/B"), Ordering::Equal);
        assert_eq!(fold("É", "é"), Ordering::Equal);
        assert_ne!(fold("a", "b"), Ordering::Equal);
    }

    #[test]
    fn long_names_are_cut_and_escaped_in_messages() {
        assert_eq!(shown(b"a\n\xff"), "a\\n\u{fffd}");
        assert_eq!(shown(&[b'x'; 200]).chars().count(), 97);
    }
}
