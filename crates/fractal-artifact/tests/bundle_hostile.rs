//! Bundles made to be misread, one lie each, with the error each gets. Names begin with the row of the hardening table.

#[path = "support/blocks.rs"]
mod blocks;

use blocks::{Block, GNU, bytes, entry, file, folder, long_name, open, pax, records, tar};
use fractal_artifact::bundle::{BUNDLE_MAX, EntryKind, YAML_MAX};
use fractal_artifact::{BundleError, BundleFiles, BundleScanner};
use fractal_core::{Class, Fault};

fn scan(tar: &[u8]) -> Result<BundleFiles, BundleError> {
    let mut scanner = BundleScanner::new();
    scanner.push(tar);
    scanner.finish(tar.len() as u64)
}

fn good() -> Block {
    file(".fractal/a.yaml", b"a: 1\n")
}

/// The error of a bundle that has `blocks` besides one good file, on either side of it.
#[track_caller]
#[expect(clippy::expect_used, reason = "a check that is used by tests only")]
fn refused(blocks: &[Block]) -> BundleError {
    let error = scan(&tar(&[blocks, &[good()]].concat())).expect_err("a bundle with a lie in it");
    let behind = scan(&tar(&[&[good()], blocks].concat())).expect_err("the lie behind a file");
    assert_eq!(
        std::mem::discriminant(&error),
        std::mem::discriminant(&behind),
        "{error} / {behind}"
    );
    error
}

#[track_caller]
fn says(error: BundleError, reason: &str, what: &str) {
    let text = error.to_string();
    assert!(text.contains(what), "{text}");
    let fault = Fault::from(error);
    assert_eq!(fault.class, Class::Terminal);
    assert_eq!(fault.reason.as_str(), reason, "{text}");
    assert!(fault.why.is_some() && fault.next.is_some() && fault.place.is_some());
}

#[test]
fn z01_one_unsafe_path_refuses_the_whole_bundle() {
    for (path, what) in [
        ("../x", "leaves its folder"),
        ("a/../../x", "leaves its folder"),
        (".fractal/../../x.yaml", "leaves its folder"),
        ("..", "leaves its folder"),
        ("/etc/x", "is an absolute path"),
        ("C:\\x", "has a backslash"),
        ("c:x", "is an absolute path"),
        ("a\\..\\b", "has a backslash"),
        ("a//b", "has an empty part"),
        ("a\nb", "holds a control character"),
    ] {
        says(refused(&[file(path, b"x")]), "BundleUnsafe", what);
        says(
            refused(&[long_name(path), file("x", b"x")]),
            "BundleUnsafe",
            what,
        );
        let named = pax(&[("path", path.as_bytes())]);
        says(refused(&[named, file("x", b"x")]), "BundleUnsafe", what);
        says(
            refused(&[folder(&format!("{path}/"))]),
            "BundleUnsafe",
            what,
        );
    }
    let nul = pax(&[("path", b".fractal/a.yaml\0.png")]);
    says(
        refused(&[nul, file("x", b"")]),
        "BundleUnsafe",
        "control character",
    );
    let prefixed = Block {
        prefix: b"..".into(),
        ..file("x", b"")
    };
    says(refused(&[prefixed]), "BundleUnsafe", "leaves its folder");
    let latin = Block {
        name: b"caf\xe9".into(),
        ..file("", b"")
    };
    says(refused(&[latin]), "BundleUnsafe", "not UTF-8");
    says(refused(&[file("", b"")]), "BundleUnsafe", "has no name");
}

#[test]
fn z02_z03_everything_but_files_and_folders_is_refused_by_name() {
    for (flag, kind) in [
        (b'1', EntryKind::HardLink),
        (b'2', EntryKind::SymbolicLink),
        (b'3', EntryKind::Device),
        (b'4', EntryKind::Device),
        (b'6', EntryKind::Pipe),
        (b'7', EntryKind::Other(b'7')),
        (b'S', EntryKind::Sparse),
        (b'M', EntryKind::Volume),
        (b'V', EntryKind::Volume),
        (b'D', EntryKind::Other(b'D')),
        (b'N', EntryKind::Other(b'N')),
        (b'X', EntryKind::Other(b'X')),
        (0xff, EntryKind::Other(0xff)),
    ] {
        let special = Block {
            link: b"/etc/passwd".into(),
            ..entry(flag, ".fractal/b.yaml", b"")
        };
        let name = ".fractal/b.yaml".to_owned();
        let error = BundleError::Kind { name, kind };
        assert_eq!(refused(std::slice::from_ref(&special)), error);
        // With a folder or a file of the same name behind it, and behind a name of its own.
        assert_eq!(
            refused(&[special.clone(), folder(".fractal/b.yaml/")]),
            error
        );
        assert_eq!(
            refused(&[special.clone(), file(".fractal/b.yaml", b"")]),
            error
        );
        let elsewhere = Block {
            name: b"x".into(),
            ..special
        };
        assert_eq!(
            refused(&[long_name(".fractal/b.yaml"), elsewhere.clone()]),
            error
        );
        let named = pax(&[("path", b".fractal/b.yaml")]);
        assert_eq!(refused(&[named, elsewhere]), error);
        says(error, "BundleUnsafe", &kind.to_string());
    }
    let sparse = pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.name", b"b")]);
    let error = refused(&[sparse, file("GNUSparseFile.0/b", b"")]);
    says(error, "BundleAmbiguous", "sparse");
}

