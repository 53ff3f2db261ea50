//! The entry point of a wheel: written rightly, in the wheel, and declared where the target finds it by its name.

use fractal_core::artifact::WheelFacts;

use super::WheelSubject;
use crate::targets::finding::{Finding, listed, shown};
use crate::targets::zip::code;
use crate::targets::{Settings, Target};
use crate::zip::KeptFile;

const DATABRICKS_TASK: &str = "https://docs.databricks.com/jobs/python-wheel.html";
/// Python's own words, which no module or function can have as its name.
const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

pub(super) fn check(
    wheel: &WheelSubject,
    facts: &WheelFacts,
    target: Target,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) {
    let Some(wanted) = &settings.entry_point else {
        findings.push(unsaid(facts, target));
        return;
    };
    let Some((module, function)) = parse(wanted) else {
        findings.push(malformed(wanted));
        return;
    };
    match module_file(facts, module) {
        None => findings.push(missing(facts, wanted, module)),
        Some(file) => findings.extend(undefined(wheel, file, function)),
    }
    if target == Target::Databricks {
        findings.extend(undeclared(facts, wanted, module, function));
    }
}

/// `module:function`, both dotted names.
fn parse(text: &str) -> Option<(&str, &str)> {
    let (module, function) = text.split_once(':')?;
    let is_name = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_')
            && !KEYWORDS.contains(&part)
    };
    let dotted = |text: &str| text.split('.').all(is_name);
    (dotted(module) && dotted(function)).then_some((module, function))
}

fn malformed(wanted: &str) -> Finding {
    let what = format!("`{}` is no entry point", shown(wanted));
    Finding::error("entry-point-malformed", what)
        .because("an entry point is module:function, Python names with dots between them")
        .fix("write it like etl.jobs:main")
}

/// The file of a module: source, package or binary module.
fn module_file<'a>(facts: &'a WheelFacts, module: &str) -> Option<&'a str> {
    let path = module.replace('.', "/");
    let fits = |name: &&str| {
        let Some(rest) = name.strip_prefix(path.as_str()) else {
            return false;
        };
        matches!(rest, ".py" | "/__init__.py" | ".pyc")
            || (rest.starts_with('.') && rest.ends_with(".so"))
    };
    facts.names.iter().map(|name| &**name).find(fits)
}

fn missing(facts: &WheelFacts, wanted: &str, module: &str) -> Finding {
    let modules = facts
        .names
        .iter()
        .map(|name| &**name)
        .filter(|name| name.ends_with(".py"));
    Finding::error(
        "entry-point-module",
        format!("the wheel has no module `{}`", shown(module)),
    )
    .because(format!(
        "the entry point is `{}`, the wheel has {}",
        shown(wanted),
        listed(modules)
    ))
    .fix("correct the entry point, or add the module to the package")
}

fn undefined(wheel: &WheelSubject, file: &str, function: &str) -> Option<Finding> {
    let text = wheel.files.get(file).and_then(KeptFile::text)?;
    let first = function.split('.').next().unwrap_or(function);
    (!code::python_defines(text, first)).then(|| {
        let what = format!("no `{}` was found, by a search of the text", shown(first));
        Finding::warning("entry-point-function", what)
            .at(file)
            .fix("define the function there, or correct the entry point")
    })
}

/// Databricks looks the entry point up by its declared name; nothing is found by its object.
fn undeclared(facts: &WheelFacts, wanted: &str, module: &str, function: &str) -> Option<Finding> {
    let mut declared = facts.entry_points.values().flat_map(|group| group.values());
    if declared.any(|object| **object == *wanted) {
        return None;
    }
    let name = module
        .rsplit('.')
        .next()
        .unwrap_or(module)
        .replace('_', "-");
    let what = format!("the wheel does not declare `{module}:{function}`");
    Some(
        Finding::error("entry-point-undeclared", what)
            .at("*.dist-info/entry_points.txt")
            .because("a Python wheel task calls an entry point by the name that the wheel declares for it")
            .said_by(DATABRICKS_TASK)
            .fix(format!(
                "add to pyproject.toml: [project.scripts] and below it {name} = \"{module}:{function}\""
            )),
    )
}

fn unsaid(facts: &WheelFacts, target: Target) -> Finding {
    let declared: Vec<String> = facts
        .entry_points
        .values()
        .flat_map(|group| {
            group
                .iter()
                .map(|(name, object)| format!("{name} = {object}"))
        })
        .collect();
    if declared.is_empty() && target == Target::Databricks {
        return Finding::warning("entry-point-none", "the wheel declares no entry points")
            .because("a Python wheel task calls an entry point by the name that the wheel declares for it")
            .said_by(DATABRICKS_TASK)
            .fix("declare one in pyproject.toml below [project.scripts]: etl = \"etl.jobs:main\"");
    }
    let has = if declared.is_empty() {
        "it declares none".to_owned()
    } else {
        format!(
            "it declares {}",
            listed(declared.iter().map(String::as_str))
        )
    };
    Finding::note(
        "not-checked",
        "not checked: the entry point, since none was said",
    )
    .because(has)
    .fix("say it with --entry-point module:function")
}
