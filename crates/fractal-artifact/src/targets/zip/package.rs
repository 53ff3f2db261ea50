//! `package.json` as far as function platforms read it.

use serde_json::Value;

use super::ZipContents;
use crate::targets::finding::Finding;

const FILE: &str = "package.json";

/// The document, or why there is none; `None` where the zip has no such file.
pub(super) fn read(zip: &ZipContents) -> Option<Result<Value, Finding>> {
    if !zip.has(FILE) {
        return None;
    }
    let unreadable = || {
        Finding::error("package-json", "package.json is no JSON object")
            .at(FILE)
            .fix("correct it; `npm pkg get` says where")
    };
    let text = zip.text(FILE)?;
    let value: Option<Value> = serde_json::from_str(text).ok();
    Some(value.filter(Value::is_object).ok_or_else(unreadable))
}

/// The file that `main` names, without a leading `./`.
pub(super) fn main(package: &Value) -> Option<&str> {
    let main = package.get("main").and_then(Value::as_str)?;
    let main = main.strip_prefix("./").unwrap_or(main);
    (!main.is_empty()).then_some(main)
}

/// Longest pattern that is compared with names, in bytes.
const PATTERN_MAX: usize = 128;
/// Most choices that braces stand for.
const CHOICES_MAX: usize = 16;

/// The files of the zip that a `main` stands for: itself, with an ending, an index; with `*`, those that fit.
/// `None` where it is too long or too manifold to be compared.
pub(super) fn files<'a>(zip: &'a ZipContents, main: &str) -> Option<Vec<&'a str>> {
    let choices = choices(main).filter(|_| main.len() <= PATTERN_MAX)?;
    let fits = |name: &&str| choices.iter().any(|choice| is_module(choice, name));
    Some(zip.names().filter(fits).collect())
}

/// Whether Node.js finds `name` where it is told `path`.
fn is_module(path: &str, name: &str) -> bool {
    let endings = ["", ".js", ".cjs", ".mjs", "/index.js"];
    if path.contains('*') {
        return fits(path, name);
    }
    name.strip_prefix(path)
        .is_some_and(|rest| endings.contains(&rest))
}

/// What a pattern with at most one pair of braces stands for.
fn choices(pattern: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return Some(vec![pattern.to_owned()]);
    };
    let (inside, after) = rest.split_once('}')?;
    let choices: Vec<String> = inside
        .split(',')
        .map(|choice| format!("{before}{choice}{after}"))
        .collect();
    (choices.len() <= CHOICES_MAX && !after.contains('{')).then_some(choices)
}

/// Whether `name` fits `pattern`, whose `*` stands for any text without a slash, and `**` for any folders.
fn fits(pattern: &str, name: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let name: Vec<&str> = name.split('/').collect();
    wildcard(
        &pattern,
        &name,
        |part| *part == "**",
        |part, text| {
            let (part, text): (Vec<char>, Vec<char>) =
                (part.chars().collect(), text.chars().collect());
            wildcard(&part, &text, |c| *c == '*', |a, b| a == b)
        },
    )
}

/// Compares with going back to the last wildcard only, which is enough and takes time in proportion to both lengths.
fn wildcard<T>(
    pattern: &[T],
    text: &[T],
    is_wild: impl Fn(&T) -> bool,
    same: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut last: Option<(usize, usize)> = None;
    while let Some(item) = text.get(read) {
        match pattern.get(at) {
            Some(wild) if is_wild(wild) => {
                last = Some((at, read));
                at += 1;
            }
            Some(one) if same(one, item) => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((wild, from)) = last else {
                    return false;
                };
                last = Some((wild, from + 1));
                at = wild + 1;
                read = from + 1;
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(is_wild)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_names_and_folders() {
        for (pattern, name, fits) in [
            ("index.js", "index.js", true),
            ("dist/*.js", "dist/a.js", true),
            ("dist/*.js", "dist/a/b.js", false),
            ("dist/**/*.js", "dist/a/b.js", true),
            ("dist/**/*.js", "dist/b.js", true),
            ("src/{index.js,functions/*.js}", "src/functions/a.js", true),
            ("src/{index.js,functions/*.js}", "src/index.js", true),
            ("src/{index.js,functions/*.js}", "src/other.js", false),
            ("*", "a.js", true),
            ("index", "index.js", true),
            ("lib", "lib/index.js", true),
            ("lib", "library.js", false),
            ("a*b*c.js", "axbxbxc.js", true),
        ] {
            let choices = choices(pattern).unwrap();
            let found = choices.iter().any(|choice| is_module(choice, name));
            assert_eq!(found, fits, "{pattern} {name}");
        }
    }
}
