//! What AWS Lambda wants of a zip. Lambda itself says most of it only when the function is invoked.

mod handler;

use serde_json::Value;

use super::{ZipContents, ZipSubject, dependencies, package};
use crate::targets::Settings;
use crate::targets::finding::{Finding, listed, shown};
use crate::targets::limits::{LAMBDA_INLINE, LAMBDA_UNPACKED, ZIP_OVERHEAD};
use crate::targets::runtime::{Known, Language, on_lambda, python_minor};

const PERMISSIONS: &str = "https://repost.aws/knowledge-center/lambda-deployment-package-errors";
const RUNTIMES: &str = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html";
const CUSTOM: &str = "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html";
const PYTHON: &str = "https://docs.aws.amazon.com/lambda/latest/dg/python-package.html";
const NODE: &str = "https://docs.aws.amazon.com/lambda/latest/dg/nodejs-package.html";
/// Whoever runs the function has to be able to read it.
const READ_BY_ALL: u16 = 0o444;
const RUN_BY_ALL: u16 = 0o111;

pub(super) fn sizes(zip: &ZipSubject, findings: &mut Vec<Finding>) {
    const FIX: &str = "publish a smaller zip, or a container image";
    let over = match &zip.contents {
        Some(contents) => LAMBDA_UNPACKED.over(contents.directory.unpacked(), "the zip unpacks to"),
        // So much packed is too much unpacked, whatever it is.
        None if zip.size > LAMBDA_UNPACKED.max + ZIP_OVERHEAD => {
            LAMBDA_UNPACKED.over(zip.size, "the zip has, still packed,")
        }
        None => None,
    };
    let over = over.map(|finding| finding.fix(FIX));
    if over.is_none() && zip.size > LAMBDA_INLINE.max {
        let note = LAMBDA_INLINE.finding(zip.size, "the zip has");
        findings.push(Finding {
            severity: crate::targets::Severity::Note,
            what: format!(
                "the zip has {} bytes, more than the {} that are sent within a request",
                zip.size, LAMBDA_INLINE.max
            ),
            fix: "run the agent with --staging-bucket, naming a bucket in the function's region"
                .into(),
            ..note
        });
    }
    findings.extend(over);
}

pub(super) fn check(zip: &ZipContents, settings: &Settings, findings: &mut Vec<Finding>) {
    let language = language(zip, settings, findings);
    findings.extend(unreadable(zip));
    match language {
        Some(Language::Custom | Language::Go) => findings.extend(bootstrap(zip)),
        Some(language) => handler::check(zip, settings, language, findings),
        None => findings.push(
            Finding::note(
                "not-checked",
                "not checked: the handler, since the runtime cannot be told",
            )
            .fix("say it with --runtime and --handler"),
        ),
    }
    findings.extend(dependencies(zip, language));
    findings.extend(extensions(zip, settings));
}

/// The language that the runtime names, or that the files speak for.
fn language(
    zip: &ZipContents,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Option<Language> {
    let Some(runtime) = &settings.runtime else {
        return guessed(zip);
    };
    findings.extend(known(runtime));
    match Language::of(runtime)? {
        // Go runs as an executable of its own since the runtime for it is gone.
        Language::Php => None,
        language => Some(language),
    }
}

/// What there is to say of a runtime's name.
fn known(runtime: &str) -> Option<Finding> {
    let shown = shown(runtime);
    let finding = match on_lambda(runtime) {
        Known::Current => None,
        Known::Spelled(name) => Some(
            Finding::note(
                "runtime",
                format!("Lambda's name for `{shown}` is `{name}`"),
            )
            .fix(format!("set the component's runtime to {name}")),
        ),
        Known::Unversioned => Some(
            Finding::note(
                "runtime",
                format!("Lambda's runtimes for `{shown}` name a version"),
            )
            .fix("set the component's runtime to one of them, for example python3.13"),
        ),
        Known::Deprecated => Some(
            Finding::warning(
                "runtime",
                format!("Lambda's runtime `{shown}` is deprecated"),
            )
            .because("functions can no longer be made with it, or soon not")
            .fix("use a runtime that is supported"),
        ),
        Known::Unknown => Some(
            Finding::error("runtime", format!("Lambda has no runtime `{shown}`")).fix(
                "use one of its runtimes, for example python3.13, nodejs22.x or provided.al2023",
            ),
        ),
    };
    finding.map(|finding| finding.said_by(RUNTIMES))
}

fn guessed(zip: &ZipContents) -> Option<Language> {
    let ends = |endings: &[&str]| {
        let mut names = zip.at_root();
        names.any(|name| endings.iter().any(|end| name.ends_with(end)))
    };
    if zip.has("bootstrap") {
        Some(Language::Custom)
    } else if ends(&[".py"]) {
        Some(Language::Python)
    } else if ends(&[".js", ".mjs", ".cjs"]) || zip.has("package.json") {
        Some(Language::Node)
    } else if ends(&[".rb"]) {
        Some(Language::Ruby)
    } else if ends(&[".dll"]) {
        Some(Language::DotNet)
    } else if zip.names().any(|name| name.ends_with(".class")) {
        Some(Language::Java)
    } else {
        None
    }
}

/// Files that not everybody may read: Python's own `zipfile` makes such ones.
fn unreadable(zip: &ZipContents) -> Option<Finding> {
    let closed = |permissions: u16| permissions & READ_BY_ALL != READ_BY_ALL;
    let found: Vec<&str> = zip
        .directory
        .files()
        .iter()
        .filter(|file| file.permissions().is_some_and(closed))
        .map(|file| file.name())
        .collect();
    let first = *found.first()?;
    let permissions = zip.entry(first)?.permissions()?;
    let what = format!("not everybody may read {}", listed(found.iter().copied()));
    Some(
        Finding::error("zip-permissions", what)
            .at(format!("{} (mode {permissions:04o})", shown(first)))
            .because("the function runs as a user that owns no files, and fails with `permission denied`")
            .said_by(PERMISSIONS)
            .fix("chmod -R a+rX on the files before they are zipped"),
    )
}

/// Why Linux does not run a program that begins so; larger ones than are kept are not looked into.
fn not_for_linux(bytes: &[u8]) -> Option<&'static str> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    match bytes {
        [b'#', b'!', ..] if line.ends_with(b"\r") => {
            Some("its first line ends as on Windows, and no such interpreter exists")
        }
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
            Some("it is a program for macOS")
        }
        [b'M', b'Z', ..] => Some("it is a program for Windows"),
        [0x7f, b'E', b'L', b'F', ..] | [b'#', b'!', ..] => None,
        _ => Some("it is neither a program for Linux nor a script that begins with #!"),
    }
}

