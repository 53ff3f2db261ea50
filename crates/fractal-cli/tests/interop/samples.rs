//! One artifact of every kind, as a developer has it on disk and as an OCI layout.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use fractal_core::artifact::Digest;
use fractal_core::artifact::kind::media_type as mt;
use tempfile::TempDir;

use crate::layout::{Layout, TAG};

const WHEEL: &str = "etl-2.0-py3-none-any.whl";

/// An artifact that is published, by us or by another client.
pub(crate) struct Sample {
    /// Its repository's name.
    pub(crate) name: &'static str,
    /// What `fractal inspect` has to call it.
    pub(crate) kind: &'static str,
    pub(crate) layout: PathBuf,
    /// The file it is made of, with the layer's media type; an image is none.
    pub(crate) file: Option<(PathBuf, &'static str)>,
    /// The command that publishes it, without the reference.
    pub(crate) publish: Vec<String>,
}

impl Sample {
    pub(crate) fn file_bytes(&self) -> Option<Vec<u8>> {
        let (path, _) = self.file.as_ref()?;
        Some(std::fs::read(path).unwrap())
    }

    /// The layout as most clients name it, `FOLDER:TAG`.
    pub(crate) fn tagged_layout(&self) -> String {
        format!("{}:{TAG}", self.layout.display())
    }
}

/// All samples, in one folder that goes with them.
pub(crate) struct Samples {
    pub(crate) all: [Sample; 5],
    folder: TempDir,
}

impl Samples {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let zip = zip(&[
            ("app.py", "def handler(event, context): return 1\n".into()),
            ("noise.bin", noise(300_000, 7)),
        ]);
        let wheel = zip_of_wheel();
        Self {
            all: [
                image(at),
                index(at),
                file(at, "wheel", "python_wheel", (WHEEL, mt::WHEEL), &wheel),
                file(
                    at,
                    "zip",
                    "function_zip",
                    ("orders.zip", mt::FUNCTION_ZIP),
                    &zip,
                ),
                bundle(at),
            ],
            folder,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn image(at: &Path) -> Sample {
    let layout = Layout::new(at.join("image-layout"));
    let root = layout.image("amd64", &[base(&layout), own(&layout, 1)]);
    of_layout("image", layout.finish(&root))
}

/// Two images on one base, one of them with a layer that is not compressed.
fn index(at: &Path) -> Sample {
    let layout = Layout::new(at.join("index-layout"));
    let plain = tar(&[("hello", noise(100_000, 3))]);
    let digest = Digest::sha256(&plain);
    let plain = (layout.blob(mt::OCI_LAYER, &plain), digest);
    let images = vec![
        layout.image("amd64", &[base(&layout), own(&layout, 1)]),
        layout.image("arm64", &[base(&layout), plain]),
    ];
    let root = layout.index(images);
    of_layout("index", layout.finish(&root))
}

fn of_layout(name: &'static str, layout: PathBuf) -> Sample {
    let publish = vec![
        "publish".into(),
        format!("oci-layout:{}:{TAG}", layout.display()),
    ];
    Sample {
        name,
        kind: "container",
        layout,
        file: None,
        publish,
    }
}

fn base(layout: &Layout) -> (fractal_core::artifact::Descriptor, Digest) {
    layer(layout, &tar(&[("base", noise(200_000, 2))]))
}

fn own(layout: &Layout, seed: u64) -> (fractal_core::artifact::Descriptor, Digest) {
    layer(layout, &tar(&[("hello", noise(50_000, seed))]))
}

fn layer(layout: &Layout, tar: &[u8]) -> (fractal_core::artifact::Descriptor, Digest) {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(tar).unwrap();
    let packed = gzip.finish().unwrap();
    (
        layout.blob(mt::OCI_LAYER_GZIP, &packed),
        Digest::sha256(tar),
    )
}

fn file(
    at: &Path,
    name: &'static str,
    kind: &'static str,
    (file, media_type): (&str, &'static str),
    bytes: &[u8],
) -> Sample {
    let path = at.join(file);
    std::fs::write(&path, bytes).unwrap();
    let layout = Layout::new(at.join(format!("{name}-layout")));
    let root = layout.artifact(media_type, file, bytes);
    Sample {
        name,
        kind,
        layout: layout.finish(&root),
        publish: vec!["publish".into(), path.display().to_string()],
        file: Some((path, media_type)),
    }
}

/// The sample bundle, as a folder for us and as a tar for the others.
fn bundle(at: &Path) -> Sample {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/bundles/cloud-conf-demo");
    let to = at.join("shop/.fractal");
    std::fs::create_dir_all(&to).unwrap();
    let mut files = Vec::new();
    for file in std::fs::read_dir(from.join(".fractal")).unwrap() {
        let file = file.unwrap();
        let (name, bytes) = (file.file_name(), std::fs::read(file.path()).unwrap());
        std::fs::write(to.join(&name), &bytes).unwrap();
        files.push((format!(".fractal/{}", name.display()), bytes));
    }
    files.sort();
    let files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let mut sample = self::file(
        at,
        "bundle",
        "manifests",
        ("manifests.tar", mt::MANIFESTS),
        &tar(&files),
    );
    sample.publish = vec![
        "manifests".into(),
        "push".into(),
        at.join("shop").display().to_string(),
    ];
    sample
}

/// The files of a tar, by name.
pub(crate) fn untar(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(bytes);
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            files.push((entry.path().unwrap().display().to_string(), bytes));
        }
    }
    files.sort();
    files
}

fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        builder
            .append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip_of_wheel() -> Vec<u8> {
    zip(&[
        ("etl/__init__.py", "def main(): pass\n".into()),
        (
            "etl-2.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: etl\nVersion: 2.0\n".into(),
        ),
        (
            "etl-2.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                .into(),
        ),
        (
            "etl-2.0.dist-info/entry_points.txt",
            "[console_scripts]\netl = etl:main\n".into(),
        ),
        ("etl-2.0.dist-info/RECORD", "etl/__init__.py,,\n".into()),
    ])
}

fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    for (name, content) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Bytes no compressor makes smaller, the same for the same seed.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(&mut next).take(length).collect()
}
