//! Subjects made for one test, and verdicts in a form that a table can hold.

use std::io::{Cursor, Write as _};

use fractal_artifact::ZipScanner;
use fractal_artifact::targets::{
    Finding, Settings, Severity, Subject, Target, ZipContents, ZipSubject, judge, wanted,
};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Names and contents.
pub(crate) type Files<'a> = &'a [(&'a str, &'a str)];

/// The bytes of a zip of these files, which everybody may read.
pub(crate) fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().unix_permissions(0o644);
    for (name, content) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A zip as a subject, read as the settings want it.
pub(crate) fn read(bytes: &[u8], settings: &Settings) -> ZipSubject {
    let mut scanner = ZipScanner::new().keeping(wanted(settings));
    scanner.push(bytes);
    let size = bytes.len() as u64;
    let (directory, files) = scanner.finish_with_files(size).unwrap();
    ZipSubject {
        size,
        contents: Some(ZipContents { directory, files }),
    }
}

pub(crate) fn settings(handler: &str, runtime: &str) -> Settings {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Settings {
        handler: some(handler),
        runtime: some(runtime),
        ..Settings::default()
    }
}

/// What `target` finds in a zip of these files.
pub(crate) fn found(target: Target, files: &[(&str, &str)], settings: &Settings) -> Vec<Finding> {
    let zip = read(&zipped(files), settings);
    judge(&[Subject::Zip(zip)], target, settings).findings
}

/// Findings as `severity rule`, what is not checked left out.
pub(crate) fn rules(findings: &[Finding]) -> Vec<String> {
    let findings = findings
        .iter()
        .filter(|it| !matches!(it.rule, "not-checked" | "not-read"));
    findings.map(line).collect()
}

pub(crate) fn line(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    format!("{severity} {}", finding.rule)
}

/// The finding of this rule.
pub(crate) fn of<'a>(findings: &'a [Finding], rule: &str) -> &'a Finding {
    let mut all = findings.iter();
    let found = all.find(|finding| finding.rule == rule);
    found.unwrap_or_else(|| panic!("no {rule} in {findings:?}"))
}
