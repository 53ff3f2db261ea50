//! Properties: no input panics, cuts between pieces do not matter, and a changed byte of a file is never taken.

#[path = "support/wheels.rs"]
#[expect(dead_code, reason = "this file needs part of the builder only")]
mod wheels;

use std::io::{Cursor, Read as _};

use fractal_artifact::{WheelError, WheelName, WheelScanner};
use fractal_core::artifact::WheelFacts;
use proptest::prelude::*;
use wheels::{Files, TITLE, files, layer, packed, record};

fn scan<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    wheel: &[u8],
) -> Result<WheelFacts, WheelError> {
    let mut scanner = WheelScanner::new();
    for piece in pieces {
        scanner.push(piece);
    }
    scanner.finish(&layer(wheel, Some(TITLE)))
}

/// The wheel's files and the wheel.
fn whole() -> impl Strategy<Value = (Files, Vec<u8>)> {
    let more = ("etl/[a-z]{1,3}\\.py", "[a-c\n]{0,300}");
    (
        proptest::collection::btree_map(more.0, more.1, 0..6),
        any::<bool>(),
    )
        .prop_map(|(more, streamed)| {
            let mut files = files();
            files.extend(
                more.into_iter()
                    .map(|(name, text)| (name, text.into_bytes())),
            );
            let record = record(&files, "etl-1.2.0.dist-info");
            files.push(("etl-1.2.0.dist-info/RECORD".into(), record.into()));
            let wheel = packed(&files, streamed);
            (files, wheel)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(scan([&bytes[..]], &bytes).is_err());
        prop_assert!(scan([&b"PK\x03\x04"[..], &bytes], &bytes).is_err());
    }

    #[test]
    fn arbitrary_names_never_panic_and_are_safe(name in "[ -~]{0,30}(-[a-z0-9._!+/\\\\-]{0,9}){0,6}(\\.whl)?") {
        if let Ok(name) = WheelName::parse(&name) {
            prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"._+!-".contains(&b)));
            prop_assert!(!name.as_str().starts_with('.') && name.as_str().len() <= 255);
        }
    }

    #[test]
    fn what_is_built_is_taken_in_any_pieces((files, wheel) in whole(), size in 1_usize..200) {
        let facts = scan([&wheel[..]], &wheel).unwrap();
        let mut names: Vec<&str> = files.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        prop_assert_eq!(facts.names.iter().map(|name| &**name).collect::<Vec<_>>(), names);
        prop_assert_eq!(scan(wheel.chunks(size), &wheel), Ok(facts));
    }

    #[test]
    fn what_is_taken_after_damage_unpacks_to_the_same_files((files, wheel) in whole(), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), size in 1_usize..200) {
        let mut damaged = wheel;
        for (place, byte) in changes {
            *place.get_mut(&mut damaged) = byte;
        }
        let read = scan([&damaged[..]], &damaged);
        prop_assert_eq!(&scan(damaged.chunks(size), &damaged).is_ok(), &read.is_ok());
        if read.is_ok() {
            let mut other = zip::ZipArchive::new(Cursor::new(&damaged)).unwrap();
            for (name, content) in &files {
                let mut unpacked = vec![];
                other.by_name(name).unwrap().read_to_end(&mut unpacked).unwrap();
                prop_assert_eq!(&unpacked, content);
            }
        }
    }
}
