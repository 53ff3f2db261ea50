//! What Google Cloud Functions wants of a zip: sources that a buildpack finds, by the language's own main file.

use serde_json::Value;

use super::{ZipContents, code, package};
use crate::targets::Settings;
use crate::targets::finding::{Finding, shown};
use crate::targets::runtime::Language;

/// <https://cloud.google.com/run/docs/write-functions#directory-structure>
const LAYOUT: &str = "https://cloud.google.com/run/docs/write-functions#directory-structure";
const NODE_MAIN: [&str; 2] = ["index.js", "function.js"];

pub(super) fn check(zip: &ZipContents, settings: &Settings, findings: &mut Vec<Finding>) {
    let language = match settings.runtime.as_deref().map(Language::of) {
        Some(Some(Language::Custom) | None) => {
            let runtime = settings.runtime.as_deref().unwrap_or_default();
            let what = format!("Google Cloud Functions has no runtime `{}`", shown(runtime));
            findings.push(
                Finding::error("runtime", what)
                    .said_by("https://cloud.google.com/functions/docs/runtime-support")
                    .fix("use one of its runtimes, for example python313 or nodejs22; or publish a container image for Google Cloud Run"),
            );
            return;
        }
        Some(Some(language)) => Some(language),
        None => guessed(zip),
    };
    let Some(language) = language else {
        findings.push(none(zip));
        return;
    };
    match main(zip, language, findings) {
        Some(file) => entry_point(zip, settings, language, &file, findings),
        None if findings.is_empty() => findings.push(unsaid_source()),
        None => {}
    }
}

fn guessed(zip: &ZipContents) -> Option<Language> {
    let ends = |end: &str| zip.at_root().any(|name| name.ends_with(end));
    if zip.has("main.py") {
        Some(Language::Python)
    } else if zip.has("package.json") || NODE_MAIN.iter().any(|name| zip.has(name)) {
        Some(Language::Node)
    } else if zip.has("go.mod") {
        Some(Language::Go)
    } else if zip.has("pom.xml")
        || zip.has("build.gradle")
        || zip.has("build.gradle.kts")
        || ends(".jar")
    {
        Some(Language::Java)
    } else if zip.has("app.rb") {
        Some(Language::Ruby)
    } else if ends(".csproj") || ends(".fsproj") || ends(".vbproj") {
        Some(Language::DotNet)
    } else if zip.has("index.php") {
        Some(Language::Php)
    } else {
        None
    }
}

/// The file that has to define the entry point, where it is one.
fn main(zip: &ZipContents, language: Language, findings: &mut Vec<Finding>) -> Option<String> {
    let one_of = |names: &[&str], findings: &mut Vec<Finding>| {
        let found = names.iter().find(|name| zip.has(name));
        if found.is_none() {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            findings.push(missing(zip, &names, language));
        }
        found.map(|name| (*name).to_owned())
    };
    match language {
        Language::Python => one_of(&["main.py"], findings),
        Language::Ruby => one_of(&["app.rb"], findings),
        Language::Php => one_of(&["index.php"], findings),
        Language::Node => node(zip, findings),
        Language::Go => {
            one_of(&["go.mod"], findings)?;
            let source = zip.at_root().find(|name| name.ends_with(".go"));
            if source.is_none() {
                findings.push(missing(zip, &["NAME.go".to_owned()], language));
            }
            None
        }
        Language::Java => {
            let jar = zip.at_root().any(|name| name.ends_with(".jar"));
            if !jar {
                one_of(&["pom.xml", "build.gradle", "build.gradle.kts"], findings);
            }
            None
        }
        Language::DotNet => {
            let project = |name: &str| name.ends_with("proj");
            if !zip.at_root().any(project) {
                findings.push(missing(zip, &["NAME.csproj".to_owned()], language));
            }
            None
        }
        Language::Custom => None,
    }
}

fn node(zip: &ZipContents, findings: &mut Vec<Finding>) -> Option<String> {
    let package: Option<Value> = match package::read(zip) {
        Some(Ok(package)) => Some(package),
        Some(Err(finding)) => {
            findings.push(finding);
            return None;
        }
        None => None,
    };
    let framework = "@google-cloud/functions-framework";
    let depends = package
        .as_ref()
        .and_then(|package| package.get("dependencies"))
        .is_some_and(|all| all.get(framework).is_some());
    if !depends {
        findings.push(
            Finding::note(
                "functions-framework",
                format!("package.json does not depend on {framework}"),
            )
            .at("package.json")
            .because("the buildpack adds a version of its own choice then")
            .said_by(LAYOUT)
            .fix(format!("npm install {framework}")),
        );
    }
    if let Some(main) = package.as_ref().and_then(package::main) {
        let files = package::files(zip, main)?;
        let file = files.first().map(|name| (*name).to_owned());
        if file.is_none() {
            let what = format!(
                "package.json's main is `{}`, which is not in the zip",
                shown(main)
            );
            findings.push(
                Finding::error("package-main", what)
                    .at("package.json")
                    .said_by(LAYOUT)
                    .fix("build before zipping, or correct main"),
            );
        }
        return file;
    }
    let found = NODE_MAIN.iter().find(|name| zip.has(name));
    if found.is_none() {
        findings.push(missing(zip, &NODE_MAIN.map(str::to_owned), Language::Node));
    }
    found.map(|name| (*name).to_owned())
}

fn missing(zip: &ZipContents, names: &[String], language: Language) -> Finding {
    let finding = zip.missing("source-layout", names).said_by(LAYOUT);
    match finding.fix.as_str() {
        "" => finding.fix(format!(
            "give the main file the name that the {} runtime looks for, outside of any folder",
            language.title()
        )),
        _ => finding,
    }
}

fn none(zip: &ZipContents) -> Finding {
    let names = [
        "main.py",
        "index.js",
        "package.json",
        "go.mod",
        "pom.xml",
        "app.rb",
        "index.php",
    ];
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let finding = zip.missing("source-layout", &names).said_by(LAYOUT);
    let what = "no runtime's main file was found: the zip has to hold sources that are built";
    let finding = Finding {
        what: what.into(),
        ..finding
    };
    match finding.fix.as_str() {
        "" => finding.fix("add main.py, index.js, go.mod, pom.xml, NAME.csproj, app.rb or index.php, as the language wants it"),
        _ => finding,
    }
}

fn unsaid_source() -> Finding {
    Finding::note(
        "not-checked",
        "not checked: whether the entry point is defined",
    )
    .because("in this language it can be in any file")
}

fn entry_point(
    zip: &ZipContents,
    settings: &Settings,
    language: Language,
    file: &str,
    findings: &mut Vec<Finding>,
) {
    let Some(wanted) = &settings.entry_point else {
        findings.push(
            Finding::note("not-checked", "not checked: the entry point, since none was said")
                .because("without one, Google looks for a function that is named like the service, then for `function`")
                .fix("say it with --entry-point FUNCTION"),
        );
        return;
    };
    // Wheels are called by `module:function`; here the module is always the main file.
    let name = wanted.rsplit(':').next().unwrap_or(wanted);
    let Some(text) = zip.text(file) else {
        return;
    };
    let defined = match language {
        Language::Python => code::python_defines(text, name),
        _ => code::mentions(text, name),
    };
    if !defined {
        let what = format!("no `{}` was found, by a search of the text", shown(name));
        findings.push(
            Finding::warning("entry-point-function", what)
                .at(shown(file))
                .said_by(LAYOUT)
                .fix("define the function there, or correct the entry point"),
        );
    }
}