#[test]
fn z04_two_sizes_or_two_paths_are_refused() {
    let size = |value: &'static [u8]| pax(&[("size", value)]);
    assert!(scan(&tar(&[size(b"5"), good()])).is_ok());
    for value in [&b"0"[..], b"4", b"6", b"512", b"9223372036854775807"] {
        let error = refused(&[size(value), file(".fractal/b.yaml", b"b: 1\n")]);
        says(error, "BundleAmbiguous", "differ in the size");
    }
    // The header says nothing and PAX has the size: one reader sees the inner archive, the other a file.
    let inner = open(&[file(".fractal/evil.yaml", b"evil")]);
    let smuggled = [
        open(&[size(b"1024"), file(".fractal/b.yaml", b"")]),
        inner,
        tar(&[good()]),
    ]
    .concat();
    says(
        scan(&smuggled).unwrap_err(),
        "BundleAmbiguous",
        "differ in the size",
    );

    let name = || pax(&[("path", b".fractal/b.yaml")]);
    let b = || file("x", b"");
    for (blocks, what) in [
        (vec![name(), name(), b()], "given twice"),
        (
            vec![name(), long_name(".fractal/c.yaml"), b()],
            "given twice",
        ),
        (
            vec![long_name(".fractal/c.yaml"), name(), b()],
            "given twice",
        ),
        (vec![long_name("b"), long_name("c"), b()], "given twice"),
        (
            vec![pax(&[("path", b"b"), ("path", b"c")]), b()],
            "one thing twice",
        ),
        (vec![pax(&[("linkpath", b"c")]), b()], "link's target"),
        (
            vec![entry(b'K', "././@LongLink", b"c\0"), b()],
            "link's target",
        ),
        (
            vec![
                entry(b'K', "././@LongLink", b"c\0"),
                entry(b'K', "././@LongLink", b"c\0"),
                b(),
            ],
            "given twice",
        ),
        (
            vec![entry(b'g', "g", &records(&[("path", b"b")])), b()],
            "all entries",
        ),
        (
            vec![entry(b'g', "g", &records(&[("size", b"0")])), b()],
            "all entries",
        ),
        (vec![name(), entry(b'g', "g", b""), b()], "between an entry"),
        (vec![file("b/", b"")], "a folder by its name"),
        (vec![file("./.", b"")], "a folder by its name"),
        (vec![entry(b'5', "b", b"content")], "a folder has content"),
    ] {
        says(refused(&blocks), "BundleAmbiguous", what);
    }
    let prefixed = Block {
        magic: GNU,
        prefix: b".fractal".into(),
        ..file("b.yaml", b"")
    };
    says(refused(&[prefixed]), "BundleAmbiguous", "GNU header");
}

#[test]
fn z04_malformed_headers_are_refused() {
    for (block, what) in [
        (entry(b'L', "././@LongLink", b"no end"), "only NUL"),
        (entry(b'L', "././@LongLink", b"a\0b\0"), "only NUL"),
        (entry(b'L', "././@LongLink", b""), "only NUL"),
        (entry(b'x', "x", b"9 size=3"), "PAX record"),
        (entry(b'x', "x", b"9 size=3\n\0"), "PAX record"),
        (entry(b'g', "g", b"nonsense"), "PAX record"),
    ] {
        says(refused(&[block, file("b", b"")]), "BundleInvalid", what);
    }
    for size in [
        &b"            "[..],
        b"-0000000005\0",
        b"0000000009\0\0",
        b"\x80\0\0\0\0\0\0\0\0\0\0\x05",
        b"5 5\0",
    ] {
        let block = Block {
            size: Some(size.into()),
            ..file("b", b"12345")
        };
        says(refused(&[block]), "BundleInvalid", "no octal number");
    }
    let block = Block {
        checksum: Some(b"000000\0 ".into()),
        ..file("b", b"")
    };
    says(refused(&[block]), "BundleInvalid", "checksum");
    let block = Block {
        magic: *b"ustar\0\0\0",
        ..file("b", b"")
    };
    let error = scan(&tar(&[good(), block])).unwrap_err();
    says(error, "BundleInvalid", "no header begins");
    for pending in [long_name("b"), pax(&[("mtime", b"1")])] {
        let error = scan(&tar(&[good(), pending])).unwrap_err();
        says(error, "BundleInvalid", "no entry behind it");
    }
}

