//! Rules for Python wheels: the entry point that is called, the interpreters and platforms its tags are for, its size.

mod entry;

use std::collections::BTreeMap;

use fractal_core::artifact::WheelFacts;

use super::finding::{Finding, listed, shown};
use super::limits::{DATABRICKS_FILE, READ_MAX};
use super::{Settings, Target};
use crate::wheel::WheelName;
use crate::zip::KeptFile;

/// Minor versions of CPython 3, and the LTS runtimes of Databricks that have them.
/// <https://docs.databricks.com/release-notes/runtime/>
const DATABRICKS_PYTHONS: [(u32, &str); 3] =
    [(10, "13.3 and 14.3"), (11, "15.4"), (12, "16.4 and 17.3")];
const DATABRICKS_RELEASES: &str = "https://docs.databricks.com/release-notes/runtime/";

/// A wheel, as far as it was read.
#[derive(Debug, Clone)]
pub struct WheelSubject {
    /// Its size in bytes, from the manifest.
    pub size: u64,
    /// What it says of itself, where it was read.
    pub facts: Option<WheelFacts>,
    /// The source of modules that an entry point may be in.
    pub files: BTreeMap<Box<str>, KeptFile>,
}

pub(super) fn check(wheel: &WheelSubject, target: Target, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if target == Target::Databricks {
        let over = DATABRICKS_FILE.over(wheel.size, "the wheel has");
        findings.extend(over.map(|finding| finding.fix("leave data out of the wheel")));
    }
    let Some(facts) = &wheel.facts else {
        findings.push(not_read(wheel.size));
        return findings;
    };
    entry::check(wheel, facts, target, settings, &mut findings);
    if target != Target::Local {
        findings.extend(tags(facts, target));
    }
    findings
}

/// That the content of an artifact of so many bytes was not looked at.
pub(super) fn not_read(size: u64) -> Finding {
    let what = "not checked: what is in it, since it was not read";
    if size > READ_MAX {
        return Finding::warning("not-read", what)
            .because(format!("it has {size} bytes, at most {READ_MAX} are read"))
            .fix("make it smaller");
    }
    Finding::note("not-read", what).fix("run `fractal check`, or `fractal inspect --contents`")
}

/// What a wheel with binary modules is bound to.
fn tags(facts: &WheelFacts, target: Target) -> Vec<Finding> {
    let Ok(name) = WheelName::parse(&facts.file_name) else {
        return Vec::new();
    };
    let mut parts = name.tags().splitn(3, '-');
    let (pythons, abis, platforms) = (parts.next(), parts.next(), parts.next());
    let words = |part: Option<&str>| -> Vec<String> {
        let part = part.unwrap_or_default();
        part.split('.').map(str::to_ascii_lowercase).collect()
    };
    let (pythons, abis, platforms) = (words(pythons), words(abis), words(platforms));
    let mut findings = Vec::new();
    findings.extend(interpreter(&pythons, &abis, target));
    findings.extend(processor(&platforms));
    findings
}

fn interpreter(pythons: &[String], abis: &[String], target: Target) -> Option<Finding> {
    // A stable ABI runs on every later interpreter too.
    if abis.iter().any(|abi| abi == "none" || abi == "abi3") {
        return None;
    }
    let minors: Vec<u32> = pythons
        .iter()
        .filter_map(|tag| tag.strip_prefix("cp3")?.parse().ok())
        .collect();
    let only = pythons.join(", ");
    let what = format!("the wheel runs on {} only", shown(&only));
    if target != Target::Databricks {
        return Some(
            Finding::note("wheel-python", what)
                .because("the interpreter of the Spark image has to be that one")
                .fix("choose a Spark image with this Python, or build a wheel for it"),
        );
    }
    let fitting: Vec<&str> = DATABRICKS_PYTHONS
        .iter()
        .filter(|(minor, _)| minors.contains(minor))
        .map(|(_, runtimes)| *runtimes)
        .collect();
    let known = DATABRICKS_PYTHONS.map(|(minor, runtimes)| format!("3.{minor}: {runtimes}"));
    let finding = if fitting.is_empty() {
        Finding::warning("wheel-python", what)
            .because(format!("no LTS runtime has it ({})", known.join("; ")))
            .fix("build the wheel for the Python of the runtime, or for the stable ABI")
    } else {
        Finding::note("wheel-python", what)
            .because(format!("LTS runtimes that have it: {}", fitting.join(", ")))
            .fix("choose one of these runtimes")
    };
    Some(finding.said_by(DATABRICKS_RELEASES))
}

fn processor(platforms: &[String]) -> Option<Finding> {
    if platforms.iter().any(|platform| platform == "any") {
        return None;
    }
    let linux = |platform: &&String| platform.contains("linux");
    let of_linux: Vec<&str> = platforms.iter().filter(linux).map(String::as_str).collect();
    let both = ["_x86_64", "_aarch64"]
        .iter()
        .all(|end| of_linux.iter().any(|platform| platform.ends_with(end)));
    (!both).then(|| {
        let what = format!("the wheel has binary modules for {}", listed(of_linux));
        Finding::note("wheel-platform", what)
            .because("nodes with other processors cannot import it")
            .fix("choose nodes with this processor")
    })
}
