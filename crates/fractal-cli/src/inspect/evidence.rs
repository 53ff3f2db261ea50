//! Which fields of a manifest speak for what: the evidence behind a kind.

use std::collections::BTreeMap;

use fractal_artifact::targets::ImageSubject;
use fractal_core::artifact::kind::media_type as mt;
use fractal_core::artifact::{Descriptor, Manifest};
use serde::Serialize;

use crate::artifact::Artifact;

/// Most layers that are named.
const LAYERS_SHOWN: usize = 4;
/// What a publisher says of where an artifact is from.
/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md>
const ANNOTATIONS: [&str; 5] = ["source", "revision", "created", "version", "base.name"];
const PREFIX: &str = "org.opencontainers.image.";

const NOTHING: &str = "nothing that decides";

/// One field, what it holds, and what that says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evidence {
    pub(super) field: String,
    pub(super) value: String,
    pub(super) says: &'static str,
    /// Whether this field decided.
    pub(super) decided: bool,
}

impl Evidence {
    fn new(field: impl Into<String>, value: &str, says: &'static str) -> Self {
        Self {
            field: field.into(),
            value: value.chars().take(200).collect(),
            says,
            decided: false,
        }
    }

    const fn deciding(mut self) -> Self {
        self.decided = true;
        self
    }
}

/// A local file's name, which decides what publishing makes of it.
pub(super) fn name(name: &str) -> Evidence {
    let says = of_title(name);
    let evidence = Evidence::new("file name", name, says);
    if says == NOTHING {
        evidence
    } else {
        evidence.deciding()
    }
}

/// That a local file begins like a zip.
pub(super) fn magic() -> Evidence {
    Evidence::new("first bytes", "50 4b 03 04", "a zip")
}

/// What speaks for what; `because` is how the kind was told.
pub(super) fn of(artifact: &Artifact, because: &str) -> Vec<Evidence> {
    let mut all = Vec::new();
    let root = &artifact.root.media_type;
    let is_index = matches!(artifact.root.manifest, Manifest::Index(_));
    let says = if is_index {
        "an index of images"
    } else {
        "a manifest"
    };
    all.push(Evidence::new("mediaType", root, says));
    let Some(image) = &artifact.image else {
        return all;
    };
    if let Some(said) = &image.artifact_type {
        all.push(Evidence::new("artifactType", said, of_type(said)));
    }
    let config = &image.config.media_type;
    all.push(Evidence::new("config.mediaType", config, of_type(config)));
    for (place, layer) in image.layers.iter().take(LAYERS_SHOWN).enumerate() {
        all.extend(of_layer(place, layer));
    }
    if because.contains("begins like a zip") {
        all.push(Evidence::new(
            "layers[0] first bytes",
            "50 4b 03 04",
            "a zip",
        ));
    }
    decide(&mut all, because, is_index);
    all
}

fn of_layer(place: usize, layer: &Descriptor) -> Vec<Evidence> {
    let media_type = &layer.media_type;
    let field = format!("layers[{place}].mediaType");
    let mut all = vec![Evidence::new(field, media_type, of_type(media_type))];
    let title = layer.title().map(|title| {
        let field = format!("layers[{place}].annotations.title");
        Evidence::new(field, title, of_title(title))
    });
    all.extend(title);
    all
}

/// Marks the fields that the sentence is about.
fn decide(all: &mut [Evidence], because: &str, is_index: bool) {
    let contract = |value: &str| matches!(value, mt::FUNCTION_ZIP | mt::WHEEL | mt::MANIFESTS);
    let decisive = |it: &Evidence| match it.field.as_str() {
        "mediaType" => is_index,
        "config.mediaType" => contract(&it.value) || because.contains("an image config"),
        "artifactType" => contract(&it.value),
        field if field.ends_with("first bytes") => true,
        field if field.ends_with("title") => because.contains("is titled"),
        _ => {
            contract(&it.value)
                || because.contains("is of type")
                || because.contains("layer")
                    && !because.contains("is titled")
                    && !because.contains("begins like")
        }
    };
    for evidence in all.iter_mut() {
        evidence.decided = decisive(evidence);
    }
}

fn of_type(media_type: &str) -> &'static str {
    match media_type {
        mt::FUNCTION_ZIP => "a function zip",
        mt::WHEEL => "a Python wheel",
        mt::MANIFESTS => "a manifest bundle",
        mt::OCI_CONFIG | mt::DOCKER_CONFIG => "an image config",
        mt::OCI_EMPTY => "an artifact without a config",
        other if other.ends_with("+zip") || other == "application/zip" => "a zip",
        other if other.ends_with("gzip") || other.ends_with("zstd") => "a compressed image layer",
        other if other.contains(".tar") || other.contains("layer") => "an image layer, or any file",
        _ => NOTHING,
    }
}

fn of_title(title: &str) -> &'static str {
    let title = title.to_ascii_lowercase();
    if title.ends_with(".whl") {
        "a Python wheel"
    } else if title.ends_with(".zip") {
        "a function zip"
    } else {
        NOTHING
    }
}

/// The annotations that say where it is from, by their short names.
pub(super) fn annotations(artifact: &Artifact) -> BTreeMap<String, String> {
    let of_image = artifact.image.as_ref().map(|image| &image.annotations);
    let of_root = match &artifact.root.manifest {
        Manifest::Index(index) => Some(&index.annotations),
        Manifest::Image(_) => None,
    };
    let all = [of_image, of_root].into_iter().flatten().flatten();
    all.filter_map(|(key, value)| Some((short(key)?, value.clone())))
        .collect()
}

/// What the image's own labels say, where its annotations say nothing.
pub(super) fn labels(image: &ImageSubject, annotations: &mut BTreeMap<String, String>) {
    let Some(settings) = image
        .images
        .iter()
        .find_map(|image| image.settings.as_ref())
    else {
        return;
    };
    let labels = settings.labels.iter();
    let labels = labels.filter_map(|(key, value)| Some((short(key)?, value.clone())));
    let created = settings.created.clone();
    let created = created.map(|created| ("created".to_owned(), created));
    for (key, value) in labels.chain(created) {
        annotations.entry(key).or_insert(value);
    }
}

fn short(key: &str) -> Option<String> {
    let short = key.strip_prefix(PREFIX)?;
    ANNOTATIONS.contains(&short).then(|| short.to_owned())
}
