//! The most memory a hostile bundle takes, measured: alone in its process, so that nothing else is counted.
#![cfg(target_os = "linux")]

#[path = "support/blocks.rs"]
#[expect(dead_code, reason = "this file needs part of the builder only")]
mod blocks;

use blocks::{Block, entry, file, long_name, open, pax};
use fractal_artifact::BundleScanner;
use fractal_artifact::bundle::BUNDLE_MAX;

/// Bytes of the largest bundle, and as much again for what is made of it twice.
const TAKEN_MAX: u64 = 3 * BUNDLE_MAX;

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

/// Repeats `unit` for 2 GiB or until the scanner refuses, and says how many bytes it took to be refused.
fn push(first: &[u8], unit: &[u8]) -> u64 {
    let mut scanner = BundleScanner::new();
    scanner.push(first);
    let mut pushed = first.len() as u64;
    while !scanner.has_failed() && pushed < 2 << 30 {
        scanner.push(unit);
        pushed += unit.len() as u64;
    }
    assert!(scanner.finish(pushed).is_err());
    pushed
}

fn noise_of(byte: u8) -> Vec<u8> {
    vec![byte; 64 * 1024]
}

fn claiming(block: Block, size: u64) -> Vec<u8> {
    let size = Some(format!("{size:011o}\0").into_bytes());
    blocks::bytes(&Block { size, ..block })
}

#[test]
fn z06_z18_no_bundle_takes_more_memory_than_a_few_times_its_cap() {
    let noise = noise_of(b'x');
    let empty = open(&[file("", b"")]);
    // Refused at the header that makes the claim: one piece later at most.
    for size in [BUNDLE_MAX, 8 << 30] {
        for flag in *b"05LKxgS" {
            let header = claiming(entry(flag, ".fractal/a.yaml", b""), size);
            assert!(
                push(&header, &noise) <= 512 + noise.len() as u64,
                "{}",
                flag as char
            );
        }
    }
    assert!(push(&empty, &empty) <= 1024);

    let yaml = claiming(entry(b'0', ".fractal/a.yaml", b""), 4 << 20);
    let archive = open(&[file("a", b"")]);
    let part = "p".repeat(246);
    let mut many = vec![];
    for n in 0..10_000 {
        let path = format!("{n:08}/{part}/{part}/{part}/{part}");
        many.extend(open(&[long_name(&path), file("x", b"")]));
    }
    let large = vec![b'x'; (1 << 20) - 100];
    let large = open(&[pax(&[("SCHILY.xattr.user.x", &large)]), file("a", b"")]);
    let before = forget();

    // YAML files of the largest size, one after the other.
    let whole = [yaml.clone(), vec![b'x'; 4 << 20]].concat();
    assert!(push(&yaml, &noise) <= (4 << 20) + 2 * noise.len() as u64);
    assert!(push(&whole, &whole) <= BUNDLE_MAX + 2 * whole.len() as u64);
    // Zeros behind the end, for ever.
    assert!(push(&archive, &noise_of(0)) <= BUNDLE_MAX + noise.len() as u64);
    // As many entries as there may be, each with as long a path as there may be.
    assert!(push(&many, &many) <= 2 * many.len() as u64);
    // PAX records as large as they may be.
    assert!(push(&large, &large) <= BUNDLE_MAX + 2 * large.len() as u64);

    let taken = memory("VmHWM") - before;
    // The text of the largest file is held, so less would mean that nothing was measured.
    assert!((4 << 20..=TAKEN_MAX).contains(&taken), "{taken} bytes");
}
