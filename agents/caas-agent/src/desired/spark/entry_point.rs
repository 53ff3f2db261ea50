//! The function a wheel is run by: `module:function`, or a name the wheel declares for one. Runs no Python.

use std::collections::BTreeSet;
use std::fmt;

use fractal_core::artifact::WheelFacts;
use fractal_core::contract::ParamError;
use fractal_core::reconcile::Inputs;
use fractal_core::{Fault, Reason};
use serde_json::Value;

use crate::error::Error;

const PARAMETER: &str = "entryPoint";
const MISSING: Reason = Reason::new("EntryPointMissing");
/// The group whose names become commands; it wins where other groups use the same name.
const SCRIPTS: &str = "console_scripts";
/// Most names shown of a wheel that lacks the one asked for.
const SHOWN: usize = 5;
/// <https://docs.python.org/3/reference/lexical_analysis.html#keywords>
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// A function in a module, by their dotted names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryPoint {
    module: String,
    function: String,
}

impl fmt::Display for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.module, self.function)
    }
}

impl EntryPoint {
    /// The component's entry point, which the wheel has.
    pub(super) fn of(inputs: &Inputs, wheel: &WheelFacts) -> Result<Self, Error> {
        let text = inputs
            .parameters
            .text(PARAMETER)?
            .ok_or_else(|| ParamError::missing(PARAMETER, "`module:function`"))?;
        let point = match text.contains(':') {
            true => Self::parse(text).ok_or_else(|| malformed(text))?,
            false => declared(text, wheel)?,
        };
        let modules = modules(wheel);
        if modules.contains(&*point.module) {
            return Ok(point);
        }
        let what = format!("the wheel has no module `{}`", point.module);
        Err(missing(
            what,
            wheel,
            &near(&point.module, modules.iter().map(|it| &**it)),
        )
        .into())
    }

    fn parse(text: &str) -> Option<Self> {
        let (module, function) = text.split_once(':')?;
        let names = [module, function];
        let named = names
            .iter()
            .all(|name| is_dotted(name) && !has_keyword(name));
        named.then(|| Self {
            module: module.to_owned(),
            function: function.to_owned(),
        })
    }
}

fn malformed(text: &str) -> ParamError {
    let expected = "`module:function`, both dotted Python names";
    ParamError::new(PARAMETER, expected, &Value::from(text))
}

/// The function a declared name stands for.
fn declared(name: &str, wheel: &WheelFacts) -> Result<EntryPoint, Error> {
    let shown = name.escape_debug();
    let object = object(name, wheel)?;
    EntryPoint::parse(&object.replace(' ', "")).ok_or_else(|| {
        let what = format!("the entry point `{shown}` names no function");
        missing(what, wheel, "")
            .because(format!("it is declared as `{object}`"))
            .into()
    })
}

/// What a name is declared as: by the scripts, or by the one group or the several that agree.
fn object<'a>(name: &str, wheel: &'a WheelFacts) -> Result<&'a str, Fault> {
    let groups = &wheel.entry_points;
    if let Some(script) = groups.get(SCRIPTS).and_then(|group| group.get(name)) {
        return Ok(script);
    }
    let found = groups.values().filter_map(|group| group.get(name));
    let found: BTreeSet<&str> = found.map(|object| &**object).collect();
    let shown = name.escape_debug();
    match found.len() {
        0 => {
            let names = groups.values().flat_map(|group| group.keys());
            let what = format!("the wheel declares no entry point `{shown}`");
            Err(missing(what, wheel, &near(name, names.map(|it| &**it))))
        }
        1 => Ok(found.first().copied().unwrap_or_default()),
        _ => {
            let found: Vec<_> = found.into_iter().collect();
            let fault = missing(
                format!("the wheel declares `{shown}` in several groups"),
                wheel,
                "",
            );
            Err(fault
                .because(found.join(", "))
                .next("set `entryPoint` to one of them, as `module:function`"))
        }
    }
}

