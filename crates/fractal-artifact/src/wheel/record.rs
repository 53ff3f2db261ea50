//! `RECORD`: the list of a wheel's files with their hashes and sizes, held against the files themselves.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::error::WheelError;
use super::file::Unpacked;
use super::scan::shown;

/// Signatures of `RECORD`, which it cannot list.
const SIGNATURES: [&str; 2] = ["RECORD.jws", "RECORD.p7s"];

/// Checks that `record`, the `RECORD` of `folder`, says of `files` (sorted by name) what is so, and names all of them.
pub(super) fn check(record: &[u8], folder: &str, files: &[Unpacked]) -> Result<(), WheelError> {
    let untrue = |what: String| WheelError::Record { what };
    let text = std::str::from_utf8(record).map_err(|_| untrue("it is not UTF-8".into()))?;
    let is_own = |path: &str, names: &[&str]| {
        let name = path
            .strip_prefix(folder)
            .and_then(|rest| rest.strip_prefix('/'));
        name.is_some_and(|name| names.contains(&name))
    };
    let mut listed = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() {
            continue;
        }
        let row = Row::parse(line)
            .ok_or_else(|| untrue(format!("line {} is no `path,hash,size`", index + 1)))?;
        let at = files.binary_search_by(|file| (*file.name).cmp(&row.path));
        let Some(file) = at.ok().and_then(|at| files.get(at)) else {
            return Err(untrue(format!(
                "it lists `{}`, which is not in the wheel",
                shown(&row.path)
            )));
        };
        if !listed.insert(&*file.name) {
            return Err(untrue(format!("it lists `{}` twice", shown(&row.path))));
        }
        // It cannot hold a hash of itself.
        if !is_own(&row.path, &["RECORD"]) && !is_own(&row.path, &SIGNATURES) {
            row.agrees(file).map_err(untrue)?;
        }
    }
    let missing = files.iter().find(|file| {
        let signature = is_own(&file.name, &SIGNATURES);
        !signature && !listed.contains(&*file.name)
    });
    match missing {
        None => Ok(()),
        Some(file) => Err(untrue(format!("it does not list `{}`", shown(&file.name)))),
    }
}

struct Row<'a> {
    path: Cow<'a, str>,
    hash: &'a str,
    size: &'a str,
}

impl<'a> Row<'a> {
    /// Reads a line of CSV. Writers quote nothing but paths.
    fn parse(line: &'a str) -> Option<Self> {
        let (path, rest) = match line.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (path, rest) = line.split_once(',')?;
                (Cow::Borrowed(path), rest)
            }
        };
        let (hash, size) = rest.split_once(',')?;
        let plain = |text: &str| !text.contains([',', '"']);
        (!path.is_empty() && plain(hash) && plain(size)).then_some(Self { path, hash, size })
    }

    fn agrees(&self, file: &Unpacked) -> Result<(), String> {
        let path = || shown(&self.path);
        let Some((algorithm, hash)) = self.hash.split_once('=') else {
            return Err(format!("it has no hash of `{}`", path()));
        };
        if algorithm != "sha256" {
            return Err(format!(
                "it has a hash of `{}` by {}, only sha256 is checked",
                path(),
                shown(algorithm)
            ));
        }
        if hash != &*file.hash {
            return Err(format!(
                "`{}` has the hash {}, it says {}",
                path(),
                file.hash,
                shown(hash)
            ));
        }
        // The size may be left out.
        if !self.size.is_empty() && self.size != file.size.to_string() {
            return Err(format!(
                "`{}` has {} bytes, it says {}",
                path(),
                file.size,
                shown(self.size)
            ));
        }
        Ok(())
    }
}

/// The text up to the closing quote, and what follows the comma behind it. Two quotes stand for one.
fn unquote(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut path = String::new();
    let mut rest = text;
    loop {
        let (part, behind) = rest.split_once('"')?;
        path.push_str(part);
        if let Some(behind) = behind.strip_prefix(',') {
            return Some((path.into(), behind));
        }
        rest = behind.strip_prefix('"')?;
        path.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Unpacked {
        Unpacked {
            name: name.into(),
            packed: 3,
            size: 3,
            hash: "HASH".into(),
        }
    }

    fn files() -> Vec<Unpacked> {
        [
            "a, \"b\".py",
            "e-1.dist-info/RECORD",
            "e-1.dist-info/RECORD.jws",
            "e/__init__.py",
        ]
        .map(file)
        .into()
    }

    const GOOD: &str = "\"a, \"\"b\"\".py\",sha256=HASH,3\r\ne/__init__.py,sha256=HASH,\r\ne-1.dist-info/RECORD,,\r\n";

    #[test]
    fn a_record_that_is_true_of_all_files_is_taken() {
        assert_eq!(check(GOOD.as_bytes(), "e-1.dist-info", &files()), Ok(()));
    }

    #[test]
    fn z15_a_record_that_is_not_true_is_refused() {
        let e = "e/__init__.py,sha256=HASH,";
        for (from, to, what) in [
            (e, "", "it does not list `e/__init__.py`"),
            (
                "e-1.dist-info/RECORD,,",
                "",
                "it does not list `e-1.dist-info/RECORD`",
            ),
            (e, "e/__init__.py,,", "it has no hash of `e/__init__.py`"),
            (
                e,
                "e/__init__.py,md5=HASH,3",
                "it has a hash of `e/__init__.py` by md5, only sha256 is checked",
            ),
            (
                e,
                "e/__init__.py,sha256=HUSH,3",
                "`e/__init__.py` has the hash HASH, it says HUSH",
            ),
            (
                e,
                "e/__init__.py,sha256=HASH,4",
                "`e/__init__.py` has 3 bytes, it says 4",
            ),
            (
                e,
                "e/__init__.py,sha256=HASH,+3",
                "`e/__init__.py` has 3 bytes, it says +3",
            ),
            (
                e,
                "e/other.py,sha256=HASH,3",
                "it lists `e/other.py`, which is not in the wheel",
            ),
            (
                e,
                "e/__init__.py,sha256=HASH,3\r\ne/__init__.py,sha256=HASH,3",
                "it lists `e/__init__.py` twice",
            ),
            (
                e,
                "e/__init__.py,sha256=HASH",
                "line 2 is no `path,hash,size`",
            ),
            (
                e,
                "\"e/__init__.py,sha256=HASH,3",
                "line 2 is no `path,hash,size`",
            ),
            (
                e,
                "e/__init__.py,sha256=HASH,3,4",
                "line 2 is no `path,hash,size`",
            ),
        ] {
            let record = GOOD.replace(from, to);
            let error = check(record.as_bytes(), "e-1.dist-info", &files()).unwrap_err();
            let what = what.to_owned();
            assert_eq!(error, WheelError::Record { what }, "{record}");
        }
    }
}
