//! The programming models of Azure Functions: how a zip declares its functions, and what each model has to bring along.

use serde_json::Value;

use super::super::{ZipContents, dependencies, package};
use super::{HOST, PACKAGE_PAGE, without_mark};
use crate::targets::Settings;
use crate::targets::finding::{Finding, listed, shown};
use crate::targets::runtime::Language;

const PYTHON_PAGE: &str =
    "https://learn.microsoft.com/azure/azure-functions/functions-reference-python";
const NODE_PAGE: &str =
    "https://learn.microsoft.com/azure/azure-functions/functions-reference-node";
const SITE_PACKAGES: &str = ".python_packages/lib/site-packages/";

pub(super) fn check(
    zip: &ZipContents,
    settings: &Settings,
    host: Option<&Value>,
    findings: &mut Vec<Finding>,
) {
    let declared: Vec<&str> = zip
        .names()
        .filter(|name| {
            name.strip_suffix("/function.json")
                .is_some_and(|it| !it.contains('/'))
        })
        .collect();
    for name in &declared {
        findings.extend(binding(zip, name));
    }
    let custom =
        host.and_then(|host| host.pointer("/customHandler/description/defaultExecutablePath"));
    if let Some(path) = custom.and_then(Value::as_str) {
        findings.extend(executable(zip, path));
        return;
    }
    let wanted = settings.runtime.as_deref().and_then(Language::of);
    let python = zip.has("function_app.py") || declared.iter().any(|name| beside(zip, name, ".py"));
    if wanted == Some(Language::Python) || (wanted.is_none() && python) {
        python_model(zip, &declared, findings);
        return;
    }
    match package::read(zip) {
        Some(Err(finding)) => findings.push(finding),
        Some(Ok(package)) if wanted.is_none_or(|wanted| wanted == Language::Node) => {
            node_model(zip, &package, &declared, findings);
            return;
        }
        _ => {}
    }
    findings.extend(compiled(zip, &declared));
}

/// What compilers write for the isolated worker model, where nothing else declares functions.
fn compiled(zip: &ZipContents, declared: &[&str]) -> Option<Finding> {
    let worker = zip.has("worker.config.json");
    if worker && !zip.has_below(".azurefunctions/") {
        return Some(worker_folder());
    }
    let declares = worker || zip.has("functions.metadata") || !declared.is_empty();
    (!declares).then(|| none(zip))
}

/// <https://github.com/polymind-inc/acmebot/issues/908> shows what Flex Consumption says.
fn worker_folder() -> Finding {
    Finding::warning("azure-functions-folder", "the zip has no folder .azurefunctions")
        .because("Flex Consumption refuses .NET packages without it; file managers hide it and zips leave it out")
        .said_by("https://github.com/polymind-inc/acmebot/issues/908")
        .fix("zip the folder that `dotnet publish` made with its hidden folders")
}

fn beside(zip: &ZipContents, name: &str, ending: &str) -> bool {
    let folder = name.strip_suffix("function.json").unwrap_or(name);
    zip.names().any(|other| {
        let rest = other.strip_prefix(folder);
        rest.is_some_and(|rest| rest.ends_with(ending) && !rest.contains('/'))
    })
}

fn none(zip: &ZipContents) -> Finding {
    let files = ["function_app.py", "package.json", "NAME/function.json"].map(str::to_owned);
    let finding = zip.missing("functions", &files).said_by(PACKAGE_PAGE);
    let what = "no function was found: neither function_app.py, nor package.json, nor NAME/function.json, nor functions.metadata";
    let fix = if finding.fix.is_empty() {
        "add the functions of one programming model outside of any folder".to_owned()
    } else {
        finding.fix.clone()
    };
    Finding {
        what: what.into(),
        ..finding
    }
    .fix(fix)
}

/// One `function.json`: its bindings, and the file it runs.
fn binding(zip: &ZipContents, name: &str) -> Option<Finding> {
    let text = without_mark(zip.text(name)?);
    let invalid = |what: String| {
        Finding::error("function-json", what)
            .at(shown(name))
            .said_by(
                "https://learn.microsoft.com/azure/azure-functions/functions-triggers-bindings",
            )
    };
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        return Some(invalid("function.json is no JSON".into()).fix("correct it"));
    };
    if !document.get("bindings").is_some_and(Value::is_array) {
        let fix = "add the function's trigger to bindings";
        return Some(invalid("function.json has no bindings".into()).fix(fix));
    }
    let script = document.get("scriptFile").and_then(Value::as_str)?;
    let path = resolved(name, script);
    let there = path.as_deref().is_some_and(|path| zip.has(path));
    (!there).then(|| {
        invalid(format!(
            "scriptFile names `{}`, which is not in the zip",
            shown(script)
        ))
        .fix("correct scriptFile, or add the file")
    })
}

