//! T1 to T5: what a pull may take, as ratios within one run, judged by the least of each tool's rounds.

use super::tools::{CRANE, CURL, FLOOR, OCI_CLIENT, OURS, SKOPEO};
use super::{Line, MIB};
use crate::verdict::Verdict;

/// Below this, in MiB, a process's start is most of what is measured.
const LARGE: u64 = 100;
/// Most a pull may hold, in MiB, and most it may hold more for a larger blob.
const PEAK_MAX: f64 = 12.0;
const GROWTH_MAX: f64 = 1.0;

pub(super) fn judge(lines: &[Line], cores: usize) -> Vec<Verdict> {
    let plain: Vec<&Line> = lines.iter().filter(|line| !line.tls).collect();
    let mut sizes: Vec<u64> = plain.iter().map(|line| line.size).collect();
    sizes.dedup();
    let mut verdicts = Vec::new();
    for size in sizes.into_iter().filter(|size| *size >= LARGE) {
        let at = At {
            lines: &plain,
            size,
        };
        verdicts.extend(cpu(&at));
        verdicts.extend(wall(&at, cores));
    }
    verdicts.extend(memory(&plain));
    verdicts.sort_by_key(|verdict| verdict.target);
    verdicts
}

/// The lines of one size.
struct At<'a> {
    lines: &'a [&'a Line],
    size: u64,
}

impl At<'_> {
    fn of(&self, tool: &str, figure: fn(&Line) -> Option<f64>) -> Option<f64> {
        let fits = |line: &&&Line| line.size == self.size && line.tool == tool;
        self.lines.iter().find(fits).and_then(|line| figure(line))
    }

    /// One tool's figure over another's.
    fn ratio(&self, over: &str, under: &str, figure: fn(&Line) -> Option<f64>) -> Option<f64> {
        Some(self.of(over, figure)? / self.of(under, figure)?)
    }
}

fn cpu(at: &At<'_>) -> Vec<Verdict> {
    let gates = [
        ("T1", FLOOR, 1.15),
        ("T3", CRANE, 0.92),
        ("T3", SKOPEO, 0.72),
        ("T3", OCI_CLIENT, 0.60),
    ];
    let judged = gates.map(|(target, tool, gate)| {
        let what = format!("CPU over {tool}'s, {} MiB", at.size);
        Verdict::at_most(target, what, at.ratio(OURS, tool, |line| line.cpu_s), gate)
    });
    judged.into()
}

/// Speeds: their wall time over ours.
fn wall(at: &At<'_>, cores: usize) -> Vec<Verdict> {
    let unverified = if cores < 4 { 0.55 } else { 0.75 };
    let mut gates = vec![("T2", CURL, unverified)];
    if at.size == LARGE {
        gates.extend([("T4", CRANE, 1.2), ("T4", SKOPEO, 2.0)]);
    }
    let judged = gates.into_iter().map(|(target, tool, gate)| {
        let what = format!(
            "{tool}'s wall time over ours, {} MiB, {cores} cores",
            at.size
        );
        Verdict::at_least(target, what, at.ratio(tool, OURS, |line| line.wall_s), gate)
    });
    judged.collect()
}

fn memory(lines: &[&Line]) -> Vec<Verdict> {
    let ours = lines.iter().filter(|line| line.tool == OURS);
    let peaks = ours.filter_map(|line| line.rss_peak);
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    let (highest, lowest) = (peaks.clone().max().map(mib), peaks.min().map(mib));
    let growth = highest
        .zip(lowest)
        .map(|(highest, lowest)| highest - lowest);
    let growing = "peak memory between the smallest and the largest, MiB";
    vec![
        Verdict::at_most(
            "T5",
            "peak memory at any size, MiB".to_owned(),
            highest,
            PEAK_MAX,
        ),
        Verdict::at_most("T5", growing.to_owned(), growth, GROWTH_MAX),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(tool: &'static str, size: u64, (cpu, wall, peak): (f64, f64, u64)) -> Line {
        Line {
            scenario: String::new(),
            tool,
            version: String::new(),
            verifies: true,
            rounds: 1,
            cpu_s: Some(cpu),
            cpu_median_s: Some(cpu),
            wall_s: Some(wall),
            wall_median_s: Some(wall),
            rss_peak: Some(peak << 20),
            requests: None,
            served: None,
            size,
            tls: false,
        }
    }

    #[test]
    fn each_target_is_judged_at_the_sizes_it_is_for() {
        let lines = [
            line(OURS, 10, (0.05, 0.05, 4)),
            line(OURS, 100, (0.10, 0.10, 5)),
            line(FLOOR, 100, (0.08, 0.10, 2)),
            line(CURL, 100, (0.04, 0.06, 10)),
            line(CRANE, 100, (0.125, 0.11, 12)),
        ];
        let found: Vec<_> = judge(&lines, 2)
            .into_iter()
            .map(|verdict| (verdict.target, verdict.figure, verdict.holds))
            .collect();
        let expected = [
            ("T1", Some(1.25), Some(false)),
            ("T2", Some(0.6), Some(true)),
            ("T3", Some(0.8), Some(true)),
            ("T3", None, None),
            ("T3", None, None),
            ("T4", Some(1.1), Some(false)),
            ("T4", None, None),
            ("T5", Some(5.0), Some(true)),
            ("T5", Some(1.0), Some(true)),
        ];
        assert_eq!(found, expected);
        // More cores, and hashing goes beside reading.
        assert_eq!(judge(&lines, 4)[1].holds, Some(false));
    }
}
