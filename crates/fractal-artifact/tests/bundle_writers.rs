//! Tars of real writers are taken: the recorded ones, GNU tar's of this machine, what macOS adds, and our own.

#[path = "support/blocks.rs"]
#[expect(dead_code, reason = "this file needs part of the builder only")]
mod blocks;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use blocks::{entry, file, folder, pax, records, tar};
use fractal_artifact::bundle::{deployment, parameters};
use fractal_artifact::{BundleError, BundleFiles, BundleScanner, bundle_tar};

const LONG: &str = "a-component-with-a-rather-long-id-a-component-with-a-rather-long-id-a-component-with-a-rather-long-id-a-component-with-a-rather-long-id-end";
const PRODUCER: &str =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: producer\n  namespace: $NAMESPACE\n";
const PARAMETERS: &str = "environments:\n  - name: dev\n    parameters:\n      NAMESPACE: my-app\n";

fn scan(tar: &[u8]) -> Result<BundleFiles, BundleError> {
    let mut scanner = BundleScanner::new();
    scanner.push(tar);
    scanner.finish(tar.len() as u64)
}

fn names(files: &BundleFiles) -> Vec<&str> {
    files.keys().map(|name| &**name).collect()
}

macro_rules! recorded {
    ($($name:literal),*) => {
        [$(($name, &include_bytes!(concat!("../../../fixtures/bundles/tars/", $name, ".tar"))[..])),*]
    };
}

#[test]
fn recorded_tars_of_every_writer_are_taken() {
    let tars = recorded![
        "gnu-tar-gnu",
        "gnu-tar-posix",
        "gnu-tar-ustar",
        "python-pax",
        "python-gnu",
        "python-ustar",
        "libarchive-pax",
        "libarchive-gnutar",
        "go-archive-tar",
        "node-tar",
        "git-archive"
    ];
    for (writer, tar) in tars {
        let files = scan(tar).unwrap_or_else(|error| panic!("{writer}: {error}"));
        let (name, text) = deployment(&files, "producer").unwrap();
        assert_eq!(
            (name, &**text),
            ("producer-fdeploy.yaml", PRODUCER),
            "{writer}"
        );
        let (name, text) = parameters(&files).unwrap().unwrap();
        assert_eq!(
            (name, &**text),
            ("fractal-parameters.yml", PARAMETERS),
            "{writer}"
        );
        // The ustar format cannot hold the long name.
        if writer.ends_with("-ustar") {
            assert_eq!(files.len(), 2, "{writer}: {:?}", names(&files));
        } else {
            let (_, text) = deployment(&files, LONG).unwrap();
            assert_eq!((files.len(), &**text), (3, "# größer\n"), "{writer}");
        }
    }
}

#[test]
fn the_format_of_unix_v7_is_refused_by_name() {
    let [(_, tar)] = recorded!["gnu-tar-v7"];
    let seen = "is in the format of Unix V7, without the magic `ustar`".into();
    assert_eq!(scan(tar), Err(BundleError::NotTar { seen }));
}

#[expect(clippy::unwrap_used, reason = "runs GNU tar, for tests only")]
fn gnu_tar(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("tar")
        .args(arguments)
        .current_dir(folder)
        .env_remove("TAR_OPTIONS")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tar {arguments:?}: {errors}");
    output.stdout
}

#[test]
fn gnu_tar_of_this_machine_is_taken_however_it_is_called() {
    let repository = tempfile::tempdir().unwrap();
    let fractal = repository.path().join(".fractal");
    std::fs::create_dir_all(fractal.join("notes")).unwrap();
    std::fs::write(fractal.join("producer-fdeploy.yaml"), PRODUCER).unwrap();
    std::fs::write(fractal.join("notes/empty.yml"), "").unwrap();
    std::fs::write(fractal.join("notes/logo.png"), [0x89, 0, 0xff]).unwrap();
    for arguments in [
        &["-cf", "-", ".fractal"][..],
        &["-cf", "-", ".fractal/"],
        &["-cf", "-", "./.fractal"],
        &["-cf", "-", "."],
        &["-b1", "-cf", "-", ".fractal"],
        &["--format=posix", "-cf", "-", ".fractal"],
        &[
            "--format=posix",
            "--pax-option=delete=atime",
            "-cf",
            "-",
            ".",
        ],
        &[
            "--format=ustar",
            "-cf",
            "-",
            ".fractal/notes",
            ".fractal/producer-fdeploy.yaml",
        ],
        &[
            "--sort=name",
            "--owner=0",
            "--mtime=@0",
            "-cf",
            "-",
            ".fractal",
        ],
    ] {
        let files = scan(&gnu_tar(repository.path(), arguments))
            .unwrap_or_else(|error| panic!("tar {arguments:?}: {error}"));
        assert_eq!(names(&files), ["notes/empty.yml", "producer-fdeploy.yaml"]);
        assert_eq!(&*files["producer-fdeploy.yaml"], PRODUCER);
        assert_eq!(&*files["notes/empty.yml"], "");
    }
}

/// What `tar -cf manifests.tar .fractal` writes on macOS, entry by entry: extended attributes as AppleDouble files in front
/// of each file and as PAX records, <https://github.com/libarchive/libarchive/wiki/FormatTar>.
#[test]
fn what_tar_on_macos_adds_is_left_out() {
    let times: &[(&str, &[u8])] = &[
        ("mtime", b"1767323045.678901234"),
        ("LIBARCHIVE.creationtime", b"1767323040"),
        ("SCHILY.fflags", b"nodump"),
        ("LIBARCHIVE.xattr.com.apple.provenance", b"AQIAY2Fz"),
        (
            "SCHILY.xattr.com.apple.provenance",
            b"\x01\x02\0\n12 path=x\n",
        ),
    ];
    let double = [
        &b"\0\x05\x16\x07\0\x02\0\0Mac OS X        "[..],
        &[0xff; 100],
    ]
    .concat();
    let tar = tar(&[
        file("./._.fractal", &double),
        pax(times),
        folder(".fractal/"),
        pax(times),
        file(".fractal/._producer-fdeploy.yaml", &double),
        pax(times),
        file(".fractal/producer-fdeploy.yaml", b"a: 1\n"),
        file(".fractal/.DS_Store", b"\0\0\0\x01Bud1"),
    ]);
    let files = scan(&tar).unwrap();
    assert_eq!(names(&files), ["producer-fdeploy.yaml"]);
}

