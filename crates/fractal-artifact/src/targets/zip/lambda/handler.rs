//! Whether the file and the function that a handler names are in the zip.

use super::super::{ZipContents, code};
use crate::targets::Settings;
use crate::targets::finding::{Finding, listed, shown};
use crate::targets::runtime::Language;

const HANDLER: &str = "https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html";

pub(super) fn check(
    zip: &ZipContents,
    settings: &Settings,
    language: Language,
    findings: &mut Vec<Finding>,
) {
    let Some(handler) = &settings.handler else {
        findings.push(unsaid(zip, language));
        return;
    };
    if let Some(why) = malformed(handler, language) {
        let what = format!("`{}` is no handler", shown(handler));
        let finding = Finding::error("handler", what)
            .because(why)
            .said_by(HANDLER);
        findings.push(finding.fix("write it as FILE.FUNCTION, for example app.handler"));
        return;
    }
    let Some((files, function)) = places(handler, language) else {
        let what = format!(
            "not checked: whether the handler `{}` is there",
            shown(handler)
        );
        findings.push(Finding::note("not-checked", what).because(format!(
            "{} handlers are inside of archives",
            language.title()
        )));
        return;
    };
    match files.iter().find(|file| zip.has(file)) {
        None => findings.push(missing(zip, handler, &files)),
        Some(file) => {
            findings.extend(function.and_then(|name| undefined(zip, file, &name, language)));
        }
    }
}

/// Why Lambda cannot make anything of a handler; it says so at every invocation only.
fn malformed(handler: &str, language: Language) -> Option<&'static str> {
    if handler.split('/').any(|part| matches!(part, "." | "..")) || handler.starts_with('/') {
        return Some("it leads out of the zip");
    }
    let named = matches!(language, Language::Python | Language::Node | Language::Ruby);
    let whole = handler
        .rsplit_once('.')
        .is_some_and(|(file, function)| !file.is_empty() && !function.is_empty());
    (named && !whole).then_some("it has to name a file and, behind a dot, a function in it")
}

fn missing(zip: &ZipContents, handler: &str, files: &[String]) -> Finding {
    let missing = zip.missing("handler", files);
    let why = missing.why.clone().unwrap_or_default();
    let fix = match missing.fix.as_str() {
        "" => "put the file at that path in the zip, or correct the handler".to_owned(),
        fix => fix.to_owned(),
    };
    missing
        .because(format!("the handler is `{}`; {why}", shown(handler)))
        .fix(fix)
}

/// The files that a handler can be in, and the function in it.
fn places(handler: &str, language: Language) -> Option<(Vec<String>, Option<String>)> {
    // `dir/module.function`: the last dot separates the function; in a Python module path, dots are folders too.
    let (module, function) = handler.rsplit_once('.').unwrap_or((handler, ""));
    let files = |module: &str, endings: &[&str]| -> Vec<String> {
        let ends = endings.iter();
        ends.map(|ending| format!("{module}{ending}")).collect()
    };
    let function = Some(function.to_owned()).filter(|name| !name.is_empty());
    match language {
        Language::Python => {
            let module = module.replace('.', "/");
            Some((
                files(&module, &[".py", "/__init__.py", ".pyc", ".so"]),
                function,
            ))
        }
        Language::Node => Some((
            files(module, &[".js", ".mjs", ".cjs", "/index.js"]),
            function,
        )),
        Language::Ruby => {
            // `source.Module::Class.method` names a file, then what is in it.
            let (file, _) = handler.split_once('.').unwrap_or((handler, ""));
            Some((files(file, &[".rb"]), function))
        }
        Language::DotNet => {
            let (assembly, _) = handler.split_once("::").unwrap_or((handler, ""));
            Some((vec![format!("{assembly}.dll")], None))
        }
        _ => None,
    }
}

fn undefined(zip: &ZipContents, file: &str, function: &str, language: Language) -> Option<Finding> {
    let text = zip.text(file)?;
    let defined = match language {
        Language::Python => code::python_defines(text, function),
        // A bundler may export under a name that it makes at run time.
        _ => code::mentions(text, function) || text.contains("module.exports"),
    };
    (!defined).then(|| {
        let what = format!(
            "no `{}` was found, by a search of the text",
            shown(function)
        );
        Finding::warning("handler-function", what)
            .at(shown(file))
            .fix("define the function there, or correct the handler")
    })
}

fn unsaid(zip: &ZipContents, language: Language) -> Finding {
    let candidates: Vec<String> = match language {
        Language::Python => zip
            .at_root()
            .filter_map(|name| Some((name.strip_suffix(".py")?, zip.text(name)?)))
            .flat_map(|(module, text)| {
                let functions = code::python_functions(text, 2).into_iter();
                functions.map(move |function| format!("{module}.{function}"))
            })
            .collect(),
        Language::Node => zip
            .at_root()
            .filter(|name| {
                zip.text(name)
                    .is_some_and(|text| code::mentions(text, "handler"))
            })
            .filter_map(|name| Some(format!("{}.handler", name.rsplit_once('.')?.0)))
            .collect(),
        _ => Vec::new(),
    };
    let finding = Finding::note(
        "not-checked",
        "not checked: the handler, since none was said",
    );
    let fix = "say it with --handler and --runtime";
    if candidates.is_empty() {
        return finding.fix(fix);
    }
    let names = listed(candidates.iter().map(String::as_str));
    finding.because(format!("it could be {names}")).fix(fix)
}