/// A path relative to the file that names it; `None` where it leads out of the zip.
fn resolved(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

fn python_model(zip: &ZipContents, declared: &[&str], findings: &mut Vec<Finding>) {
    match zip.text("function_app.py") {
        Some(text) if !text.contains("FunctionApp") => findings.push(
            Finding::warning(
                "function-app",
                "no `FunctionApp` was found, by a search of the text",
            )
            .at("function_app.py")
            .said_by(PYTHON_PAGE)
            .fix("make one: app = func.FunctionApp(), and decorate the functions with it"),
        ),
        _ if declared.is_empty() && !zip.has("function_app.py") => {
            let finding = zip.missing("functions", &["function_app.py".to_owned()]);
            let finding = finding.said_by(PYTHON_PAGE);
            findings.push(match finding.fix.as_str() {
                "" => finding.fix("name the main file function_app.py, or add a NAME/function.json for each function"),
                _ => finding,
            });
        }
        _ => {}
    }
    let missing = dependencies::missing_python(zip, SITE_PACKAGES, &["azure-functions"]);
    if !missing.is_empty() {
        let names = listed(missing.iter().map(String::as_str));
        findings.push(
            Finding::warning(
                "dependencies",
                format!("{SITE_PACKAGES} does not bring along {names}"),
            )
            .at("requirements.txt")
            .because("a package that is run as it is gets no remote build")
            .said_by(PYTHON_PAGE)
            .fix("pip install -r requirements.txt --target .python_packages/lib/site-packages"),
        );
    }
}

fn node_model(zip: &ZipContents, package: &Value, declared: &[&str], findings: &mut Vec<Finding>) {
    match package::main(package) {
        Some(main) if package::files(zip, main).is_some_and(|files| files.is_empty()) => {
            let what = format!(
                "package.json's main is `{}`, which is not in the zip",
                shown(main)
            );
            findings.push(
                Finding::error("package-main", what)
                    .at("package.json")
                    .said_by(NODE_PAGE)
                    .fix("build before zipping, or correct main"),
            );
        }
        Some(_) => {}
        None if declared.is_empty() => findings.push(
            Finding::error(
                "package-main",
                "package.json has no main, and no folder has a function.json",
            )
            .at("package.json")
            .said_by(NODE_PAGE)
            .fix("name the files that register functions: \"main\": \"src/functions/*.js\""),
        ),
        None => {}
    }
    let missing = dependencies::missing_node(zip, package, |_| false);
    if !missing.is_empty() {
        let names = listed(missing.iter().map(String::as_str));
        findings.push(
            Finding::note(
                "dependencies",
                format!("node_modules does not bring along {names}"),
            )
            .at("package.json")
            .because("a package that is run as it is gets no remote build; a bundler may have them")
            .said_by(NODE_PAGE)
            .fix("npm ci --omit=dev before it is zipped"),
        );
    }
}

fn executable(zip: &ZipContents, path: &str) -> Option<Finding> {
    const PAGE: &str =
        "https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers";
    let file = path.strip_prefix("./").unwrap_or(path);
    let Some(entry) = zip.entry(file) else {
        let what = format!(
            "customHandler names `{}`, which is not in the zip",
            shown(path)
        );
        // An interpreter of the host's is named without a path.
        let finding = if file.contains('.') || file.contains('/') {
            Finding::error("custom-handler", what)
        } else {
            Finding::note("custom-handler", what)
        };
        return Some(
            finding
                .at(HOST)
                .said_by(PAGE)
                .fix("add the executable, or correct defaultExecutablePath"),
        );
    };
    let permissions = entry.permissions()?;
    (permissions & 0o111 == 0).then(|| {
        Finding::warning(
            "custom-handler",
            format!("`{}` is not executable", shown(file)),
        )
        .at(format!("{} (mode {permissions:04o})", shown(file)))
        .said_by(PAGE)
        .fix("chmod 755 before it is zipped")
    })
}
