//! T5 to T8: what a copy may take, judged by the least of each tool's rounds.

use super::tools::{CRANE, OURS, SKOPEO};
use super::{Line, MIB, Scenario};
use crate::verdict::Verdict;

/// Most a copy may hold, in MiB.
const PEAK_MAX: f64 = 12.0;

pub(super) fn judge(lines: &[Line]) -> Vec<Verdict> {
    let mut verdicts = vec![memory(lines)];
    verdicts.extend(fan_out(lines));
    for of in [Scenario::OneBlob, Scenario::Image] {
        let ours = find(lines, of, OURS);
        let title = ours.map_or_else(String::new, |line| line.scenario.clone());
        let bytes = format!("bytes read from the source over the artifact's, {title}");
        let uploads = format!("requests for each uploaded blob, {title}");
        let source = ours.and_then(|line| line.source_ratio);
        verdicts.push(Verdict::at_most("T7", bytes, source, 1.0));
        let requests = ours.and_then(|line| line.upload_requests);
        verdicts.push(Verdict::at_most("T7", uploads, requests, 2.0));
    }
    verdicts.extend(unchanged(lines));
    verdicts
}

fn find<'a>(lines: &'a [Line], of: Scenario, tool: &str) -> Option<&'a Line> {
    lines.iter().find(|line| line.of == of && line.tool == tool)
}

fn memory(lines: &[Line]) -> Verdict {
    let ours = lines.iter().filter(|line| line.tool == OURS);
    let peak = ours.filter_map(|line| line.rss_peak).max();
    let mib = peak.map(|bytes| bytes as f64 / MIB as f64);
    Verdict::at_most("T5", "peak memory of a copy, MiB".to_owned(), mib, PEAK_MAX)
}

fn fan_out(lines: &[Line]) -> Vec<Verdict> {
    let cpu = |tool| find(lines, Scenario::OneBlobTls, tool).and_then(|line| line.cpu_s);
    let gates = [(SKOPEO, 0.45), (CRANE, 0.40), ("ocync sync", 0.65)];
    let judged = gates.map(|(tool, gate)| {
        let ratio = cpu(OURS).zip(cpu(tool)).map(|(ours, theirs)| ours / theirs);
        let what = format!("CPU of a copy to 3 registries over TLS, over {tool}'s");
        Verdict::at_most("T6", what, ratio, gate)
    });
    judged.into()
}

fn unchanged(lines: &[Line]) -> Vec<Verdict> {
    let ours = find(lines, Scenario::Unchanged, OURS);
    let requests = ours.and_then(|line| line.requests.as_ref());
    let all = requests.map(|requests| requests.values().sum::<usize>() as f64);
    let written = requests.map(|requests| {
        let of = |method: &str| requests.get(method).copied().unwrap_or_default();
        ["POST", "PATCH", "PUT"].map(of).iter().sum::<usize>() as f64
    });
    vec![
        Verdict::at_most("T8", "requests of an unchanged copy".to_owned(), all, 2.0),
        Verdict::at_most(
            "T8",
            "writing requests of an unchanged copy".to_owned(),
            written,
            0.0,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(of: Scenario, tool: &'static str, cpu: f64) -> Line {
        Line {
            scenario: of.title(100),
            tool,
            version: String::new(),
            processes: 1,
            rounds: 1,
            cpu_s: Some(cpu),
            cpu_median_s: Some(cpu),
            wall_s: None,
            wall_median_s: None,
            rss_peak: Some(9 << 20),
            requests: Some([("HEAD".to_owned(), 2), ("PUT".to_owned(), 1)].into()),
            source_ratio: Some(1.0),
            upload_requests: Some(2.5),
            of,
        }
    }

    #[test]
    fn each_target_is_judged_in_its_own_scenario() {
        let lines = [
            line(Scenario::OneBlob, OURS, 9.0),
            line(Scenario::OneBlobTls, OURS, 0.2),
            line(Scenario::OneBlobTls, CRANE, 0.8),
            line(Scenario::Unchanged, OURS, 0.1),
        ];
        let found: Vec<_> = judge(&lines)
            .into_iter()
            .map(|verdict| (verdict.target, verdict.figure, verdict.holds))
            .collect();
        let expected = [
            ("T5", Some(9.0), Some(true)),
            ("T6", None, None),
            ("T6", Some(0.25), Some(true)),
            ("T6", None, None),
            ("T7", Some(1.0), Some(true)),
            ("T7", Some(2.5), Some(false)),
            ("T7", None, None),
            ("T7", None, None),
            ("T8", Some(3.0), Some(false)),
            ("T8", Some(1.0), Some(false)),
        ];
        assert_eq!(found, expected);
    }
}
