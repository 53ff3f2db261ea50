//! `entry_points.txt`: groups of names, each with the object it stands for, read as Python's own `importlib.metadata` reads it.

use std::collections::BTreeMap;

use super::error::WheelError;
use crate::wheel::scan::shown;

/// Group, then name, then `module:function`.
pub(super) type EntryPoints = BTreeMap<Box<str>, BTreeMap<Box<str>, Box<str>>>;

const FILE: &str = "entry_points.txt";

/// Reads the file.
///
/// Lines are taken without the spaces around them: there are no continued lines. Extras (`module:function [extra]`) are left out.
pub(super) fn parse(bytes: &[u8]) -> Result<EntryPoints, WheelError> {
    let malformed = |what: String| WheelError::Metadata { file: FILE, what };
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".into()))?;
    let mut groups = EntryPoints::new();
    let mut group: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let refuse = |what: &str| malformed(format!("line {} {what}", index + 1));
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let name = header.strip_suffix(']').map(str::trim);
            let name = name
                .filter(|name| !name.is_empty() && !name.contains(['[', ']']))
                .ok_or_else(|| refuse("is no `[group]`"))?;
            if groups.contains_key(name) {
                return Err(refuse(&format!("begins the group `{}` again", shown(name))));
            }
            groups.insert(name.into(), BTreeMap::new());
            group = Some(name);
            continue;
        }
        let (name, object) = line
            .split_once('=')
            .map(|(name, object)| (name.trim(), object.trim()))
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| refuse("is no `name = module:function`"))?;
        let object = object_of(object).ok_or_else(|| refuse("names no `module:function`"))?;
        let entries = group
            .and_then(|group| groups.get_mut(group))
            .ok_or_else(|| refuse("stands before any `[group]`"))?;
        if entries.insert(name.into(), object.into()).is_some() {
            return Err(refuse(&format!("declares `{}` again", shown(name))));
        }
    }
    Ok(groups)
}

/// The object without its extras: a module, or a module and an attribute.
fn object_of(text: &str) -> Option<&str> {
    let object = match text.split_once('[') {
        Some((object, extras)) if extras.ends_with(']') => object.trim_end(),
        Some(_) => return None,
        None => text,
    };
    let mut parts = object.split(':').map(str::trim);
    let (module, attribute) = (parts.next()?, parts.next());
    let fits = is_dotted(module) && attribute.is_none_or(is_dotted) && parts.next().is_none();
    (fits && !object.contains(' ')).then_some(object)
}

fn is_dotted(text: &str) -> bool {
    text.split('.').all(|part| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_names_and_objects_are_read() {
        let text = "\n# by hand\n[console_scripts]\n  etl = etl.jobs:main\n; no\netl-two=etl:Jobs.two [fast, s3]\n\n[ fractal.jobs ]\r\nEtl = etl_x.y\r\n";
        let groups = parse(text.as_bytes()).unwrap();
        let group = |pairs: &[(&str, &str)]| -> BTreeMap<Box<str>, Box<str>> {
            pairs
                .iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect()
        };
        let expected: EntryPoints = [
            (
                "console_scripts".into(),
                group(&[("etl", "etl.jobs:main"), ("etl-two", "etl:Jobs.two")]),
            ),
            ("fractal.jobs".into(), group(&[("Etl", "etl_x.y")])),
        ]
        .into();
        assert_eq!(groups, expected);
        assert_eq!(parse(b""), Ok(EntryPoints::new()));
    }

    #[test]
    fn z15_malformed_lines_are_refused_by_number() {
        for (text, what) in [
            ("etl = a:b", "line 1 stands before any `[group]`"),
            ("[g]\n\n[g", "line 3 is no `[group]`"),
            ("[]", "line 1 is no `[group]`"),
            ("[g]\na", "line 2 is no `name = module:function`"),
            ("[g]\n= a:b", "line 2 is no `name = module:function`"),
            ("[g]\na = b\na = b", "line 3 declares `a` again"),
            ("[g]\n[h]\n[g]", "line 3 begins the group `g` again"),
            ("[g]\na = b:c:d", "line 2 names no `module:function`"),
            ("[g]\na = os; import x", "line 2 names no `module:function`"),
            ("[g]\na = ../x:y", "line 2 names no `module:function`"),
            ("[g]\na = b:c [x", "line 2 names no `module:function`"),
            ("[g]\na = 1b:c", "line 2 names no `module:function`"),
            ("[g]\na =", "line 2 names no `module:function`"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("`entry_points.txt` is malformed: {what}"));
        }
    }
}
