//! The verdicts for people: the digest once, and against it who has it and who runs it.

use fractal_core::artifact::Digest;

use super::report::{Line, Report, Run, Verdict};
use crate::table::{Cell, Table};
use crate::terminal::{Paint, Tone, plain};

pub(super) fn report(report: &Report, paint: Paint) -> Vec<String> {
    if report.artifacts.is_empty() {
        return vec!["no component names an artifact".to_owned()];
    }
    let blocks = report.artifacts.iter().map(|verdict| block(verdict, paint));
    blocks.collect::<Vec<_>>().join(&String::new())
}

fn block(verdict: &Verdict, paint: Paint) -> Vec<String> {
    let name = paint.tone(Tone::Strong, &plain(&verdict.name));
    let mut lines = vec![match &verdict.digest {
        Some(digest) => format!("{name}  {digest}"),
        None => format!("{name}  {}", paint.tone(Tone::Bad, "not verified")),
    }];
    let mut table = Table::new(&["WHERE", "WHAT", "IT HAS"]);
    let digest = verdict.digest.as_ref();
    for line in &verdict.registries {
        table.row(registry(line, digest));
    }
    for run in &verdict.deployed {
        table.row(component(run, digest));
    }
    lines.extend(
        table
            .lines(paint)
            .into_iter()
            .map(|line| format!("  {line}")),
    );
    lines
}

fn registry(line: &Line, agreed: Option<&Digest>) -> Vec<Cell> {
    let has = match (&line.digest, &line.problem) {
        (Some(digest), _) => held(digest, agreed),
        (None, Some(problem)) => Cell::toned(Tone::Bad, problem),
        (None, None) => Cell::new(""),
    };
    vec![
        Cell::new(&line.who),
        Cell::new(line.reference.to_string()),
        has,
    ]
}

fn component(run: &Run, agreed: Option<&Digest>) -> Vec<Cell> {
    let runs = match &run.digest {
        Some(digest) => held(digest, agreed),
        None => Cell::new("runs nothing yet"),
    };
    vec![
        Cell::new("deployed"),
        Cell::new(format!("component {}", run.component)),
        runs,
    ]
}

fn held(digest: &Digest, agreed: Option<&Digest>) -> Cell {
    match agreed {
        Some(agreed) if agreed == digest => Cell::toned(Tone::Good, "the same"),
        _ => Cell::toned(Tone::Bad, digest.as_str()),
    }
}
