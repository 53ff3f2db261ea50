//! The answer of `check` for people: a table of targets, then each finding once, with the targets it is for.

use fractal_artifact::targets::{Finding, Severity};
use fractal_core::artifact::ArtifactKind;

use super::report::Report;
use crate::table::{Cell, Table};
use crate::terminal::{Paint, Tone, plain};

pub(super) fn report(report: &Report, paint: Paint) -> Vec<String> {
    let kind = report.kind.map_or("no single kind", ArtifactKind::as_str);
    let digest = report.digest.as_ref();
    let digest = digest.map(|digest| format!("  {digest}"));
    let artifact = paint.tone(Tone::Strong, &plain(&report.artifact));
    let mut lines = vec![
        format!("{artifact}  {kind}{}", digest.unwrap_or_default()),
        String::new(),
    ];
    lines.extend(table(report).lines(paint));
    for (finding, targets) in grouped(report) {
        lines.push(String::new());
        lines.extend(finding_lines(finding, &targets, paint));
    }
    lines
}

fn table(report: &Report) -> Table {
    let mut table = Table::new(&["TARGET", "RUNS", "ERRORS", "WARNINGS", "NOTES"]);
    for verdict in &report.targets {
        let runs = if verdict.runs {
            Cell::toned(Tone::Good, "yes")
        } else {
            Cell::toned(Tone::Bad, "no")
        };
        let count = |severity| Cell::new(verdict.count(severity).to_string());
        table.row(vec![
            Cell::new(verdict.target.as_str()),
            runs,
            count(Severity::Error),
            count(Severity::Warning),
            count(Severity::Note),
        ]);
    }
    table
}

/// Each finding with the targets it is for, the worst first.
fn grouped(report: &Report) -> Vec<(&Finding, Vec<&'static str>)> {
    let mut all: Vec<(&Finding, Vec<&'static str>)> = Vec::new();
    for verdict in &report.targets {
        let target = verdict.target.as_str();
        for finding in &verdict.findings {
            match all.iter_mut().find(|(known, _)| *known == finding) {
                Some((_, targets)) => targets.push(target),
                None => all.push((finding, vec![target])),
            }
        }
    }
    all.sort_by_key(|(finding, _)| finding.severity);
    all
}

fn finding_lines(finding: &Finding, targets: &[&'static str], paint: Paint) -> Vec<String> {
    let word = match finding.severity {
        Severity::Error => paint.tone(Tone::Bad, "error"),
        Severity::Warning => paint.tone(Tone::Busy, "warning"),
        Severity::Note => "note".to_owned(),
    };
    let targets = targets.join(", ");
    let what = plain(&finding.what);
    let mut lines = vec![format!("{word}: {what} [{}] ({targets})", finding.rule)];
    let more = [
        ("at", finding.place.as_deref()),
        ("because", finding.why.as_deref()),
        ("source", finding.source),
        (
            "next",
            Some(finding.fix.as_str()).filter(|fix| !fix.is_empty()),
        ),
    ];
    for (name, text) in more {
        lines.extend(text.map(|text| format!("  {name}: {}", plain(text))));
    }
    lines
}
