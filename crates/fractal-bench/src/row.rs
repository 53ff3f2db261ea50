//! Results: a row each, as a table for people or as one JSON object a line.

use std::io::Write as _;

use serde::Serialize;

/// One measurement. What was not measured is absent, never zero.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) tool: String,
    pub(crate) version: String,
    /// CPU seconds of the process, user and system.
    pub(crate) cpu_s: Option<f64>,
    pub(crate) wall_s: Option<f64>,
    /// Peak resident memory of the process, in bytes.
    pub(crate) rss_peak: Option<u64>,
    /// Requests the servers received for it.
    pub(crate) requests: Option<u64>,
    /// Its peak memory over ours in the same scenario.
    pub(crate) ratio: Option<f64>,
    /// What must hold.
    pub(crate) target: Option<String>,
    pub(crate) holds: Option<bool>,
}

impl Row {
    /// A row for a tool that is not on this machine.
    pub(crate) fn missing(scenario: &str, tool: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            tool: tool.to_owned(),
            version: "not found on this machine".to_owned(),
            ..Self::default()
        }
    }

    /// The row with a bound on its peak memory, in bytes.
    pub(crate) fn at_most(mut self, bytes: u64) -> Self {
        self.target = Some(format!("rss_peak <= {} MiB", bytes >> 20));
        self.holds = self.rss_peak.map(|peak| peak <= bytes);
        self
    }

    /// Whether nothing that must hold does not. A target that could not be measured does not hold.
    pub(crate) fn is_fine(&self) -> bool {
        self.target.is_none() || self.holds == Some(true)
    }
}

/// Gives every row of a scenario its ratio to the scenario's first, which is ours.
pub(crate) fn compare(rows: &mut [Row]) {
    let ours = rows.first().and_then(|row| row.rss_peak);
    for row in rows {
        row.ratio = ours
            .zip(row.rss_peak)
            .map(|(ours, peak)| round(peak as f64 / ours.max(1) as f64));
    }
}

/// To thousandths: more was not measured.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

pub(crate) fn print(rows: &[Row], json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        for row in rows {
            writeln!(out, "{}", serde_json::to_string(row)?)?;
        }
        return out.flush();
    }
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| width(&lines, column))
        .collect();
    for line in &lines {
        let cells = line.iter().zip(&widths);
        let text: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", text.join("  ").trim_end())?;
    }
    writeln!(
        out,
        "\nrss_peak in MiB; ratio: peak memory over ours in the same scenario; of several rounds the least time and the highest peak"
    )
}

const HEAD: [&str; 10] = [
    "scenario", "tool", "version", "cpu_s", "wall_s", "rss_peak", "requests", "ratio", "target",
    "holds",
];

fn cells(row: &Row) -> [String; 10] {
    let number = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.2}"));
    let mib = row.rss_peak.map(|bytes| bytes as f64 / f64::from(1 << 20));
    let holds = |holds| if holds { "yes" } else { "NO" }.to_owned();
    [
        row.scenario.clone(),
        row.tool.clone(),
        row.version.clone(),
        number(row.cpu_s),
        number(row.wall_s),
        number(mib),
        row.requests.map_or_else(dash, |count| count.to_string()),
        number(row.ratio),
        row.target.clone().unwrap_or_else(dash),
        row.holds.map_or_else(dash, holds),
    ]
}

pub(crate) fn dash() -> String {
    "-".to_owned()
}

pub(crate) fn width<const N: usize>(lines: &[[String; N]], column: usize) -> usize {
    lines
        .iter()
        .filter_map(|line| line.get(column))
        .map(|cell| cell.chars().count())
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(peak: Option<u64>) -> Row {
        Row {
            rss_peak: peak,
            ..Row::default()
        }
    }

    #[test]
    fn a_bound_holds_up_to_itself_and_never_unmeasured() {
        let check = |peak, fine| assert_eq!(row(peak).at_most(12 << 20).is_fine(), fine);
        check(Some(12 << 20), true);
        check(Some((12 << 20) + 1), false);
        check(None, false);
        assert!(row(None).is_fine());
    }

    #[test]
    fn ratios_are_to_the_first_row() {
        let mut rows = [row(Some(4 << 20)), row(Some(14 << 20)), row(None)];
        compare(&mut rows);
        assert_eq!(rows.map(|row| row.ratio), [Some(1.0), Some(3.5), None]);
    }

    #[test]
    fn json_has_exactly_the_published_keys() {
        let value = serde_json::to_value(row(Some(1))).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        let mut expected = HEAD.map(str::to_owned).to_vec();
        expected.sort();
        let mut found = keys;
        found.sort();
        assert_eq!(found, expected);
    }
}
