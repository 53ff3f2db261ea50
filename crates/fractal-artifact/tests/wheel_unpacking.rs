//! Wheels whose files do not unpack to what the zip says of them, or to too much (Z5, Z6, Z11).

#[path = "support/wheels.rs"]
mod wheels;

use fractal_artifact::{WheelError, WheelScanner};
use fractal_core::artifact::WheelFacts;
use fractal_core::{Class, Fault};
use wheels::{TITLE, files, layer, packed, wheel, with_metadata};

fn read(wheel: &[u8], title: Option<&str>) -> Result<WheelFacts, WheelError> {
    let mut scanner = WheelScanner::new();
    scanner.push(wheel);
    scanner.finish(&layer(wheel, title))
}

#[track_caller]
#[expect(clippy::expect_used, reason = "a check that is used by tests only")]
fn refused(wheel: &[u8], reason: &str, what: &str) {
    let error = read(wheel, Some(TITLE)).expect_err("a wheel with a lie in it");
    says(error, reason, what);
}

#[track_caller]
fn says(error: WheelError, reason: &str, what: &str) {
    let fault = Fault::from(error);
    let why = fault.why.unwrap_or_default();
    assert!(why.contains(what), "{why}");
    assert_eq!(
        (fault.class, fault.reason.as_str()),
        (Class::Terminal, reason),
        "{why}"
    );
    assert!(fault.next.is_some() && fault.place.is_some());
}

/// Sets the bytes at every place where `from` stands.
fn patched(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut patched = bytes.to_vec();
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        for (place, byte) in patched.iter_mut().skip(at).zip(to) {
            *place = *byte;
        }
    }
    patched
}

#[test]
fn z11_a_file_that_does_not_unpack_to_what_its_header_says_is_refused() {
    let good = wheel(&files());
    // A byte of the one deflated text that is stored nowhere else.
    let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut wheel = good.clone();
        change(&mut wheel);
        read(&wheel, Some(TITLE)).unwrap_err()
    };
    let data = good
        .windows(15)
        .position(|name| name == b"etl/__init__.py")
        .unwrap()
        + 15;
    for flip in [0, 5, 10] {
        let error = damaged(&|wheel| *wheel.get_mut(data + flip).unwrap() ^= 0x55);
        assert!(matches!(error, WheelError::Damaged { .. }), "{error}");
        says(error, "WheelInvalid", "`etl/__init__.py`");
    }
    let crc = {
        let mut crc = flate2::Crc::new();
        crc.update(b"def main():\n    return 0\n");
        crc.sum().to_le_bytes()
    };
    let lie = patched(&good, &crc, &[1, 2, 3, 4]);
    refused(
        &lie,
        "WheelInvalid",
        "its size or checksum is not what its header says",
    );
}

#[test]
fn z11_what_the_zip_scanner_refuses_is_no_wheel() {
    let good = wheel(&files());
    refused(b"", "WheelInvalid", "the zip is empty");
    refused(
        b"\x1f\x8b\x08\0\0\0\0\0",
        "WheelInvalid",
        "the layer is no zip",
    );
    refused(
        &[&good, &b"x"[..]].concat(),
        "WheelInvalid",
        "bytes follow the end record",
    );
    let mut escape = files();
    escape.push(("../evil.py".into(), b"".into()));
    let evil = packed(&vec![("aa/evil.py".into(), b"".into())], false);
    refused(
        &patched(&evil, b"aa/evil.py", b"../evil.py"),
        "WheelInvalid",
        "leaves its folder",
    );
    for length in 0..good.len() {
        let error = read(&good[..length], Some(TITLE)).unwrap_err();
        assert!(matches!(error, WheelError::Zip(_)), "{length}: {error}");
    }
    // Stored with its size behind it: an inner archive could end it early.
    let mut streamed = packed(&files(), true);
    let local = streamed
        .windows(4)
        .position(|s| s == b"PK\x03\x04")
        .unwrap();
    *streamed.get_mut(local + 8).unwrap() = 0;
    assert!(read(&streamed, Some(TITLE)).is_err());
}

#[test]
fn z05_z06_what_unpacks_to_too_much_is_refused_early() {
    let zeros = |name: &str, length: usize| {
        let mut files = files();
        files.insert(0, (name.into(), vec![0; length]));
        files
    };
    let bomb = wheel(&zeros("etl/bomb.bin", 80 << 20));
    refused(
        &bomb,
        "WheelTooLarge",
        "more than 100 bytes for each of its own",
    );
    let mut scanner = WheelScanner::new();
    let refusing = bomb.chunks(4096).position(|piece| {
        scanner.push(piece);
        scanner.has_failed()
    });
    // 64 MiB of zeros take as many kibibytes, in pieces of four.
    assert!(refusing.unwrap() <= 17, "{refusing:?}");
    assert!(read(&wheel(&zeros("etl/small.bin", 4 << 20)), Some(TITLE)).is_ok());
    let text: String = (0..90_000)
        .map(|n| format!("X-{n}: {}\n", n ^ 0x5555))
        .collect();
    for (name, max) in [
        ("METADATA", 1 << 20),
        ("WHEEL", 64 << 10),
        ("entry_points.txt", 256 << 10),
    ] {
        let large = wheel(&with_metadata(name, &text));
        refused(
            &large,
            "WheelTooLarge",
            &format!("bytes of {name}, at most {max}"),
        );
    }
    let many: wheels::Files = (0..65_536).map(|n| (format!("{n}"), vec![])).collect();
    refused(&packed(&many, false), "WheelInvalid", "65536 entries");
}