#[test]
fn z06_caps_hold_at_the_limit_and_not_above() {
    let many = |count: usize| {
        let mut tar = open(&vec![folder("d/"); count - 1]);
        tar.extend(blocks::tar(&[good()]));
        tar
    };
    assert!(scan(&many(10_000)).is_ok());
    says(
        scan(&many(10_001)).unwrap_err(),
        "BundleTooLarge",
        "10001 entries, at most 10000",
    );
    let globals = [open(&vec![entry(b'g', "g", b""); 10_000]), tar(&[good()])].concat();
    says(
        scan(&globals).unwrap_err(),
        "BundleTooLarge",
        "10001 entries",
    );

    let path = |length: usize| {
        let part = "p".repeat(250);
        let path = format!(".fractal/{part}/{part}/{part}/{part}");
        path.chars().take(length).collect::<String>()
    };
    let long = |length| tar(&[long_name(&path(length)), file("x", b""), good()]);
    assert!(scan(&long(1000)).is_ok());
    let refused = |error, what| says(error, "BundleTooLarge", what);
    let name = Block {
        size: Some(b"00000002002\0".into()),
        ..long_name("x")
    };
    // A name's size is enough: not one byte of it is awaited.
    refused(
        scan(&bytes(&name)).unwrap_err(),
        "1025 bytes in one path, at most 1024",
    );
    let deep = vec!["d"; 33].join("/");
    refused(
        scan(&tar(&[file(&deep, b"")])).unwrap_err(),
        "33 levels of folders",
    );
    let wide = tar(&[long_name(&"w".repeat(256)), file("x", b"")]);
    refused(scan(&wide).unwrap_err(), "256 bytes in one part");
    let attributes = vec![b'x'; 1 << 20];
    let attributes = pax(&[("SCHILY.xattr.user.x", &attributes)]);
    refused(
        scan(&tar(&[attributes, good()])).unwrap_err(),
        "bytes of PAX records",
    );
}

#[test]
fn z07_the_size_cap_holds_to_the_byte() {
    let exact = |total: u64| {
        let content = vec![b'x'; YAML_MAX as usize - 512];
        let mut blocks: Vec<Block> = (0..3)
            .map(|n| file(&format!(".fractal/{n}.yaml"), &content))
            .collect();
        blocks.push(file("filler", &vec![0; YAML_MAX as usize - 512 - 1024]));
        let mut tar = tar(&blocks);
        assert_eq!(tar.len() as u64, BUNDLE_MAX);
        tar.resize(total as usize, 0);
        tar
    };
    assert_eq!(scan(&exact(BUNDLE_MAX)).unwrap().len(), 3);
    for more in [1, 512, 10_240] {
        let error = scan(&exact(BUNDLE_MAX + more)).unwrap_err();
        says(error, "BundleTooLarge", "bytes, at most 16777216");
    }
    for less in [1, 511, 512, 513, 1023, 1024] {
        let error = scan(&exact(BUNDLE_MAX - less)).unwrap_err();
        let cut = matches!(
            error,
            BundleError::EndMissing { .. } | BundleError::Truncated { .. }
        );
        assert!(cut, "{error}");
    }
    let yaml = |size: u64| tar(&[file(".fractal/a.yaml", &vec![b'#'; size as usize])]);
    assert!(scan(&yaml(YAML_MAX)).is_ok());
    says(
        scan(&yaml(YAML_MAX + 1)).unwrap_err(),
        "BundleTooLarge",
        "`.fractal/a.yaml` has 4194305 bytes, at most 4194304",
    );
}

#[test]
fn z08_two_entries_of_one_path_are_refused() {
    let duplicates = [
        [file("d/b", b"1"), file("d/b", b"2")],
        [file("d/b", b"1"), file("./d/./b", b"2")],
        [file("d/b", b"1"), file("D/B", b"2")],
        [file("Straße/É", b"1"), file("straße/é", b"2")],
        [file("d", b"1"), folder("d/")],
        [file("d", b"1"), folder("D")],
        [file("d", b"1"), file("d/b", b"2")],
        [file("D", b"1"), file("d/e/f", b"2")],
        [file(".FRACTAL/a.yaml", b"1"), folder("d/")],
    ];
    for [first, second] in duplicates {
        for pair in [[first.clone(), second.clone()], [second, first]] {
            says(refused(&pair), "BundleAmbiguous", "one and the same path");
        }
    }
    let apart = [
        file("d", b""),
        file("d-", b""),
        file("d0/b", b""),
        file("d.b", b""),
        folder("e/"),
        folder("e"),
        file("e/d", b""),
        good(),
    ];
    assert!(scan(&tar(&apart)).is_ok());
    let decomposed = refused(&[file(".fractal/e\u{301}.yaml", b"")]);
    says(decomposed, "BundleUnsafe", "combining accents");
    assert!(scan(&tar(&[file("e\u{301}.yaml", b""), good()])).is_ok());
}