fn missing(what: String, wheel: &WheelFacts, near: &str) -> Fault {
    let why = match near {
        "" => format!("{} has none", wheel.file_name),
        near => format!("{} has {near}", wheel.file_name),
    };
    Fault::terminal(MISSING, what)
        .at(format!("parameters.{PARAMETER}"))
        .because(why)
        .next(
            "set `entryPoint` to a `module:function` of the wheel, or publish a wheel that has it",
        )
}

/// The modules that can be imported once the wheel is installed.
fn modules(wheel: &WheelFacts) -> BTreeSet<String> {
    wheel.names.iter().filter_map(|name| module(name)).collect()
}

/// The module a file is: source, or a compiled extension with or without its platform's tag.
fn module(file: &str) -> Option<String> {
    let path = match file.split_once(".data/") {
        // Installed into the same place as the wheel's root.
        Some((_, data)) => data
            .strip_prefix("purelib/")
            .or_else(|| data.strip_prefix("platlib/"))?,
        None => file,
    };
    let stem = match path.strip_suffix(".py") {
        Some(stem) => stem,
        None => {
            let path = path.strip_suffix(".so")?;
            let name = path.rfind('/').map_or(0, |at| at + 1);
            path.split_at(name)
                .1
                .find('.')
                .map_or(path, |dot| path.split_at(name + dot).0)
        }
    };
    let dotted = stem
        .strip_suffix("/__init__")
        .unwrap_or(stem)
        .replace('/', ".");
    is_dotted(&dotted).then_some(dotted)
}

/// Identifiers between dots, as far as they can be told without Python's own tables.
fn is_dotted(text: &str) -> bool {
    text.split('.').all(|part| {
        let starts = part.starts_with(|c: char| c.is_alphabetic() || c == '_');
        starts && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

/// No module or function can be called so: an import of it is a syntax error, which would show in the driver only.
fn has_keyword(dotted: &str) -> bool {
    dotted.split('.').any(|part| KEYWORDS.contains(&part))
}

/// The names most like the one asked for.
fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.map(|name| (distance(wanted, name), name)).collect();
    names.sort_unstable();
    names.dedup();
    let names: Vec<_> = names
        .into_iter()
        .take(SHOWN)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    names.join(", ")
}

/// Characters to insert, drop or replace to get from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, a) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(to.chars()) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_modules_they_are_imported_as() {
        for (file, expected) in [
            ("etl.py", Some("etl")),
            ("etl/__init__.py", Some("etl")),
            ("etl/jobs/daily.py", Some("etl.jobs.daily")),
            ("etl/fast.cpython-311-x86_64-linux-gnu.so", Some("etl.fast")),
            ("etl/fast.abi3.so", Some("etl.fast")),
            ("etl/fast.so", Some("etl.fast")),
            ("etl-1.0.data/purelib/pure.py", Some("pure")),
            ("etl-1.0.data/platlib/a/b.py", Some("a.b")),
            ("etl-1.0.data/scripts/run.py", None),
            ("etl-1.0.dist-info/METADATA", None),
            ("etl/table.csv", None),
            ("etl/not-a-module.py", None),
        ] {
            assert_eq!(module(file).as_deref(), expected, "{file}");
        }
    }

    #[test]
    fn names_are_dotted_identifiers() {
        for good in ["a:b", "a.b.c:d", "_a:B.c", "données.été:lancer"] {
            assert_eq!(EntryPoint::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "a:", ":b", "a", "a:b:c", "a b:c", "a.:b", "a..b:c", "1a:b", "a:b()", "a-b:c", "a:b;x",
        ] {
            assert_eq!(EntryPoint::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_nearest_names_come_first() {
        let names = ["zebra", "etl.mian", "etl.main", "etl"];
        assert_eq!(
            near("etl.mein", names.into_iter()),
            "`etl.main`, `etl.mian`, `etl`, `zebra`"
        );
        assert_eq!(
            (
                distance("", "abc"),
                distance("abc", ""),
                distance("kitten", "sitting")
            ),
            (3, 3, 3)
        );
    }
}
