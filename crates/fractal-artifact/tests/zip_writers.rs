//! Zips of real writers are taken: the recorded ones beside this file and what the `zip` crate writes.

use std::io::{Cursor, Write};

use fractal_artifact::{
    DirectoryRead, Limits, Mode, ZipDirectory, ZipError, ZipScanner, read_directory, zip_facts,
};
use fractal_core::artifact::{Descriptor, Digest};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn scan(zip: &[u8]) -> Result<ZipDirectory, ZipError> {
    let mut scanner = ZipScanner::new();
    scanner.push(zip);
    scanner.finish(zip.len() as u64)
}

fn names(directory: &ZipDirectory) -> Vec<&str> {
    directory.files().iter().map(|file| file.name()).collect()
}

#[expect(clippy::panic, reason = "a check that is used by tests only")]
fn complete(zip: &[u8]) -> ZipDirectory {
    match read_directory(zip, 0, zip.len() as u64, &Limits::FUNCTION) {
        Ok(DirectoryRead::Complete(directory)) => directory,
        other => panic!("{other:?}"),
    }
}

macro_rules! recorded {
    ($($name:literal),*) => { [$(($name, &include_bytes!(concat!("zips/", $name, ".zip"))[..])),*] };
}

#[test]
fn recorded_zips_of_every_writer_are_taken() {
    let zips = recorded![
        "python-zipfile",
        "python-zipfile-zip64-sizes",
        "python-zipfile-stream",
        "python-zipfile-stream-zip64",
        "info-zip",
        "info-zip-stored",
        "info-zip-stream",
        "go-archive-zip"
    ];
    for (writer, zip) in zips {
        let directory = scan(zip).unwrap_or_else(|error| panic!("{writer}: {error}"));
        assert_eq!(
            names(&directory),
            ["handler.py", "lib/__init__.py", "lib/util.py"],
            "{writer}"
        );
        assert_eq!(directory.unpacked(), 80 + 61, "{writer}");
        assert_eq!(complete(zip), directory, "{writer}");
    }
    let jar = scan(include_bytes!("zips/java-jar.zip")).unwrap();
    assert_eq!(
        names(&jar),
        [
            "META-INF/MANIFEST.MF",
            "handler.py",
            "lib/__init__.py",
            "lib/util.py"
        ]
    );
}

#[test]
fn z12_a_symbolic_link_is_refused_by_name() {
    let error = scan(include_bytes!("zips/info-zip-symlink.zip")).unwrap_err();
    assert_eq!(
        error,
        ZipError::File {
            name: "link.py".into(),
            mode: Mode::Link
        }
    );
}

#[expect(clippy::unwrap_used, reason = "writes to memory, for tests only")]
fn written(files: &[(&str, &[u8], SimpleFileOptions)], stream: bool) -> Vec<u8> {
    fn fill<W: Write + std::io::Seek>(
        mut zip: ZipWriter<W>,
        files: &[(&str, &[u8], SimpleFileOptions)],
    ) -> W {
        for (name, content, options) in files {
            zip.start_file(*name, *options).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap()
    }
    if !stream {
        return fill(ZipWriter::new(Cursor::new(vec![])), files).into_inner();
    }
    let mut zip = ZipWriter::new_stream(vec![]);
    for (name, content, options) in files {
        zip.start_file(*name, *options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn zips_of_the_zip_crate_are_taken_in_every_mode() {
    let nested = written(&[("inner.txt", b"x", SimpleFileOptions::default())], true);
    let noise: Vec<u8> = (0_u32..300_000)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for stream in [false, true] {
        for large in [false, true] {
            for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
                let options = SimpleFileOptions::default()
                    .compression_method(method)
                    .large_file(large);
                let files: [(&str, &[u8], _); 4] = [
                    ("nested.zip", &nested, options),
                    ("empty", b"", options),
                    ("noise.bin", &noise, options),
                    ("z", b"z", options),
                ];
                let zip = written(&files, stream);
                let directory = scan(&zip).unwrap_or_else(|error| {
                    panic!("stream {stream}, large {large}, {method}: {error}")
                });
                assert_eq!(names(&directory), ["empty", "nested.zip", "noise.bin", "z"]);
                assert_eq!(
                    directory.unpacked(),
                    (nested.len() + noise.len() + 1) as u64
                );
                assert_eq!(complete(&zip), directory);
            }
        }
    }
}

#[test]
fn sixty_five_thousand_files_are_taken_and_one_more_is_not() {
    let zip = |count: u32| {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let mut zip = ZipWriter::new(Cursor::new(vec![]));
        for i in 0..count {
            zip.start_file(format!("{i:x}"), options).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    assert_eq!(scan(&zip(65_535)).unwrap().files().len(), 65_535);
    // This one has a zip64 end record.
    let error = ZipError::TooLarge {
        what: "entries",
        found: 65_536,
        max: 65_535,
    };
    assert_eq!(scan(&zip(65_536)), Err(error));
}

#[test]
fn facts_are_the_sorted_names_and_the_unpacked_size() {
    let zip = include_bytes!("zips/info-zip.zip");
    let layer = Descriptor::new("application/zip", Digest::sha256(zip), zip.len() as u64);
    let facts = zip_facts(scan(zip).unwrap(), layer.clone());
    assert_eq!((facts.layer.clone(), facts.unpacked), (layer, 141));
    assert!(facts.has("lib/util.py") && facts.has("handler.py"));
    assert!(!facts.has("lib/") && !facts.has("util.py"));
}
