//! One forward pass over a wheel, and what its metadata says once all of it is there.

use fractal_core::artifact::{Descriptor, WheelFacts};

use super::entry_points;
use super::error::WheelError;
use super::fields::Fields;
use super::name::{self, WheelName};
use super::tags::Tags;
use super::walk::{Contents, Walk};
use super::{LIMITS, record, version};
use crate::zip::ZipScanner;

/// Bytes looked at in one go, however many are pushed.
const PIECE: usize = 64 * 1024;

/// Reads a wheel from its first byte to its last, in pieces of any size.
///
/// Memory is bounded by the zip scanner's, some 150 bytes and the name for each file, and 18 MiB of metadata at most.
/// Every file is unpacked and hashed, which takes processor time in proportion to the bytes pushed: at most 4 GiB are
/// unpacked, and above 64 MiB at most a hundred bytes for each pushed.
/// The first error is kept and given back by [`finish`](Self::finish); what is pushed after it is ignored.
#[derive(Debug)]
pub struct WheelScanner {
    zip: ZipScanner,
    walk: Walk,
    failed: Option<WheelError>,
}

impl WheelScanner {
    /// A scanner at a wheel's first byte.
    #[must_use]
    pub fn new() -> Self {
        Self {
            zip: ZipScanner::with_limits(LIMITS),
            walk: Walk::new(),
            failed: None,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            if self.has_failed() {
                return;
            }
            self.zip.push(piece);
            // What the zip scanner refuses is not unpacked.
            if !self.zip.has_failed() {
                self.failed = self.walk.push(piece).err();
            }
        }
    }

    /// Whether the wheel is refused already: the rest need not be pushed.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.failed.is_some() || self.zip.has_failed()
    }

    /// What the wheel says of itself, once all bytes that `layer` describes were pushed.
    ///
    /// The layer's title has to be the wheel's file name; folders before it, which `oras push dist/x.whl` puts there, are
    /// left out. Without a title the file name is made from the metadata.
    ///
    /// # Errors
    /// Where the wheel is no strict zip, does not unpack, is over a cap, is not what its metadata or its file name says, or runs
    /// on no Spark cluster.
    pub fn finish(self, layer: &Descriptor) -> Result<WheelFacts, WheelError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let directory = self.zip.finish(layer.size).map_err(WheelError::Zip)?;
        facts(self.walk.finish(&directory)?, layer)
    }
}

impl Default for WheelScanner {
    fn default() -> Self {
        Self::new()
    }
}

fn facts(contents: Contents, layer: &Descriptor) -> Result<WheelFacts, WheelError> {
    let folder = contents
        .folder
        .as_deref()
        .ok_or_else(|| WheelError::DistInfo {
            found: "no such folder".into(),
        })?;
    let kept = |name: &str| {
        contents.kept.get(name).ok_or_else(|| WheelError::Missing {
            name: format!("{}/{name}", shown(folder)),
        })
    };
    let distribution = Distribution::read(kept("METADATA")?, kept("WHEEL")?, folder)?;
    record::check(kept("RECORD")?, folder, &contents.files)?;
    if !distribution.tags.run_on_linux() {
        return Err(WheelError::Unsupported {
            tags: distribution.tags.shown(),
        });
    }
    let file_name = distribution.file_name(layer.title())?;
    let entry_points = contents.kept.get("entry_points.txt");
    let entry_points = entry_points.map_or_else(
        || Ok(Default::default()),
        |bytes| entry_points::parse(bytes),
    )?;
    Ok(WheelFacts {
        layer: layer.clone(),
        file_name: file_name.as_str().into(),
        name: distribution.name.into(),
        version: distribution.version.into(),
        entry_points,
        names: contents.files.into_iter().map(|file| file.name).collect(),
    })
}

/// What the metadata says the wheel is.
struct Distribution<'a> {
    name: &'a str,
    version: &'a str,
    build: Option<&'a str>,
    tags: Tags,
}

