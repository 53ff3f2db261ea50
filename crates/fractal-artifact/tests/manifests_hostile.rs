//! Manifests made to exhaust their reader. Alone in its process, since it measures the process's memory.

#![expect(clippy::unwrap_used, reason = "functions for tests only")]

#[expect(dead_code, reason = "this file needs part of it only")]
#[path = "support/bundle.rs"]
mod bundle;

use std::time::{Duration, Instant};

use bundle::Bundle;
use fractal_core::Fault;

/// The most that reading one manifest may take, in KiB, beside the text itself.
const MEMORY_MAX: usize = 32 * 1024;
/// Optimised it takes a tenth of a second at most; tests are not optimised, and not alone on their machine.
const TIME_MAX: Duration = Duration::from_secs(10);

#[test]
fn y01_y02_hostile_manifests_are_refused_within_bounded_time_and_memory() {
    for (name, manifest, reason) in hostile() {
        let before = reset_peak();
        let begun = Instant::now();
        let outcome = Bundle::of(&manifest).render();
        let (took, grown) = (begun.elapsed(), peak() - before);
        let found = outcome.err().map(|error| Fault::from(error).reason);
        assert_eq!(found.as_ref().map(|it| it.as_str()), reason, "{name}");
        assert!(grown < MEMORY_MAX, "{name}: {grown} KiB");
        assert!(took < TIME_MAX, "{name}: {took:?}");
    }
}

fn hostile() -> Vec<(&'static str, String, Option<&'static str>)> {
    let budget = Some("YamlBudget");
    let mut laughs = String::from("a0: &a0 {x: [x, x, x, x, x, x, x, x, x, x]}\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
    }
    let nested: String = (0..60)
        .map(|depth| format!("{}a: &a{depth}\n", " ".repeat(depth)))
        .collect();
    vec![
        ("laughs", laughs, budget),
        (
            "nested anchors",
            nested + &" ".repeat(60) + &"x".repeat(3_900_000),
            budget,
        ),
        ("many anchors", "- &a x\n".repeat(500_000), budget),
        (
            "small mappings",
            "- {a: {a: {a: {}}}}\n".repeat(200_000),
            budget,
        ),
        (
            "many keys",
            (0..200_000).map(|key| format!("k{key}: 1\n")).collect(),
            budget,
        ),
        (
            "flow items",
            "[".to_owned() + &"a,".repeat(2_000_000),
            budget,
        ),
        ("documents", "a: 1\n---\n".repeat(400_000), budget),
        ("flow depth", "[".repeat(4_000_000), budget),
        ("block depth", "- ".repeat(2_000_000), budget),
        ("explicit keys", "? ".repeat(2_000_000), budget),
        (
            "open quote",
            format!("a: \"{}", "\\n".repeat(500_000)),
            Some("YamlSyntax"),
        ),
        (
            "long block",
            format!("a: |\n{}", "  x\n".repeat(250_000)),
            Some("BundleObject"),
        ),
        (
            "long plain scalar",
            format!("a: {}", "x\n ".repeat(250_000)),
            Some("BundleObject"),
        ),
        ("comments", "# x\n".repeat(250_000), None),
        ("spaces", " ".repeat(1_000_000), None),
        (
            "names",
            (0..75_000).map(|name| format!("# ${name}\n")).collect(),
            None,
        ),
    ]
}

/// Forgets the most memory that was ever held, and gives what is held now, in KiB.
fn reset_peak() -> usize {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak()
}

/// The most memory this process held since then, in KiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}
