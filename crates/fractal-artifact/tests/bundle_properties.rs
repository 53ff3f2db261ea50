//! Properties: no input panics, cuts between pieces do not matter, what is taken a second parser reads alike, and what is
//! written is read back.

#[path = "support/blocks.rs"]
mod blocks;

use std::collections::BTreeMap;
use std::io::Read as _;

use blocks::{Block, GNU, entry, file, folder, long_name, pax, records, tar};
use fractal_artifact::{BundleError, BundleFiles, BundleScanner, bundle_tar};
use proptest::prelude::*;

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<BundleFiles, BundleError> {
    let mut scanner = BundleScanner::new();
    let mut total = 0;
    for piece in pieces {
        scanner.push(piece);
        total += piece.len() as u64;
    }
    scanner.finish(total)
}

/// Few names, so that they clash, and some that are refused.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        30 => "(\\./)?\\.fractal/[a-zA-Z]{1,2}\\.ya?ml",
        10 => "\\.fractal/(\\._)?[a-z]{1,2}(/b\\.yaml)?",
        1 => "[a-c./]{1,8}",
    ]
}

fn block() -> impl Strategy<Value = Vec<Block>> {
    let data = prop_oneof![
        20 => "[a-z: \n]{0,40}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..600),
        1 => Just(tar(&[file(".fractal/inner.yaml", b"inner")])),
    ];
    let plain = (name(), data, any::<bool>()).prop_map(|(name, data, gnu)| {
        let mut block = file(&name, &data);
        if gnu {
            block.magic = GNU;
        }
        block
    });
    (plain, name(), 0..30_u8).prop_map(|(plain, other, form)| {
        let size = plain.data.len().to_string().into_bytes();
        match form {
            0 => vec![folder(&format!("{other}/"))],
            1 => vec![long_name(&other), plain],
            2 => vec![pax(&[("path", other.as_bytes()), ("mtime", b"1.5")]), plain],
            3 => vec![pax(&[("size", &size)]), plain],
            4 => vec![entry(b'g', "g", &records(&[("comment", b"x")])), plain],
            5 => vec![entry(b'2', &other, b"")],
            6 => vec![Block {
                prefix: b".fractal".into(),
                ..plain
            }],
            _ => vec![plain],
        }
    })
}

fn tars() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(block(), 1..6).prop_map(|blocks| tar(&blocks.concat()))
}

/// Overwrites bytes of headers; their checksums are made right again, so that the lies are read.
#[expect(
    clippy::indexing_slicing,
    reason = "stays within whole blocks, for tests only"
)]
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..512_usize, any::<u8>());
    (tars(), proptest::collection::vec(change, 0..3)).prop_map(|(mut tar, changes)| {
        for (block, at, byte) in changes {
            let start = block.index(tar.len() / 512) * 512;
            tar[start + at] = byte;
            let header = &mut tar[start..start + 512];
            if header[257..262] == *b"ustar" {
                header[148..156].fill(b' ');
                let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
                header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        tar
    })
}

/// The files that the `tar` crate finds below `.fractal/`.
#[expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a check that is used by tests only"
)]
fn second(bytes: &[u8]) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        // It stands for no file, and nobody reads the name of its header.
        if kind.is_pax_global_extensions() {
            continue;
        }
        assert!(kind.is_file() || kind.is_dir(), "{kind:?} was taken");
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let plain: Vec<&str> = path.split('/').filter(|part| *part != ".").collect();
        let yaml = path.ends_with(".yaml") || path.ends_with(".yml");
        let double = plain.last().is_some_and(|name| name.starts_with("._"));
        if kind.is_file() && plain[0] == ".fractal" && plain.len() > 1 && yaml && !double {
            let mut content = vec![];
            entry.read_to_end(&mut content)?;
            assert!(files.insert(plain[1..].join("/"), content).is_none());
        }
    }
    Ok(files)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), size in any::<u64>()) {
        let mut scanner = BundleScanner::new();
        scanner.push(&bytes);
        prop_assert!(scanner.finish(size).is_err());
    }

    #[test]
    fn cuts_between_pieces_do_not_matter(tar in damaged(), cuts in proptest::collection::vec(1_usize..1500, 1..20)) {
        let whole = scan([&tar[..]]);
        prop_assert_eq!(&scan(tar.chunks(1)), &whole);
        let mut rest = &tar[..];
        let pieces = cuts.iter().map(|cut| {
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            rest = behind;
            piece
        }).collect::<Vec<_>>();
        prop_assert_eq!(&scan(pieces.into_iter().chain([rest])), &whole);
    }

    #[test]
    fn z04_what_the_scanner_takes_a_second_parser_reads_alike(tar in damaged()) {
        if let Ok(files) = scan([&tar[..]]) {
            let ours: BTreeMap<String, Vec<u8>> = files.iter().map(|(name, text)| (name.to_string(), text.as_bytes().to_vec())).collect();
            prop_assert_eq!(second(&tar).unwrap(), ours);
        }
    }

    #[test]
    fn what_is_written_is_read_back(files in proptest::collection::btree_map("[a-z]{1,60}(/[a-z]{1,60}){0,2}\\.ya?ml", "[ -~é\n]{0,700}", 1..20)) {
        let tar = bundle_tar(files.iter().map(|(name, text)| (&**name, text.as_bytes()))).unwrap();
        prop_assert_eq!(tar.len() % 10_240, 0);
        let read = scan([&tar[..]]).unwrap();
        let read: BTreeMap<String, String> = read.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
        prop_assert_eq!(read, files);
    }
}

/// The strategies above are of use only while a good part of what they make is taken.
#[test]
fn enough_of_what_is_generated_is_taken() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let taken = (0..1000)
        .filter(|_| {
            let tar = damaged().new_tree(&mut runner).unwrap().current();
            scan([&tar[..]]).is_ok()
        })
        .count();
    assert!(taken > 150, "{taken} of 1000");
}