impl<'a> Distribution<'a> {
    fn read(metadata: &'a [u8], wheel: &'a [u8], folder: &str) -> Result<Self, WheelError> {
        let metadata = Fields::parse("METADATA", metadata)?;
        let wheel = Fields::parse("WHEEL", wheel)?;
        let malformed = |file, what: String| Err(WheelError::Metadata { file, what });
        metadata.one("Metadata-Version")?;
        let (name, version) = (metadata.one("Name")?, metadata.one("Version")?);
        if !name::is_distribution(name) {
            return malformed(
                "METADATA",
                format!("`{}` is no distribution's name", shown(name)),
            );
        }
        if version::canonical(version).is_none() {
            return malformed("METADATA", format!("`{}` is no version", shown(version)));
        }
        let format = wheel.one("Wheel-Version")?;
        if format.split('.').next() != Some("1") {
            let what = format!("it is of version {}, only 1 is known", shown(format));
            return malformed("WHEEL", what);
        }
        let Some(tags) = Tags::parse(wheel.all("Tag")) else {
            return malformed("WHEEL", "its tags are missing or malformed".into());
        };
        if !is_folder_of(folder, name, version) {
            return Err(WheelError::Folder {
                folder: shown(folder),
                name: shown(name),
                version: shown(version),
            });
        }
        Ok(Self {
            name,
            version,
            build: wheel.optional("Build")?,
            tags,
        })
    }

    /// The title, where it says what the metadata says; without one, a name that does.
    fn file_name(&self, title: Option<&str>) -> Result<WheelName, WheelError> {
        let Some(title) = title else {
            return self.made();
        };
        let parsed = WheelName::parse(plain(title)).map_err(|source| WheelError::Title {
            title: shown(title),
            source,
        })?;
        let differs = |what, expected: String| {
            Err(WheelError::Mismatch {
                title: shown(title),
                what,
                expected,
            })
        };
        if !parsed.is_of(self.name, self.version) {
            let expected = format!("{} {}", shown(self.name), shown(self.version));
            return differs("name or version", expected);
        }
        if self.build.is_some() && parsed.build() != self.build {
            return differs("the build number", shown(self.build.unwrap_or_default()));
        }
        if !parsed.has_tags(&self.tags) {
            return differs("the tags", self.tags.shown());
        }
        Ok(parsed)
    }

    fn made(&self) -> Result<WheelName, WheelError> {
        let unnamed = || WheelError::Unnamed {
            tags: self.tags.shown(),
        };
        let tags = self.tags.compressed().ok_or_else(unnamed)?;
        let name = name::normal(self.name).replace('-', "_");
        let version = self.version.replace('-', "_");
        let build = self
            .build
            .map(|build| format!("-{build}"))
            .unwrap_or_default();
        let text = format!("{name}-{version}{build}-{tags}.whl");
        WheelName::parse(&text).map_err(|_| unnamed())
    }
}

/// Whether `NAME-VERSION.dist-info` is of this distribution. Writers differ in how they spell both.
fn is_folder_of(folder: &str, name: &str, version: &str) -> bool {
    let stem = folder.strip_suffix(".dist-info");
    stem.and_then(|stem| stem.split_once('-'))
        .is_some_and(|(own, at)| {
            name::normal(own) == name::normal(name)
                && version::of_file_name(at) == version::canonical(version)
        })
}

/// The last part of a title that is a plain relative path, or the title as it is.
fn plain(title: &str) -> &str {
    match title.rsplit_once('/') {
        Some((folders, name)) if folders.split('/').all(|part| !matches!(part, "" | "..")) => name,
        _ => title,
    }
}

/// A name from the wheel as text for a message: escaped and cut.
pub(super) fn shown(name: &str) -> String {
    let text: String = name.chars().take(96).collect();
    let cut = if text.len() < name.len() { "…" } else { "" };
    format!("{}{cut}", text.escape_debug())
}
