//! Properties: no input panics, cuts between pieces do not matter, and both readers agree with a third.

#[path = "support/raw.rs"]
#[expect(dead_code, reason = "this file needs part of the builder only")]
mod raw;

use std::io::Cursor;

use fractal_artifact::{DirectoryRead, Limits, ZipDirectory, ZipError, ZipScanner, read_directory};
use proptest::prelude::*;

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<ZipDirectory, ZipError> {
    let mut scanner = ZipScanner::new();
    let mut total = 0;
    for piece in pieces {
        scanner.push(piece);
        total += piece.len() as u64;
    }
    scanner.finish(total)
}

/// Small zips of either form, from few names so that clashes occur.
fn zips() -> impl Strategy<Value = Vec<u8>> {
    let data = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(b"PK\x03\x04PK\x07\x08PK\x01\x02PK\x05\x06".to_vec()),
        Just(raw::zip(&[raw::streamed("n", b"PK", true, false)])),
    ];
    let entry = ("[abAB]{1,2}(/[ab]{1,2})?", data, any::<[bool; 3]>()).prop_map(
        |(name, data, [streamed, signed, wide])| {
            if streamed {
                raw::streamed(&name, &data, signed, wide)
            } else {
                raw::file(&name, &data)
            }
        },
    );
    proptest::collection::vec(entry, 0..6).prop_map(|entries| raw::zip(&entries))
}

/// Zips with a few bytes overwritten.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (
        zips(),
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    )
        .prop_map(|(mut zip, changes)| {
            for (place, byte) in changes {
                *place.get_mut(&mut zip) = byte;
            }
            zip
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), offset in any::<u64>(), total in any::<u64>()) {
        let _ = scan([&bytes[..]]);
        let _ = read_directory(&bytes, offset, total, &Limits::FUNCTION);
        let _ = read_directory(&bytes, 0, bytes.len() as u64, &Limits::FUNCTION);
    }

    #[test]
    fn cuts_between_pieces_do_not_matter(zip in damaged(), cuts in proptest::collection::vec(1_usize..70, 1..80)) {
        let whole = scan([&zip[..]]);
        prop_assert_eq!(&scan(zip.chunks(1)), &whole);
        let mut rest = &zip[..];
        let pieces = cuts.iter().map(|cut| {
            let (piece, behind) = rest.split_at((*cut).min(rest.len()));
            rest = behind;
            piece
        }).collect::<Vec<_>>();
        prop_assert_eq!(&scan(pieces.into_iter().chain([rest])), &whole);
    }

    #[test]
    fn what_the_scanner_takes_every_reader_takes_alike(zip in damaged()) {
        if let Ok(directory) = scan([&zip[..]]) {
            let total = zip.len() as u64;
            prop_assert_eq!(read_directory(&zip, 0, total, &Limits::FUNCTION), Ok(DirectoryRead::Complete(directory.clone())));
            let other = zip::ZipArchive::new(Cursor::new(&zip)).unwrap();
            let mut names: Vec<String> = other.file_names().map(|name| name.unwrap().into_owned()).collect();
            names.sort_unstable();
            prop_assert_eq!(directory.files().iter().map(|file| file.name()).collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn a_tail_of_any_length_ends_in_the_same_directory(zip in zips(), first in any::<prop::sample::Index>()) {
        let total = zip.len() as u64;
        let mut from = first.index(zip.len()) as u64;
        // Every answer but the last names an earlier byte, so this ends.
        let read = loop {
            match read_directory(&zip[from as usize..], from, total, &Limits::FUNCTION) {
                Ok(DirectoryRead::NeedsFrom(earlier)) => {
                    prop_assert!(earlier < from);
                    from = earlier;
                }
                other => break other,
            }
        };
        match scan([&zip[..]]) {
            Ok(directory) => prop_assert_eq!(read, Ok(DirectoryRead::Complete(directory))),
            Err(error) => prop_assert_eq!(read, Err(error)),
        }
    }
}