fn bootstrap(zip: &ZipContents) -> Option<Finding> {
    const NAME: &str = "bootstrap";
    let Some(entry) = zip.entry(NAME) else {
        let finding = zip.missing(NAME, &[NAME.to_owned()]);
        let fix = if finding.fix.is_empty() {
            "build the executable as `bootstrap`, outside of any folder".to_owned()
        } else {
            finding.fix.clone()
        };
        return Some(finding.said_by(CUSTOM).fix(fix));
    };
    let fix = "chmod 755 bootstrap before it is zipped, on a system with Unix permissions";
    if let Some(why) = zip.bytes(NAME).and_then(not_for_linux) {
        return Some(
            Finding::error(NAME, "Lambda cannot run bootstrap")
                .at(NAME)
                .because(why)
                .said_by(CUSTOM)
                .fix("build it for Linux (GOOS=linux), and write scripts with Unix line ends"),
        );
    }
    match entry.permissions() {
        Some(permissions) if permissions & RUN_BY_ALL == RUN_BY_ALL => None,
        Some(permissions) => Some(
            Finding::error(NAME, "bootstrap is not executable")
                .at(format!("{NAME} (mode {permissions:04o})"))
                .said_by(CUSTOM)
                .fix(fix),
        ),
        None => Some(
            Finding::warning(NAME, "the zip does not say that bootstrap is executable")
                .at(NAME)
                .because("zips that were made on Windows say no permissions")
                .said_by(CUSTOM)
                .fix(fix),
        ),
    }
}

fn dependencies(zip: &ZipContents, language: Option<Language>) -> Option<Finding> {
    let (file, missing, source, install) = match language? {
        // https://docs.aws.amazon.com/lambda/latest/dg/python-package.html: the runtimes have the SDK.
        Language::Python => (
            "requirements.txt",
            dependencies::missing_python(zip, "", &["boto3", "botocore"]),
            PYTHON,
            "pip install -r requirements.txt --target .",
        ),
        Language::Node => {
            let package: Value = package::read(zip)?.ok()?;
            let provided = |name: &str| name.starts_with("@aws-sdk/");
            (
                "package.json",
                dependencies::missing_node(zip, &package, provided),
                NODE,
                "npm ci --omit=dev",
            )
        }
        _ => return None,
    };
    (!missing.is_empty()).then(|| {
        let names = listed(missing.iter().map(String::as_str));
        Finding::note(
            "dependencies",
            format!("the zip does not bring along {names}"),
        )
        .at(file)
        .because("Lambda installs nothing; a layer or a bundler may have them")
        .said_by(source)
        .fix(format!(
            "install them beside the code before it is zipped: {install}"
        ))
    })
}

/// Binary modules for another Python than the runtime's.
fn extensions(zip: &ZipContents, settings: &Settings) -> Option<Finding> {
    let minor = python_minor(settings.runtime.as_deref()?)?;
    let tag = format!(".cpython-3{minor}-");
    let other: Vec<&str> = zip
        .names()
        .filter(|name| name.ends_with(".so") && name.contains(".cpython-3") && !name.contains(&tag))
        .collect();
    let first = *other.first()?;
    if zip.names().any(|name| name.contains(&tag)) {
        return None;
    }
    Some(
        Finding::warning(
            "zip-python",
            format!("binary modules are for another Python than 3.{minor}: {}", listed(other.iter().copied())),
        )
        .at(shown(first))
        .said_by(PYTHON)
        .fix(format!("install them for this one: pip install --python-version 3.{minor} --only-binary=:all: --target .")),
    )
}