#[test]
fn headers_that_say_nothing_of_entries_are_passed_over() {
    let comment = records(&[("comment", b"1de1b1b9"), ("mtime", b"1")]);
    let files = scan(&tar(&[
        entry(b'g', "pax_global_header", &comment),
        file(".fractal/a.yaml", b"a"),
        entry(b'g', "pax_global_header", &comment),
        entry(0, ".fractal/b.yml", b"b"),
        folder(".fractal/"),
        folder(".fractal/"),
    ]))
    .unwrap();
    assert_eq!(names(&files), ["a.yaml", "b.yml"]);
}

fn three() -> Vec<(&'static str, &'static [u8])> {
    vec![
        ("producer-fdeploy.yaml", PRODUCER.as_bytes()),
        ("fractal-parameters.yml", PARAMETERS.as_bytes()),
        ("deep/er/x.yaml", b""),
    ]
}

#[test]
fn our_tar_is_the_same_for_the_same_files_in_any_order() {
    let tar = bundle_tar(three()).unwrap();
    assert_eq!(bundle_tar(three().into_iter().rev()).unwrap(), tar);
    assert_eq!(tar.len(), 10_240);
    let digest = fractal_core::artifact::Digest::sha256(&tar);
    // Bytes that were published must not change with a release of ours.
    assert_eq!(
        digest.as_str(),
        "sha256:72d6e4e28cb5306c58665a78a55104adaab132dd8112e526907b96d8830fba9b"
    );
    let files = scan(&tar).unwrap();
    let expected: BundleFiles = three()
        .into_iter()
        .map(|(name, text)| (name.into(), Arc::from(std::str::from_utf8(text).unwrap())))
        .collect();
    assert_eq!(files, expected);
}

#[test]
fn gnu_tar_can_write_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".fractal")).unwrap();
    let files = &three()[..2];
    for (name, content) in files {
        std::fs::write(folder.path().join(".fractal").join(name), content).unwrap();
    }
    let plain = "--format=ustar --sort=name --numeric-owner --owner=0 --group=0 --mtime=@0 --mode=u=rwX,go=rX -cf - .fractal";
    let arguments: Vec<&str> = plain.split(' ').collect();
    let theirs = gnu_tar(folder.path(), &arguments);
    assert!(bundle_tar(files.iter().copied()).unwrap() == theirs);
}

#[test]
fn our_tar_is_read_by_gnu_tar() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{LONG}-fdeploy.yaml");
    let parted = format!("{}/{}.yaml", "f".repeat(100), "n".repeat(90));
    let mut files = three();
    files.push((&parted, b"parted"));
    std::fs::write(folder.path().join("a.tar"), bundle_tar(files).unwrap()).unwrap();
    let listed = gnu_tar(
        folder.path(),
        &["--numeric-owner", "--utc", "-tvf", "a.tar"],
    );
    let expected = format!(
        "drwxr-xr-x 0/0               0 1970-01-01 00:00 .fractal/\n\
         -rw-r--r-- 0/0               0 1970-01-01 00:00 .fractal/deep/er/x.yaml\n\
         -rw-r--r-- 0/0               6 1970-01-01 00:00 .fractal/{parted}\n\
         -rw-r--r-- 0/0              68 1970-01-01 00:00 .fractal/fractal-parameters.yml\n\
         -rw-r--r-- 0/0              88 1970-01-01 00:00 .fractal/producer-fdeploy.yaml\n"
    );
    assert_eq!(String::from_utf8(listed).unwrap(), expected);
    gnu_tar(folder.path(), &["-xf", "a.tar"]);
    let unpacked = std::fs::read_to_string(folder.path().join(".fractal/producer-fdeploy.yaml"));
    assert_eq!(unpacked.unwrap(), PRODUCER);
    let error = bundle_tar([(&*long, &b""[..])]).unwrap_err();
    assert_eq!(
        error,
        BundleError::PathTooLong {
            name: long[..96].to_owned() + "…"
        }
    );
}

#[test]
fn our_tar_holds_only_what_the_reader_takes() {
    let error = |files: &[(&str, &[u8])]| bundle_tar(files.iter().copied()).unwrap_err();
    assert!(matches!(error(&[]), BundleError::NoFolder { .. }));
    assert!(matches!(
        error(&[("../a.yaml", b"")]),
        BundleError::Path { .. }
    ));
    assert!(matches!(
        error(&[("/a.yaml", b"")]),
        BundleError::Path { .. }
    ));
    assert!(matches!(
        error(&[("a.yaml/", b"")]),
        BundleError::Folder { .. }
    ));
    assert!(matches!(
        error(&[("a.yaml", b"\xff")]),
        BundleError::Encoding { .. }
    ));
    let twice: &[(&str, &[u8])] = &[("a.yaml", b"1"), ("A.yaml", b"2")];
    assert!(matches!(error(twice), BundleError::Duplicate { .. }));
    let large = vec![b'#'; (4 << 20) + 1];
    assert!(matches!(
        error(&[("a.yaml", &large)]),
        BundleError::FileTooLarge { .. }
    ));
}
