//! Archives as `docker save` wrote them before version 25, and `crane pull`, `skopeo`, kaniko and Bazel's rules still do.
//!
//! They hold no manifest, so one is written here: the same archive always gives the same one. Layers stay as they are.

use std::io::Read as _;

use bytes::Bytes;
use fractal_core::artifact::digest::Algorithm;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest, Hasher, ImageManifest};
use fractal_core::{Fault, Reason};
use fractal_registry::{Packed, Piece};
use serde::Deserialize;

use super::archive::{Archive, Pieces, is_called};
use crate::error::CliError;

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// A layer that was compressed with Zstandard.
const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// An image of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<Digest>,
}

/// The image of the archive: the only one, or the one called `image`.
pub(super) fn packed(archive: &Archive, image: Option<&str>) -> Result<Packed, CliError> {
    let images: Vec<Image> = archive.document("manifest.json")?;
    let image = chosen(archive, &images, image)?;
    let mut pieces = Pieces::new();
    let (config, diff_ids) = config(archive, image, &mut pieces)?;
    let mut layers = Vec::new();
    for (name, diff_id) in image.layers.iter().zip(&diff_ids) {
        layers.push(layer(archive, name, diff_id, &mut pieces)?);
    }
    let manifest = ImageManifest::new(None, config, layers);
    let manifest = serde_json::to_vec(&manifest).map_err(|error| {
        Fault::terminal(Reason::new("Internal"), "the manifest has no JSON form").because(error)
    })?;
    let (digest, size) = (Digest::sha256(&manifest), manifest.len() as u64);
    pieces.insert(digest.clone(), Piece::Bytes(manifest.into()));
    let root = Descriptor::new(media_type::OCI_MANIFEST, digest, size);
    Ok(Packed::new(&archive.at(), root, pieces))
}

fn chosen<'a>(
    archive: &Archive,
    images: &'a [Image],
    wanted: Option<&str>,
) -> Result<&'a Image, Fault> {
    let fit: Vec<&Image> = images
        .iter()
        .filter(|image| {
            wanted.is_none_or(|wanted| names(image).any(|name| is_called(name, wanted)))
        })
        .collect();
    match fit.as_slice() {
        [only] => Ok(only),
        [] if wanted.is_none() => Err(archive.invalid("its manifest.json names no image")),
        fit => Err(archive.choice(
            wanted.filter(|_| fit.is_empty()),
            fit.len(),
            images.iter().filter_map(|image| names(image).next()),
        )),
    }
}

fn names(image: &Image) -> impl Iterator<Item = &str> {
    image.repo_tags.iter().flatten().map(String::as_str)
}

/// The config, which names each layer's content: its own name is its digest.
fn config(
    archive: &Archive,
    image: &Image,
    pieces: &mut Pieces,
) -> Result<(Descriptor, Vec<Digest>), CliError> {
    let bytes = archive.bytes(&image.config)?;
    let digest = Digest::sha256(&bytes);
    let file = image.config.rsplit('/').next().unwrap_or_default();
    let stem = file.strip_suffix(".json").unwrap_or(file);
    let hex = stem.strip_prefix("sha256:").unwrap_or(stem);
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest && hex != digest.hex() {
        let why = format!("its config {} has the digest {digest}", image.config);
        return Err(archive.invalid(&why).into());
    }
    let config: Config = archive.document(&image.config)?;
    let diff_ids = config.rootfs.diff_ids;
    if diff_ids.len() != image.layers.len() {
        let (named, found) = (diff_ids.len(), image.layers.len());
        let why = format!("its config names {named} layers, and there are {found}");
        return Err(archive.invalid(&why).into());
    }
    let descriptor = Descriptor::new(media_type::OCI_CONFIG, digest.clone(), bytes.len() as u64);
    pieces.insert(digest, Piece::Bytes(Bytes::from(bytes)));
    Ok((descriptor, diff_ids))
}

fn layer(
    archive: &Archive,
    name: &str,
    diff_id: &Digest,
    pieces: &mut Pieces,
) -> Result<Descriptor, CliError> {
    let missing = || archive.invalid(&format!("it has no {name}"));
    let part = archive.tar.file(name).ok_or_else(missing)?;
    let piece = archive.piece(name).ok_or_else(missing)?;
    let failed = |error| CliError::file(&archive.path, error);
    let mut content = part.open(&archive.path).map_err(failed)?;
    let (mut hasher, mut chunk) = (Hasher::new(Algorithm::Sha256), vec![0; CHUNK]);
    let mut media_type = None;
    loop {
        let length = content.read(&mut chunk).map_err(failed)?;
        let read = chunk.get(..length).unwrap_or_default();
        media_type.get_or_insert_with(|| layer_type(read));
        if read.is_empty() {
            break;
        }
        hasher.update(read);
    }
    let digest = hasher.finish();
    let media_type = media_type.unwrap_or(media_type::OCI_LAYER);
    if media_type == media_type::OCI_LAYER && digest != *diff_id {
        let why =
            format!("its layer {name} has the digest {digest}, and the config says {diff_id}");
        return Err(archive.invalid(&why).into());
    }
    pieces.insert(digest.clone(), piece);
    Ok(Descriptor::new(media_type, digest, part.size))
}

/// How a layer is compressed, by its first bytes (RFC 1952, RFC 8878).
fn layer_type(start: &[u8]) -> &'static str {
    match start {
        [0x1f, 0x8b, ..] => media_type::OCI_LAYER_GZIP,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => LAYER_ZSTD,
        _ => media_type::OCI_LAYER,
    }
}
