//! Zips made to be misread, one lie each, with the error each gets. Names begin with the row of the hardening table.

#[path = "support/raw.rs"]
mod raw;

use fractal_artifact::{
    DirectoryRead, Limits, Mode, ZipDirectory, ZipError, ZipScanner, read_directory,
};
use fractal_core::{Class, Fault};
use raw::{Entry, descriptor, end, end64, file, local, streamed, zip, zip_ending};

/// A field and a change of it on one side only.
type Lie = (&'static str, fn(&mut Entry));
/// What is counted, how its cap is set, and how many there are.
type Cap = (&'static str, fn(&mut Limits, u64), u64);

fn scan(zip: &[u8]) -> Result<ZipDirectory, ZipError> {
    scan_within(zip, Limits::FUNCTION)
}

fn scan_within(zip: &[u8], limits: Limits) -> Result<ZipDirectory, ZipError> {
    let mut scanner = ZipScanner::with_limits(limits);
    scanner.push(zip);
    scanner.finish(zip.len() as u64)
}

fn directory(zip: &[u8]) -> Result<DirectoryRead, ZipError> {
    read_directory(zip, 0, zip.len() as u64, &Limits::FUNCTION)
}

fn two() -> [Entry; 2] {
    [file("a", b"aaaa"), file("b", b"bbbb")]
}

fn changed(change: impl FnOnce(&mut [Entry; 2])) -> Vec<u8> {
    let mut entries = two();
    change(&mut entries);
    zip(&entries)
}

fn reason(error: ZipError) -> (Class, String) {
    let fault = Fault::from(error);
    assert!(
        fault.why.is_some() && fault.next.is_some() && fault.place.is_some(),
        "{fault:?}"
    );
    (fault.class, fault.reason.to_string())
}

/// Refused by the scanner as ambiguous, saying `what`.
#[track_caller]
#[expect(clippy::expect_used, reason = "a check that is used by tests only")]
fn ambiguous(zip: &[u8], expected: &str) {
    let error = scan(zip).expect_err("a zip with a lie in it");
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(reason(error), (Class::Terminal, "ZipAmbiguous".into()));
}

#[test]
fn the_builder_makes_zips_that_are_taken() {
    let zips = [
        zip(&two()),
        zip(&[
            streamed("a", b"aaaa", true, false),
            streamed("b", b"", true, true),
        ]),
        zip(&[
            streamed("a", b"aaaa", false, false),
            streamed("b", b"bbbb", false, true),
        ]),
        zip_ending(&two(), |n, size, at| {
            [
                end64(n, size, at, at + size),
                end(u16::MAX, u32::MAX, u32::MAX, b"note"),
            ]
            .concat()
        }),
        zip_ending(&two(), |n, size, at| {
            [
                end64(n, size, at, at + size),
                end(n as u16, size as u32, at as u32, b""),
            ]
            .concat()
        }),
    ];
    for zip in zips {
        let expected = scan(&zip).unwrap();
        assert_eq!(expected.files().len(), 2);
        assert_eq!(directory(&zip), Ok(DirectoryRead::Complete(expected)));
    }
}

#[test]
fn z10_what_is_no_zip_says_how_it_begins() {
    assert_eq!(
        scan(b"\x1f\x8b\x08\0rest of a gzip"),
        Err(ZipError::NotZip {
            magic: "1f 8b 08 00".into()
        })
    );
    assert_eq!(scan(b"").unwrap_err(), ZipError::Empty);
    assert_eq!(scan(&end(0, 0, 0, b"")).unwrap_err(), ZipError::Empty);
    assert_eq!(
        scan(&zip(&[file("only/", b"")])).unwrap_err(),
        ZipError::Empty
    );
    assert_eq!(reason(scan(b"#!/b").unwrap_err()).1, "ZipInvalid");
}

#[test]
fn z09_a_zip_cut_at_any_byte_is_refused() {
    let whole = zip(&[file("a", b"aaaa"), streamed("b", b"bbbb", true, false)]);
    for cut in 0..whole.len() {
        let part = &whole[..cut];
        let expected = if cut == 0 {
            ZipError::Empty
        } else {
            ZipError::Truncated { offset: cut as u64 }
        };
        assert_eq!(scan(part), Err(expected), "cut at {cut}");
        assert!(directory(part).is_err(), "cut at {cut}");
    }
    let mut scanner = ZipScanner::new();
    scanner.push(&whole);
    assert_eq!(
        scanner.finish(whole.len() as u64 + 1),
        Err(ZipError::Truncated {
            offset: whole.len() as u64
        })
    );
}

#[test]
fn z11_bytes_before_between_and_behind_are_refused() {
    let whole = zip(&two());
    ambiguous(&[&whole[..], b"x"].concat(), "bytes follow the end record");
    ambiguous(
        &[&whole[..], &whole].concat(),
        "bytes follow the end record",
    );
    assert!(matches!(
        scan(&[b"#!/usr/bin/env python3\n", &whole[..]].concat()),
        Err(ZipError::NotZip { .. })
    ));
    // A gap that the directory steps over: most readers see a plain zip.
    let mut gap = two();
    gap[0].data.extend(b"gap");
    ambiguous(&zip(&gap), "no record begins where the one before ends");
}

#[test]
fn z11_a_file_the_directory_leaves_out_is_refused() {
    let hidden = local(&file("hidden", b"evil"));
    let mut entries = two();
    // Behind the data of `a`, where readers that go by the headers find it.
    entries[0].data.extend(&hidden);
    let zip = zip(&entries);
    assert!(directory(&zip).is_ok(), "the directory alone cannot tell");
    ambiguous(&zip, "the directory leaves out a file");
}

#[test]
fn z11_the_header_before_a_file_has_to_agree_with_the_directory() {
    let cases: [Lie; 5] = [
        ("name", |entry| entry.central.name = b"c".to_vec()),
        ("method", |entry| entry.central.method = 8),
        ("checksum", |entry| entry.central.crc = 1),
        ("compressed size", |entry| {
            (
                entry.central.compressed,
                entry.central.method,
                entry.local.method,
            ) = (5, 8, 8)
        }),
        ("size", |entry| {
            (entry.central.size, entry.central.method, entry.local.method) = (5, 8, 8)
        }),
    ];
    for (what, lie) in cases {
        let zip = changed(|entries| lie(&mut entries[1]));
        let error = scan(&zip).unwrap_err();
        assert!(
            matches!(&error, ZipError::Mismatch { what: found, .. } if *found == what),
            "{what}: {error}"
        );
        assert_eq!(reason(error).1, "ZipAmbiguous");
    }
}

#[test]
fn z11_overlapping_files_are_refused() {
    // Two names over one file's bytes: the bomb that needs no nesting.
    let twice = changed(|entries| entries[1].offset = Some(0));
    ambiguous(&twice, "the directory lists one file twice");
    assert!(matches!(
        directory(&twice),
        Err(ZipError::Ambiguous {
            what: "two files overlap",
            ..
        })
    ));
    // A file that begins within another one's data.
    let mut inner = file("b", b"bb");
    let mut outer = file("a", &local(&inner));
    (outer.mode, inner.offset) = (0, Some(31));
    let within = zip_ending(&[outer, inner], |n, size, at| {
        end(n as u16, size as u32, at as u32, b"")
    });
    ambiguous(&within, "the directory lists a file where none begins");
    assert!(matches!(
        directory(&within),
        Err(ZipError::Ambiguous {
            what: "two files overlap",
            ..
        })
    ));
}

#[test]
fn z11_two_end_records_are_refused() {
    let first = zip(&two());
    let hidden = end(2, 0, 0, b"");
    let within_comment = zip_ending(&two(), |n, size, at| {
        end(n as u16, size as u32, at as u32, &hidden)
    });
    ambiguous(&within_comment, "there are two end records");
    assert!(matches!(
        directory(&within_comment),
        Err(ZipError::Ambiguous { .. })
    ));
    ambiguous(
        &[first, end(0, 0, 0, b"")].concat(),
        "bytes follow the end record",
    );
}

#[test]
fn z11_an_end_record_that_describes_another_directory_is_refused() {
    let says = "the end record describes another directory";
    for lie in [(1, 0, 0), (0, 1, 0), (0, 0, 1)] {
        let bad = zip_ending(&two(), |n, size, at| {
            end(
                n as u16 + lie.0,
                size as u32 + lie.1,
                at as u32 + lie.2,
                b"",
            )
        });
        ambiguous(&bad, says);
        assert!(matches!(directory(&bad), Err(ZipError::Ambiguous { .. })));
    }
    let two_counts = zip_ending(&two(), |n, size, at| {
        let mut bytes = end(n as u16, size as u32, at as u32, b"");
        bytes[8] = 1;
        bytes
    });
    assert!(matches!(scan(&two_counts), Err(ZipError::Malformed { .. })));
}

#[test]
fn z11_zip64_lies_are_refused() {
    let plain = |n: u64, size: u64, at: u64| end(n as u16, size as u32, at as u32, b"");
    let wide_count = zip_ending(&two(), |n, size, at| {
        [end64(n + 1, size, at, at + size), plain(n, size, at)].concat()
    });
    ambiguous(&wide_count, "describes another directory");
    assert!(directory(&wide_count).is_err());
    let narrow_offset = zip_ending(&two(), |n, size, at| {
        [end64(n, size, at, at + size), plain(n, size, at + 1)].concat()
    });
    ambiguous(&narrow_offset, "describes another directory");
    let elsewhere = zip_ending(&two(), |n, size, at| {
        [end64(n, size, at, at), plain(n, size, at)].concat()
    });
    ambiguous(&elsewhere, "the zip64 locator points elsewhere");
    assert!(directory(&elsewhere).is_err());
    // Readers look for a locator right before the end record, whatever that is part of.
    let mut feigned = two();
    feigned[1].comment = end64(1, 1, 1, 1)[56..].to_vec();
    ambiguous(&zip(&feigned), "a zip64 locator is hidden in the directory");
    assert!(directory(&zip(&feigned)).is_err());
    let deferred = changed(|entries| entries[0].local.size = u32::MAX);
    ambiguous(&deferred, "a zip64 field does not fit its header");
}

#[test]
fn z11_sizes_behind_a_file_have_to_agree_with_those_before_it_and_in_the_directory() {
    let mut before = streamed("a", b"aaaa", true, false);
    before.local.size = 5;
    ambiguous(
        &zip(&[before]),
        "what stands before a file and behind it differ",
    );
    let mut listed = streamed("a", b"aaaa", true, false);
    listed.central.crc = 7;
    assert!(matches!(
        scan(&zip(&[listed])),
        Err(ZipError::Mismatch {
            what: "checksum",
            ..
        })
    ));
    let mut missing = streamed("a", b"aaaa", true, false);
    missing.descriptor.clear();
    assert!(matches!(
        scan(&zip(&[missing])),
        Err(ZipError::Truncated { .. })
    ));
    // Content made to look like the file's end, with a file behind it that the directory does not have.
    let feigned = [
        &b"aa"[..],
        &descriptor(0x1234_5678, 2, 2, true, false),
        &local(&file("x", b"")),
    ]
    .concat();
    let error = scan(&zip(&[
        streamed("a", &feigned, true, false),
        file("b", b"b"),
    ]))
    .unwrap_err();
    assert_eq!(reason(error).1, "ZipAmbiguous");
}

#[test]
fn z08_names_that_are_one_path_are_refused() {
    for (first, second) in [
        ("a", "a"),
        ("A", "a"),
        ("É", "é"),
        ("a", "./a"),
        ("d", "d/"),
        ("d/e", "D"),
        ("x/y/z", "x"),
    ] {
        let bad = zip(&[file(first, b""), file("m", b""), file(second, b"")]);
        let error = scan(&bad).unwrap_err();
        assert!(
            matches!(error, ZipError::Duplicate { .. }),
            "{first} {second}: {error}"
        );
        assert_eq!(directory(&bad), Err(error.clone()));
        assert_eq!(reason(error).1, "ZipAmbiguous");
    }
    // A folder listed twice is the same folder.
    assert!(scan(&zip(&[file("d/", b""), file("d/", b""), file("d/e", b"")])).is_ok());
}

#[test]
fn z12_what_no_function_zip_may_hold_is_unsupported() {
    let both = |change: fn(&mut raw::Header)| {
        changed(|entries| {
            change(&mut entries[1].local);
            change(&mut entries[1].central);
        })
    };
    let encrypted = ZipError::Encrypted { name: "b".into() };
    let cases = [
        (both(|header| header.flags = 1), encrypted.clone()),
        (both(|header| header.flags = 1 << 6), encrypted.clone()),
        (both(|header| header.flags = 1 << 13), encrypted),
        (
            both(|header| header.method = 14),
            ZipError::Method {
                name: "b".into(),
                method: 14,
            },
        ),
        (
            changed(|entries| entries[1].mode = 0o120_777),
            ZipError::File {
                name: "b".into(),
                mode: Mode::Link,
            },
        ),
        (
            changed(|entries| entries[1].mode = 0o020_666),
            ZipError::File {
                name: "b".into(),
                mode: Mode::Special,
            },
        ),
        (changed(|entries| entries[1].disk = 1), ZipError::Split),
        ([b"PK\x07\x08", &zip(&two())[..]].concat(), ZipError::Split),
        ([b"PK00", &zip(&two())[..]].concat(), ZipError::Split),
    ];
    for (zip, expected) in cases {
        assert_eq!(scan(&zip), Err(expected.clone()));
        assert_eq!(reason(expected), (Class::Terminal, "ZipUnsupported".into()));
    }
    for name in [
        "/etc/passwd",
        "\\\\host\\x",
        "C:/x",
        "../x",
        "a/../../x",
        "a\\b",
        "a\0b",
    ] {
        let error = scan(&zip(&[file(name, b"")])).unwrap_err();
        assert!(matches!(error, ZipError::Name { .. }), "{name}");
        assert_eq!(reason(error).1, "ZipUnsupported");
    }
}

#[test]
fn z12_a_name_is_checked_in_the_directory_too() {
    let zip = changed(|entries| entries[1].central.name = b"../x".to_vec());
    assert!(matches!(
        directory(&zip),
        Err(ZipError::Name {
            problem: "leaves its folder",
            ..
        })
    ));
}

#[test]
fn z06_z07_caps_hold_at_the_limit_and_not_above() {
    let zip = zip(&[file("a", b"aaaa"), file("b", b"bbbb"), file("c", b"cccc")]);
    let size = 3 * 47;
    let small = |change: fn(&mut Limits, u64), value: u64| {
        let mut limits = Limits::FUNCTION;
        change(&mut limits, value);
        let forward = scan_within(&zip, limits).map(|_| ());
        assert_eq!(
            forward,
            read_directory(&zip, 0, zip.len() as u64, &limits).map(|_| ())
        );
        forward
    };
    let caps: [Cap; 3] = [
        ("entries", |limits, value| limits.entries = value, 3),
        (
            "bytes of directory",
            |limits, value| limits.directory = value,
            size,
        ),
        (
            "bytes after unpacking",
            |limits, value| limits.unpacked = value,
            12,
        ),
    ];
    for (what, change, exact) in caps {
        assert_eq!(small(change, exact + 1), Ok(()), "{what}");
        assert_eq!(small(change, exact), Ok(()), "{what}");
        assert_eq!(
            small(change, exact - 1),
            Err(ZipError::TooLarge {
                what,
                found: exact,
                max: exact - 1
            })
        );
    }
    assert_eq!(
        reason(ZipError::TooLarge {
            what: "entries",
            found: 2,
            max: 1
        })
        .1,
        "ZipTooLarge"
    );
}

#[test]
fn z05_sizes_that_deflate_cannot_reach_are_refused() {
    let deflated = |size: u32| {
        changed(|entries| {
            for header in [&mut entries[1].local, &mut entries[1].central] {
                (header.method, header.size) = (8, size);
            }
        })
    };
    assert!(scan(&deflated(4 * 1032)).is_ok());
    assert!(matches!(
        scan(&deflated(4 * 1032 + 1)),
        Err(ZipError::Malformed { .. })
    ));
    let stored = changed(|entries| entries[1].local.size = 5);
    assert!(matches!(scan(&stored), Err(ZipError::Malformed { .. })));
}

#[test]
fn the_tail_reader_says_which_bytes_it_needs() {
    let zip = zip_ending(&two(), |n, size, at| {
        [
            end64(n, size, at, at + size),
            end(n as u16, size as u32, at as u32, b"note"),
        ]
        .concat()
    });
    let total = zip.len() as u64;
    let read = |from: u64| read_directory(&zip[from as usize..], from, total, &Limits::FUNCTION);
    let mut from = total - 10;
    let mut asked = vec![];
    let directory = loop {
        match read(from) {
            Ok(DirectoryRead::Complete(directory)) => break directory,
            Ok(DirectoryRead::NeedsFrom(earlier)) => {
                assert!(earlier < from, "{earlier} is not before {from}");
                asked.push(earlier);
                from = earlier;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!((directory, asked), (scan(&zip).unwrap(), vec![0]));
    // From the end record on it asks for the locator, the zip64 record and the directory, each where it begins.
    let needs = |from, earlier| assert_eq!(read(from), Ok(DirectoryRead::NeedsFrom(earlier)));
    needs(total - 26, total - 46);
    needs(total - 46, total - 102);
    needs(total - 102, total - 102 - 2 * 47);
}
