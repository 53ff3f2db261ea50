//! The most memory a hostile wheel takes, measured: alone in its process, so that nothing else is counted.
#![cfg(target_os = "linux")]

#[path = "support/wheels.rs"]
#[expect(dead_code, reason = "this file needs part of the builder only")]
mod wheels;

use fractal_artifact::{WheelError, WheelScanner};
use wheels::{FOLDER, TITLE, files, layer, packed, wheel_with};

/// What the scanner's own page promises: 65,535 files of 150 bytes and a name, twice, and 18 MiB of metadata.
const TAKEN_MAX: u64 = 64 << 20;

/// The most memory this process had since [`forget`], or has now, in bytes.
#[expect(
    clippy::unwrap_used,
    reason = "reads the kernel's own table, for tests only"
)]
fn memory(of: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(of)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// Sets the peak back to what is held now, and says how much that is.
#[expect(
    clippy::unwrap_used,
    reason = "writes to the kernel's own table, for tests only"
)]
fn forget() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    memory("VmRSS")
}

#[expect(clippy::unwrap_used, reason = "a check that is used by tests only")]
fn read(wheel: &[u8]) -> WheelError {
    let mut scanner = WheelScanner::new();
    scanner.push(wheel);
    scanner.finish(&layer(wheel, Some(TITLE))).unwrap_err()
}

#[test]
fn z05_z18_no_wheel_takes_more_memory_than_is_stated() {
    // Eight files of 16 MiB, a RECORD as long as it may be, one too long, and as many files as there may be.
    let mut bomb = files();
    bomb.extend((0..8).map(|n| (format!("etl/{n}.bin"), vec![n; 16 << 20])));
    let bomb = packed(&bomb, true);
    let record = "x,sha256=x,1\n".repeat((16 << 20) / 13);
    let longest = wheel_with(&files(), &record);
    let longer = wheel_with(&files(), &format!("{record}{record}"));
    let mut many = files();
    let part = "p".repeat(50);
    many.extend((0..65_000).map(|n| (format!("etl/{n}{part}"), vec![])));
    let many = wheel_with(&many, "");
    let before = forget();

    assert!(matches!(read(&bomb), WheelError::Ratio { .. }));
    assert!(matches!(read(&longest), WheelError::Record { .. }));
    assert!(matches!(read(&longer), WheelError::TooLarge { .. }));
    let what = format!("it does not list `{FOLDER}/METADATA`");
    assert_eq!(read(&many), WheelError::Record { what });

    let taken = memory("VmHWM") - before;
    // The longest RECORD is held, so less would mean that nothing was measured.
    assert!((16 << 20..=TAKEN_MAX).contains(&taken), "{taken} bytes");
}
