//! The small files of a zip that are taken on the way.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use fractal_artifact::targets::{Subject, Target, judge};
use fractal_artifact::{KEPT_FILE_MAX, KeptFile, ZipScanner};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::raw;
use crate::support::{read, settings};

fn kept(bytes: &[u8], piece: usize) -> BTreeMap<Box<str>, KeptFile> {
    let mut scanner = ZipScanner::new().keeping(|name| name.starts_with("keep"));
    bytes.chunks(piece).for_each(|piece| scanner.push(piece));
    scanner.finish_with_files(bytes.len() as u64).unwrap().1
}

fn write(zip: &mut ZipWriter<impl std::io::Write + std::io::Seek>, name: &str, text: &[u8]) {
    for (end, method) in [
        ("stored", CompressionMethod::Stored),
        ("deflated", CompressionMethod::Deflated),
    ] {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(format!("{name}-{end}"), options).unwrap();
        zip.write_all(text).unwrap();
    }
}

#[test]
fn files_are_kept_whole_however_the_bytes_come() {
    let text = b"one line and another, one line and another\n".repeat(40);
    let mut seekable = ZipWriter::new(Cursor::new(Vec::new()));
    write(&mut seekable, "keep", &text);
    write(&mut seekable, "other", &text);
    write(&mut seekable, "keep-empty", b"");
    let seekable = seekable.finish().unwrap().into_inner();
    let mut streamed = ZipWriter::new_stream(Vec::new());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for name in ["keep-a", "other", "keep-b"] {
        streamed.start_file(name, options).unwrap();
        streamed.write_all(&text).unwrap();
    }
    let streamed = streamed.finish().unwrap().into_inner();
    for piece in [1, 7, 64, 1 << 20] {
        let files = kept(&seekable, piece);
        let names: Vec<&str> = files.keys().map(|name| &**name).collect();
        let expected = [
            "keep-deflated",
            "keep-empty-deflated",
            "keep-empty-stored",
            "keep-stored",
        ];
        assert_eq!(names, expected);
        assert_eq!(
            files["keep-deflated"],
            KeptFile::Whole(text.clone()),
            "{piece}"
        );
        assert_eq!(
            files["keep-stored"],
            KeptFile::Whole(text.clone()),
            "{piece}"
        );
        assert_eq!(files["keep-empty-stored"], KeptFile::Whole(Vec::new()));
        let files = kept(&streamed, piece);
        assert_eq!(files.len(), 2);
        assert!(
            files
                .values()
                .all(|file| *file == KeptFile::Whole(text.clone())),
            "{piece}"
        );
    }
}

#[test]
fn z05_what_is_larger_than_its_cap_is_not_kept() {
    let at_cap = vec![b'a'; usize::try_from(KEPT_FILE_MAX).unwrap()];
    let above = vec![b'a'; at_cap.len() + 1];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    write(&mut zip, "keep-cap", &at_cap);
    write(&mut zip, "keep-above", &above);
    let files = kept(&zip.finish().unwrap().into_inner(), 1000);
    assert_eq!(files["keep-cap-stored"], KeptFile::Whole(at_cap.clone()));
    assert_eq!(files["keep-cap-deflated"], KeptFile::Whole(at_cap));
    assert_eq!(files["keep-above-stored"], KeptFile::TooLarge);
    assert_eq!(files["keep-above-deflated"], KeptFile::TooLarge);
}

#[test]
fn z05_a_bomb_behind_a_small_size_is_damaged_and_not_unpacked() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    zip.start_file("keep", options).unwrap();
    zip.write_all(&vec![0; 8 << 20]).unwrap();
    let mut bytes = zip.finish().unwrap().into_inner();
    // Both places where its size stands say 100 bytes.
    let size = (8_u32 << 20).to_le_bytes();
    let places: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, four)| *four == size)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 2);
    for at in places {
        bytes[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    assert_eq!(kept(&bytes, 4096)["keep"], KeptFile::Damaged);
}

#[test]
fn a_wrong_checksum_is_damaged() {
    let bytes = raw::zip(&[raw::file("keep", b"text")]);
    assert_eq!(kept(&bytes, 3)["keep"], KeptFile::Damaged);
}

#[test]
fn z06_no_more_than_so_many_files_and_bytes_are_kept() {
    let many: Vec<raw::Entry> = (0..600)
        .map(|n| raw::file(&format!("keep{n}"), b""))
        .collect();
    assert_eq!(kept(&raw::zip(&many), 1 << 20).len(), 512);
    let large = vec![0; 400 << 10];
    let much: Vec<raw::Entry> = (0..30)
        .map(|n| raw::file(&format!("keep{n}"), &large))
        .collect();
    let files = kept(&raw::zip(&much), 1 << 20);
    let held = files.values().filter(|file| **file != KeptFile::TooLarge);
    assert_eq!((files.len(), held.count()), (30, 20));
}

macro_rules! recorded {
    ($($name:literal),*) => {
        [$(($name, &include_bytes!(concat!("../zips/", $name, ".zip"))[..])),*]
    };
}

/// Writers differ in where sizes stand, how wide they are, and which permissions they state.
#[test]
fn what_real_writers_wrote_is_kept_and_judged() {
    let settings = settings("handler.handler", "python3.13");
    let mut texts = Vec::new();
    for (writer, bytes) in recorded![
        "python-zipfile",
        "python-zipfile-zip64-sizes",
        "python-zipfile-stream",
        "python-zipfile-stream-zip64",
        "info-zip",
        "info-zip-stored",
        "info-zip-stream",
        "go-archive-zip",
        "java-jar"
    ] {
        let zip = read(bytes, &settings);
        let text = zip.contents.as_ref().unwrap().files["handler.py"].text();
        texts.push(text.unwrap_or_else(|| panic!("{writer}")).to_owned());
        let verdict = judge(&[Subject::Zip(zip)], Target::AwsLambda, &settings);
        assert!(verdict.runs, "{writer}: {:?}", verdict.findings);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0].len(), 80);
}
