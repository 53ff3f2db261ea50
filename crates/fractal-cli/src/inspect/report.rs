//! The report as a JSON document: the fields scripts may rely on.

use std::collections::BTreeMap;

use fractal_artifact::targets::{Settings, Severity, Subject, Target, Verdict, judge};
use fractal_core::Exit;
use fractal_core::artifact::{ArtifactKind, Descriptor, Digest};
use serde::Serialize;

use super::evidence::Evidence;
use super::examine::Examined;

/// Notes that are conditions of running there: what a reader of the table has to know.
const CONDITIONS: [&str; 6] = [
    "not-read",
    "package-type",
    "index-child",
    "azure-plan",
    "zip-staging",
    "legacy-service",
];

/// Most notes in a row of the table.
const NOTES_SHOWN: usize = 2;

/// What is known of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// As it was asked for.
    pub(super) subject: String,
    /// `None` of a bundle's folder, and of what is no artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    /// `None` where it is none of the contract's kinds, or can be read two ways.
    pub(super) kind: Option<ArtifactKind>,
    /// Why we think so.
    pub(super) because: String,
    /// Which fields say what.
    pub(super) evidence: Vec<Evidence>,
    /// Compressed bytes of the layers; of an index, those of its first image.
    pub(super) size: u64,
    pub(super) layers: Vec<Layer>,
    /// Of an index, its images; of an image, its own platform.
    pub(super) images: Vec<Image>,
    /// `source`, `revision`, `created`, `version` and `base.name`, as its publisher says.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) contents: Option<Contents>,
    /// Of a wheel, what it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wheel: Option<Wheel>,
    pub(super) targets: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Image {
    pub(super) platform: String,
    pub(super) digest: Digest,
}

/// What a zip's directory says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contents {
    pub(super) files: usize,
    /// Bytes after unpacking, as the zip says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unpacked: Option<u64>,
}

/// What a wheel's metadata says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wheel {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) file_name: String,
    /// Declared entry points: name and `module:function`, of all groups.
    pub(super) entry_points: BTreeMap<String, String>,
}

/// Whether a target runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) title: &'static str,
    /// What to know or to do about it, in a line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) note: String,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
}

impl From<&Descriptor> for Layer {
    fn from(layer: &Descriptor) -> Self {
        Self {
            digest: layer.digest.clone(),
            media_type: layer.media_type.clone(),
            size: layer.size,
            title: layer.title().map(str::to_owned),
        }
    }
}

impl Report {
    pub(super) fn new(subject: &str, examined: Examined) -> Self {
        let settings = Settings::default();
        let rows = Target::ALL.map(|target| Row::of(judge(&examined.subjects, target, &settings)));
        Self {
            subject: subject.to_owned(),
            kind: match examined.kinds.as_slice() {
                [kind] => Some(*kind),
                _ => None,
            },
            size: examined.size(),
            layers: examined.layers.iter().map(Layer::from).collect(),
            contents: examined.subjects.iter().find_map(contents),
            wheel: examined.subjects.iter().find_map(wheel),
            targets: rows.into(),
            digest: examined.digest,
            media_type: examined.media_type,
            because: examined.because,
            evidence: examined.evidence,
            images: examined.images,
            annotations: examined.annotations,
        }
    }

    /// An artifact that nothing can run is a failure to a script that asks.
    pub(super) fn exit(&self) -> Exit {
        if self.targets.iter().any(|target| target.verdict.runs) {
            Exit::Success
        } else {
            Exit::Failed
        }
    }
}

impl Row {
    fn of(verdict: Verdict) -> Self {
        let mut findings = verdict.findings.iter();
        let note = if verdict.runs {
            let said = findings
                .filter(|it| it.severity == Severity::Warning || CONDITIONS.contains(&it.rule));
            let mut notes: Vec<String> = said
                .map(|it| match (it.rule, &it.place) {
                    ("package-type", _) => it.fix.clone(),
                    ("index-child", Some(place)) => format!("as {place}"),
                    _ => it.what.clone(),
                })
                .collect();
            if let Some(more @ 1..) = notes.len().checked_sub(NOTES_SHOWN) {
                notes.truncate(NOTES_SHOWN);
                notes.push(format!("{more} more: `fractal check` lists them"));
            }
            notes.join("; ")
        } else {
            let error = findings.find(|it| it.severity == Severity::Error);
            error.map_or_else(String::new, |it| match (it.rule, it.fix.as_str()) {
                (_, "") => it.what.clone(),
                ("kind" | "architecture", fix) => fix.to_owned(),
                (_, fix) => format!("{}: {fix}", it.what),
            })
        };
        Self {
            title: verdict.target.title(),
            note,
            verdict,
        }
    }
}

fn contents(subject: &Subject) -> Option<Contents> {
    match subject {
        Subject::Zip(zip) => zip.contents.as_ref().map(|contents| Contents {
            files: contents.directory.files().len(),
            unpacked: Some(contents.directory.unpacked()),
        }),
        Subject::Wheel(wheel) => wheel.facts.as_ref().map(|facts| Contents {
            files: facts.names.len(),
            unpacked: None,
        }),
        _ => None,
    }
}

fn wheel(subject: &Subject) -> Option<Wheel> {
    let Subject::Wheel(wheel) = subject else {
        return None;
    };
    let facts = wheel.facts.as_ref()?;
    let entries = facts.entry_points.values().flatten();
    Some(Wheel {
        name: facts.name.to_string(),
        version: facts.version.to_string(),
        file_name: facts.file_name.to_string(),
        entry_points: entries
            .map(|(name, object)| (name.to_string(), object.to_string()))
            .collect(),
    })
}
