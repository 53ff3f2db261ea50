//! Rules for deployment zips: what all function platforms share. What each wants of the layout stands in a file of its own.

mod azure;
pub(super) mod code;
mod dependencies;
mod google;
mod lambda;
mod package;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

pub use wanted::wanted;

use super::finding::{Finding, listed, shown};
use super::wheel::not_read;
use super::{Settings, Target};
use crate::zip::{KeptFile, ZipDirectory, ZipEntry};

/// A zip, as far as it was read.
#[derive(Debug, Clone)]
pub struct ZipSubject {
    /// Its size in bytes, from the manifest.
    pub size: u64,
    /// What is in it, where it was read.
    pub contents: Option<ZipContents>,
}

/// What a zip's directory says, and the small files that rules look into.
#[derive(Debug, Clone)]
pub struct ZipContents {
    /// Its directory.
    pub directory: ZipDirectory,
    /// The files that [`wanted`] named.
    pub files: BTreeMap<Box<str>, KeptFile>,
}

impl ZipContents {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.directory.files().iter().map(ZipEntry::name)
    }

    pub(super) fn entry(&self, name: &str) -> Option<&ZipEntry> {
        let files = self.directory.files();
        let place = files.binary_search_by(|file| file.name().cmp(name)).ok()?;
        files.get(place)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    pub(super) fn has_below(&self, folder: &str) -> bool {
        self.names().any(|name| name.starts_with(folder))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.files.get(name).and_then(KeptFile::text)
    }

    /// A small file's bytes.
    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.files.get(name)? {
            KeptFile::Whole(bytes) => Some(bytes),
            KeptFile::TooLarge | KeptFile::Damaged => None,
        }
    }

    /// Files that lie in no folder.
    pub(super) fn at_root(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|name| !name.contains('/'))
    }

    /// The one folder that everything lies in, where there is one: `zip -r x.zip folder` makes such zips.
    pub(super) fn wrapper(&self) -> Option<&str> {
        let mut tops = self
            .names()
            .map(|name| name.split_once('/').map(|(top, _)| top));
        let first = tops.next()??;
        tops.all(|top| top == Some(first)).then_some(first)
    }

    /// That `name` is missing; where it lies below the one top folder, that this is why.
    pub(super) fn missing(&self, rule: &'static str, names: &[String]) -> Finding {
        let wrapped = self.wrapper().and_then(|folder| {
            let mut below = names.iter().map(|name| format!("{folder}/{name}"));
            below.find(|name| self.has(name))
        });
        let wanted = listed(names.iter().map(String::as_str)).replace(", ", " or ");
        let finding = Finding::error(rule, format!("the zip has no {wanted}"));
        match wrapped {
            Some(found) => finding
                .at(shown(&found))
                .because(
                    "everything in the zip lies in one folder, and the target looks outside of it",
                )
                .fix(UNWRAP),
            None => {
                let count = self.directory.files().len();
                let names = listed(self.names());
                let word = if count == 1 { "file" } else { "files" };
                finding.because(format!("it has {count} {word}: {names}"))
            }
        }
    }
}

const UNWRAP: &str =
    "zip what is in the folder, not the folder: cd FOLDER && zip -r ../function.zip .";

pub(super) fn check(zip: &ZipSubject, target: Target, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    sizes(zip, target, settings, &mut findings);
    let Some(contents) = &zip.contents else {
        findings.push(not_read(zip.size));
        return findings;
    };
    match target {
        Target::AwsLambda => {
            lambda::check(contents, settings, &mut findings);
            findings.extend(wrapped(contents, settings));
        }
        Target::AzureFunctions => azure::check(contents, settings, &mut findings),
        Target::GcpFunctions => google::check(contents, settings, &mut findings),
        _ => {}
    }
    if target != Target::Local {
        findings.extend(secrets(contents));
        findings.extend(native(contents));
    }
    findings
}

fn sizes(zip: &ZipSubject, target: Target, settings: &Settings, findings: &mut Vec<Finding>) {
    match target {
        Target::AwsLambda => lambda::sizes(zip, findings),
        Target::AzureFunctions => azure::sizes(zip, settings, findings),
        _ => {}
    }
}

/// The classic mistake, where nothing else tells whether it is one. Archives of a runtime's own lie in a folder rightly.
fn wrapped(zip: &ZipContents, settings: &Settings) -> Option<Finding> {
    let folder = zip.wrapper()?;
    if settings.handler.is_some() || zip.names().all(|name| name.ends_with(".jar")) {
        return None;
    }
    let what = format!(
        "everything in the zip lies in the folder `{}`",
        shown(folder)
    );
    Some(
        Finding::warning("zip-wrapped", what)
            .at(format!("{}/", shown(folder)))
            .because("function platforms look for their files outside of any folder")
            .fix(UNWRAP),
    )
}

/// Files that are known to hold credentials. What else is secret cannot be told by a name.
fn secrets(zip: &ZipContents) -> Option<Finding> {
    let is_secret = |name: &&str| {
        let last = name.rsplit('/').next().unwrap_or(name);
        let environment = last == ".env" || (last.starts_with(".env.") && !is_sample(last));
        environment
            || matches!(last, "id_rsa" | "id_ecdsa" | "id_ed25519")
            || name.ends_with(".aws/credentials")
            || *name == ".git/config"
            || *name == ".npmrc"
    };
    let found: Vec<&str> = zip.names().filter(is_secret).collect();
    let first = (*found.first()?).to_owned();
    Some(
        Finding::warning(
            "zip-secrets",
            format!(
                "the zip has files that usually hold secrets: {}",
                listed(found)
            ),
        )
        .at(shown(&first))
        .because("everybody who may read the registry may read them")
        .fix("leave them out, and give the values by reference on the component"),
    )
}

fn is_sample(name: &str) -> bool {
    ["example", "sample", "template", "dist"]
        .iter()
        .any(|word| name.ends_with(word))
}

/// Binary modules for another system: built on the machine at hand instead of for Linux.
fn native(zip: &ZipContents) -> Option<Finding> {
    let foreign = |name: &&str| {
        let ends = [".pyd", "-darwin.so", ".dylib", "darwin.node"];
        ends.iter().any(|end| name.ends_with(end))
            || (name.ends_with(".node") && (name.contains("darwin-") || name.contains("win32-")))
    };
    let found: Vec<&str> = zip.names().filter(foreign).collect();
    let linux = |name: &str| {
        (name.ends_with(".so") && !name.ends_with("-darwin.so"))
            || (name.ends_with(".node") && name.contains("linux"))
    };
    let folders: BTreeSet<&str> = zip.names().filter(|name| linux(name)).map(top).collect();
    let found: Vec<&str> = found
        .into_iter()
        .filter(|name| !folders.contains(top(name)))
        .collect();
    let first = (*found.first()?).to_owned();
    Some(
        Finding::warning(
            "zip-native-code",
            format!("binary modules are for another system than Linux: {}", listed(found)),
        )
        .at(shown(&first))
        .because("functions run on Linux, where they cannot be loaded")
        .fix("install dependencies for Linux: pip install --platform manylinux2014_x86_64 --only-binary=:all: --target ."),
    )
}

/// The folder of a file: packages that bring modules for every system have one for Linux beside it.
fn top(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}
