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

/// The most memory this process ever had, in bytes.
#[expect(
    clippy::unwrap_used,
    reason = "reads the kernel's own table, for tests only"
)]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
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

fn claiming(block: Block, size: u64) -> Vec<u8> {
    let size = Some(format!("{size:011o}\0").into_bytes());
    blocks::bytes(&Block { size, ..block })
}

#[test]
fn z06_z18_no_bundle_takes_more_memory_than_a_few_times_its_cap() {
    let noise = vec![b'x'; 64 * 1024];
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

    let before = peak();
    // A YAML file of the largest size that never ends, again and again.
    let yaml = claiming(entry(b'0', ".fractal/a.yaml", b""), 4 << 20);
    assert!(push(&yaml, &noise) <= (4 << 20) + 2 * noise.len() as u64);
    // Zeros behind the end, for ever.
    let zeros = vec![0; 64 * 1024];
    assert!(push(&open(&[file("a", b"")]), &zeros) <= BUNDLE_MAX + noise.len() as u64);
    // As many entries as there may be, each with as long a path as there may be.
    let part = "p".repeat(246);
    let mut many = vec![];
    for n in 0..10_000 {
        let path = format!("{n:08}/{part}/{part}/{part}/{part}");
        many.extend(open(&[long_name(&path), file("x", b"")]));
    }
    assert!(push(&many, &many) <= 2 * many.len() as u64);
    // PAX records as large as they may be.
    let large = vec![b'x'; (1 << 20) - 100];
    let large = open(&[pax(&[("SCHILY.xattr.user.x", &large)]), file("a", b"")]);
    assert!(push(&large, &large) <= BUNDLE_MAX + 2 * large.len() as u64);

    let own = (many.len() + 3 * large.len()) as u64;
    let taken = (peak() - before).saturating_sub(own);
    assert!(taken <= TAKEN_MAX, "{taken} bytes");
}