#[test]
fn z09_a_tar_without_its_end_is_refused_at_every_byte() {
    let whole = tar(&[
        pax(&[("mtime", b"1")]),
        good(),
        folder("d/"),
        long_name("d/e"),
        file("x", b"x"),
    ]);
    assert!(scan(&whole).is_ok());
    for length in 1..whole.len() {
        let error = scan(&whole[..length]).unwrap_err();
        says(error, "BundleInvalid", "");
    }
    let end = whole.len() as u64 - 1024;
    let missing = |offset| BundleError::EndMissing { offset };
    assert_eq!(scan(&whole[..whole.len() - 1024]), Err(missing(end)));
    assert_eq!(scan(&whole[..whole.len() - 512]), Err(missing(end + 512)));
    // A registry that gives fewer or more bytes than the manifest says.
    for size in [end, whole.len() as u64 + 512] {
        let mut scanner = BundleScanner::new();
        scanner.push(&whole);
        let offset = whole.len() as u64;
        assert_eq!(scanner.finish(size), Err(BundleError::Truncated { offset }));
    }
}

#[test]
fn z09_nothing_but_zeros_follows_the_end() {
    let whole = tar(&[good()]);
    let padded = |more: &[u8]| scan(&[&whole, more].concat());
    assert!(padded(&[0; 512]).is_ok());
    assert!(padded(&[0; 10_240]).is_ok());
    says(padded(&[0; 100]).unwrap_err(), "BundleInvalid", "cut off");
    says(
        padded(&whole).unwrap_err(),
        "BundleAmbiguous",
        "second archive",
    );
    let mut late = vec![0; 512 * 9];
    late[512 * 9 - 1] = 1;
    says(
        padded(&late).unwrap_err(),
        "BundleAmbiguous",
        "bytes follow its end",
    );
    // GNU tar stops at one zero block, others go on.
    let between = [bytes(&good()), vec![0; 512], tar(&[file("b", b"")])].concat();
    says(
        scan(&between).unwrap_err(),
        "BundleAmbiguous",
        "between two entries",
    );
}

#[test]
fn z10_what_is_no_tar_is_named_as_early_as_it_can_be() {
    for (first, seen) in [
        (&b"\x1f\x8b\x08\0\0\0\0\0"[..], "compressed with gzip"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "compressed with zstd"),
        (b"PK\x03\x04\x14\0", "is a zip"),
        (b"apiVersion: v1\n", "is text"),
        (b"{\"schemaVersion\": 2}", "is text"),
        (b"\x7fELF", "begins with bytes 7f 45 4c 46"),
    ] {
        says(scan(first).unwrap_err(), "BundleInvalid", seen);
        let mut scanner = BundleScanner::new();
        let block = [first, &[b'x'; 512]].concat();
        scanner.push(&block[..512]);
        assert!(scanner.has_failed(), "{seen}");
        says(scanner.finish(1 << 20).unwrap_err(), "BundleInvalid", seen);
    }
    let next = Fault::from(scan(b"\x1f\x8b\x08").unwrap_err())
        .next
        .unwrap();
    assert!(next.starts_with("do not compress the bundle"), "{next}");
    assert_eq!(scan(b""), Err(BundleError::Empty));
    assert_eq!(scan(&[0; 1024]), Err(BundleError::Empty));
}

#[test]
fn yaml_files_in_other_encodings_are_refused_by_name() {
    let yaml = |bytes: &[u8]| scan(&tar(&[file(".fractal/web-fdeploy.yaml", bytes)])).unwrap_err();
    for (bytes, what) in [
        (
            &b"\xff\xfea\0"[..],
            "`.fractal/web-fdeploy.yaml` is no UTF-8 text: it is UTF-16",
        ),
        (b"a\0:\0", "NUL"),
        (b"a: caf\xe9", "line 1, byte 6"),
    ] {
        says(yaml(bytes), "BundleInvalid", what);
    }
    // What is not read as YAML may be anything.
    assert!(scan(&tar(&[file(".fractal/logo.png", b"\xff\0"), good()])).is_ok());
}
