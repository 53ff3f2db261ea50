//! Wheels made file by file, so that their metadata can lie. `RECORD` is computed unless it is given.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fractal_core::artifact::kind::media_type;
use fractal_core::artifact::{Descriptor, Digest};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub(crate) const METADATA: &str = "Metadata-Version: 2.1\nName: etl\nVersion: 1.2.0\n\nText.\n";
pub(crate) const WHEEL: &str =
    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
pub(crate) const FOLDER: &str = "etl-1.2.0.dist-info";
pub(crate) const TITLE: &str = "etl-1.2.0-py3-none-any.whl";

pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// A whole wheel's files but for `RECORD`.
pub(crate) fn files() -> Files {
    [
        ("etl/__init__.py", "def main():\n    return 0\n"),
        ("etl/empty.py", ""),
        ("etl-1.2.0.dist-info/METADATA", METADATA),
        ("etl-1.2.0.dist-info/WHEEL", WHEEL),
        (
            "etl-1.2.0.dist-info/entry_points.txt",
            "[console_scripts]\netl = etl:main\n",
        ),
    ]
    .map(|(name, text)| (name.into(), text.into()))
    .into()
}

/// The files with `name` holding `content`, or without it.
pub(crate) fn with(name: &str, content: Option<&[u8]>) -> Files {
    let mut files = files();
    files.retain(|(known, _)| known != name);
    files.extend(content.map(|content| (name.to_owned(), content.to_vec())));
    files
}

/// With a file of the metadata replaced.
pub(crate) fn with_metadata(name: &str, content: &str) -> Files {
    with(&format!("{FOLDER}/{name}"), Some(content.as_bytes()))
}

pub(crate) fn hash(content: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Digest::sha256(content).to_bytes())
}

pub(crate) fn record(files: &Files, folder: &str) -> String {
    let rows = files.iter().filter(|(name, _)| !name.ends_with('/'));
    let mut record: String = rows
        .map(|(name, content)| format!("{name},sha256={},{}\n", hash(content), content.len()))
        .collect();
    record.push_str(&format!("{folder}/RECORD,,\n"));
    record
}

pub(crate) fn wheel(files: &Files) -> Vec<u8> {
    wheel_with(files, &record(files, FOLDER))
}

pub(crate) fn wheel_with(files: &Files, record: &str) -> Vec<u8> {
    let mut files = files.clone();
    files.push((format!("{FOLDER}/RECORD"), record.into()));
    packed(&files, false)
}

/// The zip of `files`, with sizes before each file or behind it.
#[expect(clippy::unwrap_used, reason = "writes to memory, for tests only")]
pub(crate) fn packed(files: &Files, streamed: bool) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    if streamed {
        let mut zip = ZipWriter::new_stream(vec![]);
        for (name, content) in files {
            zip.start_file(&**name, options).unwrap();
            zip.write_all(content).unwrap();
        }
        return zip.finish().unwrap().into_inner();
    }
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for (index, (name, content)) in files.iter().enumerate() {
        if name.ends_with('/') {
            zip.add_directory(&**name, options).unwrap();
            continue;
        }
        // Every other file stored, so that both forms are in every wheel.
        let method = [CompressionMethod::Deflated, CompressionMethod::Stored];
        let method = method.into_iter().nth(index % 2).unwrap();
        zip.start_file(&**name, options.compression_method(method))
            .unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn layer(wheel: &[u8], title: Option<&str>) -> Descriptor {
    let mut layer = Descriptor::new(media_type::WHEEL, Digest::sha256(wheel), wheel.len() as u64);
    let title = title.map(|title| (media_type::TITLE.to_owned(), title.to_owned()));
    layer.annotations.extend(title);
    layer
}
